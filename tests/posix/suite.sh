#!/bin/bash
# POSIX behaviour: posix-suite on a volume and on ext4, which has to be the same; again as
# an old kernel has it, without shared mappings on direct I/O; and that the suite can fail.
# POSIX_LONG=1: all of it.  Needs root, /dev/fuse and loop devices.
. "${srcdir:-.}/tests/posix/lib.sh"
need_mounts
need_ext4 plain 2G

suite=$builddir/tests/posix/posix-suite
seed=${POSIX_SEED:-$$}
list=$srcdir/tests/posix/differences.list
long=${POSIX_LONG:+--long}

# suite NAME VOLUME ARG...: its cases become diagnostics, for there are several runs.
run_suite() {
	run_name=$1 run_volume=$2
	shift 2
	"$suite" --seed "$seed" "$@" "$scratch/$run_volume/mnt" "$scratch/plain/mnt" \
		>"$out" 2>"$err"
	run_status=$?
	grep -E '^(not ok|#)' "$out" | sed 's/^#*/#/'
	sed 's/^/# /' "$err"
	ok $run_status "$run_name: $(tail -n 1 "$out")"
}

# notices NAME WORD ARG...: a suite that is told wrong things says so.
notices() {
	notices_name=$1 notices_word=$2
	shift 2
	! "$suite" "$@" "$scratch/new/mnt" "$scratch/plain/mnt" >"$out" 2>"$err" &&
		grep -q -e "$notices_word" "$out" && grep -q ' [1-9][0-9]* violations' "$out"
	ok $? "$notices_name" || diagnose
}

open_volume new
# No shared mappings on direct I/O, as before Linux 6.6.
open_volume old --mask-init-flags 1000000000
run_suite "as ext4" new --differences "$list" $long
run_suite "on an old kernel" old --quick --differences "$list"

# --- and can fail -------------------------------------------------------------------

notices "seen: an expectation that is altered" "not ok.*open: creat" \
	--only "open: creat" --alter "open: creat"
printf 'case: open: creat\nstep: no such step\nplain: 0\nmount: 1\nreason: none\n' >"$scratch/list"
notices "seen: a listed difference that does not happen" "it did not happen: no such step" \
	--only "open: creat" --differences "$scratch/list"
sed -i 's/^case: .*/case: no such case/' "$scratch/list"
notices "seen: a list of cases that there are not" "there is no case" \
	--only "open: creat" --differences "$scratch/list"
notices "seen: a difference that is not in the list" "O_TMPFILE" --only "O_TMPFILE"
done_testing

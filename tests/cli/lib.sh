# Shared by the tests of the command lines: one line of TAP for each check.
# A test sources it, calls check functions, and ends with `done_testing`.
#
#	expect STATUS NAME COMMAND...   runs the command; keeps $out and $err
#	has out|err NAME PATTERN        the last command printed a line that matches
#	lacks out|err NAME PATTERN
#	ok CONDITION-STATUS NAME

# Programs lie in the build directory, data in the source directory.
: "${srcdir:=.}" "${builddir:=.}"
# Absolute: tests change to their scratch directory.
srcdir=$(cd "$srcdir" && pwd) builddir=$(cd "$builddir" && pwd)
PATH=$builddir/tools/ctl:$builddir/tools/volume:$builddir/tools/key:$builddir/tools/policy:$PATH
PATH=$builddir/tools/audit:$builddir/src/daemon:$PATH
export PATH
LC_ALL=C
export LC_ALL

count=0 count_failed=0
scratch=$(mktemp -d "${TMPDIR:-/tmp}/phifs-cli.XXXXXX") || exit 1
at_exit=:
trap 'eval "$at_exit"; rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM HUP
out=$scratch/out
err=$scratch/err

ok() {
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count - $2"
	else
		echo "not ok $count - $2"
		count_failed=$((count_failed + 1))
		return 1
	fi
}

# What was seen, for the log of a failure.
diagnose() {
	sed 's/^/# out: /' "$out"
	sed 's/^/# err: /' "$err"
}

expect() {
	expect_status=$1
	expect_name=$2
	shift 2
	timeout 60 "$@" >"$out" 2>"$err" </dev/null
	got_status=$?
	[ "$got_status" -eq "$expect_status" ]
	ok $? "$expect_name" || {
		echo "# exit status $got_status, expected $expect_status: $*"
		diagnose
	}
}

has() {
	grep -q -e "$3" "$scratch/$1"
	ok $? "$2" || diagnose
}

lacks() {
	! grep -q -e "$3" "$scratch/$1"
	ok $? "$2" || diagnose
}

# flip FILE OFFSET: one byte becomes another, whatever it was.
flip() {
	byte=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
	# shellcheck disable=SC2059 # the format is the byte
	printf "\\$(printf %o $((byte ^ 16)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# The exit status is for who runs a test by itself, as the targets of campaigns do.
done_testing() {
	echo "1..$count"
	[ "$count_failed" -eq 0 ]
}

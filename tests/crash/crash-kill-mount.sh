#!/bin/sh
# phifsd is killed under load at random moments, and started again: what was answered
# is there, what was not is there as a whole or not at all.  Needs root and /dev/fuse.
#
#	KILLS=200 SEED=7 tests/crash/crash-kill-mount.sh
: "${srcdir:=.}" "${builddir:=.}"
if [ -w /dev/shm ]; then
	: "${TMPDIR:=/dev/shm}"
	export TMPDIR
fi
. "$srcdir/tests/fs/lib.sh"
: "${KILLS:=3}" "${SEED:=$(date +%s)}"
need_mounts
campaign=$builddir/tests/crash/crash-kill-mount
mnt=$scratch/v/mnt
load=
end_all() {
	[ -z "$load" ] || kill "$load" 2>/dev/null
	end_volumes
}
at_exit=end_all

answers() { od -An -t u8 -j 192 -N 8 "$scratch/asked" 2>/dev/null | tr -d ' '; }
has_answers() { [ "$(answers)" -gt "$1" ] 2>/dev/null; }

# A thousandth of seconds from the seed and the number of the kill.
moment() { awk -v s="$((SEED + $1))" 'BEGIN { srand(s); printf "0.%03d", rand() * 400 }'; }

alarm() { grep -q 'does not verify\|older than what\|removed behind\|malformed' "$scratch/v/log"; }

# live NUMBER: load, a kill, the next mount
live() {
	"$campaign" work "$mnt" "$scratch/asked" "$((SEED + $1))" 2>/dev/null &
	load=$!
	until_true 20 has_answers "$(answers)" || return 1
	sleep "$(moment "$1")"
	kill -KILL "$(worker_of v)"
	wait "$load"
	load=
	until_true 20 has_ended "$v_pid"
	wait "$v_pid"
	start_volume v
	unlock_volume v
	"$campaign" check "$mnt" "$scratch/asked" >"$out" && ! alarm
}

make_volume v
start_volume v
unlock_volume v
"$campaign" check "$mnt" "$scratch/asked" >"$out"
violations=0 kills=0
while [ "$kills" -lt "$KILLS" ] && [ "$violations" -eq 0 ]; do
	kills=$((kills + 1))
	live "$kills" || violations=1
done
[ "$violations" -eq 0 ]
ok $? "killed under load, seed $SEED: $kills states explored, $violations violations, $(tail -n 1 "$out")" ||
	diagnose
cp "$scratch/asked" "$scratch/more"
printf '\377' | dd of="$scratch/more" bs=1 seek=101 conv=notrunc 2>/dev/null
"$campaign" check "$mnt" "$scratch/more" >"$out"
[ $? -eq 1 ]
ok $? "seen: an answer that was lost"
stop_volume v
expect 0 "what is left is a whole volume" phifs-volume check --config "$scratch/v/v.conf" \
	--keyfile "$scratch/v/key"
! alarm
ok $? "without an alarm"
done_testing

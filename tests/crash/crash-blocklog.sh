#!/bin/sh
# Power cuts replayed from block writes recorded below ext4 and xfs, and that they
# find a store which does not flush; `make check-crash` explores longer.
#
#     crash-blocklog.sh [SECONDS [RULE...]]
: "${builddir:=.}"
seconds=${1:-6}
[ $# -eq 0 ] || shift
rules=${*:-I5_NO_FLUSH}
if [ -w /dev/shm ]; then
	: "${TMPDIR:=/dev/shm}"
fi
# What a program that was killed leaves behind goes with it.
TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/phifs-blocklog.XXXXXX") || exit 99
export TMPDIR
log=$TMPDIR/log
trap 'rm -rf "$TMPDIR"' EXIT
trap 'exit 1' INT TERM HUP
seed=$(date +%s)
failed=0 number=0

ok() {
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $number - $2"
	else
		echo "not ok $number - $2"
		grep -v '^found: \|^at the end' "$log" | tail -n 20 | sed 's/^/# /'
		failed=1
	fi
}

# A share of the epochs: several workloads instead of one.
"$builddir/tests/crash/crash-blocklog" --seconds "$seconds" --seed "$seed" --share 20 \
	</dev/null >"$log" 2>&1
status=$?
if [ $status -eq 77 ]; then
	echo "1..0 # SKIP $(tail -n 1 "$log")"
	exit 0
fi
echo "1..$((1 + $(echo "$rules" | wc -w)))"
ok $status "crash-blocklog: $(tail -n 1 "$log")"

for rule in $rules; do
	PHIFS_BREAK=$rule "$builddir/tests/crash/crash-blocklog-broken" --seconds $((seconds * 10)) \
		--seed "$seed" --first </dev/null >"$log" 2>&1
	[ $? -ne 77 ] && grep -q '^violation: ' "$log"
	ok $? "$rule broken is found: $(tail -n 1 "$log")"
done
exit $failed

#!/bin/sh
# Attacks on a volume's files, for some seconds; the same on a store that leaves out
# one of its checks after another: those are found out.  `make check-attack` is the
# long version.
: "${srcdir:=.}" "${builddir:=.}"
# The disks are simulated; only the ledgers are files.
if [ -w /dev/shm ]; then
	: "${TMPDIR:=/dev/shm}"
fi
# What a store that crashes leaves behind goes with it.
TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/phifs-attack.XXXXXX") || exit 99
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
log=$TMPDIR/log
list=$srcdir/tests/attack/broken.list
failed=0 number=0

# ok STATUS NAME
ok() {
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $number - $2"
	else
		echo "not ok $number - $2"
		grep -v ' 0      0$' "$log" | sed 's/^/# /' | tail -n 20
		failed=1
	fi
}

broken() { sed '/^#/d; /^$/d' "$list"; }

# A violation, or a store that crashes; not a program that was not there.
finds() {
	PHIFS_BREAK=$1 timeout 60 "$builddir/tests/attack/attack-store-broken" --states 400 \
		--kind "$2" --first </dev/null >"$log" 2>&1
	case $? in 0 | 2 | 124 | 126 | 127) return 1 ;; esac
}

echo "1..$(($(broken | wc -l) + 2))"
"$builddir/tests/attack/attack-store" --seconds "${ATTACK_SECONDS:-10}" --seed "$(date +%s)" \
	</dev/null >"$log" 2>&1
ok $? "$(tail -n 1 "$log")"
PHIFS_BREAK='' "$builddir/tests/attack/attack-store-broken" --states 100 </dev/null >"$log" 2>&1
ok $? "a store with nothing broken"
broken >"$TMPDIR/list"
while read -r rule kind; do
	finds "$rule" "$kind"
	ok $? "without $rule: $kind"
done <"$TMPDIR/list"
exit $failed

#!/bin/sh
# Attacks on a volume's files, for some seconds; the same on a store that leaves out
# one of its checks after another: those are found out.  `make check-attack` is the
# long version.
. "${srcdir:-.}/tests/crash/lib.sh"
# Kinds that were not tried.
noise=' 0      0$'
list=$srcdir/tests/attack/broken.list

broken() { sed '/^#/d; /^$/d' "$list"; }

# A violation, or a store that crashes; not a program that was not there.
attack_finds() {
	PHIFS_BREAK=$1 timeout 60 "$builddir/tests/attack/attack-store-broken" --states 400 \
		--kind "$2" --first </dev/null >"$log" 2>&1
	case $? in 0 | 2 | 124 | 126 | 127) return 1 ;; esac
}

"$builddir/tests/attack/attack-store" --seconds "${ATTACK_SECONDS:-10}" --seed "$(date +%s)" \
	</dev/null >"$log" 2>&1
ok $? "$(tail -n 1 "$log")"
PHIFS_BREAK='' "$builddir/tests/attack/attack-store-broken" --states 100 </dev/null >"$log" 2>&1
ok $? "a store with nothing broken"
broken >"$TMPDIR/list"
while read -r rule kind; do
	attack_finds "$rule" "$kind"
	ok $? "without $rule: $kind"
done <"$TMPDIR/list"
finish

#!/bin/sh
# The tests of the store's rules can fail: one rule after another is broken
# (broken.list), and the case that is named there, or power cuts at random, must
# find out.
#
#     broken.sh [crash [SECONDS]]
. "${srcdir:-.}/tests/crash/lib.sh"
list=$srcdir/tests/crash/broken.list

# broken FIELD [FIELD]: those fields of the list, a line each
broken() {
	sed '/^#/d; /^$/d' "$list" |
		awk -v one="$1" -v two="${2:-0}" '{ print two ? $one " " $two : $one }'
}

# Every switch of the sources is in the list, and the other way round.
same_switches() {
	grep -oh 'STORE_BREAK([A-Z0-9_]*)' "$srcdir"/src/store/*.c |
		sed 's/.*(\(.*\))/\1/' | sort -u >"$log.src"
	broken 1 | sort -u | diff "$log.src" - >"$log" && [ -s "$log.src" ]
}

# A violation is a failed case or a crash, not a program that was not there.  Ten
# seconds: a broken rule may be a thing waited for in vain.
case_finds() {
	PHIFS_BREAK=$1 CK_DEFAULT_TIMEOUT=10 "$builddir/tests/crash/rules-broken" "$2" </dev/null >"$log" 2>&1
	case $? in 0 | 2 | 126 | 127) return 1 ;; esac
}

cut_finds() {
	PHIFS_BREAK=$1 timeout $((seconds + 60)) "$builddir/tests/crash/crash-sim-broken" \
		--seconds "$seconds" --first </dev/null >"$log" 2>&1
	case $? in 0 | 2 | 126 | 127) return 1 ;; esac
}

if [ "$1" = crash ]; then
	seconds=${2:-60}
	broken 1 3 | sed -n 's/ cut$//p' | sort -u >"$log.cut"
	while read -r rule; do
		cut_finds "$rule"
		ok $? "power cuts find $rule broken"
	done <"$log.cut"
	finish
fi

same_switches
ok $? 'broken.list has every switch of src/store'
CK_DEFAULT_TIMEOUT=120 "$builddir/tests/crash/rules-broken" </dev/null >"$log" 2>&1
ok $? 'with nothing broken every case passes'
broken 1 2 >"$log.list"
while read -r rule name; do
	case_finds "$rule" "$name"
	ok $? "$name finds $rule broken"
done <"$log.list"
finish

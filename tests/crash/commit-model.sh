#!/bin/sh
# The model of the commit protocol: no crash state that recovery gets wrong, and
# each rule, broken, is found out within a few seconds.
#
# The clean model begins at another seed each time; a broken one always at the
# same, so that what is found is found again.
. "${srcdir:-.}/tests/crash/lib.sh"
model=$builddir/tests/crash/commit-model

is_clean() {
	"$model" --seconds "$1" --seed "$(date +%s)" ${2:+--broken "$2"} >"$log" 2>&1
}

# A violation is status 1; anything else is a model that does not run.
is_found() {
	"$model" --broken "$1" --first --seconds 60 >"$log" 2>&1
	[ $? -eq 1 ] && grep -q '^violation: ' "$log"
}

"$model" --list >"$log.list" || exit 99
is_clean 5
ok $? "the protocol: $(tail -n 1 "$log")"
while read -r rule what; do
	case $what in
	*'(masked'*)
		is_clean 1 "$rule"
		ok $? "$rule broken: another rule stands before it"
		;;
	*)
		is_found "$rule"
		ok $? "$rule broken: $(sed -n 's/^violation: \([^;]*\).*/\1/p' "$log" | head -n 1)"
		;;
	esac
done <"$log.list"
finish

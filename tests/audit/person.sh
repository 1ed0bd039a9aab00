#!/bin/sh
# The person of a handle is its opener while the same process uses it, whatever
# uid its threads have; another process that inherits the descriptor is itself.
. "$srcdir/tests/audit/mounted.sh"
need_mounts

opener=40001 stranger=40002 other=40003
cat >"$scratch/policy" <<END
[class ward]
path = /
mode = 755
[role server]
members = uid:$opener
login = none
allow = all on ward
[role helper]
members = uid:$other
login = none
allow = view on ward
[role admin]
members = uid:0
login = none
allow = create list on ward
END
mount_volume v --policy "$scratch/policy"
requests fill "$scratch/v/mnt/file"
ok $? "a file is made"
requests handles "$scratch/v/mnt/file" $opener $stranger $other >"$scratch/out"
ok $? "pool threads, children" || sed 's/^/# /' "$scratch/out"
unmount_volume v
ok $? "unmount"
records --all --path /file >"$scratch/seen"

# who OFFSET: uid and role of the READ from there
who() {
	grep '"event":"READ".*"outcome":"done".*"offset":'"$1"'[,}]' "$scratch/seen" >"$scratch/line"
	echo "$(field uid <"$scratch/line") $(field role <"$scratch/line")"
}
[ "$(who 1000)" = "$opener server" ]
ok $? "a read on a thread with another's uid is the opener's" || echo "# $(who 1000)"
[ "$(who 4000)" = "$opener server" ]
ok $? "and so it stays"
[ "$(who 3000)" = "$other helper" ]
ok $? "a child that inherits the descriptor is itself" || echo "# $(who 3000)"
grep '"event":"IDENTITY"' "$scratch/seen" | grep -q "\"uid\":$other,"
ok $? "and has a record that says so"
[ "$(who 2000)" = " " ]
ok $? "a child without a right read nothing"
# Refusals that repeat within a second are one record with a count.
refused=$(grep '"event":"DENY"' "$scratch/seen" | grep "\"uid\":$stranger," | field count |
	awk '{ sum += $1 == "-" ? 1 : $1 } END { print sum + 0 }')
[ "$refused" -ge 2 ]
ok $? "its refusal is recorded as its own, and so is the open of the thread" ||
	grep DENY "$scratch/seen" | sed 's/^/# /'
! grep '"event":"DENY"' "$scratch/seen" | grep -q "\"uid\":$opener,"
ok $? "the opener was refused nothing"
done_testing

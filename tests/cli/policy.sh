#!/bin/sh
# phifs-policy: messages and exit codes, and phifs.policy(5) against the parser's tables.
. "${srcdir:-.}/tests/cli/lib.sh"

policy=$scratch/ehr.policy
conf=$scratch/ehr.conf
cat >"$policy" <<END
[class root]
path = /
[class archive]
path = /archive
[role pacs]
members = uid:4000001
login = none
from = service
allow = deposit on archive
[role radiology]
members = uid:4000002, uid:4000003
allow = view on archive
[role trainee]
members = uid:4000003
deny = read on archive
[role vendor]
members = uid:4000004
until = 2001-01-01
allow = view on archive
END
cat >"$conf" <<END
[volume]
ciphertext = $scratch/ciphertext
mountpoint = $scratch/mnt
[lock]
idle = 30m
END
chmod 644 "$policy" "$conf"
try="phifs-policy test --policy $policy"

# --- check ------------------------------------------------------------------------
expect 0 "check" phifs-policy check --policy "$policy"
has out "says what it read" "ehr.policy: 2 classes, 4 roles, no errors$"
has out "warns of what nobody may use" "^  warning: line 1: class root: nobody may do anything there$"
has out "warns of what has ended" "^  warning: line 16: role vendor ended on 2001-01-01: remove it$"
has out "notes what is write-once" "^  note: line 3: class archive is write-once"
lacks out "knows no idle lock without a volume" "idle"
expect 0 "check of a volume" phifs-policy check --config "$conf"
has out "knows its idle lock" "role pacs has login = none and the volume locks after 30 min idle"
has out "gives a hint" "^    hint: set 'idle = never' in \[lock\]"
expect 0 "check --json" phifs-policy check --config "$conf" --json
has out "is JSON" '"kind": "note"'
has out "says that it is valid" '"is_valid": true'

printf '[class a]\npath = /\nmods = 1\n' >"$scratch/bad.policy"
expect 2 "check of a bad file" phifs-policy check --policy "$scratch/bad.policy"
has err "names file, line and the nearest word" \
	"^phifs-policy: error: .*/bad.policy:3: unknown key 'mods' in class a (did you mean 'mode'?)$"
expect 2 "check --json of a bad file" phifs-policy check --json --policy "$scratch/bad.policy"
has out "carries the error" "unknown key 'mods'"
has out "says that it is not valid" '"is_valid": false'
expect 2 "check of a file that is not there" phifs-policy check --policy "$scratch/none"

# --- test -------------------------------------------------------------------------
expect 0 "allowed" $try 4000002 read /archive/x
has out "names the rule" "^yes: role radiology: allow view on archive (line 12)$"
has out "says what was not judged" "mode bits were not judged: no volume was named"
expect 1 "default deny" $try 4000002 write /archive/x
has out "says so" "^no: default deny: no rule allows write in class archive to a role of 4000002$"
expect 1 "deny" $try 4000003 read /archive/x
has out "names the deny" "^no: role trainee: deny read on archive (line 15)$"
expect 1 "root" $try root read /archive/x
has out "is not a role" "root is not a role$"
expect 0 "a service is taken for one" $try 4000001 create /archive/x
expect 1 "but not through a login" $try 4000001 create /archive/x --login 0
has out "says why" "^no: role pacs has from = service, and this process would be started from"
has err "and what to try" "^phifs-policy: hint: as the service itself: .* --login service$"
expect 1 "ended" $try 4000004 read /archive/x
has out "says that it has ended" "^no: role vendor allows it, but has ended$"
expect 0 "test --json" $try 4000002 read /archive/x --json
has out "has the role" '"role": "radiology"'
has out "has the class" '"class": "archive"'
expect 1 "test --json, refused" $try 4000002 attr /archive/x --json
has out "has no role" '"role": null'
expect 0 "test of a volume that is not mounted" \
	phifs-policy test 4000002 read /archive/x --config "$conf"
has out "says that it is not mounted" "mode bits were not judged: the volume is not mounted"

expect 2 "unknown action" $try 4000002 raed /archive/x
has err "names the nearest" "unknown action 'raed' (did you mean 'read'?)"
expect 2 "a relative path" $try 4000002 read archive/x
expect 2 "a path with .." $try 4000002 read /archive/../x
expect 2 "an empty component" $try 4000002 read /archive//x
expect 0 "a directory" $try 4000002 list /archive
expect 1 "an unknown user" $try no-such-user-7 read /archive
has err "says so" "there is no user no-such-user-7 on this host"

# --- diff -------------------------------------------------------------------------
sed 's/view on archive/list on archive/' "$policy" >"$scratch/new.policy"
expect 0 "diff" phifs-policy diff --policy "$policy" "$scratch/new.policy"
has out "shows what is lost" "^role radiology: loses read on archive$"
expect 0 "diff of equal files" phifs-policy diff --policy "$policy" "$policy"
has out "says so" "gives the same rights as"
expect 2 "diff with the name of a volume" phifs-policy diff --policy "$policy" ehr
has err "says what belongs there" "hint: the new policy is a file"
expect 2 "diff with a bad file" phifs-policy diff --policy "$policy" "$scratch/bad.policy"

# --- phifs.policy(5) ----------------------------------------------------------------
# keys WHAT: those in force, or (WHAT = NULL) those of later versions.
keys() {
	sed -n "s/^	{\"\([a-z-]*\)\", $1, [a-z]*},\$/\1/p" \
		"$srcdir/src/policy/class_keys.c" "$srcdir/src/policy/role_keys.c"
}
[ "$(keys '[a-z_]*' | wc -l)" -ge 12 ] && [ "$(keys NULL | wc -l)" -ge 6 ]
ok $? "both tables were read"
for key in $(keys '[a-z_]*'); do
	grep -q "^\.It Cm $key\$" "$srcdir/man/phifs.policy.5"
	ok $? "phifs.policy(5) explains $key"
done
for key in $(keys NULL); do
	grep -q "^\.Cm .*$key" "$srcdir/man/phifs.policy.5"
	ok $? "phifs.policy(5) names $key"
done
done_testing

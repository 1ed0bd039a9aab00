#!/bin/sh
# phifs-audit: keys, show and verify on a journal that a stand-in wrote, and on
# messages as a collector keeps them.
. "${srcdir:-.}/tests/cli/lib.sh"
PATH=$builddir/tests/audit:$PATH

cd "$scratch" || exit 1

# --- keygen -------------------------------------------------------------------------
expect 0 "keygen" phifs-audit keygen --output officer --no-passphrase
has out "shows the fingerprint" '^fingerprint: SHA256:'
[ "$(stat -c %a officer)" = 600 ]
ok $? "the secret key is its owner's alone"
cp officer before
expect 7 "keygen does not overwrite" phifs-audit keygen --output officer --no-passphrase
has err "gives a hint" '^phifs-audit: hint: choose another name: phifs-audit keygen --output'
cmp -s officer before
ok $? "and has not"
rm -f other
touch other.pub
expect 7 "nor a public key" phifs-audit keygen --output other --no-passphrase
[ ! -e other ]
ok $? "and leaves no half of a pair"
expect 2 "keygen without a name" phifs-audit keygen
has err "says so" 'output FILE is missing'
expect 2 "keygen with two wishes" phifs-audit keygen --output x --no-passphrase --passphrase-file y
echo "correct horse" >pass
echo "wrong horse" >wrong
chmod 600 pass wrong
expect 0 "keygen with a passphrase" phifs-audit keygen --output second --passphrase-file pass
lacks out "does not say that there is none" 'without a passphrase'
phifs-audit keygen --output stranger --no-passphrase >"$out" 2>"$err"

# --- a journal ------------------------------------------------------------------------
fingerprint=$(trail-writer create journal officer.pub second.pub)
trail-writer write journal ring - 3 4 0 >"$out" 2>"$err"
ok $? "a journal was written" || diagnose
show="phifs-audit show --journal journal --key officer"

expect 0 "show" $show
has out "who, from where, what, which rule" \
	'nurse  *ssh 192.0.2.7  *read  */archive/MRN0000/image 0.dcm  4096 bytes at 8192  *done  (radiology, line 12)$'
has out "the person behind sudo" 'root (jroot)  *pts/3  *read  */archive/MRN0001/image 1.dcm  *refused  (default deny)$'
has out "counts" '^19 of 24 records shown (CLOSE,'
lacks out "without what is for machines" ' close '
expect 0 "show --all" $show --all
has out "shows the rest" '^24 of 24 records shown$'
expect 0 "a filter by event" $show --event deny
has out "shows those" '^3 of 24 records shown$'
expect 0 "two filters by event" $show --event DENY --event OPEN
has out "shows both" '^6 of 24 records shown$'
expect 2 "an unknown event" $show --event opn
has err "names the nearest" "unknown event 'opn' (did you mean 'OPEN'?)"
expect 0 "a filter by login" $show --user jroot
has out "shows what he did as root" '^3 of 24 records shown'
expect 0 "a filter by number" $show --user 998
lacks out "shows nobody else" 'nurse'
expect 0 "a filter by path" $show --path /archive/MRN0001/
has out "shows reads of the file too" '^6 of 24 records shown'
expect 2 "a path that is not absolute" $show --path archive
has err "says what to give" 'hint: .*--path /archive$'
expect 1 "a path that is only the beginning of a name" $show --path /archive/MRN000
expect 1 "times before the first record" $show --until 2001-01-01
expect 0 "times after it" $show --since 2001-01-01T00:00Z --until "$(date -d tomorrow +%Y-%m-%d)"
expect 2 "a time that is none" $show --since noon
has err "lists times" 'hint: times are: '
expect 0 "show --json" $show --json --event READ
[ "$(grep -c '"event":"READ".*"path":"/archive/' "$out")" -eq 12 ]
ok $? "has a line for each record, with its path" || diagnose
expect 0 "a key with a passphrase" phifs-audit show --journal journal --key second --passphrase-file pass
expect 5 "a wrong passphrase" phifs-audit show --journal journal --key second --passphrase-file wrong
expect 6 "a stranger's key" phifs-audit show --journal journal --key stranger
expect 2 "show without a key" phifs-audit show --journal journal
expect 2 "a public key" phifs-audit show --journal journal --key officer.pub
mkdir empty
expect 1 "no journal" phifs-audit show --journal empty --key officer
expect 1 "no key file" phifs-audit show --journal journal --key nobody

printf '[volume]\nciphertext = %s/c\nmountpoint = %s/m\nstate = %s/s\n' \
	"$scratch" "$scratch" "$scratch" >ehr.conf
mkdir s
mv journal s/audit
expect 0 "show of a volume" phifs-audit show --config ehr.conf --key officer
mv s/audit journal

# --- verify ---------------------------------------------------------------------------
verify="phifs-audit verify --journal journal"
expect 0 "verify" $verify --key officer --fingerprint "$fingerprint"
has out "says that it is whole" '^verdict   whole$'
has out "up to where" '^sealed    up to record 24, '
expect 0 "verify without a key" $verify
has out "says what it did not check" 'note      NO_KEY: '
expect 0 "verify --json" $verify --json
has out "is JSON" '"verdict": "WHOLE"'
expect 8 "another fingerprint" $verify --fingerprint SHA256:none
has out "is named" 'TAMPERED  FINGERPRINT: '
cp -r journal killed
rm killed/state
expect 9 "without the state" phifs-audit verify --journal killed --key officer
has out "cannot be proven" '^verdict   cannot be proven$'
cp -r journal edited
flip edited/000001.seg 1300
expect 8 "an edited record" phifs-audit verify --journal edited --key officer
has out "is named" 'TAMPERED  EDITED: segment 1, record [0-9]*: a record was edited'
has err "and what to do" '^phifs-audit: hint: keep the directory as it is'
expect 8 "show of it" phifs-audit show --journal edited --key officer
has err "says so" '^phifs-audit: error: segment 1: '

# --- a collector's file -----------------------------------------------------------------
id=0123456789abcdef0123456789abcdef
# message SEQUENCE EVENT PARAMETERS
message() {
	printf '<86>1 2026-11-25T13:30:00.000001+00:00 host1 phifsd 12 %s [phifs@32473 v="1" vol="ehr" jid="%s" seg="1" seq="%s" h="00" %s][meta sequenceId="%s"] %s\n' \
		"$2" "$id" "$1" "$3" "$1" "$2"
}
{
	message 1 OPEN 'out="done" user="eve \"x\\\" \]" uid="5" pid="9" fh="1" name="/a b%0A/c" class="k" role="r" rule="3" from="tty1"'
	message 2 READ 'out="done" uid="5" pid="9" fh="1" off="0" len="10" bytes="10"'
	message 2 READ 'out="done" uid="5" pid="9" fh="1" off="0" len="10" bytes="10"'
	echo '<13>1 2026-11-25T13:30:02Z host1 cron 12 - - something else'
	message 3 READ 'out="TAMPERED" uid="5" pid="9" fh="1" off="10" len="10" bytes="0"'
} >collected
expect 0 "show --input without a key" phifs-audit show --input collected
has out "quoted values come back, and are safe to look at" 'eve "x.x5c" \]  *tty1  *open  */a b.x0a/c'
has out "a read has its file, person and rule" 'eve .*read  */a b.*10 bytes at 0  *done  (r, line 3)'
has out "a failure its cause" 'edited or damaged'
has out "each once" '^3 of 3 records shown$'
has err "counts what came twice" ': 1 messages came twice and are shown once$'
has err "and what is not of phifs" ': 1 lines are not of phifs$'
expect 0 "show NAME --input" phifs-audit show ehr --input collected
expect 1 "of another volume" phifs-audit show other --input collected
expect 0 "show --input --json" phifs-audit show --input collected --json
has out "has journal and sequence" "\"journal\":\"$id\",\"segment\":1,\"sequence\":3,\"event\":\"READ\",\"outcome\":\"TAMPERED\""
sed 's/ seq="2" h="00"/ seq="2" h="00000000000000000000000000000000"/' collected >first
sed -n 's/h="0/h="1/; / seq="2" h="1/p' first | cat first - >forked
expect 8 "a record that says something else the second time" phifs-audit show --input forked
has err "is named" 'said something else: the host went back to an older state$'
message 7 CLOSE 'out="done" fh="1"' >>collected
expect 9 "a gap" phifs-audit show --input collected
has err "is named" ': records 4 to 6 of ehr are missing$'
message 8 OPEN 'out="done' >bad
message 9 NOSUCH 'out="done"' >>bad
message 10x OPEN 'out="done"' >>bad
message 11 OPEN 'uid="5" uid="0"' >>bad
{
	message 12 OPEN 'detail="' | tr -d '\n'
	head -c 9000 /dev/zero | tr '\0' x
	echo '"]'
} >>bad
message 13 MOUNT 'out="done"' >>bad
expect 8 "malformed messages" phifs-audit show --input bad
[ "$(grep -c 'error: bad:[1-5]: malformed' "$err")" -eq 5 ]
ok $? "are named by line" || diagnose
has out "and do not hide the next" '^1 of 1 records shown$'
expect 1 "an input that is not there" phifs-audit show --input nothing
expect 2 "--input and --journal" phifs-audit show --input bad --journal journal
done_testing

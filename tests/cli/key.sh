#!/bin/sh
# phifs-key: slots are listed, added, removed and rotated; who may not is refused,
# and so is a slot file that was edited or is old.
. "${srcdir:-.}/tests/cli/lib.sh"
. "${srcdir:-.}/tests/cli/terminal.sh"

umask 077
cd "$scratch" || exit 1
printf 'correct horse\n' >pass
printf 'battery staple\n' >second
printf 'nobody has this\n' >wrong
for name in a b; do
	phifs-audit keygen --output $name --no-passphrase >/dev/null
done
conf=$scratch/ehr.conf
phifs-volume init --config "$conf" --ciphertext ct --mountpoint mnt --state st \
	--run-directory "$scratch/run" --passphrase-file pass --recovery-key-file paper \
	--slot-name custodian --auditor-key a.pub --auditor-key b.pub >"$out" 2>"$err"
ok $? "a volume" || diagnose
volume="--config $conf"

# unchanged NAME: neither copy of the slot file is another than at the last `keep`.
keep() {
	cp ct/slots kept.ct && cp st/slots kept.st
}
unchanged() {
	cmp -s ct/slots kept.ct && cmp -s st/slots kept.st
	ok $? "$1: nothing is changed"
}
# What the store makes of the keys: it answers with the file of the root directory.
opens() {
	expect 0 "$1" phifs-volume locate $volume / $2 $3
}

# --- list --------------------------------------------------------------------------
expect 0 "list" phifs-key list $volume
has out "has the first slot" "^1 *passphrase *unlock key-admin .* custodian$"
has out "has the recovery key" "^2 *recovery *unlock key-admin .* recovery key$"
has out "has the generation" "^generation 1, key epoch 1$"
expect 0 "list --json" phifs-key list $volume --json
has out "has the rights" '"is_key_admin": true'
has out "says that both copies are the same" '"copies_agree": true'

# --- add ---------------------------------------------------------------------------
keep
expect 5 "add, wrong passphrase" phifs-key add $volume --keyfile k --passphrase-file wrong
has err "does not say more" "^phifs-key: error: wrong passphrase or key, or not one of ehr$"
has err "names other ways in" "^phifs-key: hint: other ways in: phifs-key list --config $conf$"
[ ! -e k ]
ok $? "no key file is made for nothing"
expect 2 "add two kinds" phifs-key add $volume --keyfile k --recovery --passphrase-file pass
expect 2 "add unknown rights" phifs-key add $volume --keyfile k --rights read --passphrase-file pass
expect 2 "add without a name" phifs-key add $volume --keyfile k --name '' --passphrase-file pass
expect 2 "add a name of two lines" phifs-key add $volume --keyfile k --name 'a
b' --passphrase-file pass
printf short >short
expect 2 "add a short key file" phifs-key add $volume --keyfile short --passphrase-file pass
expect 2 "two ways to unlock" phifs-key add $volume --keyfile k --passphrase-file pass --unlock-keyfile k
expect 2 "nothing to ask on" setsid -w phifs-key add $volume --keyfile k
has err "says how to give it" "hint: .*--passphrase-file"
unchanged "refused additions"

expect 0 "add a key file" phifs-key add $volume --keyfile boot.key --passphrase-file pass
has out "says its number" "^Slot 3 (boot.key) is added to ehr; rights: unlock\.$"
has out "says that it was made" "^boot.key was written\.$"
[ "$(stat -c '%a %s' boot.key)" = '600 64' ]
ok $? "which is private and long"
cmp -s ct/slots st/slots
ok $? "both copies are the same"
opens "it opens the volume" --keyfile boot.key
expect 7 "add the same key file again" phifs-key add $volume --keyfile boot.key --passphrase-file pass
has err "the same again: says what to do" "hint: which ones there are: phifs-key list"
keep
expect 6 "it is no key-admin" phifs-key add $volume --keyfile k --unlock-keyfile boot.key
has err "says so" "^phifs-key: error: slot 3 (boot.key) is not a key-admin$"
has err "says what to do" "^phifs-key: hint: .*--admin-passphrase-file FILE"
unchanged "a slot that may not"
expect 0 "with a key-admin it may: by the recovery key" phifs-key add $volume --name 'on call' \
	--new-passphrase-file second --unlock-keyfile boot.key --admin-passphrase-file paper
opens "the new passphrase opens" --passphrase-file second
expect 0 "add a key-admin who cannot unlock" phifs-key add $volume --keyfile officer.key \
	--rights key-admin --name officer --passphrase-file pass
keep
expect 6 "he does not unlock" phifs-key rotate $volume --unlock-keyfile officer.key
has err "is told what to do" "hint: unlock with another one"
expect 6 "nor does he open the volume" phifs-volume locate $volume / --keyfile officer.key
unchanged "no rotation"
expect 0 "add a recovery key" phifs-key add $volume --recovery-key-file paper2 \
	--passphrase-file pass
grep -qxE '([a-z2-7]{5}-){7}[a-z2-7]{5}' paper2
ok $? "it is written as eight groups"
expect 7 "its file is not overwritten" phifs-key add $volume --recovery-key-file paper2 \
	--passphrase-file pass
tr 'a-z-' 'A-Z ' <paper2 >typed
opens "it opens as a person types it" --passphrase-file typed
expect 2 "a recovery key without a terminal" \
	setsid -w phifs-key add $volume --recovery --passphrase-file pass

# --- on a terminal -----------------------------------------------------------------
keep
start_terminal phifs-key add $volume --recovery
type_at "Passphrase for ehr" "correct horse"
for _ in 1 2 3; do
	type_at "last five characters" "wrong"
done
ends 2 "a recovery key that was not written down"
unchanged "not written down"
start_terminal phifs-key add $volume --recovery --name in-the-safe
type_at "Passphrase for ehr" "correct horse"
wait_for "last five"
key=$(grep -oE '([a-z2-7]{5}-){7}[a-z2-7]{5}' screen)
type_at "last five characters" "$(printf '%s' "$key" | tail -c 5)"
ends 0 "a recovery key that was"
printf '%s\n' "$key" >safe
opens "it opens the volume" --passphrase-file safe
start_terminal phifs-key add $volume --name nurse --unlock-keyfile boot.key
type_at "Passphrase of a key-admin of ehr" "correct horse"
type_at "New passphrase for slot nurse" "night shift"
type_at "Again" "night shirt"
ends 2 "a new passphrase typed in two ways"
start_terminal phifs-key add $volume --name nurse --unlock-keyfile boot.key
type_at "Passphrase of a key-admin of ehr" "correct horse"
type_at "New passphrase for slot nurse" "night shift"
type_at "Again" "night shift"
ends 0 "a new passphrase"
start_terminal phifs-key add $volume --name late --passphrase-file pass
wait_for "New passphrase for slot late"
expect 0 "meanwhile somebody else adds a slot" phifs-key add $volume --keyfile meanwhile.key \
	--passphrase-file pass
type_at "New passphrase for slot late" "late shift"
type_at "Again" "late shift"
ends 7 "the slots were changed meanwhile"
grep -q "were changed meanwhile; nothing was done" screen
ok $? "says so"
! grep -q -e horse -e shift screen
ok $? "nothing typed is shown"
echo 'night shift' >nurse
opens "it opens the volume too" --passphrase-file nurse

# --- rotate, remove ----------------------------------------------------------------
expect 0 "rotate" phifs-key rotate $volume --passphrase-file pass
has out "says the epoch" "^ehr has new keys (epoch 2)\. Every slot is kept: 9\.$"
opens "the key file still opens" --keyfile boot.key
opens "the other passphrase still opens" --passphrase-file second
cp st/slots old
keep
expect 2 "remove nonsense" phifs-key remove $volume boot --passphrase-file pass
expect 1 "remove what is not there" phifs-key remove $volume 99 --passphrase-file pass
expect 6 "remove oneself" phifs-key remove $volume 1 --passphrase-file pass
has err "says why" "^phifs-key: error: slot 1 is the one you came with$"
expect 5 "remove with a wrong passphrase" phifs-key remove $volume 3 --passphrase-file wrong
unchanged "refused removals"
expect 0 "remove" phifs-key remove $volume 3 --passphrase-file pass
has out "says what it did" "^Slot 3 (boot.key) is removed, and ehr has new keys (epoch 3)\.$"
expect 5 "the removed key file opens nothing" phifs-volume locate $volume / --keyfile boot.key
opens "the others do" --passphrase-file second
expect 0 "an officer removes with somebody else's key" phifs-key remove $volume 1 \
	--passphrase-file second --admin-keyfile officer.key
expect 0 "list after all that" phifs-key list $volume
lacks out "has the removed ones no more" "^[13] "
has out "counts the changes" "^generation 11, key epoch 4$"

# --- what was written under older keys ---------------------------------------------
PATH=$builddir/tests/cli:$PATH
expect 0 "files under epoch 4" fill-volume ct st second old=100 large=300000
expect 0 "a crash: committed, not applied" fill-volume ct st second crashed=5000 crash
expect 0 "rotate what has to be recovered" phifs-key rotate $volume --passphrase-file paper
expect 0 "recovered, and files under epoch 5" fill-volume ct st second new=5000
expect 0 "all of it verifies" phifs-volume check $volume --passphrase-file second
has out "is there" "^ehr: 5 objects, .*everything verifies$"

# --- edited, old, missing ------------------------------------------------------------
keep
flip st/slots 180
flip ct/slots 180
cp st/slots edited
expect 8 "an edited public key" phifs-key rotate $volume --passphrase-file second \
	--admin-keyfile officer.key
has err "is an alarm" "error: the slot file of ehr was edited or damaged; nothing was changed$"
cmp -s st/slots edited
ok $? "and stays as it is"
cp kept.ct ct/slots
expect 0 "one edited copy: the other counts" phifs-key rotate $volume --passphrase-file paper
has err "and is warned about" "warning: one copy of the slot file does not verify"
cmp -s ct/slots st/slots
ok $? "both copies are the same again"
keep
cp old ct/slots && cp old st/slots
expect 8 "an old slot file" phifs-key rotate $volume --unlock-keyfile boot.key \
	--admin-passphrase-file pass
has err "is known by the ledger" "error: the slot file of ehr is older than the one last used"
has err "and says what to do" "hint: put back a copy"
cp kept.ct ct/slots && cp kept.st st/slots
head -c 100 kept.st >st/slots
head -c 100 kept.ct >ct/slots
expect 8 "both cut short" phifs-key list $volume
rm st/slots
cp kept.ct ct/slots
expect 0 "one missing" phifs-key list $volume
has err "is warned about" "warning: the slot file in .*: not found"
rm ct/slots
expect 1 "both missing" phifs-key list $volume
has err "says where they should be" "error: no slot file in .*/ct or .*/st$"
cp kept.ct ct/slots && cp kept.st st/slots

# --- somebody else works --------------------------------------------------------------
exec 8<st/slots.lock
flock 8
expect 7 "another phifs-key at work" phifs-key rotate $volume --passphrase-file paper
has err "says so" "error: another program is changing or opening the slots of ehr: try again$"
expect 7 "nor is a key file left behind" phifs-key add $volume --keyfile none.key \
	--passphrase-file paper
[ ! -e none.key ]
ok $? "by an addition that was not made"
exec 8<&-

mkdir run
mkfifo leash
"$builddir/tests/cli/fake-daemon" run/ehr.sock 'open sesame' <leash >ready &
exec 9>leash
at_exit='exec 9>&-; wait'
tries=0
until grep -q ready ready || [ $tries -gt 100 ]; do
	sleep 0.1
	tries=$((tries + 1))
done
expect 0 "rotate beside a locked daemon" phifs-key rotate $volume --passphrase-file paper
lacks err "tells it of the change" "audit trail does not have it"
echo 'open sesame' >sesame
expect 0 "the daemon is unlocked" phifsctl unlock $volume --passphrase-file sesame
keep
expect 7 "rotate beside an unlocked daemon" phifs-key rotate $volume --passphrase-file paper
has err "says so" "error: ehr is unlocked: it would go on with the old keys$"
has err "says what to do" "^phifs-key: hint: phifsctl lock --config $conf$"
expect 7 "remove beside an unlocked daemon" phifs-key remove $volume 4 --passphrase-file paper
unchanged "an unlocked volume"
expect 0 "add beside an unlocked daemon" phifs-key add $volume --keyfile late.key \
	--passphrase-file paper
done_testing

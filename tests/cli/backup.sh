#!/bin/sh
# A backup as README.md describes it: lock or stop, copy both directories, put them
# back, start.  One directory alone is not a backup, and is refused.
. "${srcdir:-.}/tests/cli/lib.sh"
PATH=$builddir/tests/cli:$PATH

cd "$scratch" || exit 1
printf 'correct horse\n' >pass
chmod 600 pass
phifs-audit keygen --output officer --no-passphrase >/dev/null
fill="fill-volume ciphertext state pass"
verify="phifs-volume check --config $scratch/demo.conf --passphrase-file pass"

expect 0 "a volume" phifs-volume init --config "$scratch/demo.conf" --ciphertext ciphertext \
	--mountpoint mnt --state state --auditor-key officer.pub --single-auditor \
	--no-recovery-key --passphrase-file pass
expect 0 "files in it" $fill report=5000 image=700000 directory/ 'image>copy'
$verify >whole.txt

# README's lines, but for the places.
mkdir backup
cp -a ciphertext backup/ciphertext && cp -a state backup/state &&
	cp -a demo.conf demo.policy backup/
ok $? "copied"
! grep -rqa report backup/ciphertext backup/state
ok $? "no name is readable in the copy"

expect 0 "life goes on" $fill report=6000 new=100000
rm -r ciphertext state
cp -a backup/ciphertext ciphertext && cp -a backup/state state
ok $? "put back"
expect 0 "what was put back verifies" $verify
cmp -s "$out" whole.txt
ok $? "and is what was copied" || diagnose
expect 0 "the audit journal verifies" phifs-audit verify --config "$scratch/demo.conf" \
	--key officer
expect 0 "it takes files again" $fill report=7000

# The ciphertext of another day: the ledger knows better.
expect 0 "some more" $fill image=900000
rm -r ciphertext
cp -a backup/ciphertext ciphertext
expect 8 "an old ciphertext directory alone" $verify
rm -r ciphertext state
cp -a backup/ciphertext ciphertext && cp -a backup/state state
expect 0 "a few commits" $fill report=100
cp -a ciphertext newer
rm -r state
cp -a backup/state state
expect 9 "an old state directory alone: which is right cannot be proven" $verify
has out "says which file is newer" "^LEDGER_OLD objects/.*: newer than the ledger: /report$"
done_testing

#!/bin/sh
# phifs-volume: init refuses, makes and takes back; locate both ways; check finds
# each kind of damage by its own name.
. "${srcdir:-.}/tests/cli/lib.sh"
. "${srcdir:-.}/tests/cli/terminal.sh"

umask 022
top=$(cd "$srcdir" && pwd)
cd "$scratch" || exit 1
printf 'correct horse\n' >pass
printf 'battery staple\n' >wrong
chmod 600 pass wrong
for name in a b; do
	phifs-audit keygen --output $name --no-passphrase >/dev/null
done

# What init makes in this directory; the rest is a call's own business.
make="phifs-volume init --config $scratch/ehr.conf --ciphertext ct --mountpoint mnt --state st
	--run-directory $scratch/run --passphrase-file pass"
two="--auditor-key a.pub --auditor-key b.pub"

# refused STATUS NAME PATTERN ARGUMENT...: nothing is left of it.
refused() {
	refused_status=$1 refused_name=$2 refused_pattern=$3
	shift 3
	find . ! -name out ! -name err | sort >"$scratch.before"
	expect "$refused_status" "$refused_name" "$@"
	has err "$refused_name: says why" "$refused_pattern"
	find . ! -name out ! -name err | sort >"$scratch.after"
	cmp -s "$scratch.before" "$scratch.after"
	ok $? "$refused_name: leaves nothing behind" ||
		diff "$scratch.before" "$scratch.after" | head -n 20 | sed 's/^/# /'
	rm -f "$scratch.before" "$scratch.after"
}

# --- init refuses what is not complete --------------------------------------------
refused 2 "no auditor" "error: --auditor-key is needed" $make --no-recovery-key
refused 2 "one auditor" "error: only one auditor" $make --auditor-key a.pub --no-recovery-key
has err "one auditor: says what to do" "hint: .*--single-auditor"
refused 2 "the same auditor twice" "the same auditor" \
	$make --auditor-key a.pub --auditor-key a.pub --no-recovery-key
refused 2 "an auditor's secret key" "a: not an auditor's public key" \
	$make --auditor-key a --auditor-key b.pub --no-recovery-key
has err "an auditor's secret key: says what to do" "hint: .*phifs-audit keygen --output"
refused 2 "an auditor's key that is not there" "c.pub: not found" \
	$make --auditor-key c.pub --auditor-key b.pub --no-recovery-key
# Without a terminal: setsid takes away the one of whoever runs the test.
refused 2 "no way to hand out the recovery key" "no terminal to show the recovery key on" \
	setsid -w phifs-volume init --config "$scratch/ehr.conf" --ciphertext ct --mountpoint mnt \
	--state st --passphrase-file pass $two
has err "no way to hand it out: says what to do" "hint: give --recovery-key-file FILE"
refused 2 "both ways for the recovery key" "not both" \
	$make $two --no-recovery-key --recovery-key-file rk
refused 2 "an unknown template" "no template 'servise' (did you mean 'service'?)" \
	$make $two --no-recovery-key --template servise
refused 2 "a mount point is missing" "ciphertext and --mountpoint are needed" \
	phifs-volume init --config "$scratch/ehr.conf" --ciphertext ct $two --no-recovery-key
refused 2 "no name" "which NAME" phifs-volume init --ciphertext ct --mountpoint mnt $two
refused 1 "a directory to put it into is missing" "none: No such file" \
	phifs-volume init --config "$scratch/ehr.conf" --ciphertext none/ct --mountpoint mnt \
	--passphrase-file pass $two --no-recovery-key
has err "a directory is missing: says what to do" "hint: mkdir -p none"
refused 2 "ciphertext below the mount point" "ciphertext lies inside the mount point" \
	sh -c 'mkdir mnt; phifs-volume init --config "$0/ehr.conf" --ciphertext mnt/ct \
	--mountpoint mnt --state st --passphrase-file pass '"$two"' --no-recovery-key
	status=$?; rmdir mnt; exit $status' "$scratch"
refused 2 "a bad mode" "mode 0999: not an octal mode" $make $two --no-recovery-key --mode 0999
refused 2 "an unknown owner" "no user no-such-user-7" \
	$make $two --no-recovery-key --owner no-such-user-7
printf '[class a]\npath = /\nmods = 1\n' >bad.policy
refused 2 "a bad policy" "bad.policy:3: unknown key 'mods'" \
	$make $two --no-recovery-key --policy bad.policy
: >empty
chmod 600 empty
refused 2 "a name that is too long" "File name too long" \
	$make $two --recovery-key-file "$(printf '%0300d' 0)"
refused 2 "no passphrase" "empty: no passphrase there" \
	phifs-volume init --config "$scratch/ehr.conf" --ciphertext ct --mountpoint mnt --state st \
	--passphrase-file empty $two --no-recovery-key

# --- init overwrites nothing ---------------------------------------------------------
for name in ct st mnt; do
	mkdir $name
	: >$name/precious
	refused 7 "$name is not empty" "$scratch/$name is not empty: nothing is overwritten" \
		$make $two --no-recovery-key
	rm -r $name
	: >$name
	refused 7 "$name is a file" "$scratch/$name is not a directory" $make $two --no-recovery-key
	rm $name
done
for name in ehr.conf ehr.policy; do
	echo precious >$name
	refused 7 "$name exists" "$scratch/$name exists already: nothing is overwritten" \
		$make $two --no-recovery-key
	grep -q precious $name
	ok $? "$name is as it was"
	rm $name
done
echo precious >rk
refused 7 "the recovery key file exists" "$scratch/rk exists already" \
	$make $two --recovery-key-file rk
rm rk

# --- init takes back what it made ----------------------------------------------------
# The policy is the last thing made but one; here its place is taken meanwhile.
refused 7 "a late step fails" "cannot make $scratch/rk: already exists" \
	$make $two --recovery-key-file rk --policy rk
mkdir ct mnt
chmod 755 ct mnt
refused 7 "a late step fails in directories that were there" "cannot make $scratch/rk" \
	$make $two --recovery-key-file rk --policy rk
[ "$(stat -c %a ct mnt | tr '\n' ' ')" = "755 755 " ]
ok $? "they have the modes they had"
rmdir ct mnt

mkfifo fifo
chmod 600 fifo
phifs-volume init --config "$scratch/ehr.conf" --ciphertext ct --mountpoint mnt --state st \
	$two --no-recovery-key --passphrase-file fifo >"$out" 2>"$err" </dev/null &
pid=$!
echo "correct horse" >fifo
tries=0
until [ -e ct/objects ] || [ $tries -ge 1000 ]; do
	tries=$((tries + 1))
	sleep 0.01
done
kill -TERM $pid
wait $pid
[ $? -eq 10 ]
ok $? "interrupted: exit status 10" || diagnose
has err "interrupted: says so" "error: interrupted"
! [ -e ct ] && ! [ -e st ] && ! [ -e mnt ] && ! [ -e ehr.conf ] && ! [ -e ehr.policy ]
ok $? "interrupted: leaves nothing behind" || ls -R | head -20 | sed 's/^/# /'
rm fifo

# --- on a terminal --------------------------------------------------------------------
start_terminal $make $two
for _ in 1 2 3; do
	type_at "last five characters" "wrong"
done
ends 2 "the recovery key was not written down"
[ ! -e ct ] && [ ! -e st ] && [ ! -e mnt ] && [ ! -e ehr.conf ]
ok $? "nothing was made"

start_terminal $make $two
wait_for "last five characters"
printf '\003' >&5
ends 10 "^C at a question"
[ ! -e ct ] && [ ! -e st ] && [ ! -e mnt ] && [ ! -e ehr.conf ]
ok $? "nothing was made"

start_terminal phifs-volume init --config "$scratch/ehr.conf" --ciphertext ct --mountpoint mnt \
	--state st $two
type_at "Passphrase for key slot 1" "secret sesame"
type_at "Again" "secret sesame"
wait_for "last five"
key=$(grep -oE '([a-z2-7]{5}-){7}[a-z2-7]{5}' screen)
type_at "last five characters" "$(printf '%s' "$key" | tail -c 5)"
ends 0 "made on a terminal"
! grep -q sesame screen
ok $? "the passphrase is not shown"
printf '%s\n' "$key" | tr 'a-z-' 'A-Z ' >shouted
chmod 600 shouted
expect 0 "the recovery key as somebody typed it opens the volume" \
	phifs-volume locate --config "$scratch/ehr.conf" --passphrase-file shouted /
rm -r ct st mnt ehr.conf ehr.policy shouted keys screen

# --- init makes ----------------------------------------------------------------------
expect 0 "init" $make $two --recovery-key-file rk --template service --idle 12h --owner root:root
has out "says what it made" "^  mount point *$scratch/mnt$"
has out "names the auditors" "^  auditors *SHA256:"
has out "names the journal" "^  journal *SHA256:"
has err "ends with the next command" \
	"^phifs-volume: hint: next, .* phifs-policy check --config $scratch/ehr.conf$"
[ "$(stat -c %a ct st mnt rk ehr.conf ehr.policy | tr '\n' ' ')" = "700 700 0 600 644 644 " ]
ok $? "modes"
grep -qE '^([a-z2-7]{5}-){7}[a-z2-7]{5}$' rk
ok $? "the recovery key is one line"
grep -q "^idle = 12h$" ehr.conf && grep -q "^run-directory = $scratch/run$" ehr.conf
ok $? "options went into the configuration"
cmp -s "$top/examples/templates/service.policy" ehr.policy
ok $? "the policy is the template's"
expect 0 "the policy is accepted" phifs-policy check --config "$scratch/ehr.conf"
refused 7 "init again" "exists already" $make $two --no-recovery-key

mkdir other
cp ehr.policy other/my.policy
expect 0 "init with a policy that is there, and one auditor" \
	phifs-volume init --config other/two.conf --ciphertext other/ct --mountpoint other/mnt \
	--state other/st --auditor-key a.pub --single-auditor --policy other/my.policy \
	--no-recovery-key --passphrase-file pass --json
has out "JSON names the volume" '"name": "two"'
has out "JSON says that there is no recovery key" '"has_recovery_key": false'
has err "warns that there is none" "warning: there is no recovery key"
cmp -s ehr.policy other/my.policy && grep -q "^policy = $scratch/other/my.policy$" other/two.conf
ok $? "the policy is used where it is"

# Not every file system has that attribute; where it has not, all is taken back.
mkdir immutable
at_exit='chattr -i "$scratch/immutable/mnt" 2>/dev/null'
phifs-volume init --config immutable/x.conf --ciphertext immutable/ct --state immutable/st \
	--mountpoint immutable/mnt $two --no-recovery-key --passphrase-file pass --immutable \
	>"$out" 2>"$err"
case $? in
0)
	! touch immutable/mnt/file 2>/dev/null
	ok $? "nobody can put files into an immutable mount point"
	chattr -i immutable/mnt
	;;
1)
	has err "says that it cannot" "cannot be made immutable: "
	[ -z "$(ls immutable)" ]
	ok $? "and takes back what it made"
	;;
*)
	ok 1 "init --immutable" || diagnose
	;;
esac

# --- locate ----------------------------------------------------------------------------
look="phifs-volume locate --config $scratch/ehr.conf --passphrase-file pass"
expect 0 "locate a path" $look /
has out "names the ciphertext file" "^$scratch/ct/objects/../[0-9a-f]\{32\}$"
root=$(cat "$out")
expect 0 "locate below the mount point" $look "$scratch/mnt"
has out "is the same file" "^$root$"
[ -f "$root" ]
ok $? "it exists"
expect 0 "locate a ciphertext file" $look "$root"
has out "names the path" "^/$"
expect 0 "locate by the first digits" $look "$(basename "$root" | cut -c 1-8)" --json
has out "JSON has the path" '"path": "/"'
expect 0 "locate with the recovery key" phifs-volume locate --config "$scratch/ehr.conf" \
	--passphrase-file rk /
expect 1 "locate what is not there" $look /none
has err "says so" "error: /none: not found"
expect 1 "locate digits that no file has" $look ffffffff
expect 2 "locate a relative path elsewhere" $look some/file
has err "says that it is not below the mount point" "is not below the mount point"
expect 5 "locate with a wrong passphrase" phifs-volume locate --config "$scratch/ehr.conf" \
	--passphrase-file wrong /
lacks err "does not say which part was wrong" "slot 1"

# --- check finds each kind of damage by its own name ---------------------------------------
PATH=$builddir/tests/cli:$PATH
verify="phifs-volume check --config $scratch/ehr.conf --passphrase-file pass"
fill="fill-volume ct st pass"

expect 0 "files are made" $fill small=100 large=300000 'large>second' dir/
expect 0 "locate a file with two names" $look /second
large=$(cat "$out")
expect 0 "locate them by the ciphertext file" $look "$large"
[ "$(sort "$out" | tr '\n' ' ')" = "/large /second " ]
ok $? "both names" || diagnose
$look /small >small.name
small=$(cat small.name)

expect 0 "check of a volume that is whole" $verify
has out "says so" "^ehr: 5 objects, [0-9]* blocks, .* checked: everything verifies$"
expect 0 "check --json" $verify --json
has out "JSON says so" '"is_sound": true'
expect 5 "check with a wrong passphrase" phifs-volume check --config "$scratch/ehr.conf" \
	--passphrase-file wrong

# What a test below does to the two directories, without the two large files that
# no test touches, is taken back by `restore`.
keep() {
	rm -rf kept
	mkdir kept
	tar -cf kept/ct.tar --exclude ./ballast --exclude ./journal -C ct .
	tar -cf kept/st.tar --exclude ./ballast -C st .
}
restore() {
	rm -rf ct/objects st/ledger.db* st/anchor
	tar -xf kept/ct.tar -C ct
	tar -xf kept/st.tar -C st
}

# finds KIND FILE PATTERN: with exit status 8, this one finding and no other.
finds() {
	expect 8 "check: $4" $verify
	has out "check: $4: named $1" "^$1 objects/../$(basename "$2") block $3"
	[ "$(grep -c '^[A-Z_]* objects/' "$out")" -eq 1 ]
	ok $? "check: $4: nothing else" || diagnose
	lacks out "check: $4: does not say that everything verifies" "everything verifies"
	restore
}

keep
flip "$large" 8200
finds TAMPERED "$large" "[0-9]*: does not verify.*: /large$" "one byte of a block"
flip "$large" 100
finds TAMPERED "$large" "0: " "one byte of a header"
flip "$small" 1000
expect 0 "locate a damaged file" $look "$small"
has out "finds its name in the directories" "^/small$"
finds TAMPERED "$small" "0: .*: /small$" "one byte of a file in its header's page"
truncate -s 131072 "$large"
finds TAMPERED "$large" "[0-9]*: .*: /large$" "a file cut short"
rm "$large"
finds DELETED "$large" "0: removed behind the volume's back" "a file removed"
foreign=ct/objects/ab/ffffffffffffffff0123456789abcdab
cp "$small" $foreign
finds UNKNOWN $foreign "0: not in the ledger" "a file put there"
cp "$small" "$large"
finds TAMPERED "$large" "0: " "a file in another's place"

cp "$small" old.small
cp st/ledger.db old.ledger
expect 0 "a file is written again" $fill small=90
keep
cp old.small "$small"
finds ROLLBACK "$small" "0: older than what was acknowledged" "an older version of a file"
cp "$small" old.small
expect 8 "check: the whole damage as JSON" sh -c 'cp old.small "$1" && shift && "$@"' sh "$large" \
	$verify --json
has out "JSON has the kind" '"kind": "TAMPERED"'
has out "JSON has the path or none" '"path": '
has out "JSON says that it is not sound" '"is_sound": false'
restore

cp old.ledger st/ledger.db
expect 8 "check: an older ledger" $verify
has err "is rollback of the state" "older than what was acknowledged"
restore
# Somewhere in the row of `large`: eight bytes of its name are in there as they are.
digits=$(basename "$large" | cut -c 17-32 | sed 's/../\\x&/g')
row=$(grep -obUaP -m 1 "$digits" st/ledger.db | head -n 1 | cut -d : -f 1)
flip st/ledger.db "$row"
expect 8 "check: one byte of the ledger" $verify
has out "check: one byte of the ledger: named TAMPERED" "^TAMPERED ledger.db"
restore
mv st/anchor anchor
expect 9 "check: without the anchor nothing is proven" $verify
has err "says what is missing" "anchor of ehr is missing"
mv anchor st/anchor

expect 0 "check of what was taken back" $verify
expect 0 "a crash" $fill small=80 crash
expect 9 "check after a crash" $verify
has err "cannot tell" "error: ehr was not locked properly$"
has err "says what to do" "hint: start and unlock it once"
expect 0 "recovered" $fill
expect 0 "and whole" $verify

# --- with a daemon: it is asked, and what it has open is not checked ------------------------
mkdir run
mkfifo leash
fake-daemon run/ehr.sock 'open sesame' <leash >ready 2>&1 &
exec 9>leash
at_exit='exec 9>&-; wait'
tries=0
until grep -q ready ready || [ $tries -ge 1000 ]; do
	tries=$((tries + 1))
	sleep 0.02
done
printf 'open sesame\n' >sesame
chmod 600 sesame
expect 7 "check of a mounted volume" $verify
has err "says that it is mounted" "error: ehr is mounted (locked): what is in use cannot be checked"
has err "says what to do" "hint: stop it first: umount /"
expect 4 "locate in a locked volume" phifs-volume locate --config "$scratch/ehr.conf" /wards/3/a.dcm
has err "says how to unlock it" "hint: unlock it with: phifsctl unlock --config"
expect 0 "unlocked" phifsctl unlock --config "$scratch/ehr.conf" --passphrase-file sesame
expect 0 "locate asks the daemon" phifs-volume locate --config "$scratch/ehr.conf" \
	"$scratch/mnt/wards/3/a.dcm"
has out "gets the ciphertext file" "^$scratch/ct/objects/44/07000000000000007f3a9c0011223344$"
expect 0 "locate the other way round" phifs-volume locate --config "$scratch/ehr.conf" \
	07000000000000007f3a9c0011223344
has out "gets the path" "^/wards/3/a.dcm$"
expect 1 "locate what the daemon does not find" phifs-volume locate --config "$scratch/ehr.conf" /x
done_testing

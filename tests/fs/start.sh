#!/bin/sh
# phifsd starts, refuses to start, reloads and ends; whatever happens to it, no dead
# mount point stays.  Needs root and /dev/fuse.
. "${srcdir:-.}/tests/fs/lib.sh"

need_mounts
make_volume v
dir=$scratch/v
conf=$dir/v.conf

# refuses STATUS NAME PATTERN [HINT]: phifsd does not start and says why.
refuses() {
	expect "$1" "$2" phifsd --config "$conf"
	has err "$2: says why" "phifsd: error: .*$3"
	has err "$2: says what to do" "phifsd: hint: .*${4:-}"
	is_not_mounted v
	ok $? "$2: nothing is mounted"
}

# --- what it refuses to start on ----------------------------------------------------
mv "$dir/ct" "$dir/away"
refuses 9 "no ciphertext directory" "$dir/ct" "is the disk mounted"
# The mount point of a disk that is not mounted.
mkdir "$dir/ct"
refuses 9 "an empty ciphertext directory" "$dir/ct" "is the disk mounted"
rmdir "$dir/ct"
ok $? "an empty ciphertext directory: nothing is written into it"
mkdir "$dir/ct"
expect 9 "check of it" phifs-volume check --config "$conf" --keyfile "$dir/key"
has err "check of it: says what to do" "hint: is the disk mounted"
rmdir "$dir/ct"
mv "$dir/away" "$dir/ct"

mv "$dir/st" "$dir/away"
refuses 9 "no state directory" "$dir/st" "is the disk mounted"
mv "$dir/away" "$dir/st"

mv "$dir/st/ledger.db" "$dir/away"
refuses 9 "no ledger" "$dir/st" "is the disk mounted"
mkfifo "$dir/st/ledger.db"
refuses 8 "a fifo for a ledger" "store" "phifs-volume check --config $conf"
rm "$dir/st/ledger.db"
mv "$dir/away" "$dir/st/ledger.db"

cp -a "$dir/st" "$dir/whole"
dd if=/dev/zero of="$dir/st/ledger.db" bs=512 count=8 conv=notrunc 2>/dev/null
rm -f "$dir"/st/ledger.db-*
refuses 8 "a damaged ledger" "store" "phifs-volume check --config $conf"
rm -rf "$dir/st" && cp -a "$dir/whole" "$dir/st"

for copy in ct st; do mv "$dir/$copy/slots" "$dir/$copy.slots"; done
refuses 9 "no slot file" "slots" "phifs-volume init"
for copy in ct st; do head -c 100 "$dir/$copy.slots" >"$dir/$copy/slots"; done
refuses 8 "slot files cut short" "slots" "backup"
for copy in ct st; do mv "$dir/$copy.slots" "$dir/$copy/slots"; done

mv "$dir/st/audit" "$dir/away"
refuses 9 "no audit journal" "audit journal" "backup"
mv "$dir/away" "$dir/st/audit"
rm -rf "$dir/whole"

rmdir "$dir/mnt"
refuses 2 "no mount point" "does not exist" "mkdir"
mkdir -m 755 "$dir/mnt"
: >"$dir/mnt/stray"
refuses 7 "a mount point with a file in it" "is not empty" "move them away"
rm "$dir/mnt/stray"
configure v ciphertext "$dir/mnt/ct"
refuses 2 "ciphertext inside the mount point" "lies inside the mount point" "must lie apart"
configure v ciphertext "$dir/ct"

mv "$dir.policy" "$dir.away"
refuses 2 "no policy" "$dir.policy: .*not found" "phifs-policy check --config $conf"
printf '[class a]\npath = /\npsth = /x\n' >"$dir.policy"
refuses 2 "a wrong policy" "$dir.policy:3: .*did you mean 'path'" "phifs-policy check --config $conf"
expect 2 "--check-config finds it, too" phifsd --config "$conf" --check-config
mv "$dir.away" "$dir.policy"
expect 0 "--check-config of a good one" phifsd --config "$conf" --check-config

# --- start, a second start, stop --------------------------------------------------------
expect 0 "in the background" phifsd --config "$conf"
is_mounted v
ok $? "it is mounted when phifsd returns"
flags=$(sed -n "s| $dir/mnt fuse.phifs \([^ ]*\) .*| \1 |p" /proc/self/mounts | tr , ' ')
for flag in nosuid nodev noatime allow_other default_permissions; do
	case $flags in *" $flag "*) true ;; *) false ;; esac
	ok $? "$flag" || echo "# $flags"
done
ctl v status >"$out"
has out "locked, with the reason" "^v  locked since .* (start)"
has out "what the kernel guarantees" "^  kernel  *[0-9.]*: "
expect 7 "a second daemon is refused" phifsd --config "$conf"
has err "says so" "error: v is running already"
has err "says what to do" "hint: phifsctl status --config $conf$"
is_mounted v
ok $? "and does not disturb the first"
sed "s|^run-directory.*|run-directory = $dir/run2|; s|^mountpoint.*|mountpoint = $scratch/mnt2|" \
	"$conf" >"$scratch/other.conf"
mkdir "$scratch/mnt2"
expect 7 "the same directories under another name are refused" phifsd --config "$scratch/other.conf"
v_pid=$(worker_of v)
v_pid=$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$v_pid/status")
unlock_volume v
$as_nobody sh -c "echo text >'$dir/mnt/file'; exec sleep 1000" &
holder=$!
until_true 10 test -s "$dir/mnt/file"
ok $? "a program writes"
kill -TERM "$v_pid"
until_true 20 has_ended "$v_pid"
ok $? "SIGTERM ends it although a program is in there"
is_not_mounted v && [ -z "$(ls -A "$dir/mnt")" ]
ok $? "the bare mount point is back"
[ ! -e "$dir/run/v.sock" ]
ok $? "the socket is gone"
kill "$holder"
wait "$holder" 2>/dev/null

# What was written last is edited.
cp -a "$dir/st/audit" "$dir/away"
segment=$(ls "$dir"/st/audit/*.seg | tail -n 1)
flip "$segment" $(($(stat -c %s "$segment") / 2))
mv "$dir/st/audit/journal" "$dir/st/audit/away" && mkfifo "$dir/st/audit/journal"
refuses 8 "a fifo in the place of the audit journal's identity" "audit journal of v .*edited or damaged"
mv "$dir/st/audit/away" "$dir/st/audit/journal"
refuses 8 "an edited audit journal" "audit journal of v does not verify" "phifs-audit verify --config $conf$"
rm -rf "$dir/st/audit" && mv "$dir/away" "$dir/st/audit"

start_volume v
ls "$dir/mnt/file" 2>"$err"
has err "it starts locked" "Required key"
unlock_volume v
[ "$(cat "$dir/mnt/file")" = text ]
ok $? "what was not synced is there after SIGTERM"

# --- reload -----------------------------------------------------------------------------
digest() { ctl v status --json | sed -n 's/.*"policy_digest": "\([0-9a-f]*\)".*/\1/p'; }
old=$(digest)
changed() { [ "$(digest)" != "$old" ]; }
sed 's/^members.*/members = nobody/' "$dir.policy" >"$dir.new" && mv "$dir.new" "$dir.policy"
kill -HUP "$v_pid"
until_true 10 changed
ok $? "SIGHUP puts a changed policy into force"
expect 1 "who lost the right is refused" cat "$dir/mnt/file"
$as_nobody cat "$dir/mnt/file" >"$out"
has out "who kept it is not" "^text$"
expect 0 "why" phifsctl why --config "$conf" root
has out "names the refusal" "root .*was refused read"
hint=$(sed -n 's/.*explained by: \(.*\) PATH$/\1/p' "$out" | head -n 1)
expect 1 "and a command that can be pasted" sh -c "$hint /file"
has out "which says the same" "^no: "
setpriv --reuid 40001 --regid 40001 --clear-groups cat "$dir/mnt/file" 2>/dev/null
expect 0 "why, of a number without a name" phifsctl why --config "$conf" 40001
has out "names it and its command" "phifs-policy test --config $conf 40001 read PATH"
old=$(digest)
echo "path = /twice" >>"$dir.policy"
expect 2 "reload of a wrong policy fails" phifsctl reload --config "$conf"
has err "with the line" "v.policy:[0-9]*: "
! changed && $as_nobody cat "$dir/mnt/file" >/dev/null
ok $? "the policy in force stays"
open_policy >"$dir.policy"
expect 0 "reload of a good one" phifsctl reload --config "$conf"
has out "names what was gained" "member uid:0-65535 added"
expect 0 "and it is in force" cat "$dir/mnt/file"
for word in reload holders; do
	expect 6 "$word is for root" $as_nobody phifsctl $word --config "$conf"
done
expect 6 "locate is for root" $as_nobody phifs-volume locate --config "$conf" /file
expect 6 "lock is for root and for who unlocked" $as_nobody phifsctl lock --config "$conf"
expect 0 "status is for everybody" $as_nobody phifsctl status --config "$conf"

# Not committed yet, or just now: its object lies in objects/new, then in its shard.
lies_where_told() {
	head -c 1000000 /dev/urandom >"$dir/mnt/fresh" &&
		[ -f "$(phifs-volume locate --config "$conf" "$dir/mnt/fresh" | head -n 1)" ]
}
until_true 5 lies_where_told
ok $? "locate tells where a new file lies"
rm "$dir/mnt/fresh"

# --- crashes ------------------------------------------------------------------------------
# dd's fsync, so that it is acknowledged.
echo durable | dd of="$dir/mnt/durable" conv=fsync 2>/dev/null
ways="o_sync o_dsync rwf_dsync rwf_sync"
for way in $ways; do
	"$builddir/tests/fs/durable" "$way" "$dir/mnt/$way" || echo "# $way"
done
worker=$(worker_of v)
kill -KILL "$worker"
until_true 20 has_ended "$v_pid"
wait "$v_pid"
[ $? -eq 1 ]
ok $? "kill -9 of the worker: the parent ends with an error"
is_not_mounted v
ok $? "and takes the mount away"
start_volume v
has v/log "the trail says that the last run had no end" "ended without a stop"
expect 0 "unlock recovers" phifsctl unlock --config "$conf" --keyfile "$dir/key" --json
has out "and says so" '"was_clean": false'
for way in durable $ways; do
	[ "$(cat "$dir/mnt/$way")" = durable ]
	ok $? "what was acknowledged is there: $way"
done

worker=$(worker_of v)
kill -KILL "$v_pid"
until_true 20 has_ended "$worker"
ok $? "kill -9 of the parent: the worker ends"
wait "$v_pid" 2>/dev/null
is_not_mounted v
ok $? "and takes the mount away itself"

start_volume v
worker=$(worker_of v)
unlock_volume v
# The kernel has the attributes of the root, and believes them for a second.
: >"$dir/mnt/fresh"
stat "$dir/mnt" >"$out"
kill -STOP "$v_pid"
kill -KILL "$worker" "$v_pid"
wait "$v_pid" 2>/dev/null
until_true 10 has_ended "$worker"
is_mounted v && ! ls "$dir/mnt" >"$out" 2>&1
ok $? "kill -9 of both leaves a dead mount"
start_volume v
has v/log "which the next start takes away, even at once" "took away the dead mount"

# --- ended from outside, unlock-with, read-only -----------------------------------------------
unlock_volume v
echo more >"$dir/mnt/more"
umount "$dir/mnt"
expect 0 "phifs-volume check behind umount(8) waits for the end of the daemon" \
	phifs-volume check --config "$conf" --keyfile "$dir/key"
wait "$v_pid"
ok $? "umount(8) ends it in good order"
start_volume v
unlock_volume v
umount "$dir/mnt"
expect 0 "and so does a new daemon" phifsd --config "$conf"
umount "$dir/mnt"
configure v unlock-with "$dir/key"
start_volume v
ctl v status >"$out"
has out "unlock-with opens it at the start" "^v  unlocked since .* by slot 2 (host)"
[ "$(cat "$dir/mnt/more")" = more ]
ok $? "what was written before umount(8) is there"
stop_volume v
ok $? "SIGTERM to the parent: exit status 0"
chmod 644 "$dir/key"
start_volume v
has v/log "a key file that others can read opens nothing" "v stays locked: unlock-with"
has v/log "and it says what to do" "hint: chmod 600 $dir/key"
stop_volume v
chmod 600 "$dir/key"
start_volume v --read-only
expect 0 "--read-only: it reads" cat "$dir/mnt/more"
touch "$dir/mnt/new" 2>"$err"
has err "and changes nothing" "Read-only file system"
stop_volume v
ok $? "and ends"
records_of v >"$out"
has out "MOUNT and its idle time" "mount .*idle=1800s"
has out "POLICY with both digests" "policy .*old=[0-9a-f]* new=[0-9a-f]*"
for word in reload holders lock; do
	has out "DENY of $word by nobody" "nobody .*$word .*control socket"
done
has out "the refused policy" "policy .*refused: the policy in force"
has out "LOCK by signal" "lock .*reason=signal"
has out "UNMOUNT" "phifs  *service  *unmount "
has out "LOCK by umount(8)" "lock .*reason=unmounted"
expect 9 "the journal is whole but for the two ends that nobody could seal" \
	phifs-audit verify --config "$conf" --key "$scratch/auditor"
expect 0 "the volume is whole" phifs-volume check --config "$conf" --keyfile "$dir/key"
done_testing

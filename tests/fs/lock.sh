#!/bin/sh
# The lock of a mounted volume: the idle clock, grace and holders, programs that go on.
# Needs root and /dev/fuse.
. "${srcdir:-.}/tests/fs/lib.sh"

need_mounts
make_volume v
dir=$scratch/v
conf=$dir/v.conf
mnt=$dir/mnt
configure v idle 1s
configure v grace 20s
start_volume v

state() { ctl v status --json | sed -n 's/.*"state": "\([a-z]*\)".*/\1/p'; }
is_locked() { [ "$(state)" = locked ]; }
is_unlocked() { [ "$(state)" = unlocked ]; }
now_ms() { date +%s%3N; }

# --- idle --------------------------------------------------------------------------
unlock_volume v
echo text >"$mnt/file"
exec 8<"$mnt/file"
# Whoever reads keeps it open: three times the idle time.
end=$(($(now_ms) + 3000))
kept=0
while [ "$(now_ms)" -lt $end ]; do
	cat "$mnt/file" >/dev/null 2>&1 || kept=1
	sleep 0.1
done
ok $kept "reading keeps it open"
# stat, ls of nothing new and statfs do not.
began=$(now_ms)
until is_locked || [ "$(now_ms)" -gt $((began + 8000)) ]; do
	stat "$mnt/file" >/dev/null 2>&1
	stat -f "$mnt" >/dev/null 2>&1
	sleep 0.1
done
took=$(($(now_ms) - began))
[ $took -ge 400 ] && [ $took -le 4000 ]
ok $? "looking does not: locked after a second" || echo "# it took $took ms"
ctl v status >"$out"
has out "status says why" "^v  locked since .* (idle)"
cat <&8 2>"$err" >"$out"
has err "an open descriptor gives nothing" "Required key not available"
! sh -c "echo more >>'$mnt/file'" 2>/dev/null
ok $? "nothing can be opened"
unlock_volume v
cat <&8 >"$out"
has out "after unlock the same descriptor reads" "^text$"
exec 8<&-

# --- the seal: nothing came behind the LOCK record ---------------------------------------
lock_volume v --now
ctl v status --json | sed -n 's/.*"audit_\(records\|sealed\)": \([0-9]*\).*/\2/p' >"$out"
[ "$(wc -l <"$out")" -eq 2 ] && [ "$(sort -u "$out" | wc -l)" -eq 1 ]
ok $? "a lock ends with a seal over all there is" || diagnose
unlock_volume v

# --- holders, grace, --now ------------------------------------------------------------
stop_volume v
ok $? "stop"
configure v idle never
start_volume v
unlock_volume v
expect 7 "unlock of an open volume" phifsctl unlock --config "$conf" --keyfile "$dir/key"
mkfifo "$dir/go"
$as_nobody sh -c "exec 7>'$mnt/written'; echo begun >&7; read -r word; echo \$word >&7" \
	<"$dir/go" >/dev/null 2>"$dir/writer" &
writer=$!
exec 6>"$dir/go"
until_true 10 grep -qs begun "$mnt/written"
exec 8<"$mnt/file"
expect 0 "holders" phifsctl holders --config "$conf"
has out "names who writes" "^$writer .* nobody .*  1 *1 *$"
has out "and who only reads" "^$$ .* root .*  1 *0 *$"
exec 8<&-
began=$(now_ms)
phifsctl lock --config "$conf" >"$dir/locking" 2>&1 &
locker=$!
until_true 10 grep -q "($writer, nobody" "$dir/locking"
ok $? "lock lists whom it waits for"
is_unlocked
ok $? "and waits"
echo finished >&6
exec 6>&-
wait "$locker"
ok $? "it locks when the last writer is done"
wait "$writer"
[ $(($(now_ms) - began)) -lt 15000 ]
ok $? "before the grace is over"
unlock_volume v
[ "$(tail -n 1 "$mnt/written")" = finished ]
ok $? "the writer was not cut off"

# A writer that does not end.
mkfifo "$dir/go2"
$as_nobody sh -c "exec 7>>'$mnt/written'; read -r word; echo \$word >&7" \
	<"$dir/go2" >/dev/null 2>"$dir/writer" &
writer=$!
exec 6>"$dir/go2"
holds() { phifsctl holders --config "$conf" | grep -q "^$writer "; }
until_true 10 holds
phifsctl lock --config "$conf" >"$dir/locking" 2>&1 &
locker=$!
until_true 10 grep -q "($writer, nobody" "$dir/locking"
kill "$locker"
wait "$locker" 2>/dev/null
sleep 0.5
is_unlocked
ok $? "whoever gives up waiting does not lock"
began=$(now_ms)
expect 0 "lock --grace" phifsctl lock --config "$conf" --grace 1s
took=$(($(now_ms) - began))
[ $took -ge 1000 ] && [ $took -lt 10000 ]
ok $? "waits as long as it says" || echo "# it took $took ms"
unlock_volume v
expect 0 "lock --now" phifsctl lock --config "$conf" --now
lacks err "does not wait for anybody" "waiting"
is_locked
ok $? "and it is locked"
echo late >&6
exec 6>&-
wait "$writer"
grep -q "Required key not available\|I/O error" "$dir/writer"
ok $? "the writer that was cut off is told"
expect 7 "lock of a locked volume" phifsctl lock --config "$conf"
expect 0 "wait --locked" phifsctl wait --config "$conf" --locked
phifsctl wait --config "$conf" --unlocked &
waiter=$!
unlock_volume v
wait "$waiter"
ok $? "wait --unlocked"

# --- while everybody looks --------------------------------------------------------------
# Answers that wait for the commit must not keep their thread's buffers from being wiped.
lookers=
for i in 1 2 3 4 5 6; do
	sh -c "while :; do [ -e '$mnt/not-there-$i' ]; [ -e '$mnt/file' ]; done" &
	lookers="$lookers $!"
done
gave_up=0
for i in 1 2 3; do
	phifsctl lock --config "$conf" --now >"$out" 2>"$err" || gave_up=$((gave_up + 1))
	unlock_volume v
done
for i in $lookers; do
	kill "$i"
	wait "$i" 2>/dev/null
done
[ $gave_up -eq 0 ]
ok $? "a lock gives nothing up while others look" || diagnose

# --- what survives a lock ------------------------------------------------------------------
mkdir -p "$mnt/a/b" "$scratch/bound"
mount --bind "$mnt/a" "$scratch/bound"
at_exit="umount -l '$scratch/bound' 2>/dev/null; end_volumes"
cd "$mnt/a/b" || exit 1
lock_volume v --now
sleep 1.5 # longer than names and attributes are believed
[ "$(/bin/pwd)" = "$mnt/a/b" ]
ok $? "getcwd works on a locked volume"
mountpoint -q "$scratch/bound"
ok $? "a bind mount of a directory inside is still there"
unlock_volume v
[ "$(/bin/pwd)" = "$mnt/a/b" ] && : >here && [ -e "$scratch/bound/b/here" ]
ok $? "after unlock both work"
cd "$scratch" || exit 1
umount "$scratch/bound"

# --- what is left in memory ------------------------------------------------------------------
secret=$(printf 'uv%s' xyzzy-content)
name=$(printf 'uv%s' xyzzy-name)
stop_volume v
start_volume v
must ctl v unlock --passphrase-file "$dir/pass"
mkdir "$mnt/names"
for i in 1 2 3 4 5 6 7 8; do
	yes "$secret" | head -c 300000 >"$mnt/names/$name-$i"
	ln -s "$name-$i" "$mnt/names/link-$i"
done
cat "$mnt/names/$name"-* >/dev/null
for i in 1 2 3 4; do
	mv "$mnt/names/$name-$i" "$mnt/names/moved-$name-$i"
done
ls -l "$mnt/names" >/dev/null
must phifs-volume locate --config "$conf" "/names/moved-$name-1"
worker=$(worker_of v)
count_in_memory() {
	"$builddir/tests/fs/memory" "$worker" "$secret" "$name" "$(cat "$dir/pass")" | tr '\n' ' '
}
count_in_memory >"$out"
grep -q '^[1-9][0-9]* [1-9][0-9]* 0 $' "$out"
ok $? "content and names are in memory while it is open, the passphrase is not" || diagnose
# VK, MK, the journal's key, a file's two; the disk is asked which.
keys=$("$builddir/tests/fs/volume-keys" "$dir/ct" "$dir/st" "$dir/key" "$(phifs-volume locate \
	--config "$conf" "/names/moved-$name-1" | head -n 1)")
count_keys() {
	# shellcheck disable=SC2086 # a word for each key
	"$builddir/tests/fs/memory" "$worker" $keys | tr '\n' ' '
}
cat "$mnt/names/moved-$name-1" >/dev/null
count_keys | grep -q '^[1-9][0-9]* [1-9][0-9]* [1-9][0-9]* [1-9][0-9]* [1-9][0-9]* $'
ok $? "and the keys are" || echo "# $(count_keys)"
lock_volume v --now
[ "$(count_in_memory)" = "0 0 0 " ]
ok $? "after the lock neither content nor names are" || echo "# $(count_in_memory)"
[ "$(count_keys)" = "0 0 0 0 0 " ]
ok $? "nor any key" || echo "# $(count_keys)"
unlock_volume v

# --- wrong factors ---------------------------------------------------------------------------
lock_volume v --now
printf 'wrong\n' >"$dir/wrong"
chmod 600 "$dir/wrong"
head -c 64 /dev/urandom >"$dir/badkey"
expect 5 "a wrong passphrase" phifsctl unlock --config "$conf" --passphrase-file "$dir/wrong" --slot 1
expect 5 "a wrong key file" phifsctl unlock --config "$conf" --keyfile "$dir/badkey"
lacks err "does not say what was wrong" "slot"
for try in 2 3; do phifsctl unlock --config "$conf" --keyfile "$dir/badkey" 2>/dev/null; done
expect 1 "the fourth wrong try in a row has to wait" \
	phifsctl unlock --config "$conf" --keyfile "$dir/badkey"
has err "says how long" "try again in [0-9]* s"
slowed() { phifsctl unlock --config "$conf" --keyfile "$dir/key" 2>/dev/null; }
until_true 10 slowed
ok $? "the right one opens it after the pause"

# --- slots that were edited --------------------------------------------------------------------
lock_volume v --now
cp -p "$dir/ct/slots" "$dir/slots.good"
for copy in ct st; do
	# One byte of the second slot's public key.
	flip "$dir/$copy/slots" 550
done
expect 8 "an edited slot file opens nothing" phifsctl unlock --config "$conf" --passphrase-file "$dir/pass"
has err "says so" "slot file: does not verify"
for copy in ct st; do cp -p "$dir/slots.good" "$dir/$copy/slots"; done
unlock_volume v
ok 0 "and the right one does again"

# --- a program that goes on: every answer, mappings, a hundred waiting writers -------------------
mkdir "$mnt/locked"
"$builddir/tests/fs/locked" "$mnt/locked" \
	"phifsctl lock --config $conf --now >/dev/null" \
	"phifsctl unlock --config $conf --keyfile $dir/key >/dev/null" >"$out" 2>&1
status=$?
! grep -q "^not ok" "$out" && [ $status -eq 0 ]
ok $? "$(grep -c '^ok' "$out") checks of a program under the lock" || diagnose

# --- the trail -----------------------------------------------------------------------------------
stop_volume v
ok $? "stop"
records_of v >"$out"
has out "LOCK by the idle clock" "phifs .*lock .*reason=idle"
has out "LOCK by root" "root .*lock .*reason=request"
has out "the refused tries" "auth .*by keyfile .*\(wrong\|refused\|failed\)"
has out "the edited slot file" "auth .*by passphrase"
grep "lock .*reason=" "$out" | grep -v "in-flight=0 bytes-given-up=0 cache-kept=0" >"$err"
[ ! -s "$err" ]
ok $? "no lock gave anything up" || diagnose
done_testing

#!/bin/sh
# A sample of each kind of attack through a mount: what was edited gives EIO or is
# refused at the unlock, and the audit trail has what was found.  attack-store does
# the same in large numbers without a kernel.  Needs root and /dev/fuse.
. "${srcdir:-.}/tests/fs/lib.sh"

need_mounts
make_volume v
make_volume w
dir=$scratch/v
mnt=$dir/mnt
conf=$dir/v.conf
old=$scratch/old
unlock="phifsctl unlock --config $conf --keyfile $dir/key"
files="flip entry header cut hole gone older block one other link fifo directory hard foreign"

# write_all: new content for all of them
write_all() {
	for file in $files whole; do head -c 60000 /dev/urandom >"$mnt/$file" || return; done
	head -c 900 /dev/urandom >"$mnt/inline"
}
object() { phifs-volume locate --config "$conf" --keyfile "$dir/key" "/$1"; }
# The records of the trail since the last call.
seen=0
new_records() {
	phifs-audit show --config "$conf" --key "$scratch/auditor" --all --json >"$scratch/trail" 2>"$err"
	tail -n +$((seen + 1)) "$scratch/trail" >"$out"
	seen=$(wc -l <"$scratch/trail")
}
# found FINDING DETAIL NAME: an INTEGRITY record among the new ones
found() {
	grep '"event":"INTEGRITY"' "$out" | grep "\"outcome\":\"$1\"" | grep -q "$2"
	ok $? "$3: INTEGRITY says $1" || sed 's/^/# /' "$out" | tail -n 20
}
save() {
	rm -rf "$old.$1"
	mkdir "$old.$1"
	cp -a "$dir/ct/objects" "$dir/st/anchor" "$dir/st/ledger.db" "$dir/st/slots" "$old.$1"
}
# restart: with what lies there now
restart() {
	stop_volume v
	"$@"
	start_volume v
}

# --- two versions of everything -------------------------------------------------------
start_volume v
unlock_volume v
write_all
ok $? "a first version"
stop_volume v
save first
start_volume v
unlock_volume v
write_all
ok $? "a second version"
mkdir "$scratch/plain"
cp "$mnt/whole" "$mnt/inline" "$scratch/plain"
stop_volume v
save second
for file in $files whole inline; do
	eval "at_$file=\$(object $file)"
done
[ -f "$at_flip" ] && [ -f "$at_foreign" ]
ok $? "every object is found"
earlier() { echo "$old.first/objects/${1##*/objects/}"; }

# --- objects, while the volume is locked ------------------------------------------------
start_volume v
new_records
flip "$at_flip" 9000
flip "$at_entry" 600
flip "$at_header" 100
flip "$at_inline" 700
truncate -s 8192 "$at_cut"
fallocate -p -o 8192 -l 4096 "$at_hole"
rm "$at_gone"
cp "$(earlier "$at_older")" "$at_older"
dd if="$(earlier "$at_block")" of="$at_block" bs=4096 skip=3 seek=3 count=1 conv=notrunc 2>/dev/null
mv "$at_one" "$scratch/aside"
mv "$at_other" "$at_one"
mv "$scratch/aside" "$at_other"
mv "$at_link" "$scratch/aside"
ln -s "$scratch/aside" "$at_link"
rm "$at_fifo" "$at_directory"
mkfifo "$at_fifo"
mkdir "$at_directory"
ln -f "$old.second/objects/${at_flip##*/objects/}" "$at_hard"
cp "$(find "$scratch/w/ct/objects" -type f | head -n 1)" "$at_foreign"
expect 0 "it is unlocked: each object is looked at when it is used" $unlock
for file in $files inline; do
	expect 1 "$file" cat "$mnt/$file"
	has err "$file: EIO" "Input/output error"
done
cmp "$mnt/whole" "$scratch/plain/whole"
ok $? "the one that nobody touched is whole"
lock_volume v # the trail is flushed
new_records
cp "$out" "$scratch/after"
# expect_of FILE FINDING
expect_of() {
	eval "digits=\$(basename \"\$at_$1\" | cut -c 1-16)"
	cp "$scratch/after" "$out"
	found "$2" "object $digits," "$1"
}
for file in flip entry header inline cut hole block one other link fifo directory hard foreign; do
	expect_of "$file" TAMPERED
done
expect_of gone DELETED
expect_of older ROLLBACK

# --- the ledger ------------------------------------------------------------------------------
put_back() {
	rm -rf "$dir/ct/objects"
	cp -a "$old.second/objects" "$dir/ct/"
	for file in anchor ledger.db slots; do cp "$old.second/$file" "$dir/st/$file"; done
	rm -f "$dir/st/ledger.db-wal" "$dir/st/ledger.db-shm"
}
restart put_back
new_records
expect 0 "all of it is put back" $unlock
cmp "$mnt/inline" "$scratch/plain/inline"
ok $? "and is read"
new_records
! grep -q '"event":"INTEGRITY"' "$out"
ok $? "without an alarm"
old_ledger() {
	put_back
	cp "$old.first/ledger.db" "$dir/st/ledger.db"
}
restart old_ledger
expect 8 "an older ledger" $unlock
has err "says so" "older than what was acknowledged"
new_records
found ROLLBACK "unlock refused" "an older ledger"
old_state() {
	old_ledger
	cp "$old.first/anchor" "$dir/st/anchor"
}
restart old_state
$unlock >"$out" 2>"$err"
status=$?
[ $status -eq 8 ] || ! cat "$mnt/whole" >/dev/null 2>&1
ok $? "the whole state directory of then: nothing is read"
[ $status -ne 0 ] || lock_volume v
new_records
grep '"event":"INTEGRITY"' "$out" | grep -q '"outcome":"\(ROLLBACK\|LEDGER_OLD\)"'
ok $? "the whole state directory of then: INTEGRITY" || sed 's/^/# /' "$out"
broken_anchor() {
	put_back
	flip "$dir/st/anchor" 40
	flip "$dir/st/anchor" 4136
}
restart broken_anchor
expect 9 "an edited anchor" $unlock
new_records
found UNPROVEN "unlock refused" "an edited anchor"

# --- the journal, of a volume that was killed ---------------------------------------------------
restart put_back
expect 0 "put back" $unlock
echo acknowledged >"$mnt/new"
sync "$mnt/new"
# The anchor follows within some milliseconds of an idle volume.
kill_worker() {
	sleep 0.2
	kill -KILL "$(worker_of v)"
	wait "$v_pid"
	cp --sparse=always "$dir/ct/journal" "$scratch/journal"
	for half in 0 1; do
		dd if=/dev/zero of="$dir/ct/journal" bs=4096 seek=$((1 + half * 16384)) count=256 \
			conv=notrunc 2>/dev/null
	done
}
kill_worker
start_volume v
expect 8 "a journal without what was acknowledged" $unlock
has err "a lost journal: says so" "older than what was acknowledged"
new_records
found ROLLBACK "unlock refused" "a lost journal"
mv "$dir/ct/journal" "$scratch/zeroed"
expect 8 "a journal that is gone" $unlock
new_records
found DELETED "unlock refused" "a journal that is gone"
cp "$scratch/journal" "$dir/ct/journal"
expect 0 "with the journal again" $unlock
[ "$(cat "$mnt/new")" = acknowledged ]
ok $? "what was acknowledged is there"
lock_volume v

# --- while it is locked, and its daemon lives --------------------------------------------
# What it left is in the two directories now; then one more version of everything.
keep_left() {
	rm -rf "$old.$1"
	mkdir "$old.$1"
	cp -a "$dir/ct/objects" "$dir/st/anchor" "$dir/st/ledger.db" "$dir/st/slots" "$old.$1"
	cp --sparse=always "$dir/ct/journal" "$old.$1/journal"
}
left() {
	rm -rf "$dir/ct/objects"
	cp -a "$old.$1/objects" "$dir/ct/"
	cp --sparse=always "$old.$1/journal" "$dir/ct/journal"
	for file in anchor ledger.db slots; do cp "$old.$1/$file" "$dir/st/$file"; done
	rm -f "$dir/st/ledger.db-wal" "$dir/st/ledger.db-shm"
}
# refused_while_locked STATUS FINDING NAME: and as it was left it opens
refused_while_locked() {
	expect "$1" "locked: $3" $unlock
	new_records
	found "$2" "unlock refused" "locked: $3"
	left third
	expect 0 "locked: $3: as it was left it opens" $unlock
	cmp -s "$mnt/whole" "$scratch/plain/third"
	ok $? "locked: $3: and is whole"
	lock_volume v
	keep_left third
	new_records
	! grep -q '"event":"INTEGRITY"' "$out"
	ok $? "locked: $3: without an alarm"
}
keep_left before
expect 0 "it opens" $unlock
write_all
cp "$mnt/whole" "$scratch/plain/third"
lock_volume v
keep_left third
new_records
cp "$old.before/ledger.db" "$dir/st/ledger.db"
refused_while_locked 8 ROLLBACK "an older ledger"
cp "$old.before/ledger.db" "$dir/st/ledger.db"
cp "$old.before/anchor" "$dir/st/anchor"
refused_while_locked 8 ROLLBACK "the state directory of then"
left before
refused_while_locked 8 ROLLBACK "both directories of then"
rm "$dir/st/ledger.db"
refused_while_locked 8 DELETED "no ledger"
flip "$dir/st/anchor" 40
flip "$dir/st/anchor" 4136
refused_while_locked 9 UNPROVEN "an edited anchor"
# A row in an earlier version, in the ledger or in a log beside it: of a file whose name
# the kernel does not know, for what it knows is in memory.
older_row() {
	number=$(basename "$at_flip" | cut -c 1-16 | fold -w 2 | tac | tr -d '\n')
	cat <<-END
	ATTACH '$old.before/ledger.db' AS before;
	DELETE FROM main.objects WHERE number=$((0x$number));
	INSERT INTO main.objects SELECT * FROM before.objects WHERE number=$((0x$number));
	END
}
row_edited() { older_row | sqlite3 "$dir/st/ledger.db"; }
row_in_log() {
	cp "$dir/st/ledger.db" "$scratch/copy.db"
	sqlite3 "$scratch/copy.db" >/dev/null <<-END
	PRAGMA journal_mode=WAL;
	PRAGMA wal_autocheckpoint=0;
	$(older_row)
	.shell cp $scratch/copy.db-wal $dir/st/ledger.db-wal
	END
}
for how in row_edited row_in_log; do
	command -v sqlite3 >/dev/null || continue
	restart left third
	expect 0 "$how: it opens" $unlock
	lock_volume v
	new_records
	$how
	expect 0 "$how: it is unlocked: each row is looked at when it is used" $unlock
	expect 1 "$how: the file" cat "$mnt/flip"
	has err "$how: EIO" "Input/output error"
	cmp "$mnt/whole" "$scratch/plain/third"
	ok $? "$how: another file is whole"
	lock_volume v
	new_records
	found LEDGER_OLD "object $(basename "$at_flip" | cut -c 1-16)," "$how"
done
restart left third

# --- between epochs ----------------------------------------------------------------------
expect 0 "keys are rotated" phifs-key rotate --config "$conf" --passphrase-file "$dir/pass"
expect 0 "it opens under the new keys" $unlock
for file in late later newest; do head -c 60000 /dev/urandom >"$mnt/$file"; done
cp "$mnt/newest" "$scratch/plain/newest"
stop_volume v
for file in late later; do eval "at_$file=\$(object $file)"; done
start_volume v
new_records
# The epoch in a header, 12 bytes behind its start.
epoch() { printf "\\00$2\\000\\000\\000" | dd of="$1" bs=1 seek=12 conv=notrunc 2>/dev/null; }
epoch "$at_late" 1
cp "$at_whole" "$at_later"
epoch "$at_later" 2
epoch "$at_other" 2
expect 0 "epochs: it is unlocked" $unlock
for file in late later other; do
	expect 1 "epochs: $file" cat "$mnt/$file"
	has err "epochs: $file: EIO" "Input/output error"
done
cmp "$mnt/newest" "$scratch/plain/newest" && cmp "$mnt/whole" "$scratch/plain/third"
ok $? "epochs: the others are whole, of both"
lock_volume v
new_records
cp "$out" "$scratch/after"
for file in late later other; do expect_of $file TAMPERED; done
# The slot file of before the rotation: alone, and with all of the state directory.
keep_left rotated
cp "$old.third/slots" "$dir/st/slots"
cp "$old.third/slots" "$dir/ct/slots"
expect 8 "the slot file of before the rotation" $unlock
new_records
found ROLLBACK "unlock refused" "the slot file of before the rotation"
for file in anchor ledger.db; do cp "$old.third/$file" "$dir/st/$file"; done
expect 8 "with the state directory of then" $unlock
new_records
found ROLLBACK "unlock refused" "with the state directory of then"
left rotated
cp "$dir/st/slots" "$dir/ct/slots"
expect 0 "as it was left it opens" $unlock
lock_volume v

# --- the slot file -----------------------------------------------------------------------------------
cp "$dir/st/slots" "$scratch/slots"
# slots_refused NAME: what lies there now opens nothing, and that is recorded
slots_refused() {
	cp "$dir/st/slots" "$dir/ct/slots"
	expect 8 "$1" $unlock
	has err "$1: says so" "error: v: the slot file: "
	new_records
	found 'TAMPERED\|FORMAT' "slot file" "$1"
	cp "$scratch/slots" "$dir/st/slots"
	cp "$scratch/slots" "$dir/ct/slots"
}
# Slot 2 begins at 440: its rights, its public key.
printf '\003' | dd of="$dir/st/slots" bs=1 seek=445 conv=notrunc 2>/dev/null
slots_refused "a slot with another right"
dd if="$scratch/slots" of="$dir/st/slots" bs=1 skip=172 seek=548 count=32 conv=notrunc 2>/dev/null
slots_refused "a slot with another's public key"
flip "$dir/st/slots" 28
slots_refused "another generation"
cp "$scratch/w/st/slots" "$dir/st/slots"
cp "$dir/st/slots" "$dir/ct/slots"
$unlock >"$out" 2>"$err"
[ $? -ne 0 ]
ok $? "the slot file of another volume opens nothing"
cp "$scratch/slots" "$dir/st/slots"
cp "$scratch/slots" "$dir/ct/slots"
# Wrong tries are slowed down.
until_true 20 $unlock >"$out" 2>&1
ok $? "its own does"
stop_volume v
ok $? "stop"

# --- what auditors are told -------------------------------------------------------------------------
expect 8 "verify of the trail" phifs-audit verify --config "$conf" --key "$scratch/auditor"
has out "it knows of the state directory of then" "went back to an older state"
done_testing

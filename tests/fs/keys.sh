#!/bin/sh
# Slots of a mounted volume: changed while it is locked, recorded, in force at the
# next unlock; nothing opens under keys that are being replaced; unlock-with.
# Needs root and /dev/fuse.
. "${srcdir:-.}/tests/fs/lib.sh"

need_mounts
make_volume v
dir=$scratch/v
mnt=$dir/mnt
conf=$dir/v.conf
by_pass="--config $conf --passphrase-file $dir/pass"
unlock="phifsctl unlock --config $conf"
reads() {
	[ "$(cat "$mnt/$1" 2>/dev/null)" = "$1" ]
	ok $? "$2"
}

start_volume v
unlock_volume v
echo one >"$mnt/one"

# --- while it is open --------------------------------------------------------------
expect 7 "rotate an open volume" phifs-key rotate $by_pass
has err "says what to do" "^phifs-key: hint: phifsctl lock --config $conf$"
expect 7 "remove from an open volume" phifs-key remove $by_pass 2
expect 0 "add to an open volume" phifs-key add $by_pass --keyfile "$dir/late" --name late
ctl v status >"$out"
has out "status knows it at once" "keys  *3 slots, generation 3, epoch 1$"
lock_volume v
expect 0 "the new slot opens it" $unlock --keyfile "$dir/late"
reads one "what was there is there"
lock_volume v

# --- while it is locked ------------------------------------------------------------
expect 0 "rotate a locked volume" phifs-key rotate $by_pass
unlock_volume v
reads one "after it, what was there is there"
echo two >"$mnt/two"
lock_volume v
expect 0 "remove from a locked volume" phifs-key remove $by_pass 2
expect 5 "what was removed opens nothing" $unlock --keyfile "$dir/key"
cp "$dir/st/slots" "$scratch/newest"
expect 0 "the others do" $unlock --keyfile "$dir/late"
reads one "under the first epoch"
reads two "under the second"
echo three >"$mnt/three"
ctl v status >"$out"
has out "status has it all" "keys  *2 slots, generation 5, epoch 3$"
lock_volume v

# --- at the same time ----------------------------------------------------------------
exec 8<"$dir/st/slots.lock"
flock 8
expect 7 "unlock while slots are changed" $unlock --keyfile "$dir/late"
has err "says so" "error: v: phifs-key is changing its slots: try again$"
exec 8<&-
expect 0 "and afterwards" $unlock --keyfile "$dir/late"
reads three "under the third"
lock_volume v

# --- one copy, an old one ---------------------------------------------------------------
rm "$dir/ct/slots"
expect 0 "unlock with one copy" $unlock --keyfile "$dir/late"
cmp -s "$dir/ct/slots" "$dir/st/slots"
ok $? "the other is made again"
lock_volume v
expect 0 "rotate again" phifs-key rotate $by_pass
cp "$scratch/newest" "$dir/ct/slots"
cp "$scratch/newest" "$dir/st/slots"
expect 8 "an older slot file" $unlock --keyfile "$dir/late"
has err "is known by the ledger" "older than what was acknowledged"
stop_volume v
ok $? "stopped"

# --- the trail -----------------------------------------------------------------------------
records_of v >"$out" 2>"$err"
has out "KEY of the addition" " key  *added slot 3 (late), rights: unlock, generation 3 "
has out "KEY of the rotation" " key  *new keys for all slots, generation 4 "
has out "KEY of the removal" " key  *removed slot 2 (host), new keys, generation 5 "
has out "AUTH of the refusal" " auth  *no slot by keyfile .*wrong passphrase"

# --- unlock-with ----------------------------------------------------------------------------
make_volume w
configure w unlock-with "$scratch/w/key"
chmod 644 "$scratch/w/key"
start_volume w
has_log() {
	grep -q "$2" "$scratch/w/log"
	ok $? "$1" || sed 's/^/# /' "$scratch/w/log"
}
has_log "a key that everybody can read is not used" "w stays locked: unlock-with = .*/w/key"
has_log "says what to do" "hint: chmod 600 .*/w/key$"
stop_volume w
chmod 600 "$scratch/w/key"
start_volume w
ctl w status >"$out"
has out "a key file opens at the start" "^w  unlocked since .* by slot 2 (host)"
stop_volume w
configure w unlock-with credential:phifs-w
mkdir "$scratch/credentials"
cp "$scratch/w/key" "$scratch/credentials/phifs-w"
CREDENTIALS_DIRECTORY=$scratch/credentials
export CREDENTIALS_DIRECTORY
start_volume w
ctl w status >"$out"
has out "a credential opens at the start" "^w  unlocked since .* by slot 2 (host)"
stop_volume w
ok $? "stopped"
done_testing

#!/bin/sh
# An I/O error of the disk: nothing is changed any more, everything stays readable, it
# is recorded, and the next start has all that was acknowledged.  Needs root and /dev/fuse.
. "${srcdir:-.}/tests/fs/lib.sh"

need_mounts
# A file-size limit on the daemon: small files (the trail) can be written, large not.
trap '' XFSZ
make_volume v
dir=$scratch/v
mnt=$dir/mnt
start_volume v
unlock_volume v
head -c 50000 /dev/urandom >"$dir/data"
dd if="$dir/data" of="$mnt/before" conv=fsync 2>/dev/null
prlimit --pid "$(worker_of v)" --fsize=300000:unlimited
expect 1 "a write that the disk refuses" dd if=/dev/zero of="$mnt/large" bs=1M count=8 conv=fsync
expect 0 "what was there can be read" cmp "$dir/data" "$mnt/before"
for what in "touch $mnt/new" "rm $mnt/before" "truncate -s 1 $mnt/before"; do
	expect 1 "no change: ${what%% *}" $what
done
ctl v status --json >"$out"
has out "status says that it is frozen" '"is_frozen": true'
ctl v status >"$out"
has out "and warns" "frozen.*WARNING"
grep -q "hint: mend the disk below $dir/ct, then restart phifsd" "$dir/log"
ok $? "the log says what to do" || sed 's/^/# /' "$dir/log"
kill -TERM "$v_pid"
until_true 40 has_ended "$v_pid"
ok $? "it ends"
start_volume v
unlock_volume v
expect 0 "after the next start it is there" cmp "$dir/data" "$mnt/before"
expect 0 "and changes are made" cp "$dir/data" "$mnt/after"
stop_volume v
ok $? "stop"
records_of v >"$out"
has out "INTEGRITY of the freeze" "integrity .*frozen: nothing is changed any more"
expect 0 "the volume is whole" \
	phifs-volume check --config "$dir/v.conf" --keyfile "$dir/key"
done_testing

#!/bin/sh
# A truncation of much is answered when it is applied: what is written next then goes in
# place at once, not through the journal.  Needs root and /dev/fuse.
. "${srcdir:-.}/tests/fs/lib.sh"

need_mounts
make_volume v
mnt=$scratch/v/mnt
start_volume v
unlock_volume v

# made FILE BYTES: durable, and in its object's file, whose path is $object
made() {
	head -c "$2" /dev/urandom | dd of="$mnt/$1" bs=1M iflag=fullblock conv=fsync 2>"$err" &&
		until_true 10 is_in_place "$mnt/$1" "$2"
}
is_in_place() {
	object=$(phifs-volume locate --config "$scratch/v/v.conf" "$1" | head -n 1)
	[ "$(stat -c %s "$object" 2>/dev/null || echo 0)" -ge "$2" ]
}
is_cut_off() { [ "$(stat -c %s "$object")" -lt 100000 ]; }

made opened 4000000 && : >"$mnt/opened" && is_cut_off
ok $? "open(2) with O_TRUNC: it is cut off on the disk when the call returns"
made truncated 4000000 && truncate -s 0 "$mnt/truncated" && is_cut_off
ok $? "truncate(2) likewise"
made shorter 4000000 && truncate -s 5000 "$mnt/shorter" && is_cut_off &&
	[ "$(stat -c %s "$mnt/shorter")" -eq 5000 ]
ok $? "a part that is left stays"
stop_volume v
ok $? "stop"
done_testing

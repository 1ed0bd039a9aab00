#!/bin/bash
# A disk filled to the last block: ENOSPC at the write, everything stays readable,
# rm works, and there is room again.
. "${srcdir:-.}/tests/apps/lib.sh"
need_mounts

# A small file system for ciphertext and state, everything a volume has below it.
small_disk() {
	mkdir -m 755 "$scratch/small"
	mount -t tmpfs -o size=420m tmpfs "$scratch/small" && at_end "umount -l '$scratch/small'"
}

key_of() { [ "$1" = ct ] && echo ciphertext || echo state; }

fill() {
	local i=0
	while dd if="$scratch/data" of="$mnt/large$i" bs=1M conv=fsync 2>"$scratch/dd"; do
		md5sum "$mnt/large$i" >>"$scratch/sums"
		i=$((i + 1))
		[ $i -lt 100 ] || return 1
	done
	grep -q 'No space left' "$scratch/dd" && [ $i -gt 1 ]
}

fill_small() {
	for i in $(seq 20000); do
		(echo "$i" >"$mnt/small$i") 2>"$scratch/echo" || break
	done
	[ "$i" -lt 20000 ] && grep -q 'No space left' "$scratch/echo"
}

sums() { md5sum --quiet -c "$scratch/sums"; }
# -f: the last large file may have left no room for one small one.
empty() { rm -f "$mnt"/large* "$mnt"/small* && [ -z "$(ls -A "$mnt")" ]; }
no_room() { [ "$(stat -f -c %a "$mnt")" -lt 1024 ]; }
room() { [ "$(($(stat -f -c %a "$mnt") * 4096))" -gt 50000000 ]; }

make_volume full
small_disk || { echo "Bail out! no tmpfs"; exit 1; }
head -c 8388608 /dev/urandom >"$scratch/data"
for part in ct st; do
	cp -a "$scratch/full/$part" "$scratch/small/" && configure full "$(key_of $part)" "$scratch/small/$part"
done
open_volume full
mnt=$scratch/full/mnt
passes "writing goes on until the disk is full" fill
passes "df says so" no_room
passes "small files fill what is left" fill_small
passes "all that was written is there" sums
stop_volume full
open_volume full
passes "also after a new mount on the full disk" sums
passes "a file can be overwritten or refused, nothing is lost" sh -c "dd if='$scratch/data' of='$mnt/large0' bs=4k count=1 conv=notrunc,fsync; cmp -n 4096 '$scratch/data' '$mnt/large0'"
passes "everything can be removed" empty
passes "the room comes back" until_true 10 room
passes "and is written again" sh -c "for i in 1 2 3 4; do dd if='$scratch/data' of='$mnt/again'\$i bs=1M conv=fsync || exit 1; cmp '$scratch/data' '$mnt/again'\$i || exit 1; done"
lock_volume full --now
unlock_volume full
passes "also after a lock" cmp "$scratch/data" "$mnt/again4"
done_testing

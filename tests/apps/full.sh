#!/bin/bash
# A disk filled to the last block: ENOSPC at the write, everything stays readable,
# rm works, and there is room again.
: "${srcdir:=.}" "${builddir:=.}"
. "$srcdir/tests/apps/lib.sh"
need_mounts

# A small file system for ciphertext and state, everything a volume has below it.
small_disk() {
	mkdir -m 755 "$scratch/small"
	mount -t tmpfs -o size=420m tmpfs "$scratch/small" && at_end "umount -l '$scratch/small'"
}

fill() {
	local i=0
	while dd if="$scratch/data" of="$mnt/large$i" bs=1M conv=fsync 2>"$scratch/log"; do
		md5sum "$mnt/large$i" >>"$scratch/sums"
		i=$((i + 1))
		[ $i -lt 100 ] || return 1
	done
	grep -q 'No space left' "$scratch/log" && [ $i -gt 1 ]
}

fill_small() {
	for i in $(seq 20000); do
		echo "$i" >"$mnt/small$i" 2>"$scratch/log" || break
	done
	[ "$i" -lt 20000 ] && grep -q 'No space left' "$scratch/log"
}

sums() { md5sum --quiet -c "$scratch/sums"; }
no_room() { [ "$(stat -f -c %a "$mnt")" -lt 1024 ]; }
room() { [ "$(($(stat -f -c %a "$mnt") * 4096))" -gt 50000000 ]; }

plan 10
small_disk || { echo "Bail out! no tmpfs"; exit 1; }
head -c 8388608 /dev/urandom >"$scratch/data"
mkdir -m 755 "$scratch/full"
mkdir -m 755 "$scratch/small/v"
# The volume's directories on the small disk, its mount point beside them.
ln -s "$scratch/small/v" "$scratch/full/unused"
mount --bind "$scratch/small/v" "$scratch/full" && at_end "umount -l '$scratch/full'"
mount_volume full
mnt=$scratch/full/mnt
ok "writing goes on until the disk is full" fill
ok "df says so" no_room
ok "small files fill what is left" fill_small
ok "all that was written is there" sums
unmount_volume full
mount_volume full
ok "also after a new mount on the full disk" sums
ok "a file can be overwritten or refused, nothing is lost" sh -c "dd if='$scratch/data' of='$mnt/large0' bs=4k count=1 conv=notrunc,fsync; cmp -n 4096 '$scratch/data' '$mnt/large0'"
ok "everything can be removed" sh -c "rm '$mnt'/large* '$mnt'/small*"
ok "the room comes back" until_ok room
ok "and is written again" sh -c "for i in 1 2 3 4; do dd if='$scratch/data' of='$mnt/again'\$i bs=1M conv=fsync || exit 1; cmp '$scratch/data' '$mnt/again'\$i || exit 1; done"
toggle_lock full locked
toggle_lock full unlocked
ok "also after a lock" cmp "$scratch/data" "$mnt/again4"
finish

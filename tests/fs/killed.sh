#!/bin/sh
# A worker that is killed while a thread of it waits in the kernel, here for a file
# system that stands still: whoever waits for the volume does not wait with it.
. "${srcdir:-.}/tests/fs/lib.sh"

need_mounts
for program in fsfreeze mkfs.ext4 losetup; do
	command -v $program >/dev/null || {
		echo "1..0 # SKIP $program is not installed"
		exit 0
	}
done
dir=$scratch/v
disk=$scratch/disk

thaw() { fsfreeze -u "$disk" 2>/dev/null; }
end_all() {
	thaw
	end_volume v
	until_true 20 umount "$disk"
}

mkdir "$disk"
truncate -s 512M "$scratch/image"
must mkfs.ext4 -q "$scratch/image"
mount -o loop "$scratch/image" "$disk" 2>/dev/null || {
	echo "1..0 # SKIP no loop device"
	exit 0
}
at_exit="end_all; $at_exit"
make_volume v
mv "$dir/ct" "$disk/ct"
configure v ciphertext "$disk/ct"
start_volume v
unlock_volume v
worker=$(worker_of v)

waits_in_kernel() { grep -l '^State:.D' "/proc/$worker"/task/*/status >"$out" 2>/dev/null; }
is_gone() { [ ! -e "/proc/$1/status" ]; }

fsfreeze -f "$disk"
# It is answered when it is durable: never, as long as the disk stands still.
dd if=/dev/zero of="$dir/mnt/file" bs=4096 count=1 oflag=sync 2>"$err" &
writer=$!
until_true 20 waits_in_kernel
ok $? "a thread of the worker waits for the disk"
kill -KILL "$worker"
until_true 20 has_ended "$writer"
ok $? "whoever waits for the volume is told" || thaw
! wait "$writer"
ok $? "that it failed"
grep -q 'its connection is aborted' "$dir/log"
ok $? "the log says why"
until_true 20 is_not_mounted v
ok $? "nothing is mounted"
thaw
until_true 20 is_gone "$worker"
ok $? "the worker ends with the wait"
until_true 20 has_ended "$v_pid"
ok $? "and the parent"
start_volume v && unlock_volume v
ok $? "the volume opens again"
done_testing

#!/bin/sh
# The journal cannot be written: nothing can be opened, read or written.  What
# was read before that is in the journal, also if it was only in the ring.
. "$srcdir/tests/audit/mounted.sh"
need_mounts

# A file-size limit on the daemon is a disk that takes no more.
trap '' XFSZ
mount_volume v
mnt=$scratch/v/mnt
requests fill "$mnt/file" && sync "$mnt/file"
ok $? "a file is made, and on disk"
exec 7<"$mnt/file"
dd bs=1000 count=1 <&7 of="$scratch/data" 2>"$scratch/dd"
ok $? "and read"
reads=1

prlimit --pid "$v_pid" --fsize=4096:unlimited
# The records of these are still in the ring; then the disk is asked.
for _ in $(seq 2000); do
	dd bs=1000 count=1 <&7 of="$scratch/data" 2>"$scratch/dd" || break
	reads=$((reads + 1))
	sleep 0.005
done
grep -q 'Input/output error' "$scratch/dd"
ok $? "reading fails once the journal cannot be written" || sed 's/^/# /' "$scratch/dd"
[ ! -s "$scratch/data" ]
ok $? "and gives nothing"
grep -q 'the audit trail failed' "$scratch/v/err"
ok $? "the daemon was told"

# refused NAME COMMAND...
refused() {
	name=$1
	shift
	! "$@" >"$scratch/data" 2>"$scratch/refusal" &&
		grep -q 'Input/output error' "$scratch/refusal" && [ ! -s "$scratch/data" ]
	ok $? "$name is refused" || sed 's/^/# /' "$scratch/refusal"
}
refused "an open" cat "$mnt/file"
refused "a listing" ls "$mnt"
refused "a new file" cp /etc/hostname "$mnt/new"
refused "a new directory" mkdir "$mnt/new"
refused "a removal" rm "$mnt/file"
refused "a rename" mv "$mnt/file" "$mnt/other"
refused "a change of the mode" chmod 600 "$mnt/file"
exec 7<&-

# Killed, and on a disk with room again.
kill -KILL "$v_pid"
wait_gone v
umount -l "$mnt"
mount_volume v
ls -l "$mnt" >"$scratch/data" 2>&1
[ "$(tail -n +2 "$scratch/data" | sed 's/ .* / /')" = "-rw-r--r-- file" ]
ok $? "nothing of it happened" || sed 's/^/# /' "$scratch/data"
unmount_volume v
ok $? "unmount"
[ "$(records --path /file --event READ | grep -c '"outcome":"done"')" -ge "$reads" ]
ok $? "every read that succeeded is recorded" || sed 's/^/# /' "$scratch/records.err"
done_testing

#!/bin/sh
# A volume mounted read-only: everything is there, nothing changes, not even a byte of the
# ciphertext.  Needs root and /dev/fuse.
: "${srcdir:=.}" "${builddir:=.}"
. "$srcdir/tests/audit/mounted.sh"

mnt=$scratch/v/mnt

# refused NAME COMMAND...: "Read-only file system"
refused() {
	refused_name=$1
	shift
	! "$@" >/dev/null 2>"$scratch/why" && grep -q 'Read-only file system' "$scratch/why"
	ok $? "$refused_name" || sed 's/^/# /' "$scratch/why"
}

sums() {
	(cd "$scratch/v/ciphertext" && find . -type f -print0 | sort -z | xargs -0 sha256sum)
}

need_mounts
mount_volume v
echo content >"$mnt/file"
mkdir "$mnt/dir"
head -c 3000000 /dev/urandom >"$mnt/dir/large"
sha256sum <"$mnt/dir/large" >"$scratch/large"
unmount_volume v
ok $? "unmount"
sums >"$scratch/before"

mount_volume v --read-only
[ "$(cat "$mnt/file")" = content ]
ok $? "a file is read"
sha256sum <"$mnt/dir/large" | cmp -s - "$scratch/large"
ok $? "and a large one"
[ "$(ls "$mnt")" = "$(printf 'dir\nfile')" ]
ok $? "names are listed"
refused "create" touch "$mnt/new"
refused "write" dd if=/dev/zero of="$mnt/file" bs=1 count=1 conv=notrunc
refused "mkdir" mkdir "$mnt/new"
refused "unlink" rm -f "$mnt/file"
refused "rename" mv "$mnt/file" "$mnt/new"
refused "chmod" chmod 600 "$mnt/file"
unmount_volume v
ok $? "unmount"
sums | diff "$scratch/before" - >"$scratch/why"
ok $? "not a byte of the ciphertext changed" || sed 's/^/# /' "$scratch/why"
records --event READ | grep -q '"path":"/file"'
ok $? "reads are recorded"
done_testing

#!/bin/sh
# POSIX behaviour: the checks of tests/fs/posix on a plain directory, on a mount, and on
# a mount as an old kernel would have it.  Needs root and /dev/fuse.
: "${srcdir:=.}" "${builddir:=.}"
. "$srcdir/tests/fs/mount-lib.sh"

need_mounts
plain=$scratch/plain
mkdir -m 755 "$plain"
mount_volume new
mount_volume old --old-kernel
"$builddir/tests/fs/posix" plain="$plain" mount="$scratch/new/mnt" old-kernel="$scratch/old/mnt"
status=$?
unmount_volume new || status=1
unmount_volume old || status=1
exit $status

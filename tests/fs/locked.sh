#!/bin/sh
# A lock under a program that goes on: every request's answer, the same descriptors
# afterwards, nothing lost.  Needs root and /dev/fuse.
: "${srcdir:=.}" "${builddir:=.}"
. "$srcdir/tests/fs/mount-lib.sh"

need_mounts
mount_volume v
# Called by the test, with the last line of what the mounter said before.
cat >"$scratch/toggle" <<END
#!/bin/sh
kill -USR2 $v_pid
for _ in \$(seq 400); do
	[ "\$(tail -n 1 $scratch/v/out)" = "\$1" ] && exit 0
	sleep 0.05
done
exit 1
END
"$builddir/tests/fs/locked" "$scratch/v/mnt" "sh $scratch/toggle locked" \
	"sh $scratch/toggle unlocked"
status=$?
unmount_volume v || status=1
exit $status

#!/bin/sh
# Fill and invalidate: what was read through the page cache is dropped from it, so that
# reading it once more is another record.  Needs root and /dev/fuse.
: "${srcdir:=.}" "${builddir:=.}"
. "$srcdir/tests/audit/mounted.sh"

need_mounts
mount_volume v
dd if=/dev/urandom of="$scratch/v/mnt/file" bs=65536 count=5 status=none || exit 1
"$builddir/tests/fs/fills" "$scratch/v/mnt/file" >"$scratch/times" 2>"$scratch/why"
ok $? "the page cache is dropped after each read" || sed 's/^/# /' "$scratch/why"
unmount_volume v
ok $? "unmount"
# Requests that hold byte 81920.
records --path /file --event READ | grep '"via":"fill"' >"$scratch/fills"
field offset <"$scratch/fills" >"$scratch/1"
field length <"$scratch/fills" >"$scratch/2"
paste "$scratch/1" "$scratch/2" |
	awk '$1 <= 81920 && 81920 < $1 + $2 { n++ } END { print n + 0 }' >"$scratch/seen"
# More if a drop was faster than the reader, which then asks again.
[ "$(cat "$scratch/seen")" -ge "$(cat "$scratch/times")" ]
ok $? "each read is a record" || sed 's/^/# records: /' "$scratch/seen"
done_testing

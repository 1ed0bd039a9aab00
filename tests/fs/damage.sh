#!/bin/sh
# One damaged object: that file gives EIO and an INTEGRITY record, the others all
# they had; log and trail say which file it is.  Needs root and /dev/fuse.
. "${srcdir:-.}/tests/fs/lib.sh"

need_mounts
make_volume v
dir=$scratch/v
mnt=$dir/mnt
start_volume v
unlock_volume v
head -c 300000 /dev/urandom >"$dir/data"
for file in whole hurt; do cp "$dir/data" "$mnt/$file"; done
stop_volume v
ok $? "stop"
object=$(phifs-volume locate --config "$dir/v.conf" --keyfile "$dir/key" /hurt)
[ -f "$object" ]
ok $? "the file's object is found"
# A few bytes of one block.
printf '\252\125\252\125' | dd of="$object" bs=1 seek=12000 conv=notrunc 2>/dev/null
start_volume v
unlock_volume v

expect 2 "the damaged file is refused" cmp "$mnt/hurt" "$dir/data"
has err "with EIO" "Input/output error"
expect 0 "the other is whole" cmp "$mnt/whole" "$dir/data"
expect 0 "and can be written" cp "$dir/data" "$mnt/new"
ctl v status --json >"$out"
has out "status counts it" '"damaged": 1,'
hint=$(sed -n 's/.*hint: which file is it: //p' "$dir/log" | head -n 1)
[ -n "$hint" ]
ok $? "the log has a command that tells which file it is" || sed 's/^/# /' "$dir/log"
expect 0 "the command can be pasted" sh -c "$hint"
has out "and names the file" "^/hurt$"
expect 0 "it can be removed" rm "$mnt/hurt"
stop_volume v
ok $? "stop"
records_of v >"$out"
digits=$(basename "$object" | cut -c 1-16)
has out "INTEGRITY names the object" "integrity .*object $digits, block [0-9]"
has out "READ says that nothing was given" "root .*read .*/hurt .*tampered\|root .*read .*/hurt .*verify"
expect 0 "the rest of the volume is whole" \
	phifs-volume check --config "$dir/v.conf" --keyfile "$dir/key"
done_testing

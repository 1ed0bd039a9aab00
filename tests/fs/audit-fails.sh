#!/bin/sh
# phifsd cannot write its journal: nothing is read, the volume locks itself, stays
# locked, and no policy changes; with room again everything is as it was.
# Needs root and /dev/fuse.
. "${srcdir:-.}/tests/fs/lib.sh"

need_mounts
# A file-size limit on the daemon is a disk that takes no more.
trap '' XFSZ
make_volume v
dir=$scratch/v
mnt=$dir/mnt
conf=$dir/v.conf
start_volume v
unlock_volume v
echo durable | dd of="$mnt/file" conv=fsync 2>/dev/null
exec 7<"$mnt/file"
prlimit --pid "$(worker_of v)" --fsize=4096:unlimited
is_refused() { ! cat "$mnt/file" >/dev/null 2>"$err"; }
until_true 20 is_refused
ok $? "reading ends"
is_locked() { ctl v status | grep -q "^v  locked since .* (audit)"; }
until_true 20 is_locked
ok $? "the volume locks itself, and says why" || ctl v status | sed 's/^/# /'
ctl v status >"$out"
has out "status warns" "audit .*WARNING"
! cat <&7 >"$out" 2>"$err" && [ ! -s "$out" ]
ok $? "an open descriptor gives nothing"
phifsctl unlock --config "$conf" --keyfile "$dir/key" >"$out" 2>"$err"
[ $? -ne 0 ]
ok $? "it cannot be unlocked" || diagnose
digest() { ctl v status --json | grep policy_digest; }
before=$(digest)
printf '[role more]\nmembers = uid:7\nallow = view on all\n' >>"$dir.policy"
phifsctl reload --config "$conf" >"$out" 2>"$err"
[ $? -ne 0 ] && [ "$(digest)" = "$before" ]
ok $? "a policy whose record cannot be written does not come into force" || diagnose
grep -q "hint: free space below .*/audit" "$dir/log"
ok $? "the log says what to do" || sed 's/^/# /' "$dir/log"
exec 7<&-
kill -KILL "$v_pid"
until_true 40 is_not_mounted v
start_volume v
unlock_volume v
[ "$(cat "$mnt/file")" = durable ]
ok $? "with room again everything is there"
stop_volume v
ok $? "stop"
records_of v >"$out"
has out "the end of the run is recorded by the next one" " recover "
done_testing

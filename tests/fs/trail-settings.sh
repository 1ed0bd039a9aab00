#!/bin/sh
# What [audit] of the configuration says reaches the trail.  Needs root and /dev/fuse.
. "${srcdir:-.}/tests/fs/lib.sh"

need_mounts
make_volume v
dir=$scratch/v
said=$scratch/said
"$builddir/tests/fs/notified" --stream "$scratch/collector" >"$said" &
collector=$!
at_exit="kill $collector 2>/dev/null; end_volumes"
until_true 10 test -S "$scratch/collector"
ok $? "a collector"

# set_audit KEY VALUE: in its section
set_audit() { sed -i "/^$1 *=/d; s|^\[audit\]|[audit]\n$1 = $2|" "$dir/v.conf"; }
set_audit names plain
set_audit send coalesce
set_audit sd-id "site@4711"
set_audit segment-size 2M
set_audit forward "unix:$scratch/collector"
start_volume v
unlock_volume v
head -c 100000 /dev/zero >"$dir/mnt/named"
dd if="$dir/mnt/named" of=/dev/null bs=1000 2>/dev/null
ctl v status >"$out"
has out "status knows the collector" "audit .*collector connected"
[ "$(stat -c %s "$dir/st/audit/spare")" -eq 2097152 ]
ok $? "segment-size"
stop_volume v
ok $? "stop"
wait "$collector"
grep -q ' OPEN \[site@4711 .* name="/named"' "$said"
ok $? "names = plain, sd-id" || tail -n 3 "$said" | sed 's/^/# /'
grep ' READ \[site@4711 ' "$said" >"$out"
grep -q ' first="[0-9]*" .* n="[0-9]*"' "$out" && [ "$(wc -l <"$out")" -lt 50 ]
ok $? "send = coalesce: $(wc -l <"$out") messages for 100 reads" || head -n 3 "$out" | sed 's/^/# /'
done_testing

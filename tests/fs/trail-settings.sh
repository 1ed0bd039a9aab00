#!/bin/sh
# What [audit] of the configuration says reaches the trail.  Needs root and /dev/fuse.
. "${srcdir:-.}/tests/fs/lib.sh"

need_mounts
cat >"$scratch/v.policy" <<END
[class all]
path = /
mode = 1777
patient = 1
[role everyone]
members = uid:0-60000
allow = all on all
END
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
mkdir "$dir/mnt/M0042"
head -c 100000 /dev/zero >"$dir/mnt/M0042/one"
head -c 100 "$dir/mnt/M0042/one" >/dev/null
setpriv --reuid 60001 --regid 60001 --clear-groups cat "$dir/mnt/M0042/one" 2>/dev/null
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
# The class says which part of a path is the patient: one pseudonym in all that is his.
patient=$(sed -n 's/.* CREATE .* pat="\([a-z2-7]*\)" .* name="\/M0042".*/\1/p' "$said")
[ -n "$patient" ]
ok $? "patient" || grep ' CREATE ' "$said" | sed 's/^/# /'
for event in CREATE OPEN WRITE READ DENY; do
	grep " $event .* pat=\"$patient\" .* tid=\"[0-9]" "$said" >"$out"
	[ -s "$out" ]
	ok $? "patient and thread of $event"
done
done_testing

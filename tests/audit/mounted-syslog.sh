#!/bin/sh
# A mounted volume under load, syslog-ng away, the daemon killed and mounted
# again meanwhile: afterwards syslog-ng's file alone says, on a machine without
# the volume, what the journal says.
. "$srcdir/tests/audit/mounted.sh"
need_mounts
private=$srcdir/examples/private-syslog-ng.sh
collector=$scratch/ng
log=$scratch/audit.log

"$private" "$collector" >"$scratch/unpacked" 2>&1 || {
	sed 's/^/# /' "$scratch/unpacked"
	echo "1..0 # SKIP syslog-ng could not be unpacked"
	exit 0
}
trap '"$private" "$collector" stop; cleanup' EXIT

start_collector() {
	"$private" "$collector" start "$srcdir/examples/syslog-ng.conf" \
		phifs_socket="$scratch/socket" phifs_file="$log"
}

# load ROUNDS: reads and writes of a file, one after the other
load() {
	for i in $(seq "$1"); do
		dd if="$mnt/file" of="$scratch/data" bs=65536 count=16 skip="$i" 2>/dev/null &&
			dd if="$scratch/data" of="$mnt/copy$((i % 7))" bs=65536 2>/dev/null ||
			return 1
	done
}

start_collector
ok $? "syslog-ng runs"
mount_volume v --forward "unix:$scratch/socket"
mnt=$scratch/v/mnt
requests fill "$mnt/file" && sync "$mnt/file"
ok $? "a file is made"
load 10
ok $? "it is read and copied"
"$private" "$collector" stop
load 10
ok $? "without syslog-ng too"
load 1000 &
loader=$!
for _ in $(seq 200); do
	[ -e "$mnt/copy0" ] && [ -e "$mnt/copy6" ] && break
	sleep 0.05
done
kill -KILL "$v_pid"
wait "$loader"
[ $? -ne 0 ]
ok $? "killed under load"
wait_gone v
umount -l "$mnt"
mount_volume v --forward "unix:$scratch/socket"
load 10
ok $? "mounted again, still without"
start_collector
ok $? "syslog-ng is back"
load 10
ok $? "and so is everything else"
unmount_volume v
ok $? "unmount"
"$private" "$collector" stop

# Without what only one of them knows: host, volume, journal and pseudonyms.
common() {
	sed 's/,"host":"[^"]*","volume":"[^"]*","journal":"[^"]*"//
		s/,"[a-z_]*_pseudonym":"[^"]*"//g' | sort
}
records --all | common >"$scratch/recorded"
phifs-audit show --key "$scratch/v/auditor" --input "$log" --all --json 2>"$scratch/said" |
	common >"$scratch/collected"
# Each request of 64 KiB, and nothing less than what succeeded.
[ "$(grep '"event":"READ"' "$scratch/recorded" | grep -c '"bytes":65536')" -ge 600 ]
ok $? "enough was recorded to mean something"
cmp -s "$scratch/recorded" "$scratch/collected"
ok $? "every record is in syslog-ng's file and says the same" ||
	diff "$scratch/recorded" "$scratch/collected" | head -n 10 | cut -c1-600 | sed 's/^/# /'
! grep -q -e 'warning:' -e 'error:' "$scratch/said"
ok $? "nothing is missing, nothing does not verify" || sed 's/^/# /' "$scratch/said"
phifs-audit verify --journal "$scratch/v/state/audit" --key "$scratch/v/auditor" >"$scratch/verdict" 2>&1
[ $? -eq 9 ] && grep -q 'UNPROVEN  UNCLEAN' "$scratch/verdict"
ok $? "the journal says that a run was killed, and nothing worse" || sed 's/^/# /' "$scratch/verdict"
done_testing

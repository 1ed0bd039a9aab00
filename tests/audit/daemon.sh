#!/bin/sh
# phifsd itself: syslog-ng is away under load, phifsd is killed and started again
# meanwhile.  Afterwards syslog-ng's file says what the journal says, and an
# auditor reads it without the volume.
#
#	OUTAGE=60 tests/audit/daemon.sh    seconds without syslog-ng; 6 if not given
. "${srcdir:-.}/tests/cli/lib.sh"
PATH=$builddir/tests/audit:$PATH
: "${OUTAGE:=6}"
private=$srcdir/examples/private-syslog-ng.sh
collector=$scratch/ng
log=$scratch/audit.log
conf=$scratch/ehr.conf
mnt=$scratch/mnt
daemon='' loader=''

if [ "$(id -u)" -ne 0 ] || [ ! -w /dev/fuse ]; then
	echo "1..0 # SKIP needs root and /dev/fuse"
	exit 0
fi
"$private" "$collector" >"$out" 2>"$err" || {
	sed 's/^/# /' "$err"
	echo "1..0 # SKIP syslog-ng could not be unpacked"
	exit 0
}

# wait_until SECONDS COMMAND...
wait_until() {
	tries=$(($1 * 10))
	shift
	until "$@"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.1
	done
}

is_mounted() { grep -q " $mnt fuse" /proc/self/mounts; }
has_ended() { ! kill -0 "$1" 2>/dev/null; }
answers() { phifsctl status --config "$conf" >/dev/null 2>&1; }

clean_up() {
	[ -z "$loader" ] || kill "$loader" 2>/dev/null
	if [ -n "$daemon" ]; then
		kill "$daemon" 2>/dev/null
		wait_until 40 has_ended "$daemon" || kill -KILL "$daemon"
	fi
	! is_mounted || umount -l "$mnt"
	"$private" "$collector" stop
}
at_exit=clean_up

start_collector() {
	"$private" "$collector" start "$srcdir/examples/syslog-ng.conf" \
		phifs_socket="$scratch/socket" phifs_file="$log" >"$out" 2>"$err"
}

start_daemon() {
	phifsd --config "$conf" --foreground >>"$scratch/phifsd.log" 2>&1 &
	daemon=$!
	wait_until 30 answers &&
		phifsctl unlock --config "$conf" --passphrase-file "$scratch/pass" >"$out" 2>"$err"
}

# Reads and writes without an end; one line for each round that succeeded.
load() {
	round=0
	while :; do
		round=$((round + 1))
		dd if="$mnt/file" of="$scratch/data" bs=65536 count=8 skip=$((round % 30)) 2>/dev/null &&
			dd if="$scratch/data" of="$mnt/copy$((round % 7))" bs=65536 2>/dev/null &&
			echo "$round" >>"$scratch/rounds"
		sleep 0.01
	done
}

rounds() {
	if [ -f "$scratch/rounds" ]; then wc -l <"$scratch/rounds"; else echo 0; fi
}
is_connected() {
	phifsctl status --config "$conf" --json | grep -q '"is_connected": *true'
}
has_worked() { [ "$(rounds)" -gt "$1" ]; }

# --- a volume ------------------------------------------------------------------------
phifs-audit keygen --output "$scratch/officer" --no-passphrase >"$out" 2>"$err"
(umask 077 && echo "correct horse battery" >"$scratch/pass")
mkdir "$mnt"
cat >"$scratch/ehr.policy" <<END
[class records]
path = /
[role application]
members = root
login = none
allow = edit on records
END
expect 0 "a volume is made" \
	phifs-volume init --config "$conf" --ciphertext "$scratch/ciphertext" --mountpoint "$mnt" \
	--state "$scratch/state" --run-directory "$scratch/run" --policy "$scratch/ehr.policy" \
	--auditor-key "$scratch/officer.pub" --single-auditor --owner root --idle never \
	--forward "unix:$scratch/socket" --passphrase-file "$scratch/pass" --no-recovery-key
start_collector
ok $? "syslog-ng runs" || diagnose
start_daemon
ok $? "phifsd runs, and is unlocked" || sed 's/^/# /' "$scratch/phifsd.log" "$err"
requests fill "$mnt/file" && sync "$mnt/file"
ok $? "a file is made"
load &
loader=$!
wait_until 20 has_worked 20
ok $? "it is read and copied"

# --- the outage -----------------------------------------------------------------------
"$private" "$collector" stop
before=$(rounds)
sleep $((OUTAGE / 2))
wait_until 20 has_worked $((before + 20))
ok $? "without syslog-ng too"
kill -KILL "$(cat /proc/"$daemon"/task/"$daemon"/children | cut -d ' ' -f 1)"
wait_until 40 has_ended "$daemon"
wait "$daemon"
[ $? -ne 0 ]
ok $? "phifsd is killed under load"
! is_mounted
ok $? "and leaves no dead mount point"
start_daemon
ok $? "phifsd runs again" || sed 's/^/# /' "$scratch/phifsd.log" "$err"
before=$(rounds)
sleep $((OUTAGE - OUTAGE / 2))
wait_until 20 has_worked $((before + 20))
ok $? "and works"
start_collector
ok $? "syslog-ng is back" || diagnose
before=$(rounds)
wait_until 20 has_worked $((before + 20))
# Between two tries to connect there may be ten seconds.
wait_until 30 is_connected
kill "$loader"
wait "$loader" 2>/dev/null
loader=''
kill "$daemon"
wait "$daemon"
ok $? "phifsd ends in good order" || sed 's/^/# /' "$scratch/phifsd.log"
daemon=''
"$private" "$collector" stop

# --- what is in the file ------------------------------------------------------------------
# Without what only one of them knows: host, volume, journal and pseudonyms.
common() {
	sed 's/,"host":"[^"]*","volume":"[^"]*","journal":"[^"]*"//
		s/,"[a-z_]*_pseudonym":"[^"]*"//g' "$1" | sort
}
expect 0 "the journal shows" \
	phifs-audit show --config "$conf" --key "$scratch/officer" --all --json
common "$out" >"$scratch/recorded"
expect 0 "syslog-ng's file alone shows, without a gap" \
	phifs-audit show --key "$scratch/officer" --input "$log" --all --json
common "$out" >"$scratch/collected"
# Eight reads of 64 KiB in each round.
[ "$(grep '"event":"READ"' "$scratch/recorded" | grep -c '"bytes":65536')" -ge $((8 * $(rounds))) ]
ok $? "every read that succeeded is recorded"
cmp -s "$scratch/recorded" "$scratch/collected"
ok $? "every record is in syslog-ng's file and says the same" ||
	diff "$scratch/recorded" "$scratch/collected" | head -n 10 | cut -c1-600 | sed 's/^/# /'
! grep -q -e '/copy' -e '/file"' "$log"
ok $? "no name of a file is readable in it"
expect 9 "the journal says that a run was killed" \
	phifs-audit verify --config "$conf" --key "$scratch/officer"
has out "and nothing worse" 'UNPROVEN  UNCLEAN'
lacks out "nothing was edited" TAMPERED
done_testing

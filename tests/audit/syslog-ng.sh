#!/bin/sh
# Real syslog-ng: away for a while under load, the writer killed meanwhile, then
# killed itself.  Afterwards every record of the journal is in syslog-ng's file,
# and what came twice is recognised.
#
#	OUTAGE=60 tests/audit/syslog-ng.sh    seconds without syslog-ng; 15 if not given
. "${srcdir:-.}/tests/cli/lib.sh"
PATH=$builddir/tests/audit:$PATH
: "${OUTAGE:=15}"
private=$srcdir/examples/private-syslog-ng.sh
collector=$scratch/ng
socket=$scratch/phifs.sock
log=$scratch/audit.log
writer=

"$private" "$collector" >"$out" 2>"$err" || {
	sed 's/^/# /' "$err"
	echo "1..0 # SKIP syslog-ng could not be unpacked"
	exit 0
}

clean_up() {
	[ -z "$writer" ] || kill -KILL "$writer" 2>/dev/null
	"$private" "$collector" stop
}
at_exit=clean_up

start_collector() {
	"$private" "$collector" start "$srcdir/examples/syslog-ng.conf" \
		phifs_socket="$socket" phifs_file="$log" >"$out" 2>"$err"
}

start_writer() {
	trail-writer write "$scratch/journal" "$scratch/ring" "unix:$socket" 100000 50 700 \
		>"$scratch/writer.out" 2>>"$scratch/writer.err" &
	writer=$!
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

lines() {
	if [ -f "$log" ]; then wc -l <"$log"; else echo 0; fi
}

has_grown() {
	[ "$(lines)" -gt "$1" ]
}

# --- the story --------------------------------------------------------------------------
phifs-audit keygen --output "$scratch/officer" --no-passphrase >"$out" 2>"$err"
trail-writer create "$scratch/journal" "$scratch/officer.pub" >"$out" 2>"$err"
ok $? "a journal"
start_collector
ok $? "syslog-ng runs with the shipped configuration" || diagnose
start_writer
wait_until 20 has_grown 1000
ok $? "records arrive"

"$private" "$collector" stop
ok $? "syslog-ng is stopped"
before=$(lines)
sleep $((OUTAGE / 2))
kill -KILL "$writer"
wait "$writer" 2>/dev/null
start_writer
sleep $((OUTAGE - OUTAGE / 2))
kill -0 "$writer"
ok $? "writing goes on without syslog-ng, killed and restarted"
[ "$(lines)" -eq "$before" ]
ok $? "nothing arrived meanwhile"

start_collector
ok $? "syslog-ng is back" || diagnose
wait_until 60 has_grown $((before + 3000))
ok $? "what was recorded meanwhile arrives"

kill -KILL "$(cat "$collector/syslog-ng.pid")"
start_collector
ok $? "syslog-ng is killed and started again" || diagnose
wait_until 60 has_grown "$(($(lines) + 1000))"
ok $? "it goes on"
kill -TERM "$writer"
wait "$writer"
ok $? "the writer stops in good order" || sed 's/^/# /' "$scratch/writer.err"
writer=
"$private" "$collector" stop

# --- what is in the file ------------------------------------------------------------------
facts() {
	sed -n 's/.*"sequence":\([0-9]*\),"event":"\([A-Z]*\)".*/\1 \2 &/p' "$1" |
		sed 's/^\([0-9]* [A-Z]*\) .*"user":"\([^"]*\)".*"path":"\([^"]*\)".*"offset":\([0-9]*\).*/\1 \2 \3 \4/
			s/^\([0-9]* [A-Z]*\) {.*"user":"\([^"]*\)".*"path":"\([^"]*\)".*/\1 \2 \3/
			s/^\([0-9]* [A-Z]*\) {.*/\1/'
}
expect 9 "the journal says that a run was killed" \
	phifs-audit verify --journal "$scratch/journal" --key "$scratch/officer"
has out "and nothing else" 'UNPROVEN  UNCLEAN'
lacks out "nothing was edited" TAMPERED
expect 0 "the journal shows" \
	phifs-audit show --journal "$scratch/journal" --key "$scratch/officer" --all --json
facts "$out" >"$scratch/recorded"
expect 0 "syslog-ng's file alone shows, without a gap" \
	phifs-audit show --key "$scratch/officer" --input "$log" --all --json
facts "$out" >"$scratch/collected"
# A rewound forwarder sends older records after newer ones, never in another order.
sort -n -o "$scratch/collected" "$scratch/collected"
twice=$(sed -n 's/.*info: \([0-9]*\) messages came twice.*/\1/p' "$err")
echo "# $(wc -l <"$scratch/recorded") records, $(lines) messages, ${twice:-0} of them twice"
[ "$(wc -l <"$scratch/recorded")" -gt 10000 ]
ok $? "enough was recorded to mean something"
grep -q '^[0-9]* READ _pacs /archive/MRN0001/image 1.dcm 4096$' "$scratch/recorded"
ok $? "reads have their person, path and range"
cmp -s "$scratch/recorded" "$scratch/collected"
ok $? "every record is in syslog-ng's file, with the same person, path and range" ||
	diff "$scratch/recorded" "$scratch/collected" | head -n 20 | sed 's/^/# /'
[ $(($(wc -l <"$scratch/recorded") + ${twice:-0})) -eq "$(lines)" ]
ok $? "each once, and what came twice is recognised"
phifs-audit keygen --output "$scratch/stranger" --no-passphrase >/dev/null
expect 6 "the key of somebody else opens no path in it" \
	phifs-audit show --key "$scratch/stranger" --input "$log" --event OPEN
has err "and that is said" "none of the auditors'"
! grep -q -e /archive "$log"
ok $? "no name of a file is readable in it"
! grep -v '^<[0-9]*>1 [^ ]* [^ ]* phifsd [0-9]* [A-Z]* \[phifs@32473 v="1" vol="ehr" jid="[0-9a-f]\{32\}" .*\]\[meta sequenceId="[0-9]*"\] ' \
	"$log" | grep -q .
ok $? "every line is one whole message"
done_testing

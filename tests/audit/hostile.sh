#!/bin/sh
# Names, programs and hosts that break parsers go through real syslog-ng and come
# back as they were: one line each, nothing forged, nothing lost.
. "${srcdir:-.}/tests/cli/lib.sh"
PATH=$builddir/tests/audit:$PATH
private=$srcdir/examples/private-syslog-ng.sh
collector=$scratch/ng
log=$scratch/audit.log
files=3000

"$private" "$collector" >"$out" 2>"$err" || {
	sed 's/^/# /' "$err"
	echo "1..0 # SKIP syslog-ng could not be unpacked"
	exit 0
}
at_exit='"$private" "$collector" stop'

phifs-audit keygen --output "$scratch/officer" --no-passphrase >"$out" 2>"$err"
trail-writer create "$scratch/journal" "$scratch/officer.pub" >"$out" 2>"$err"
ok $? "a journal"
"$private" "$collector" start "$srcdir/examples/syslog-ng.conf" \
	phifs_socket="$scratch/socket" phifs_file="$log" >"$out" 2>"$err"
ok $? "syslog-ng runs" || diagnose
trail-writer hostile "$scratch/journal" "$scratch/ring" "unix:$scratch/socket" $files 1 \
	>"$out" 2>"$err"
ok $? "everything was sent" || diagnose
"$private" "$collector" stop

# What both know: without host, volume, journal and pseudonyms.
common() {
	sed 's/,"host":"[^"]*","volume":"[^"]*","journal":"[^"]*"//
		s/,"[a-z_]*_pseudonym":"[^"]*"//g' "$1"
}
expect 0 "the journal shows" \
	phifs-audit show --journal "$scratch/journal" --key "$scratch/officer" --all --json
common "$out" >"$scratch/recorded"
expect 0 "the collector's file shows" phifs-audit show --input "$log" --all --json
common "$out" >"$scratch/collected"
[ "$(grep -c '"event":"OPEN"' "$scratch/recorded")" -eq $files ]
ok $? "all are recorded"
[ "$(wc -l <"$log")" -eq "$(wc -l <"$scratch/recorded")" ]
ok $? "each is one line"
cmp -s "$scratch/recorded" "$scratch/collected"
ok $? "and the same in both" ||
	diff "$scratch/recorded" "$scratch/collected" | head -n 6 | sed 's/^/# /'
! LC_ALL=C grep -q "$(printf '[\001-\037\177]')" "$log"
ok $? "no control character is in the file"
done_testing

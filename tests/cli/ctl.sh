#!/bin/sh
# phifsctl against a daemon that only talks: messages and exit codes.
. "${srcdir:-.}/tests/cli/lib.sh"

conf=$scratch/fake.conf
cat >"$conf" <<END
[volume]
ciphertext = $scratch/ciphertext
state = $scratch/state
mountpoint = $scratch/mnt
run-directory = $scratch
END
ctl="phifsctl --config $conf"
printf 'open sesame\n' >"$scratch/right"
printf 'open barley\n' >"$scratch/wrong"
chmod 600 "$scratch/right" "$scratch/wrong"

expect 3 "no daemon: not running" $ctl status
has err "says so" "^phifsctl: error: fake is not running$"
has err "and how to start it" "^phifsctl: hint: start it with: phifsd --config $conf$"
expect 3 "wait gives up on an absent daemon" $ctl wait --unlocked --timeout 300ms
has err "and says how to start it" "^phifsctl: hint: start it with: phifsd --config $conf$"
expect 2 "a configuration that is not there" phifsctl status --config "$scratch/none.conf"

mkfifo "$scratch/leash"
"$builddir/tests/cli/fake-daemon" "$scratch/fake.sock" 'open sesame' \
	<"$scratch/leash" >"$scratch/ready" &
exec 9>"$scratch/leash"
at_exit='exec 9>&-; wait'
tries=0
until grep -q ready "$scratch/ready" || [ $tries -gt 100 ]; do
	sleep 0.1
	tries=$((tries + 1))
done

expect 0 "status" $ctl status
has out "names state and reason" "^fake  locked since .* (start); idle limit 30 min$"
has out "makes hostile text harmless" 'mount point .*/srv/f\\x1bke$'
has out "counts what the collector lacks" "collector NOT connected, 1 behind   WARNING"
expect 0 "status --json" $ctl status --json
has out "has every field" '"bytes_free": 1099511627776'
has out "has false ones too" '"is_frozen": false'

expect 1 "wait --unlocked runs out of time" $ctl wait --unlocked --timeout 200ms
has err "and says how to look" "^phifsctl: hint: how it is: phifsctl status --config $conf$"
expect 0 "wait --locked" $ctl wait --locked
expect 2 "wait for nothing" $ctl wait
expect 2 "wait for both" $ctl wait --locked --unlocked
expect 2 "wait with nonsense" $ctl wait --locked --timeout soon

expect 5 "wrong passphrase" $ctl unlock --passphrase-file "$scratch/wrong"
has err "says so" "^phifsctl: error: fake: wrong passphrase or factor$"
has err "names other ways in" "^phifsctl: hint: other ways in: phifs-key list --config $conf$"
expect 2 "no passphrase file" $ctl unlock --passphrase-file "$scratch/nothing"
: >"$scratch/empty"
expect 2 "empty passphrase file" $ctl unlock --passphrase-file "$scratch/empty"
expect 2 "two factors at once" $ctl unlock --passphrase-file "$scratch/right" --keyfile "$scratch/right"
expect 2 "slot 0" $ctl unlock --slot 0 --passphrase-file "$scratch/right"
expect 2 "no terminal to ask on" setsid -w phifsctl --config "$conf" unlock
has err "hint names the option" "hint: .*--passphrase-file"
chmod 644 "$scratch/right"
expect 0 "unlock" $ctl unlock --passphrase-file "$scratch/right"
has out "says so" "^fake is unlocked.$"
has out "reports the recovery" "12 transactions replayed (0 newer than the anchor), 3 files touched"
has err "warns about a readable passphrase file" "warning: .* can be read by others (mode 0644)"
chmod 600 "$scratch/right"
expect 7 "unlock twice" $ctl unlock --passphrase-file "$scratch/right"
has err "says since when" "error: fake is unlocked already, since "
expect 0 "status of an open volume" $ctl status
has out "tells when it locks" "^fake  unlocked since .*; locks itself after 30 min idle, in 12 min$"

expect 0 "why" $ctl why root
has out "who, what, where" "  root (login: jroot) was refused read of file f7c1d0aa in class inbox$"
has out "by which rule" "^ *by: default deny$"
expect 1 "why for somebody who was refused nothing" $ctl why alice
has out "points to the other judge" "phifs-policy test --config .* alice read PATH"
expect 0 "why --json" $ctl why root --json
has out "is an array" '"rule": "default deny"'
expect 0 "holders" $ctl holders
has out "hostile program name" '^7 *a\\x0ab *alice'
expect 0 "reload" $ctl reload
has out "names changed rights" "^  alice: lost read on archive$"

expect 2 "lock with two waits" $ctl lock --now --grace 1s
expect 2 "lock with nonsense" $ctl lock --grace 1x
expect 0 "lock" $ctl lock
has out "says so" "^fake is locked.$"
has err "lists whom it waits for" "^  storescp (812, _pacs)  2 files$"
expect 7 "lock twice" $ctl lock --now
done_testing

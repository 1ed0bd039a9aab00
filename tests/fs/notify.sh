#!/bin/sh
# What phifsd tells a service manager (Type=notify, WatchdogSec=).  Needs root and /dev/fuse.
. "${srcdir:-.}/tests/fs/lib.sh"

need_mounts
make_volume v
said=$scratch/said
"$builddir/tests/fs/notified" "$scratch/notify" >"$said" &
manager=$!
at_exit="kill $manager 2>/dev/null; end_volumes"
until_true 10 test -S "$scratch/notify"
ok $? "a socket to be notified at"

says() { [ "$(grep -cx "$1" "$said")" -ge "$2" ]; }
export NOTIFY_SOCKET="$scratch/notify" WATCHDOG_USEC=400000
start_volume v
until_true 10 says READY=1 1
ok $? "READY=1 when it is mounted"
until_true 10 says WATCHDOG=1 3
ok $? "WATCHDOG=1, again and again"
kill -HUP "$v_pid"
until_true 10 says RELOADING=1 1 && until_true 10 says READY=1 2
ok $? "RELOADING=1 and READY=1 around a reload"
stop_volume v
ok $? "SIGTERM ends it"
until_true 10 says STOPPING=1 1
ok $? "STOPPING=1"
for word in Type=notify NotifyAccess=all WatchdogSec= ExecStart=.*/phifsd.*--foreground; do
	grep -q "^$word" "$srcdir/examples/phifs@.service"
	ok $? "phifs@.service has $word"
done
done_testing

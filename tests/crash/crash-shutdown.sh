#!/bin/sh
# File systems that stop under the real store; `make check-crash` explores longer.
. "${srcdir:-.}/tests/crash/lib.sh"

some=
for kind in ext4 xfs; do
	if can_use crash-shutdown $kind; then
		campaign crash-sync 2 --on $kind
		campaign crash-shutdown 3 --on $kind
		some=$kind
	else
		skipped "on $kind" "$(sed -n 's/.*not on [a-z0-9]*: //p' "$log")"
	fi
done
if [ -n "$some" ]; then
	# An answer before the journal is flushed; a cut that is ready before its data is;
	# a half that is written again before what it had is durable.
	finds crash-shutdown I5_NO_FLUSH 60
	finds crash-shutdown R1_NO_FDATASYNC 60
	finds crash-shutdown R7_NO_SYNC 60
fi
finish

#!/bin/sh
# SIGKILL at the calls of the real store, on real file systems; `make check-crash`
# explores longer.
. "${srcdir:-.}/tests/crash/lib.sh"

campaign crash-kill 3 --on directory
for kind in ext4 xfs; do
	if can_use crash-kill $kind; then
		campaign crash-kill 2 --on $kind
	else
		skipped "on $kind" "$(sed -n 's/.*not on [a-z0-9]*: //p' "$log")"
	fi
done
# A durable byte overwritten before the journal has its successor; recovery that does
# not look where a kill before the rename left the file.
finds crash-kill I1_IN_PLACE 60 --on directory
finds crash-kill R8_ONLY_SHARD 60 --on directory
finish

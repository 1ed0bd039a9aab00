#!/bin/sh
# Power cuts against the real store on the simulated disk, for a quarter of a
# minute; `make check-crash` explores longer.
# The disks are simulated; only the ledgers are files.
if [ -w /dev/shm ]; then
	: "${TMPDIR:=/dev/shm}"
	export TMPDIR
fi
echo 1..1
log=$("$builddir/tests/crash/crash-sim" --seconds 15 --seed "$(date +%s)" 2>&1)
if [ $? -eq 0 ]; then
	echo "ok 1 - $(printf '%s\n' "$log" | tail -n 1)"
else
	printf '%s\n' "$log" | grep -v 'recovered' | tail -n 20 | sed 's/^/# /'
	echo "not ok 1 - crash-sim"
	exit 1
fi

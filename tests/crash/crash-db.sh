#!/bin/sh
# Databases in a volume that is killed, or whose disk is cut off; `make check-crash`
# explores longer.
#
#     crash-db.sh [long]
. "${srcdir:-.}/tests/crash/lib.sh"

# The server runs as somebody else.
chmod 711 "$TMPDIR"

databases_survive() {
	bash "$srcdir/tests/crash/crash-db" --seed "$(date +%s)" "$@" </dev/null >"$log" 2>&1
	status=$?
	if [ $status -eq 77 ]; then
		skipped "crash-db $*" "$(tail -n 1 "$log")"
	else
		ok $status "crash-db $*: $(tail -n 1 "$log")"
	fi
}

databases_survive --seconds 3 --databases 'wal delete'
databases_survive --seconds 10 --states 1 --databases postgres
# The same without waiting for the disk: what is lost is noticed.
if [ "$1" = long ]; then
	bash "$srcdir/tests/crash/crash-db" --seconds 60 --databases careless --kinds cut \
		</dev/null >"$log" 2>&1
	[ $? -eq 77 ] || grep -q '^violation: careless' "$log"
	ok $? "crash-db finds a database that does not wait for its disk"
fi
finish

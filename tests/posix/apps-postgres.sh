#!/bin/bash
# PostgreSQL with its data in a volume: initdb, pgbench, a stop of the volume, a kill; the
# sums must agree.  With private sockets, on no port.
. "${srcdir:-.}/tests/posix/lib.sh"
need_mounts
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
if [ ! -x "$bin/initdb" ] || [ ! -x "$bin/pgbench" ] || ! id postgres >/dev/null 2>&1; then
	echo "1..0 # SKIP PostgreSQL is not installed"
	exit 0
fi

open_volume v
mnt=$scratch/v/mnt
seconds=${POSTGRES_SECONDS:-10}
mkdir -m 777 "$scratch/sockets"
as_postgres="setpriv --reuid postgres --regid postgres --clear-groups"
export PGHOST=$scratch/sockets PGDATABASE=postgres PGUSER=postgres
cd "$scratch/sockets" || exit 1

accepts() { $as_postgres "$bin/psql" -qAtc 'SELECT 1' >/dev/null 2>&1 || ! runs "$server"; }
# This shell's own child: whoever is left to be waited for seems to be running still.
start() {
	$as_postgres "$bin/postgres" -D "$mnt/data" -c listen_addresses= -k "$scratch/sockets" \
		>>"$scratch/sockets/log" 2>&1 &
	server=$!
	until_true 60 accepts && runs "$server" || {
		tail -n 5 "$scratch/sockets/log"
		return 1
	}
}
stop() { # SIGNAL
	kill -"$1" "$server"
	wait "$server"
	stop_status=$?
	server=
	return $stop_status
}
end_server() { [ -z "${server:-}" ] || stop QUIT; }
initialise() { $as_postgres "$bin/initdb" -D "$mnt/data" -A trust --locale=C -k; }
bench() { $as_postgres "$bin/pgbench" "$@"; }
sums_agree() {
	local sums
	sums=$($as_postgres "$bin/psql" -Atc "SELECT (SELECT sum(abalance) FROM pgbench_accounts)
		- (SELECT sum(bbalance) FROM pgbench_branches), (SELECT sum(abalance) FROM pgbench_accounts)
		- (SELECT sum(delta) FROM pgbench_history), (SELECT count(*) FROM pgbench_history) > 0")
	echo "$sums"
	[ "$sums" = "0|0|t" ]
}
checksums() { $as_postgres "$bin/pg_checksums" -D "$mnt/data" --check; }
# Its children end when they notice; what they share goes with the last of them.
kill_server() {
	local children child
	children=$(ps -o pid= --ppid "$server")
	stop KILL
	for child in $children; do
		until_true 20 has_ended "$child" || return 1
	done
}

at_end end_server
passes "initdb with checksums" initialise
passes "the server starts" start
passes "pgbench makes its tables" bench -i -q -s 2
passes "pgbench, four clients" bench -c 4 -j 2 -T "$seconds"
sed -n 's/^\(tps.*\)/# \1/p; s/^\(number of transactions actually.*\)/# \1/p' "$out"
passes "the sums agree" sums_agree
passes "the server is killed" kill_server
passes "and recovers" start
passes "the sums agree" sums_agree
passes "vacuum, reindex" $as_postgres "$bin/psql" -qc 'VACUUM FULL' -c 'REINDEX DATABASE postgres'
passes "it stops" stop INT
passes "the volume stops" stop_volume v
open_volume v
passes "after a new mount: checksums" checksums
passes "after a new mount: the server starts" start
passes "after a new mount: the sums agree" sums_agree
passes "it stops" stop INT
done_testing

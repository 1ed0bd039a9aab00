# For bash.  The databases of crash-db: what writes numbered rows, and what must be there
# after a crash.  Each base BASE (wal, delete, postgres; careless, which is wal
# without waiting for the disk and must be found out) has
#
#	base_is_there BASE     may it be tested here
#	make_base BASE         once, on the mounted volume
#	start_base BASE        its server, if it has one; waits until it answers
#	write_rows BASE        in the background until it fails; its process is BASE_writer
#	end_base BASE          whatever of it still runs: it has crashed
#	check_base BASE        not 0, and why in $out: something is not right
#
# Outside of the volume, $scratch/BASE.log has "s N" for each transaction sent
# and "a N" for each acknowledged.  Transaction N inserts 1 + N % 3 rows whose
# content follows from N, removes those of N - KEPT and earlier, and notes N as
# the last: after a crash it is there with all it did, or not at all.

KEPT=300
postgres_programs=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)

base_is_there() {
	case $1 in
	postgres) [ -n "$postgres_programs" ] && [ -x "$postgres_programs/postgres" ] ;;
	*) command -v sqlite3 >/dev/null ;;
	esac
}

# --- clients --------------------------------------------------------------------------

# Never made by opening it: the volume may be gone by then.
base_file() { echo "file:$scratch/v/mnt/$1.db?mode=rw"; }

# SQL from standard input; one value a line, columns apart by "|".
client() {
	case $1 in
	postgres)
		exec $as_postgres "$postgres_programs/psql" --no-psqlrc --quiet --tuples-only \
			--no-align --set ON_ERROR_STOP=1 --host "$scratch/socket" postgres
		;;
	# FULL does not wait until the rollback journal's name is gone for good; EXTRA does.
	delete) exec sqlite3 -bail -cmd '.timeout 5000' -cmd 'PRAGMA synchronous=EXTRA' "$(base_file delete)" ;;
	careless) exec sqlite3 -bail -cmd '.timeout 5000' -cmd 'PRAGMA synchronous=OFF' "$(base_file careless)" ;;
	wal) exec sqlite3 -bail -cmd '.timeout 5000' -cmd 'PRAGMA synchronous=FULL' -cmd '.output /dev/null' \
		-cmd "PRAGMA wal_autocheckpoint=$((20 + RANDOM % 500))" -cmd '.output stdout' \
		"$(base_file wal)" ;;
	esac
}

tables='CREATE TABLE t(n BIGINT, k BIGINT, x TEXT, PRIMARY KEY(n, k));
CREATE TABLE last(n BIGINT); INSERT INTO last VALUES(0);'

# The rows of a transaction: their numbers with as many zeroes in front.
transaction() {
	local n=$1 k x
	echo "BEGIN;"
	for ((k = 0; k <= n % 3; k++)); do
		printf -v x '%0*d' $(((n * 7919 + k) % 4000 + 10)) "$n"
		echo "INSERT INTO t VALUES($n, $k, '$x');"
	done
	echo "UPDATE last SET n = $n; DELETE FROM t WHERE n <= $((n - KEPT));"
	echo "COMMIT; SELECT $n;"
}

sent() { awk '$1 == "s" && $2 > n { n = $2 } END { print n + 0 }' "$scratch/$1.log"; }

# SQLite, which syncs the directory after it removed the rollback journal, takes one that
# cannot be opened for one that needs no sync.  If something in the volume can be opened
# after the answer, the directory could before; the mount point alone can be opened when
# the volume is gone from it, too.
volume_lives() {
	case $1 in
	postgres) : <"$scratch/v/mnt/pg/PG_VERSION" ;;
	*) : <"$scratch/v/mnt/$1.db" ;;
	esac
}

write_until_it_fails() {
	local base=$1 n answer
	exec 2>/dev/null
	n=$(sent "$base")
	coproc client_of { client "$base" 2>>"$scratch/$base.err"; }
	trap '' PIPE
	while :; do
		n=$((n + 1))
		echo "s $n" >>"$scratch/$base.log"
		transaction "$n" >&"${client_of[1]}" || break
		read -r answer <&"${client_of[0]}" || break
		[ "$answer" = "$n" ] && volume_lives "$base" || break
		echo "a $n" >>"$scratch/$base.log"
	done
	wait
}

write_rows() {
	write_until_it_fails "$1" &
	eval "${1}_writer=$!"
}

# --- PostgreSQL ---------------------------------------------------------------------------

postgres_server=

answers() { $as_postgres "$postgres_programs/pg_isready" -q -h "$scratch/socket" -t 1; }
answers_or_ended() { answers || has_ended "$postgres_server"; }

make_postgres() {
	mkdir -m 700 "$scratch/pg" && chown "$postgres_user" "$scratch/pg" &&
		$as_postgres "$postgres_programs/initdb" --auth trust --data-checksums --wal-segsize 1 \
			--no-locale --encoding UTF8 --no-sync -D "$scratch/pg" >"$scratch/initdb" 2>&1 &&
		mv "$scratch/pg" "$scratch/v/mnt/pg" && sync -f "$scratch/v/mnt" || return
	cat >>"$scratch/v/mnt/pg/postgresql.conf" <<-END
		listen_addresses = ''
		unix_socket_directories = '$scratch/socket'
		max_wal_size = 16MB
		min_wal_size = 2MB
		checkpoint_timeout = 30s
		shared_buffers = 4MB
		max_connections = 10
		dynamic_shared_memory_type = mmap
	END
}

# Processes of its own number space: all of them end with the first.
start_postgres() {
	unshare --pid --fork $as_postgres --pdeathsig KILL "$postgres_programs/postgres" \
		-D "$scratch/v/mnt/pg" >>"$scratch/postgres.err" 2>&1 &
	postgres_server=$!
	until_true 60 answers_or_ended && answers
}

# --- one of them ------------------------------------------------------------------------------

make_base() {
	local all=$tables
	: >"$scratch/$1.log"
	if [ "$1" = postgres ]; then
		make_postgres && start_postgres || return
		all="$all CREATE EXTENSION amcheck;"
	else
		: >"$scratch/v/mnt/$1.db"
		[ "$1" = delete ] || all="PRAGMA journal_mode=wal; $all"
	fi
	echo "$all" | (client "$1") >"$out" 2>&1 && end_base "$1"
}

start_base() {
	[ "$1" != postgres ] || start_postgres
}

end_base() {
	if [ "$1" = postgres ] && [ -n "$postgres_server" ]; then
		pkill -KILL -P "$postgres_server"
		wait "$postgres_server" 2>/dev/null
		postgres_server=
	fi
	eval "end_writer=\${${1}_writer:-}"
	[ -n "$end_writer" ] || return 0
	until_true 20 has_ended "$end_writer" || kill -KILL "$end_writer"
	wait "$end_writer" 2>/dev/null
	eval "${1}_writer="
}

sound() {
	if [ "$1" = postgres ]; then
		echo "SELECT bt_index_check('t_pkey', true) || '';
			SELECT 'heap: ' || msg FROM verify_heapam('t');
			SELECT 'heap: ' || msg FROM verify_heapam('last');"
	else
		echo "PRAGMA integrity_check;"
	fi
	# What a row must be follows from its number.
	echo "SELECT 'last', n FROM last;
		SELECT 'row', n, count(*), sum(CASE WHEN ltrim(x, '0') = CAST(n AS TEXT)
			AND length(x) = (n * 7919 + k) % 4000 + 10 THEN 1 ELSE 0 END)
		FROM t GROUP BY n ORDER BY n;"
}

# The log, then what the database says.
compare() {
	awk -v kept=$KEPT '
	function bad(why) { print why; is_bad = 1 }
	FNR == NR && $1 == "s" { if ($2 > sent) sent = $2; next }
	FNR == NR { acked[$2] = 1; if ($2 > top) top = $2; next }
	{ split($0, f, "|") }
	f[1] == "last" { last = f[2]; has_last = 1; next }
	f[1] == "row" {
		there[f[2]] = 1
		if (f[2] > sent) bad(f[2] " was never sent")
		if (f[2] > last) bad(f[2] " is later than the last, " last)
		if (f[2] <= last - kept) bad(f[2] " was removed")
		if (f[3] != 1 + f[2] % 3) bad(f[2] " has " f[3] " rows")
		if (f[4] != f[3]) bad(f[2] " has other content")
		next
	}
	$0 != "ok" && $0 != "" { bad("not sound: " $0) }
	END {
		if (!has_last) bad("no answer")
		if (last < top) bad("the last is " last ", acknowledged was " top)
		if (last > 0 && !(last in there)) bad("the last, " last ", has no rows")
		for (n = last - kept + 1; n <= top; n++)
			if (n in acked && !(n in there)) bad(n " was acknowledged and is missing")
		exit is_bad
	}' "$scratch/$1.log" "$2"
}

check_base() {
	sound "$1" | (client "$1") >"$scratch/$1.found" 2>&1
	compare "$1" "$scratch/$1.found" >"$out"
}

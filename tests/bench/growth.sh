#!/bin/bash
# What phifs costs as what is in it grows: one line of JSON for each figure.
#
#	make -C build bench
#	sudo builddir=build tests/bench/growth.sh [OPTION]... [PART]... >FIGURES
#
#	files       10^3, 10^4 ... files in directories of 1000: calls, start, unlock, memory
#	directory   the same in one directory, up to 10^5
#	open        memory while 10^3 and 10^4 files are open and were read
#	sparse      a file of 1 TiB with scattered blocks
#	writers     1, 8, 64 writers that make durable, each in its file, and in one
#	copy        a large copy beside one that makes durable
#	database    audit records and journal bytes of PostgreSQL under pgbench
#
#	--backing tmpfs|ext4|DIRECTORY  as compare.sh has it; ext4 is the default
#	--files N     the most (1000000)        --seconds N  of a run of writers, of pgbench (20)
#	--blocks N    scattered (100000)        --mib N      copied (10240)
#	--samples N   of each kind of call (2000)
#	--scale N     of pgbench (10)         --no-collector  without syslog-ng
#
# Progress goes to standard error.  A part that cannot run says so in a line of its own.
. "${srcdir:-.}/tests/bench/lib.sh"
bench=$builddir/tests/bench/bench-growth
backing=ext4 files=1000000 seconds=20 blocks=100000 mib=10240 samples=2000 scale=10
parts='' collector=yes

usage() {
	echo "growth.sh: error: $1" >&2
	echo "growth.sh: hint: sudo builddir=build tests/bench/growth.sh [OPTION]... [PART]..." >&2
	exit 2
}

while [ $# -gt 0 ]; do
	case $1 in
	--backing) backing=${2:?} ;;
	--files | --seconds | --blocks | --mib | --samples | --scale)
		[ "${2:-0}" -gt 0 ] 2>/dev/null || usage "$1: a number"
		eval "${1#--}=$2"
		;;
	files | directory | open | sparse | writers | copy | database)
		parts="$parts $1"
		shift
		continue
		;;
	--no-collector)
		collector=''
		shift
		continue
		;;
	*) usage "$1: no part and no option" ;;
	esac
	shift 2
done
: "${parts:=files directory open sparse writers copy database}"
[ -x "$bench" ] || usage "$bench is not there: make -C build bench"
[ "$(id -u)" -eq 0 ] || usage "mounting needs root"
cd / || exit 1

# --- lines -----------------------------------------------------------------------------

say() { echo "growth.sh: $*" >&2; }

# line FIELDS: `"a":1,"b":2` with the part in front
line() { printf '{"part":"%s",%s}\n' "$part" "$1"; }

# measured FIELDS COMMAND...: what a command prints as JSON, with these fields in front
measured() {
	fields=$1
	shift
	"$bench" "$@" | sed "s/^{/{\"part\":\"$part\",$fields,/"
	[ "${PIPESTATUS[0]}" -eq 0 ] || { say "$part: $* failed"; exit 1; }
}

# took FIELDS WHAT COMMAND...: how long a command takes
took() {
	took_fields=$1 took_what=$2
	shift 2
	took_begin=$(now_ms)
	"$@" >&2 || { say "$part: $* failed"; exit 1; }
	line "$took_fields,\"what\":\"$took_what\",\"ms\":$(($(now_ms) - took_begin))"
}

memory() {
	awk -v head="{\"part\":\"$part\",$2,\"what\":\"memory\",\"when\":\"$3\"" '
		/^Vm(RSS|HWM|Lck):/ { kib[substr($1, 3, 3)] = $2 }
		END { printf "%s,\"rss_kib\":%d,\"hwm_kib\":%d,\"locked_kib\":%d}\n",
			head, kib["RSS"], kib["HWM"], kib["Lck"] }' "/proc/$(worker_of "$1")/status"
}

disk() {
	line "$2,\"what\":\"disk\",\"ciphertext_kib\":$(kib_of "$place/$1.ct"),\"state_kib\":$(kib_of \
		"$place/$1.st"),\"syslog_kib\":$(kib_of "$place/audit.log")"
}
kib_of() { du -sk "$1" 2>/dev/null | cut -f 1; }

# --- a volume ------------------------------------------------------------------------------

# Starting is measured: a closer look than the tests' 50 ms.
until_true() {
	tries=$(($1 * 200))
	shift
	until "$@"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.005
	done
}

# The next part has the disk for itself.
remove_volume() {
	stop_volume "$1" || say "$1 ended with $?"
	rm -rf --one-file-system "${place:?}/$1.ct" "$place/$1.st"
}

restart() {
	took "$2" stop stop_volume "$1"
	took "$2" start start_volume "$1"
	memory "$1" "$2" started
	took "$2" unlock unlock_volume "$1"
	memory "$1" "$2" unlocked
}

clean_up() {
	[ -z "${server:-}" ] || pg stop
	[ -z "${writer_pid:-}" ] || kill "$writer_pid" 2>/dev/null
	[ -z "${copy_pid:-}" ] || kill "$copy_pid" 2>/dev/null
	for one in $volumes; do
		end_volume "$one"
	done
	end_collector
	end_place
}

# --- files ---------------------------------------------------------------------------------

visit() { find "$1" -size +1000000 -print; }

# grow PART PER_DIRECTORY MOST
grow() {
	part=$1 done_files=0 n=1000
	new_volume "$part"
	memory "$part" '"files":0' unlocked
	[ "$n" -le "$3" ] || n=$3
	while [ "$n" -le "$3" ]; do
		say "$part: $n"
		measured "\"files\":$n,\"writers\":4" fill --writers 4 --first "$done_files" \
			--files "$n" --per-directory "$2" "$mnt"
		memory "$part" "\"files\":$n" filled
		measured "\"files\":$n" sample --files "$n" --per-directory "$2" \
			--count "$samples" "$mnt"
		disk "$part" "\"files\":$n"
		restart "$part" "\"files\":$n"
		took "\"files\":$n" find visit "$mnt"
		memory "$part" "\"files\":$n" visited
		done_files=$n n=$((n * 10))
	done
	remove_volume "$part"
}

part_files() { grow files 1000 "$files"; }
part_directory() { grow directory 100000000 "$((files < 100000 ? files : 100000))"; }

# --- open ---------------------------------------------------------------------------------

# In a shell of its own: what it has open ends with it.
hold() (
	ulimit -n $(($1 + 100)) || exit
	find "$mnt" -type f | head -n "$1" | {
		while read -r name; do
			exec {fd}<"$name" && read -r -n 1 -u "$fd"
		done
		memory open "\"open\":$1" read
	}
)

part_open() {
	new_volume open
	most=$((files < 10000 ? files : 10000))
	measured "\"files\":$most" fill --files "$most" --writers 4 "$mnt"
	restart open "\"files\":$most"
	find "$mnt" -size +1000000
	memory open '"open":0' visited
	hold $((most / 10))
	hold "$most"
	remove_volume open
}

# --- sparse -----------------------------------------------------------------------------------

part_sparse() {
	new_volume sparse
	size=$((1 << 40))
	say "sparse: $blocks blocks in 1 TiB"
	memory sparse '"blocks":0' unlocked
	measured "\"blocks\":$blocks" sparse --size $size --count "$blocks" "$mnt"
	memory sparse "\"blocks\":$blocks" written
	disk sparse "\"blocks\":$blocks"
	restart sparse "\"blocks\":$blocks"
	measured "\"blocks\":$blocks,\"when\":\"restarted\"" verify --size $size --count "$blocks" "$mnt"
	memory sparse "\"blocks\":$blocks" verified
	remove_volume sparse
}

# --- writers ------------------------------------------------------------------------------------

# In turns, the directory beside on the same disk too: what the machine does meanwhile meets both.
part_writers() {
	new_volume writers
	mkdir "$place/plain"
	for n in 1 8 64; do
		for target in phifs plain; do
			say "writers: $n, $target"
			[ $target = phifs ] && to=$mnt || to=$place/plain
			measured "\"in\":\"$target\",\"writers\":$n,\"files\":$n" writers \
				--writers $n --seconds "$seconds" "$to"
			rm -f "$to"/writer-*
			measured "\"in\":\"$target\",\"writers\":$n,\"files\":1" writers \
				--writers $n --seconds "$seconds" --one-file "$to"
			rm -f "$to"/writer-*
		done
	done
	memory writers '"writers":64' written
	rm -rf "$place/plain"
	remove_volume writers
}

# --- copy ------------------------------------------------------------------------------------------

# Requests as cp makes them, from a source that is never slower than the volume.
copy() { dd if=/dev/zero of="$1/copy" bs=128k count=$((mib * 8)) status=none; }

# copy_line TARGET WHEN MS
copy_line() {
	line "\"in\":\"$1\",\"when\":\"$2\",\"what\":\"copy\",\"mib\":$mib,\"ms\":$3,\"mib_per_second\":$((mib * 1000 / ($3 > 0 ? $3 : 1)))"
}

# A writer alone, and from the copy's first byte to its last.
copy_beside() {
	measured "\"in\":\"$1\",\"when\":\"alone\"" writers --writers 1 --seconds "$seconds" "$2"
	"$bench" writers --writers 1 --seconds 3600 "$2" >"$scratch/beside" &
	writer_pid=$!
	sleep 1
	copy_begin=$(now_ms)
	copy "$2" || exit 1
	copy_ms=$(($(now_ms) - copy_begin))
	kill "$writer_pid" && wait "$writer_pid"
	writer_pid=
	sed "s/^{/{\"part\":\"copy\",\"in\":\"$1\",\"when\":\"beside\",/" "$scratch/beside"
	copy_line "$1" beside "$copy_ms"
	rm -f "$2/copy" "$2"/writer-*
}

copy_alone() {
	copy_begin=$(now_ms)
	copy "$2" || exit 1
	copy_line "$1" alone "$(($(now_ms) - copy_begin))"
	rm -f "$2/copy"
}

part_copy() {
	new_volume copy
	mkdir "$place/plain"
	for target in phifs plain; do
		[ $target = phifs ] && to=$mnt || to=$place/plain
		say "copy: $mib MiB, $target"
		copy_beside $target "$to"
		copy_alone $target "$to"
	done
	memory copy "\"mib\":$mib" copied
	rm -rf "$place/plain"
	remove_volume copy
}

# --- database -----------------------------------------------------------------------------------------

unpack_postgres() {
	mkdir "$scratch/pg" &&
		(cd "$scratch/pg" && apt-get -qq -o APT::Sandbox::User=root download postgresql-15 \
			postgresql-client-15 libpq5) >"$scratch/apt.log" 2>&1 || return
	for package in "$scratch"/pg/*.deb; do
		dpkg -x "$package" "$scratch/pg" || return
	done
	libpq=$(find "$scratch/pg" -name 'libpq.so.5' -exec dirname {} \;)
	export LD_LIBRARY_PATH="$libpq"
}

find_postgres() {
	[ -x /usr/lib/postgresql/15/bin/postgres ] || unpack_postgres || return
	for bin in /usr/lib/postgresql/15/bin "$scratch"/pg/usr/lib/postgresql/15/bin; do
		! "$bin/postgres" --version >/dev/null 2>&1 || return 0
	done
	return 1
}

# pg start|stop: a server for the data in $data; nothing listens but a socket of ours
pg() {
	case $1 in
	start)
		$as_nobody "$bin/pg_ctl" -s -w -D "$data" -l "$scratch/sock/log" \
			-o "-k $scratch/sock -c listen_addresses=" start >&2 && server=yes
		;;
	stop)
		$as_nobody "$bin/pg_ctl" -s -w -m fast -D "$data" stop >&2
		server=
		;;
	esac
}

pgbench() { $as_nobody "$bin/pgbench" -h "$scratch/sock" -U bench "$@" postgres 2>"$scratch/pgbench.log"; }

records_now() { ctl database status --json | sed -n 's/.*"audit_records": *\([0-9]*\).*/\1/p'; }
journal_now() { find "$place/database.st" -name '*.seg' -printf '%s\n' | awk '{ s += $1 } END { print s + 0 }'; }

make_database() {
	case $1 in
	each) data=$mnt/each ;;
	summary) data=$mnt/summary/data ;;
	plain) data=$place/plain ;;
	esac
	[ "$2" = new ] || return 0
	$as_nobody mkdir -m 700 "$data" && $as_nobody "$bin/initdb" -D "$data" -U bench -A trust \
		--no-sync >"$scratch/initdb.log" 2>&1 && pg start &&
		pgbench -i -q -s "$scale" >&2 && pg stop
}

# One run with a journal of its own: a stopped daemon's segments are as long as what is in them.
run_database() {
	earlier=$(records_now)
	stop_volume database
	journal=$(journal_now)
	start_volume database >&2 && unlock_volume database >&2
	make_database "$1" old && pg start || return
	started=$(records_now) begin=$(now_ms)
	pgbench -c 8 -j 2 -T "$seconds" >"$scratch/pgbench.out" || return
	ms=$(($(now_ms) - begin)) records=$(($(records_now) - started))
	pg stop
	all=$(($(records_now) - earlier))
	stop_volume database
	journal=$(($(journal_now) - journal))
	start_volume database >&2 && unlock_volume database >&2
	tps=$(sed -n 's/^tps = \([0-9.]*\).*/\1/p' "$scratch/pgbench.out")
	database_line "$1"
}

# Bytes for each record are of the whole session, start and stop of the server included.
database_line() {
	awk -v part=database -v audit="$1" -v ms="$ms" -v records="$records" -v all="$all" \
		-v journal="$journal" -v tps="$tps" 'BEGIN {
		each = all > 0 ? journal / all : 0
		bytes = records * each / ms * 1000
		printf "{\"part\":\"%s\",\"audit\":\"%s\",\"what\":\"pgbench\",\"tps\":%.1f,", part, audit, tps
		printf "\"records_per_hour\":%.0f,\"bytes_per_record\":%.1f,", records * 3.6e6 / ms, each
		printf "\"journal_bytes_per_hour\":%.0f,", bytes * 3600
		printf "\"records_per_transaction\":%.2f,", records / (tps * ms / 1000)
		printf "\"journal_bytes_per_transaction\":%.1f", bytes / tps
		if (bytes > 0)
			printf ",\"years_per_tb\":%.3f", 1e12 / bytes / 31557600
		print "}"
	}'
}

part_database() {
	find_postgres || {
		line '"skipped":"PostgreSQL 15 is not here and could not be fetched"'
		return
	}
	mkdir "$scratch/sock" && chown nobody "$scratch/sock"
	chmod 1777 "$place"
	new_volume database
	for round in new 1 2; do
		for kind in each summary plain; do
			say "database: $kind, $round"
			if [ $round = new ]; then
				make_database $kind new
			else
				run_database $kind
			fi || { line "\"skipped\":\"pgbench failed on $kind\""; return; }
		done
	done
	rm -rf "$place/plain"
	remove_volume database
}

# --- all of them ------------------------------------------------------------------------------------------

at_exit=clean_up
make_place >&2 || exit 1
[ -z "$collector" ] || start_collector >&2 || exit 1
: >>"$place/audit.log"
part=machine
line "\"processors\":$(nproc),\"kernel\":\"$(uname -r)\",\"backing\":\"$backing\",\"load\":$(cut -d ' ' -f 1 /proc/loadavg)"
for wanted in $parts; do
	part=$wanted
	"part_$wanted"
done

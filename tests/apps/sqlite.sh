#!/bin/bash
# SQLite on the mount: rollback journal and WAL, WAL also as an old kernel has it
# (no shared mappings on direct I/O); a lock in the middle loses nothing.
. "${srcdir:-.}/tests/apps/lib.sh"
need_mounts
skip_without sqlite3

fill() { # DATABASE MODE
	sqlite3 "$1" "PRAGMA journal_mode=$2; CREATE TABLE t(n INTEGER PRIMARY KEY, x BLOB);" &&
		for i in $(seq 40); do
			echo "INSERT INTO t VALUES($i, randomblob(3000));"
		done | sqlite3 "$1"
}

# Two connections at once, each sees the other's rows: what the -shm mapping is for.
two_connections() {
	sqlite3 "$1" <<-SQL
		.shell sqlite3 '$1' "INSERT INTO t VALUES(1000, x'00')"
		INSERT INTO t VALUES(1001, x'01');
		.shell sqlite3 '$1' "UPDATE t SET x = x'02' WHERE n = 1001"
	SQL
	[ "$(sqlite3 "$1" "SELECT hex(x) FROM t WHERE n IN (1000, 1001) ORDER BY n" | tr '\n' ' ')" = "00 02 " ]
}

whole() { [ "$(sqlite3 "$1" 'PRAGMA integrity_check; SELECT count(*) FROM t' | tr '\n' ' ')" = "ok $2 " ]; }
mode() { [ "$(sqlite3 "$1" 'PRAGMA journal_mode')" = "$2" ]; }

# A transaction under way when the volume locks: it fails, and the rest is untouched.
locked_in_between() {
	mkfifo "$scratch/$2.sql"
	sqlite3 "$1" <"$scratch/$2.sql" >/dev/null 2>&1 &
	local client=$!
	exec 7>"$scratch/$2.sql"
	echo "BEGIN IMMEDIATE; INSERT INTO t VALUES(2000, randomblob(50000));" >&7
	until_true 10 sh -c "ls '$1'-* 2>/dev/null" >"$out" || true
	lock_volume "$2" --now
	echo "INSERT INTO t VALUES(2001, randomblob(500000)); COMMIT;" >&7
	exec 7>&-
	# A mapped -shm is not there while the volume is locked: SIGBUS is SQLite's way to notice.
	wait "$client" 2>/dev/null
	unlock_volume "$2"
	rm "$scratch/$2.sql"
}

open_volume new
# No shared mappings on direct I/O: FUSE_DIRECT_IO_ALLOW_MMAP is masked.
open_volume old --mask-init-flags 1000000000
for variant in new-delete new-wal old-wal; do
	volume=${variant%-*} mode=${variant#*-}
	database=$scratch/$volume/mnt/$mode.db
	passes "$variant: a database is made and filled" fill "$database" "$mode"
	passes "$variant: the journal mode is $mode" mode "$database" "$mode"
	passes "$variant: two connections see each other's rows" two_connections "$database"
	locked_in_between "$database" "$volume"
	passes "$variant: after a lock in the middle it is sound" whole "$database" 42
	passes "$variant: and can be written" sqlite3 "$database" "INSERT INTO t VALUES(3000, x'03')"
done
done_testing

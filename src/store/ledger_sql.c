/*
 * The ledger's SQLite side: connections, schema, statements, error codes.
 *
 * Two connections in WAL mode: the reader answers lookups while the writer
 * flushes.  Neither is ever used by two threads at once (ledger_private.h), so
 * SQLite's own mutexes are off.  The database file is input like any other:
 * its schema must be exactly ours, triggers and views are off, and nothing is
 * mapped (a truncated file would be a SIGBUS).
 */
#include "store/ledger_private.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define VALUE_BYTES_MAX 4096 /* longest text or blob SQLite may handle here */
#define URI_LEN_MAX	(3 * PATH_MAX + 64)
#define READ_PIECE	(1 << 20)
#define OURS_ALONE	"unix-excl" /* one process, all of its connections */
#define STRINGIFY(x)	STRINGIFY_(x)
#define STRINGIFY_(x)	#x

/* --- schema ------------------------------------------------------------------ */

struct schema_row {
	const char *name;
	const char *sql; /* exactly as sqlite_schema gives it back */
};

static const struct schema_row schema[] = {
	{"volume", "CREATE TABLE volume(id INTEGER PRIMARY KEY CHECK(id=1), fs_id BLOB NOT NULL) "
		   "STRICT"},
	{"position",
	 "CREATE TABLE position(id INTEGER PRIMARY KEY CHECK(id=1), start_seq INTEGER NOT NULL, "
	 "previous_mac BLOB NOT NULL, session BLOB NOT NULL, half INTEGER NOT NULL, "
	 "next_number INTEGER NOT NULL, slots_generation INTEGER NOT NULL, "
	 "objects INTEGER NOT NULL, mac BLOB NOT NULL) STRICT"},
	{"objects", "CREATE TABLE objects(number INTEGER PRIMARY KEY, tail BLOB NOT NULL, "
		    "version INTEGER NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL, "
		    "mode INTEGER NOT NULL, uid INTEGER NOT NULL, gid INTEGER NOT NULL, "
		    "nlink INTEGER NOT NULL, rdev INTEGER NOT NULL, atime INTEGER NOT NULL, "
		    "atime_ns INTEGER NOT NULL, mtime INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, "
		    "ctime INTEGER NOT NULL, ctime_ns INTEGER NOT NULL, btime INTEGER NOT NULL, "
		    "btime_ns INTEGER NOT NULL, blocks INTEGER NOT NULL, epoch INTEGER NOT NULL, "
		    "mac BLOB NOT NULL) STRICT"},
	{"unlinked", "CREATE INDEX unlinked ON objects(number) WHERE nlink=0"},
};
#define SCHEMA_ROWS (sizeof(schema) / sizeof(schema[0]))

/* --- statements ---------------------------------------------------------------- */

#define ROW_COLUMNS                                                                                \
	"number, tail, version, size, root, mode, uid, gid, nlink, rdev, atime, atime_ns, "        \
	"mtime, mtime_ns, ctime, ctime_ns, btime, btime_ns, blocks, epoch, mac"
#define ROW_PARAMETERS "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?"

static const char *const read_sql[READ_COUNT] = {
	[READ_ROW] = "SELECT " ROW_COLUMNS " FROM objects WHERE number=?",
	[READ_EXISTS] = "SELECT 1 FROM objects WHERE number=?",
	[READ_WALK] = "SELECT " ROW_COLUMNS " FROM objects WHERE number>? ORDER BY number",
	[READ_WALK_UNLINKED] = "SELECT " ROW_COLUMNS " FROM objects INDEXED BY unlinked "
			       "WHERE nlink=0 AND number>? ORDER BY number",
	[READ_POSITION] = "SELECT start_seq, previous_mac, session, half, next_number, "
			  "slots_generation, objects, mac FROM position WHERE id=1",
};

static const char *const write_sql[WRITE_COUNT] = {
	[WRITE_BEGIN] = "BEGIN IMMEDIATE",
	[WRITE_ROW] = "INSERT OR REPLACE INTO objects(" ROW_COLUMNS ") VALUES(" ROW_PARAMETERS ")",
	[WRITE_REMOVE] = "DELETE FROM objects WHERE number=?",
	[WRITE_POSITION] = "INSERT OR REPLACE INTO position(id, start_seq, previous_mac, session, "
			   "half, next_number, slots_generation, objects, mac) "
			   "VALUES(1,?,?,?,?,?,?,?,?)",
	[WRITE_COMMIT] = "COMMIT",
	[WRITE_ROLLBACK] = "ROLLBACK",
};

/* --- errors ---------------------------------------------------------------------- */

struct sql_error {
	int rc; /* primary result code */
	enum err err;
};

static const struct sql_error sql_errors[] = {
	{SQLITE_FULL, ERR_FULL},	  {SQLITE_IOERR, ERR_IO},
	{SQLITE_CORRUPT, ERR_FORMAT},	  {SQLITE_NOTADB, ERR_FORMAT},
	{SQLITE_SCHEMA, ERR_FORMAT},	  {SQLITE_BUSY, ERR_BUSY},
	{SQLITE_LOCKED, ERR_BUSY},	  {SQLITE_NOMEM, ERR_NO_MEMORY},
	{SQLITE_READONLY, ERR_READ_ONLY}, {SQLITE_CANTOPEN, ERR_IO},
	{SQLITE_PERM, ERR_DENIED},	  {SQLITE_AUTH, ERR_DENIED},
	{SQLITE_TOOBIG, ERR_TAMPERED},	  {SQLITE_CONSTRAINT, ERR_TAMPERED},
};

static enum err err_from_sqlite(sqlite3 *db, int rc)
{
	int error_number = db == NULL ? 0 : sqlite3_system_errno(db);

	if (rc == SQLITE_IOERR_NOMEM)
		return ERR_NO_MEMORY;
	/* SQLite calls a quota and a full /dev/shm input/output errors. */
	if ((rc & 0xff) == SQLITE_IOERR && (error_number == ENOSPC || error_number == EDQUOT))
		return ERR_FULL;
	if (rc == SQLITE_CANTOPEN && error_number != 0)
		return err_from_errno(error_number);
	for (size_t i = 0; i < sizeof(sql_errors) / sizeof(sql_errors[0]); i++)
		if (sql_errors[i].rc == (rc & 0xff))
			return sql_errors[i].err;
	return ERR_SYSTEM;
}

/* Is there a part of the database (or of its log) that the disk does not give? */
static bool reads_fail(sqlite3 *db, int which)
{
	sqlite3_file *file = NULL;
	sqlite3_int64 size = 0;
	char *piece;
	bool fails;

	if (sqlite3_file_control(db, "main", which, &file) != SQLITE_OK || file == NULL ||
	    file->pMethods == NULL)
		return false;
	piece = malloc(READ_PIECE);
	fails = piece != NULL && file->pMethods->xFileSize(file, &size) != SQLITE_OK;
	for (sqlite3_int64 at = 0; piece != NULL && !fails && at < size; at += READ_PIECE) {
		int rc = file->pMethods->xRead(file, piece, READ_PIECE, at);

		fails = rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ;
	}
	free(piece);
	return fails;
}

enum err ledger_sql_error(sqlite3 *db, int rc)
{
	enum err err = err_from_sqlite(db, rc);

	/* SQLite calls EIO corruption; but a disk that fails is nobody's edit. */
	if (db != NULL && (rc & 0xff) == SQLITE_CORRUPT &&
	    (reads_fail(db, SQLITE_FCNTL_FILE_POINTER) ||
	     reads_fail(db, SQLITE_FCNTL_JOURNAL_POINTER)))
		err = ERR_IO;
	if (err != ERR_NOT_FOUND)
		log_error("ledger: %s: %s", err_text(err), sqlite3_errstr(rc));
	return err;
}

enum err ledger_sql_exec(sqlite3 *db, const char *sql)
{
	int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? ERR_OK : ledger_sql_error(db, rc);
}

enum err ledger_sql_run(sqlite3 *db, sqlite3_stmt *statement)
{
	int rc = sqlite3_step(statement);
	/* The reason must be read before the reset overwrites it. */
	enum err err = rc == SQLITE_DONE ? ERR_OK : ledger_sql_error(db, rc);

	sqlite3_reset(statement);
	return err;
}

/* --- connections ------------------------------------------------------------------- */

/*
 * `vfs` is OURS_ALONE wherever we may write: then the index of the log is in our
 * memory.  Else it is a mapped file, and a disk that fails would be a SIGBUS, not
 * an error that freezes the volume (I24).
 */
static enum err connect(const char *path, int flags, const char *vfs, sqlite3 **out)
{
	sqlite3 *db = NULL;
	int rc = sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
				 vfs);

	if (rc != SQLITE_OK) {
		enum err err = ledger_sql_error(db, rc);

		sqlite3_close(db);
		return err;
	}
	sqlite3_extended_result_codes(db, 1);
	sqlite3_busy_timeout(db, LEDGER_BUSY_MS);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX);
	sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
	*out = db;
	return ERR_OK;
}

static enum err query_integer(sqlite3 *db, const char *sql, sqlite3_int64 *value)
{
	sqlite3_stmt *statement = NULL;
	enum err err = ERR_OK;
	int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		*value = sqlite3_column_int64(statement, 0);
	else
		err = rc == SQLITE_DONE ? ERR_FORMAT : ledger_sql_error(db, rc);
	sqlite3_finalize(statement);
	return err;
}

static enum err set_pragmas(sqlite3 *db)
{
	return ledger_sql_exec(db, "PRAGMA synchronous=FULL;"
				   "PRAGMA mmap_size=0;"
				   "PRAGMA cell_size_check=ON;"
				   "PRAGMA temp_store=MEMORY;"
				   "PRAGMA cache_size=-8192;"
				   "PRAGMA journal_size_limit=16777216");
}

static enum err set_wal(sqlite3 *db)
{
	sqlite3_stmt *statement = NULL;
	enum err err = ERR_UNSUPPORTED;
	int rc = sqlite3_prepare_v2(db, "PRAGMA journal_mode=WAL", -1, &statement, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(statement);
	if (rc != SQLITE_ROW)
		err = ledger_sql_error(db, rc);
	else if (strcmp((const char *)sqlite3_column_text(statement, 0), "wal") == 0)
		err = ERR_OK;
	else
		log_error("ledger: the state directory's file system cannot hold a WAL");
	sqlite3_finalize(statement);
	return err;
}

/* --- creating ------------------------------------------------------------------------ */

static enum err insert_volume(sqlite3 *db, const uint8_t fs_id[LEDGER_FS_ID_LEN])
{
	sqlite3_stmt *statement = NULL;
	enum err err;
	int rc = sqlite3_prepare_v2(db, "INSERT INTO volume VALUES(1,?)", -1, &statement, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_bind_blob(statement, 1, fs_id, LEDGER_FS_ID_LEN, SQLITE_STATIC);
	err = rc == SQLITE_OK ? ledger_sql_run(db, statement) : ledger_sql_error(db, rc);
	sqlite3_finalize(statement);
	return err;
}

enum err ledger_sql_create(const char *path, const uint8_t fs_id[LEDGER_FS_ID_LEN], sqlite3 **out)
{
	sqlite3 *db;
	enum err err = connect(path, SQLITE_OPEN_READWRITE, OURS_ALONE, &db);

	if (err != ERR_OK)
		return err;
	err = set_pragmas(db);
	if (err == ERR_OK)
		err = set_wal(db);
	if (err == ERR_OK)
		err = ledger_sql_exec(
			db, "PRAGMA application_id=" STRINGIFY(
				    LEDGER_APPLICATION_ID) ";"
							   "PRAGMA user_version=" STRINGIFY(
								   LEDGER_FORMAT));
	for (size_t i = 0; err == ERR_OK && i < SCHEMA_ROWS; i++)
		err = ledger_sql_exec(db, schema[i].sql);
	if (err == ERR_OK)
		err = insert_volume(db, fs_id);
	if (err != ERR_OK) {
		sqlite3_close(db);
		return err;
	}
	*out = db;
	return ERR_OK;
}

enum err ledger_sql_prepare_position(sqlite3 *db, sqlite3_stmt **statement)
{
	int rc = sqlite3_prepare_v2(db, write_sql[WRITE_POSITION], -1, statement, NULL);

	return rc == SQLITE_OK ? ERR_OK : ledger_sql_error(db, rc);
}

/* --- opening -------------------------------------------------------------------------- */

static bool schema_row_is_ours(sqlite3_stmt *statement)
{
	const char *name = (const char *)sqlite3_column_text(statement, 0);
	const char *sql = (const char *)sqlite3_column_text(statement, 1);

	for (size_t i = 0; name != NULL && sql != NULL && i < SCHEMA_ROWS; i++)
		if (strcmp(name, schema[i].name) == 0)
			return strcmp(sql, schema[i].sql) == 0;
	return false;
}

/* Exactly our tables: no trigger, no view, no other index. */
static enum err check_schema(sqlite3 *db)
{
	sqlite3_stmt *statement = NULL;
	size_t count = 0;
	enum err err = ERR_OK;
	int rc =
		sqlite3_prepare_v2(db, "SELECT name, sql FROM sqlite_schema", -1, &statement, NULL);

	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		rc = sqlite3_step(statement);
		if (rc != SQLITE_ROW)
			break;
		if (!schema_row_is_ours(statement)) {
			err = ERR_FORMAT;
			break;
		}
		count++;
	}
	if (err == ERR_OK && rc != SQLITE_DONE)
		err = ledger_sql_error(db, rc);
	sqlite3_finalize(statement);
	if (err == ERR_OK && count != SCHEMA_ROWS)
		err = ERR_FORMAT;
	return err;
}

static enum err check_format(sqlite3 *db)
{
	sqlite3_int64 value = 0;
	enum err err = query_integer(db, "PRAGMA application_id", &value);

	if (err == ERR_OK && value != LEDGER_APPLICATION_ID)
		err = ERR_FORMAT;
	if (err == ERR_OK)
		err = query_integer(db, "PRAGMA user_version", &value);
	if (err == ERR_OK && value != LEDGER_FORMAT)
		err = ERR_VERSION;
	if (err == ERR_OK)
		err = check_schema(db);
	return err;
}

static enum err load_fs_id(struct ledger *ledger)
{
	sqlite3_stmt *statement = NULL;
	enum err err = ERR_FORMAT;
	int rc = sqlite3_prepare_v2(ledger->reader, "SELECT fs_id FROM volume WHERE id=1", -1,
				    &statement, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW && sqlite3_column_bytes(statement, 0) == (int)LEDGER_FS_ID_LEN) {
		memcpy(ledger->fs_id, sqlite3_column_blob(statement, 0), LEDGER_FS_ID_LEN);
		err = ERR_OK;
	} else if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
		err = ledger_sql_error(ledger->reader, rc);
	}
	sqlite3_finalize(statement);
	return err;
}

static enum err prepare(sqlite3 *db, const char *const *sql, size_t count, sqlite3_stmt **out)
{
	for (size_t i = 0; i < count; i++) {
		int rc = sqlite3_prepare_v3(db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &out[i],
					    NULL);

		if (rc != SQLITE_OK)
			return ledger_sql_error(db, rc);
	}
	return ERR_OK;
}

/*
 * A database whose directory cannot be written has no place for the shared
 * memory of WAL mode; if it has no log either, it cannot change meanwhile.
 */
static bool is_immutable(const char *path)
{
	char name[PATH_MAX + sizeof("-wal")];
	char *slash;

	snprintf(name, sizeof(name), "%s-wal", path);
	if (access(name, F_OK) == 0)
		return false;
	slash = strrchr(name, '/');
	if (slash != NULL)
		*slash = '\0';
	return access(name, W_OK) < 0;
}

static enum err connect_immutable(const char *path, sqlite3 **db)
{
	static const char digits[] = "0123456789abcdef";
	char uri[URI_LEN_MAX] = "file:";
	size_t len = strlen(uri);

	/* Everything that means something in a URI is written as %xx. */
	for (const char *c = path; *c != '\0' && len + 32 < sizeof(uri); c++) {
		if (*c == '?' || *c == '#' || *c == '%') {
			uri[len++] = '%';
			uri[len++] = digits[(uint8_t)*c >> 4];
			uri[len++] = digits[(uint8_t)*c & 15];
		} else {
			uri[len++] = *c;
		}
	}
	snprintf(uri + len, sizeof(uri) - len, "?immutable=1");
	return connect(uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL, db);
}

static enum err open_reader(struct ledger *ledger, const char *path)
{
	enum err err = ledger->read_only && is_immutable(path)
			       ? connect_immutable(path, &ledger->reader)
			       : connect(path, SQLITE_OPEN_READONLY,
					 ledger->read_only ? NULL : OURS_ALONE, &ledger->reader);

	if (err == ERR_OK)
		err = set_pragmas(ledger->reader);
	if (err == ERR_OK)
		err = check_format(ledger->reader);
	if (err == ERR_OK)
		err = prepare(ledger->reader, read_sql, READ_COUNT, ledger->read);
	return err == ERR_OK ? load_fs_id(ledger) : err;
}

static enum err open_writer(struct ledger *ledger, const char *path)
{
	enum err err = connect(path, SQLITE_OPEN_READWRITE, OURS_ALONE, &ledger->writer);

	if (err == ERR_OK)
		err = check_format(ledger->writer);
	if (err == ERR_OK)
		err = set_wal(ledger->writer);
	if (err == ERR_OK)
		err = set_pragmas(ledger->writer);
	return err == ERR_OK ? prepare(ledger->writer, write_sql, WRITE_COUNT, ledger->write) : err;
}

enum err ledger_sql_open(struct ledger *ledger, const char *path)
{
	enum err err = ledger->read_only ? ERR_OK : open_writer(ledger, path);

	return err == ERR_OK ? open_reader(ledger, path) : err;
}

void ledger_sql_close(struct ledger *ledger)
{
	for (size_t i = 0; i < READ_COUNT; i++)
		sqlite3_finalize(ledger->read[i]);
	for (size_t i = 0; i < WRITE_COUNT; i++)
		sqlite3_finalize(ledger->write[i]);
	/* The writer last: the last connection tidies up the log. */
	sqlite3_close(ledger->reader);
	sqlite3_close(ledger->writer);
	memset(ledger->read, 0, sizeof(ledger->read));
	memset(ledger->write, 0, sizeof(ledger->write));
	ledger->reader = ledger->writer = NULL;
}

/* The ledger: life, key, position, lookups.  See ledger_private.h for the other parts. */
#include "store/ledger_private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/secmem.h"

#define FILE_MODE 0600
#define NEW_FILE  LEDGER_FILE ".new"

static const char *const side_files[] = {NEW_FILE, NEW_FILE "-wal", NEW_FILE "-shm",
					 NEW_FILE "-journal"};

/* --- creating ---------------------------------------------------------------- */

static void remove_new_files(int dir_fd)
{
	for (size_t i = 0; i < sizeof(side_files) / sizeof(side_files[0]); i++)
		unlinkat(dir_fd, side_files[i], 0);
}

/* SQLite refuses links in any component of a path, so they are resolved here. */
static enum err database_path(const char *state, const char *name, char path[PATH_MAX])
{
	char *real = realpath(state, NULL);
	int len;

	if (real == NULL)
		return err_from_errno(errno);
	len = snprintf(path, PATH_MAX, "%s/%s", real, name);
	free(real);
	return len < 0 || len >= PATH_MAX ? ERR_NAME_LENGTH : ERR_OK;
}

static enum err insert_position(sqlite3 *db, const uint8_t fs_id[LEDGER_FS_ID_LEN],
				const uint8_t key[LEDGER_KEY_LEN],
				const struct ledger_position *position)
{
	sqlite3_stmt *statement = NULL;
	enum err err = ledger_sql_prepare_position(db, &statement);

	if (err == ERR_OK)
		err = ledger_position_bind(statement, fs_id, key, position, 0);
	if (err == ERR_OK)
		err = ledger_sql_run(db, statement);
	sqlite3_finalize(statement);
	return err;
}

static enum err fill_new_file(const char *path, const uint8_t fs_id[LEDGER_FS_ID_LEN],
			      const uint8_t key[LEDGER_KEY_LEN],
			      const struct ledger_position *position)
{
	sqlite3 *db;
	enum err err = ledger_sql_create(path, fs_id, &db);

	if (err != ERR_OK)
		return err;
	err = insert_position(db, fs_id, key, position);
	/* Closing moves everything from the log into the file and flushes it. */
	if (sqlite3_close(db) != SQLITE_OK && err == ERR_OK)
		err = ERR_IO;
	return err;
}

/* Under its name only when complete; never over another. */
static enum err publish(int dir_fd)
{
	if (linkat(dir_fd, NEW_FILE, dir_fd, LEDGER_FILE, 0) < 0)
		return err_from_errno(errno);
	return io_fsync(dir_fd);
}

static enum err create_in(int dir_fd, const char *path, const uint8_t fs_id[LEDGER_FS_ID_LEN],
			  const uint8_t key[LEDGER_KEY_LEN], const struct ledger_position *position)
{
	enum err err;

	if (faccessat(dir_fd, LEDGER_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return ERR_EXISTS;
	remove_new_files(dir_fd);
	/* Made here because SQLite would make it readable for everybody. */
	err = io_create_file(dir_fd, NEW_FILE, "", 0, FILE_MODE);
	if (err == ERR_OK)
		err = fill_new_file(path, fs_id, key, position);
	if (err == ERR_OK)
		err = publish(dir_fd);
	remove_new_files(dir_fd);
	return err;
}

enum err ledger_create(const char *state, const uint8_t fs_id[16], const uint8_t key[32],
		       const struct ledger_position *position)
{
	char path[PATH_MAX];
	enum err err = ledger_position_check(position);
	int dir_fd;

	if (err == ERR_OK)
		err = database_path(state, NEW_FILE, path);
	if (err != ERR_OK)
		return err;
	dir_fd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return err_from_errno(errno);
	err = create_in(dir_fd, path, fs_id, key, position);
	close(dir_fd);
	return err;
}

/* --- opening and closing -------------------------------------------------------- */

static struct ledger *ledger_new(bool read_only)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));

	if (ledger == NULL)
		return NULL;
	pthread_mutex_init(&ledger->lock, NULL);
	pthread_mutex_init(&ledger->commit_lock, NULL);
	ledger->read_only = read_only;
	return ledger;
}

/* SQLite would call it a disk error, or wait for the other end of a fifo. */
static enum err look_at_file(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? ERR_OK : err_from_errno(errno);
	return S_ISREG(st.st_mode) ? ERR_OK : ERR_TAMPERED;
}

static enum err read_disk(struct ledger *ledger, uint64_t number, const uint8_t *key,
			  struct ledger_row *row);

static enum err open_connections(struct ledger *ledger)
{
	enum err err = ledger->reader != NULL ? ERR_OK : look_at_file(ledger->path);

	if (err == ERR_OK && ledger->reader == NULL)
		err = ledger_sql_open(ledger, ledger->path);
	return err;
}

/*
 * Whoever writes holds the file alone (ledger_sql.c); without a key nobody writes
 * here, and phifs-key must be able to: it notes the slot file's generation.
 */
static void close_connections(struct ledger *ledger)
{
	struct ledger_row row;

	if (ledger->read_only)
		return;
	if (ledger->read[READ_ROW] != NULL) {
		ledger->root_err = read_disk(ledger, 1, NULL, &row);
		if (ledger->root_err == ERR_OK)
			ledger->root = row.attr;
	}
	ledger_sql_close(ledger);
}

enum err ledger_open(const char *state, bool read_only, struct ledger **out)
{
	char path[PATH_MAX];
	struct ledger *ledger;
	enum err err = database_path(state, LEDGER_FILE, path);

	if (err != ERR_OK)
		return err;
	ledger = ledger_new(read_only);
	if (ledger == NULL)
		return ERR_NO_MEMORY;
	ledger->path = strdup(path);
	err = ledger->path == NULL ? ERR_NO_MEMORY : open_connections(ledger);
	if (err == ERR_OK)
		err = ledger_load_position(ledger);
	if (err == ERR_OK)
		close_connections(ledger);
	if (err != ERR_OK) {
		ledger_close(ledger);
		return err;
	}
	*out = ledger;
	return ERR_OK;
}

void ledger_close(struct ledger *ledger)
{
	if (ledger == NULL)
		return;
	ledger_sql_close(ledger);
	ledger_changes_clear(&ledger->changed);
	ledger_changes_clear(&ledger->committing);
	secmem_free(ledger->key);
	free(ledger->path);
	pthread_mutex_destroy(&ledger->commit_lock);
	pthread_mutex_destroy(&ledger->lock);
	free(ledger);
}

/* --- key and position --------------------------------------------------------------- */

enum err ledger_load_position(struct ledger *ledger)
{
	sqlite3_stmt *statement = ledger->read[READ_POSITION];
	int rc = sqlite3_step(statement);
	enum err err;

	if (rc == SQLITE_ROW)
		err = ledger_position_read(statement, ledger->fs_id, ledger->key, &ledger->position,
					   &ledger->count);
	else
		err = rc == SQLITE_DONE ? ERR_FORMAT : ledger_sql_error(ledger->reader, rc);
	sqlite3_reset(statement);
	return err;
}

static enum err take_key(struct ledger *ledger, const uint8_t key[LEDGER_KEY_LEN])
{
	enum err err = open_connections(ledger);

	if (err != ERR_OK)
		return err == ERR_NOT_FOUND ? ERR_DELETED : err; /* it was there when it was opened */
	ledger->key = secmem_alloc(LEDGER_KEY_LEN);
	if (ledger->key == NULL)
		return ERR_NO_MEMORY;
	memcpy(ledger->key, key, LEDGER_KEY_LEN);
	err = ledger_load_position(ledger);
	if (err == ERR_TAMPERED)
		log_error("ledger: the position row does not verify");
	if (err != ERR_OK) {
		secmem_free(ledger->key);
		ledger->key = NULL;
	}
	return err;
}

enum err ledger_set_key(struct ledger *ledger, const uint8_t key[32])
{
	enum err err = ERR_OK;

	pthread_mutex_lock(&ledger->commit_lock);
	pthread_mutex_lock(&ledger->lock);
	if (ledger_changes_count(&ledger->changed) > 0) {
		err = ERR_BUSY;
	} else {
		secmem_free(ledger->key);
		ledger->key = NULL;
		if (key != NULL)
			err = take_key(ledger, key);
		if (ledger->key == NULL)
			close_connections(ledger);
	}
	pthread_mutex_unlock(&ledger->lock);
	pthread_mutex_unlock(&ledger->commit_lock);
	return err;
}

void ledger_abandon(struct ledger *ledger)
{
	pthread_mutex_lock(&ledger->commit_lock);
	pthread_mutex_lock(&ledger->lock);
	ledger_changes_clear(&ledger->changed);
	secmem_free(ledger->key);
	ledger->key = NULL;
	/* The count of what is on disk; the next key's owner is told if it cannot be read. */
	if (ledger->reader != NULL && ledger_load_position(ledger) != ERR_OK)
		log_debug("the ledger's position cannot be read");
	close_connections(ledger);
	pthread_mutex_unlock(&ledger->lock);
	pthread_mutex_unlock(&ledger->commit_lock);
}

const uint8_t *ledger_fs_id(const struct ledger *ledger)
{
	return ledger->fs_id;
}

enum err ledger_position(struct ledger *ledger, struct ledger_position *position)
{
	enum err err = ERR_LOCKED;

	pthread_mutex_lock(&ledger->lock);
	if (ledger->key != NULL) {
		*position = ledger->position;
		err = ERR_OK;
	}
	pthread_mutex_unlock(&ledger->lock);
	return err;
}

uint64_t ledger_count(struct ledger *ledger)
{
	uint64_t count;

	pthread_mutex_lock(&ledger->lock);
	count = ledger->count;
	pthread_mutex_unlock(&ledger->lock);
	return count;
}

/* --- rows ------------------------------------------------------------------------------ */

enum change_kind ledger_find_change(const struct ledger *ledger, uint64_t number,
				    const struct ledger_row **row)
{
	enum change_kind kind = ledger_changes_find(&ledger->changed, number, row);

	return kind == CHANGE_NONE ? ledger_changes_find(&ledger->committing, number, row) : kind;
}

/* `key` NULL: unverified. */
static enum err read_disk(struct ledger *ledger, uint64_t number, const uint8_t *key,
			  struct ledger_row *row)
{
	sqlite3_stmt *statement = ledger->read[READ_ROW];
	enum err err;
	int rc;

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)number);
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		err = ledger_row_read(statement, ledger->fs_id, key, row);
	else
		err = rc == SQLITE_DONE ? ERR_NOT_FOUND : ledger_sql_error(ledger->reader, rc);
	sqlite3_reset(statement);
	return err;
}

static enum err get(struct ledger *ledger, uint64_t number, const uint8_t *key,
		    struct ledger_row *row)
{
	const struct ledger_row *changed;

	switch (ledger_find_change(ledger, number, &changed)) {
	case CHANGE_PUT:
		*row = *changed;
		return ERR_OK;
	case CHANGE_REMOVED:
		return ERR_NOT_FOUND;
	case CHANGE_NONE:
		break;
	}
	return read_disk(ledger, number, key, row);
}

enum err ledger_root_attr(struct ledger *ledger, struct object_attr *attr)
{
	struct ledger_row row;
	enum err err;

	pthread_mutex_lock(&ledger->lock);
	if (ledger->reader != NULL) {
		err = get(ledger, 1, NULL, &row);
	} else {
		err = ledger->root_err;
		row.attr = ledger->root;
	}
	pthread_mutex_unlock(&ledger->lock);
	if (err == ERR_OK)
		*attr = row.attr;
	return err;
}

enum err ledger_get(struct ledger *ledger, uint64_t number, struct ledger_row *row)
{
	enum err err = ERR_LOCKED;

	if (number == 0 || number > LEDGER_NUMBER_MAX)
		return ERR_NOT_FOUND;
	pthread_mutex_lock(&ledger->lock);
	if (ledger->key != NULL)
		err = get(ledger, number, ledger->key, row);
	pthread_mutex_unlock(&ledger->lock);
	return err;
}

static enum err exists_on_disk(struct ledger *ledger, uint64_t number, bool *exists)
{
	sqlite3_stmt *statement = ledger->read[READ_EXISTS];
	enum err err = ERR_OK;
	int rc;

	*exists = false;
	/* The common case, a new object: no row can have its number. */
	if (number >= ledger->position.next_number)
		return ERR_OK;
	sqlite3_bind_int64(statement, 1, (sqlite3_int64)number);
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		*exists = true;
	else if (rc != SQLITE_DONE)
		err = ledger_sql_error(ledger->reader, rc);
	sqlite3_reset(statement);
	return err;
}

/* Whether a row exists below `changed`. */
static enum err exists_below(struct ledger *ledger, uint64_t number, bool *exists)
{
	const struct ledger_row *row;
	enum change_kind kind = ledger_changes_find(&ledger->committing, number, &row);

	if (kind == CHANGE_NONE)
		return exists_on_disk(ledger, number, exists);
	*exists = kind == CHANGE_PUT;
	return ERR_OK;
}

/* `row` NULL removes. */
static enum err change(struct ledger *ledger, uint64_t number, const struct ledger_row *row)
{
	const struct ledger_row *old;
	enum change_kind kind = ledger_changes_find(&ledger->changed, number, &old);
	bool below = false;
	bool existed;
	enum err err = ERR_OK;

	if (kind == CHANGE_NONE)
		err = exists_below(ledger, number, &below);
	if (err != ERR_OK)
		return err;
	existed = kind == CHANGE_NONE ? below : kind == CHANGE_PUT;
	err = ledger_changes_set(&ledger->changed, number, row, below);
	if (err != ERR_OK)
		return err;
	if (row != NULL && !existed)
		ledger->count++;
	if (row == NULL && existed)
		ledger->count--;
	return ERR_OK;
}

static enum err change_locked(struct ledger *ledger, uint64_t number, const struct ledger_row *row)
{
	enum err err = ERR_LOCKED;

	pthread_mutex_lock(&ledger->lock);
	if (ledger->key != NULL)
		err = change(ledger, number, row);
	pthread_mutex_unlock(&ledger->lock);
	return err;
}

enum err ledger_put(struct ledger *ledger, const struct ledger_row *row)
{
	enum err err = ledger_row_check(row);

	return err == ERR_OK ? change_locked(ledger, object_id_number(&row->id), row) : err;
}

enum err ledger_remove(struct ledger *ledger, uint64_t number)
{
	if (number == 0 || number > LEDGER_NUMBER_MAX)
		return ERR_INVALID;
	return change_locked(ledger, number, NULL);
}

/*
 * Rows of the ledger: struct <-> columns, and the HMAC over their canonical
 * bytes.  FORMAT.md, "Ledger".  The order of columns here is that of the
 * statements in ledger_sql.c.
 */
#include "store/ledger_private.h"

#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secmem.h"
#include "crypto/hash.h"
#include "store/break.h"

#define LABEL_LEN	   16u
#define ROW_BYTES_MAX	   256u
#define POSITION_BYTES_MAX 160u

static const char row_label[LABEL_LEN + 1] = "phifs ledger row";
static const char position_label[LABEL_LEN + 1] = "phifs ledger pos";

/* --- binding ---------------------------------------------------------------- */

/* The parameters of a statement, one after another; the first failure stays. */
struct binder {
	sqlite3_stmt *statement;
	int next;
	int rc;
};

static void bind_integer(struct binder *b, uint64_t value)
{
	if (b->rc == SQLITE_OK)
		b->rc = sqlite3_bind_int64(b->statement, ++b->next, (sqlite3_int64)value);
}

static void bind_bytes(struct binder *b, const void *data, size_t len)
{
	if (b->rc == SQLITE_OK)
		b->rc = sqlite3_bind_blob(b->statement, ++b->next, data, (int)len,
					  SQLITE_TRANSIENT);
}

static void bind_time(struct binder *b, const struct timespec *time)
{
	bind_integer(b, (uint64_t)time->tv_sec);
	bind_integer(b, (uint64_t)time->tv_nsec);
}

static enum err binder_result(const struct binder *b)
{
	if (b->rc == SQLITE_OK)
		return ERR_OK;
	return b->rc == SQLITE_NOMEM ? ERR_NO_MEMORY : ERR_SYSTEM;
}

/* --- taking columns ---------------------------------------------------------- */

/* Columns one after another; anything of a wrong type or range marks it bad. */
struct taker {
	sqlite3_stmt *statement;
	int next;
	bool bad;
};

static uint64_t take_integer(struct taker *t, uint64_t max)
{
	int column = t->next++;
	sqlite3_int64 value = sqlite3_column_int64(t->statement, column);

	if (sqlite3_column_type(t->statement, column) != SQLITE_INTEGER || value < 0 ||
	    (uint64_t)value > max) {
		t->bad = true;
		return 0;
	}
	return (uint64_t)value;
}

static void take_bytes(struct taker *t, void *out, size_t len)
{
	int column = t->next++;
	const void *data = NULL;

	memset(out, 0, len);
	if (sqlite3_column_type(t->statement, column) == SQLITE_BLOB &&
	    (size_t)sqlite3_column_bytes(t->statement, column) == len)
		data = sqlite3_column_blob(t->statement, column);
	if (data == NULL)
		t->bad = true;
	else
		memcpy(out, data, len);
}

static void take_time(struct taker *t, struct timespec *time)
{
	int column = t->next++;

	/* Seconds before 1970 are allowed, so there is no range. */
	if (sqlite3_column_type(t->statement, column) != SQLITE_INTEGER)
		t->bad = true;
	time->tv_sec = sqlite3_column_int64(t->statement, column);
	time->tv_nsec = (long)take_integer(t, NS_PER_SECOND - 1);
}

/* --- objects -------------------------------------------------------------------- */

static bool time_is_valid(const struct timespec *time)
{
	return time->tv_nsec >= 0 && time->tv_nsec < NS_PER_SECOND;
}

enum err ledger_row_check(const struct ledger_row *row)
{
	const struct object_attr *attr = &row->attr;
	uint64_t number = object_id_number(&row->id);

	if (number == 0 || number > LEDGER_NUMBER_MAX || attr->version > INT64_MAX ||
	    attr->size > FILE_SIZE_MAX || attr->rdev > INT64_MAX || attr->blocks > INT64_MAX)
		return ERR_INVALID;
	if (!time_is_valid(&attr->atime) || !time_is_valid(&attr->mtime) ||
	    !time_is_valid(&attr->ctime) || !time_is_valid(&attr->btime))
		return ERR_INVALID;
	return ERR_OK;
}

static void write_time(struct writer *w, const struct timespec *time)
{
	writer_u64(w, (uint64_t)time->tv_sec);
	writer_u32(w, (uint32_t)time->tv_nsec);
}

static void row_mac(const struct ledger_row *row, const uint8_t fs_id[LEDGER_FS_ID_LEN],
		    const uint8_t key[LEDGER_KEY_LEN], uint8_t mac[LEDGER_MAC_LEN])
{
	const struct object_attr *attr = &row->attr;
	uint8_t bytes[ROW_BYTES_MAX];
	struct writer w;

	writer_init(&w, bytes, sizeof(bytes));
	writer_bytes(&w, row_label, LABEL_LEN);
	writer_bytes(&w, fs_id, LEDGER_FS_ID_LEN);
	writer_bytes(&w, row->id.bytes, sizeof(row->id.bytes));
	writer_u64(&w, attr->version);
	writer_u64(&w, attr->size);
	writer_bytes(&w, attr->root, sizeof(attr->root));
	writer_u32(&w, attr->mode);
	writer_u32(&w, attr->uid);
	writer_u32(&w, attr->gid);
	writer_u32(&w, attr->nlink);
	writer_u64(&w, attr->rdev);
	write_time(&w, &attr->atime);
	write_time(&w, &attr->mtime);
	write_time(&w, &attr->ctime);
	write_time(&w, &attr->btime);
	writer_u64(&w, attr->blocks);
	writer_u32(&w, row->epoch);
	hmac_sha256(key, LEDGER_KEY_LEN, &(struct hash_part){bytes, w.len}, 1, mac);
}

enum err ledger_row_bind(sqlite3_stmt *statement, const uint8_t fs_id[LEDGER_FS_ID_LEN],
			 const uint8_t key[LEDGER_KEY_LEN], const struct ledger_row *row)
{
	const struct object_attr *attr = &row->attr;
	struct binder b = {.statement = statement};
	uint8_t mac[LEDGER_MAC_LEN];

	row_mac(row, fs_id, key, mac);
	bind_integer(&b, object_id_number(&row->id));
	bind_bytes(&b, row->id.bytes + sizeof(row->id.bytes) - LEDGER_TAIL_LEN, LEDGER_TAIL_LEN);
	bind_integer(&b, attr->version);
	bind_integer(&b, attr->size);
	bind_bytes(&b, attr->root, sizeof(attr->root));
	bind_integer(&b, attr->mode);
	bind_integer(&b, attr->uid);
	bind_integer(&b, attr->gid);
	bind_integer(&b, attr->nlink);
	bind_integer(&b, attr->rdev);
	bind_time(&b, &attr->atime);
	bind_time(&b, &attr->mtime);
	bind_time(&b, &attr->ctime);
	bind_time(&b, &attr->btime);
	bind_integer(&b, attr->blocks);
	bind_integer(&b, row->epoch);
	bind_bytes(&b, mac, sizeof(mac));
	return binder_result(&b);
}

static void take_row(struct taker *t, struct ledger_row *row)
{
	struct object_attr *attr = &row->attr;

	store_u64(row->id.bytes, take_integer(t, LEDGER_NUMBER_MAX));
	take_bytes(t, row->id.bytes + sizeof(row->id.bytes) - LEDGER_TAIL_LEN, LEDGER_TAIL_LEN);
	attr->version = take_integer(t, INT64_MAX);
	attr->size = take_integer(t, FILE_SIZE_MAX);
	take_bytes(t, attr->root, sizeof(attr->root));
	attr->mode = (uint32_t)take_integer(t, UINT32_MAX);
	attr->uid = (uint32_t)take_integer(t, UINT32_MAX);
	attr->gid = (uint32_t)take_integer(t, UINT32_MAX);
	attr->nlink = (uint32_t)take_integer(t, UINT32_MAX);
	attr->rdev = take_integer(t, INT64_MAX);
	take_time(t, &attr->atime);
	take_time(t, &attr->mtime);
	take_time(t, &attr->ctime);
	take_time(t, &attr->btime);
	attr->blocks = take_integer(t, INT64_MAX);
	row->epoch = (uint32_t)take_integer(t, UINT32_MAX);
}

enum err ledger_row_read(sqlite3_stmt *statement, const uint8_t fs_id[LEDGER_FS_ID_LEN],
			 const uint8_t *key, struct ledger_row *row)
{
	struct taker t = {.statement = statement};
	uint8_t stored[LEDGER_MAC_LEN], computed[LEDGER_MAC_LEN];
	struct ledger_row read;

	memset(&read, 0, sizeof(read));
	take_row(&t, &read);
	take_bytes(&t, stored, sizeof(stored));
	if (!t.bad && key != NULL) {
		row_mac(&read, fs_id, key, computed);
		t.bad = !secmem_equal(stored, computed, sizeof(stored)) &&
			!STORE_BREAK(I17_ROW_MAC);
	}
	if (t.bad) {
		log_error("ledger: the row of object %lld does not verify",
			  (long long)sqlite3_column_int64(statement, 0));
		return ERR_TAMPERED;
	}
	*row = read;
	return ERR_OK;
}

/* --- position --------------------------------------------------------------------- */

enum err ledger_position_check(const struct ledger_position *position)
{
	if (position->start_seq > INT64_MAX || position->half > 1 ||
	    position->next_number > LEDGER_NUMBER_MAX || position->slots_generation > INT64_MAX)
		return ERR_INVALID;
	return ERR_OK;
}

static void position_mac(const struct ledger_position *position, uint64_t objects,
			 const uint8_t fs_id[LEDGER_FS_ID_LEN], const uint8_t key[LEDGER_KEY_LEN],
			 uint8_t mac[LEDGER_MAC_LEN])
{
	uint8_t bytes[POSITION_BYTES_MAX];
	struct writer w;

	writer_init(&w, bytes, sizeof(bytes));
	writer_bytes(&w, position_label, LABEL_LEN);
	writer_bytes(&w, fs_id, LEDGER_FS_ID_LEN);
	writer_u64(&w, position->start_seq);
	writer_bytes(&w, position->previous_mac, sizeof(position->previous_mac));
	writer_bytes(&w, position->session, sizeof(position->session));
	writer_u32(&w, position->half);
	writer_u64(&w, position->next_number);
	writer_u64(&w, position->slots_generation);
	writer_u64(&w, objects);
	hmac_sha256(key, LEDGER_KEY_LEN, &(struct hash_part){bytes, w.len}, 1, mac);
}

enum err ledger_position_bind(sqlite3_stmt *statement, const uint8_t fs_id[LEDGER_FS_ID_LEN],
			      const uint8_t key[LEDGER_KEY_LEN],
			      const struct ledger_position *position, uint64_t objects)
{
	struct binder b = {.statement = statement};
	uint8_t mac[LEDGER_MAC_LEN];

	position_mac(position, objects, fs_id, key, mac);
	bind_integer(&b, position->start_seq);
	bind_bytes(&b, position->previous_mac, sizeof(position->previous_mac));
	bind_bytes(&b, position->session, sizeof(position->session));
	bind_integer(&b, position->half);
	bind_integer(&b, position->next_number);
	bind_integer(&b, position->slots_generation);
	bind_integer(&b, objects);
	bind_bytes(&b, mac, sizeof(mac));
	return binder_result(&b);
}

enum err ledger_position_read(sqlite3_stmt *statement, const uint8_t fs_id[LEDGER_FS_ID_LEN],
			      const uint8_t *key, struct ledger_position *position,
			      uint64_t *objects)
{
	struct taker t = {.statement = statement};
	uint8_t stored[LEDGER_MAC_LEN], computed[LEDGER_MAC_LEN];
	struct ledger_position read;
	uint64_t count;

	memset(&read, 0, sizeof(read));
	read.start_seq = take_integer(&t, INT64_MAX);
	take_bytes(&t, read.previous_mac, sizeof(read.previous_mac));
	take_bytes(&t, read.session, sizeof(read.session));
	read.half = (uint32_t)take_integer(&t, 1);
	read.next_number = take_integer(&t, LEDGER_NUMBER_MAX);
	read.slots_generation = take_integer(&t, INT64_MAX);
	count = take_integer(&t, INT64_MAX);
	take_bytes(&t, stored, sizeof(stored));
	if (!t.bad && key != NULL) {
		position_mac(&read, count, fs_id, key, computed);
		t.bad = !secmem_equal(stored, computed, sizeof(stored));
	}
	if (t.bad)
		return ERR_TAMPERED;
	*position = read;
	*objects = count;
	return ERR_OK;
}

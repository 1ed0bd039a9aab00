/* A ledger in a directory of its own: rows 1, 2, ... by number and version. */
#ifndef PHIFS_TESTS_LEDGER_UNIT_H
#define PHIFS_TESTS_LEDGER_UNIT_H

#include "unit.h"

#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/ledger.h"
#include "store/ledger_private.h"
#include "temp_dir.h"

static const uint8_t fs_id[16] = {0xf5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static uint8_t key[32];
static char *dir;

static inline void be_quiet(void *ctx, enum log_level level, const char *text)
{
	(void)ctx;
	(void)level;
	(void)text;
}

static inline struct ledger_position position_at(uint64_t seq, uint64_t next_number)
{
	struct ledger_position position = {
		.start_seq = seq,
		.half = seq & 1,
		.next_number = next_number,
		.slots_generation = 7,
	};

	memset(position.previous_mac, 0x33, sizeof(position.previous_mac));
	memset(position.session, 0x44, sizeof(position.session));
	return position;
}

static inline struct ledger_row row_of(uint64_t number, uint64_t version)
{
	struct ledger_row row = {
		.attr =
			{
				.version = version,
				.size = 4096 * version + number,
				.mode = S_IFREG | 0640,
				.uid = 1000,
				.gid = 4294967294u,
				.nlink = 1,
				.rdev = 0x801,
				.atime = {-5, 999999999},
				.mtime = {1700000000, 1},
				.ctime = {4398046511104, 2},
				.btime = {0, 0},
				.blocks = version,
			},
		.epoch = 3,
	};

	store_u64(row.id.bytes, number);
	store_u64(row.id.bytes + 8, ~number);
	memset(row.attr.root, (int)(number + version), sizeof(row.attr.root));
	return row;
}

static inline void assert_row(const struct ledger_row *a, const struct ledger_row *b)
{
	const struct object_attr *x = &a->attr, *y = &b->attr;

	ck_assert_mem_eq(&a->id, &b->id, sizeof(a->id));
	ck_assert_uint_eq(x->version, y->version);
	ck_assert_uint_eq(x->size, y->size);
	ck_assert_mem_eq(x->root, y->root, sizeof(x->root));
	ck_assert_uint_eq(x->mode, y->mode);
	ck_assert_uint_eq(x->uid, y->uid);
	ck_assert_uint_eq(x->gid, y->gid);
	ck_assert_uint_eq(x->nlink, y->nlink);
	ck_assert_uint_eq(x->rdev, y->rdev);
	ck_assert_mem_eq(&x->atime, &y->atime, sizeof(x->atime));
	ck_assert_mem_eq(&x->mtime, &y->mtime, sizeof(x->mtime));
	ck_assert_mem_eq(&x->ctime, &y->ctime, sizeof(x->ctime));
	ck_assert_mem_eq(&x->btime, &y->btime, sizeof(x->btime));
	ck_assert_uint_eq(x->blocks, y->blocks);
	ck_assert_uint_eq(a->epoch, b->epoch);
}

/* --- a ledger with rows 1..count committed ---------------------------------- */

static inline struct ledger *open_ledger(void)
{
	struct ledger *ledger = NULL;

	ck_assert_ok(ledger_open(dir, false, &ledger));
	ck_assert_ok(ledger_set_key(ledger, key));
	return ledger;
}

static inline void commit(struct ledger *ledger, uint64_t seq)
{
	struct ledger_position position = position_at(seq, 1000000);

	ck_assert_ok(ledger_commit(ledger, &position));
}

static inline void put(struct ledger *ledger, uint64_t number, uint64_t version)
{
	struct ledger_row row = row_of(number, version);

	ck_assert_ok(ledger_put(ledger, &row));
}

static inline void create(void)
{
	struct ledger_position position = position_at(1, 1);

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	log_set_hook(be_quiet, NULL);
	dir = temp_dir_new();
	ck_assert_ok(ledger_create(dir, fs_id, key, &position));
}

static inline struct ledger *create_with(uint64_t count)
{
	struct ledger *ledger;

	create();
	ledger = open_ledger();
	for (uint64_t number = 1; number <= count; number++)
		put(ledger, number, 1);
	commit(ledger, 1);
	return ledger;
}

static inline void finish(struct ledger *ledger)
{
	ledger_close(ledger);
	temp_dir_free(dir);
}

/* What sqlite3(1) would do. */
static inline void edit(const char *sql)
{
	sqlite3 *db;
	char *message = NULL;

	ck_assert_int_eq(sqlite3_open(temp_path(dir, "ledger.db"), &db), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK, "%s: %s", sql,
		      message);
	sqlite3_close(db);
}

/* --- what a walk saw -------------------------------------------------------------- */

struct seen {
	uint64_t numbers[4096];
	size_t count;
	size_t stop_after; /* 0: never */
	struct ledger *remove_from;
};

static inline enum err see(void *ctx, const struct ledger_row *row)
{
	struct seen *seen = ctx;

	ck_assert_uint_lt(seen->count, 4096);
	seen->numbers[seen->count++] = object_id_number(&row->id);
	if (seen->remove_from != NULL)
		ck_assert_ok(ledger_remove(seen->remove_from, object_id_number(&row->id)));
	return seen->stop_after != 0 && seen->count == seen->stop_after ? ERR_NO : ERR_OK;
}

#endif

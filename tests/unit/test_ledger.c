/* The ledger: rows, overlay, commit, and what an intruder may do to the file. */
#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/ledger.h"
#include "store/ledger_private.h"
#include "temp_dir.h"

static const uint8_t fs_id[16] = {0xf5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const uint8_t other_key[32] = {1};
static uint8_t key[32];
static char *dir;

static void be_quiet(void *ctx, enum log_level level, const char *text)
{
	(void)ctx;
	(void)level;
	(void)text;
}

static struct ledger_position position_at(uint64_t seq, uint64_t next_number)
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

static struct ledger_row row_of(uint64_t number, uint64_t version)
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

static void assert_row(const struct ledger_row *a, const struct ledger_row *b)
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

/* --- helpers: a ledger with rows 1..count committed ------------------------- */

static struct ledger *open_ledger(void)
{
	struct ledger *ledger = NULL;

	ck_assert_ok(ledger_open(dir, false, &ledger));
	ck_assert_ok(ledger_set_key(ledger, key));
	return ledger;
}

static void commit(struct ledger *ledger, uint64_t seq)
{
	struct ledger_position position = position_at(seq, 1000000);

	ck_assert_ok(ledger_commit(ledger, &position));
}

static void put(struct ledger *ledger, uint64_t number, uint64_t version)
{
	struct ledger_row row = row_of(number, version);

	ck_assert_ok(ledger_put(ledger, &row));
}

static void create(void)
{
	struct ledger_position position = position_at(1, 1);

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	log_set_hook(be_quiet, NULL);
	dir = temp_dir_new();
	ck_assert_ok(ledger_create(dir, fs_id, key, &position));
}

static struct ledger *create_with(uint64_t count)
{
	struct ledger *ledger;

	create();
	ledger = open_ledger();
	for (uint64_t number = 1; number <= count; number++)
		put(ledger, number, 1);
	commit(ledger, 1);
	return ledger;
}

static void finish(struct ledger *ledger)
{
	ledger_close(ledger);
	temp_dir_free(dir);
}

/* What sqlite3(1) would do. */
static void edit(const char *sql)
{
	sqlite3 *db;
	char *message = NULL;

	ck_assert_int_eq(sqlite3_open(temp_path(dir, "ledger.db"), &db), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK, "%s: %s", sql,
		      message);
	sqlite3_close(db);
}

/* --- life --------------------------------------------------------------------- */

START_TEST(test_create)
{
	struct ledger_position position = position_at(1, 1), bad = position_at(1, 1);
	struct stat st;

	create();
	ck_assert_int_eq(ledger_create(dir, fs_id, key, &position), ERR_EXISTS);
	bad.half = 2;
	ck_assert_int_eq(ledger_create(dir, fs_id, key, &bad), ERR_INVALID);
	ck_assert_int_eq(ledger_create("/nonexistent/x", fs_id, key, &position), ERR_NOT_FOUND);
	ck_assert_int_eq(stat(temp_path(dir, "ledger.db"), &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0600);
	ck_assert_uint_eq(st.st_nlink, 1);
	ck_assert_int_eq(access(temp_path(dir, "ledger.db.new"), F_OK), -1);
	ck_assert_int_eq(access(temp_path(dir, "ledger.db-wal"), F_OK), -1);
	finish(NULL);
}
END_TEST

START_TEST(test_locked)
{
	struct ledger_position position;
	struct ledger_row row = row_of(1, 1);
	struct object_attr attr;
	struct ledger *ledger = create_with(3);

	ledger_close(ledger);
	ck_assert_ok(ledger_open(dir, false, &ledger));
	ck_assert_mem_eq(ledger_fs_id(ledger), fs_id, sizeof(fs_id));
	ck_assert_ok(ledger_root_attr(ledger, &attr));
	ck_assert_uint_eq(attr.mode, row.attr.mode);
	ck_assert_uint_eq(ledger_count(ledger), 3);
	ck_assert_int_eq(ledger_get(ledger, 1, &row), ERR_LOCKED);
	ck_assert_int_eq(ledger_put(ledger, &row), ERR_LOCKED);
	ck_assert_int_eq(ledger_remove(ledger, 1), ERR_LOCKED);
	ck_assert_int_eq(ledger_position(ledger, &position), ERR_LOCKED);
	position = position_at(2, 100);
	ck_assert_int_eq(ledger_commit(ledger, &position), ERR_LOCKED);
	ck_assert_int_eq(ledger_set_key(ledger, other_key), ERR_TAMPERED);
	ck_assert_int_eq(ledger_get(ledger, 1, &row), ERR_LOCKED);
	ck_assert_ok(ledger_set_key(ledger, key));
	put(ledger, 4, 1);
	ck_assert_int_eq(ledger_set_key(ledger, NULL), ERR_BUSY);
	commit(ledger, 2);
	ck_assert_ok(ledger_set_key(ledger, NULL));
	ck_assert_int_eq(ledger_get(ledger, 1, &row), ERR_LOCKED);
	finish(ledger);
}
END_TEST

START_TEST(test_round_trip)
{
	struct ledger_row row, expected = row_of(2, 1);
	struct ledger_position position;
	struct object_attr attr;
	struct ledger *ledger;

	create();
	ledger = open_ledger();
	ck_assert_int_eq(ledger_root_attr(ledger, &attr), ERR_NOT_FOUND);
	ck_assert_int_eq(ledger_get(ledger, 2, &row), ERR_NOT_FOUND);
	put(ledger, 1, 1);
	put(ledger, 2, 1);
	ck_assert_ok(ledger_get(ledger, 2, &row));
	assert_row(&row, &expected);
	ck_assert_uint_eq(ledger_count(ledger), 2);
	commit(ledger, 9);
	ledger_close(ledger);

	ledger = open_ledger();
	ck_assert_ok(ledger_get(ledger, 2, &row));
	assert_row(&row, &expected);
	ck_assert_uint_eq(ledger_count(ledger), 2);
	ck_assert_ok(ledger_position(ledger, &position));
	ck_assert_uint_eq(position.start_seq, 9);
	ck_assert_uint_eq(position.half, 1);
	ck_assert_uint_eq(position.slots_generation, 7);
	ck_assert_uint_eq(position.previous_mac[31], 0x33);
	ck_assert_uint_eq(position.session[15], 0x44);
	ck_assert_int_eq(ledger_get(ledger, 0, &row), ERR_NOT_FOUND);
	ck_assert_int_eq(ledger_get(ledger, UINT64_MAX, &row), ERR_NOT_FOUND);
	finish(ledger);
}
END_TEST

/* Nothing of the overlay is on the disk before the commit. */
START_TEST(test_uncommitted)
{
	struct ledger_row row, old = row_of(1, 1);
	struct ledger *ledger = create_with(2);

	put(ledger, 1, 2);
	put(ledger, 3, 1);
	ck_assert_ok(ledger_remove(ledger, 2));
	ck_assert_ok(ledger_remove(ledger, 77));
	ck_assert_uint_eq(ledger_count(ledger), 2);
	ck_assert_int_eq(ledger_get(ledger, 2, &row), ERR_NOT_FOUND);
	ledger_close(ledger);
	ledger = open_ledger();
	ck_assert_uint_eq(ledger_count(ledger), 2);
	ck_assert_ok(ledger_get(ledger, 1, &row));
	assert_row(&row, &old);
	ck_assert_ok(ledger_get(ledger, 2, &row));
	ck_assert_int_eq(ledger_get(ledger, 3, &row), ERR_NOT_FOUND);
	finish(ledger);
}
END_TEST

START_TEST(test_invalid_rows)
{
	struct ledger *ledger = create_with(1);
	struct ledger_row row = row_of(0, 1);
	struct ledger_position position = position_at(1, 5);

	ck_assert_int_eq(ledger_put(ledger, &row), ERR_INVALID);
	row = row_of((uint64_t)INT64_MAX + 1, 1);
	ck_assert_int_eq(ledger_put(ledger, &row), ERR_INVALID);
	row = row_of(2, 1);
	row.attr.version = UINT64_MAX;
	ck_assert_int_eq(ledger_put(ledger, &row), ERR_INVALID);
	row = row_of(2, 1);
	row.attr.size = FILE_SIZE_MAX + 1;
	ck_assert_int_eq(ledger_put(ledger, &row), ERR_INVALID);
	row = row_of(2, 1);
	row.attr.mtime.tv_nsec = NS_PER_SECOND;
	ck_assert_int_eq(ledger_put(ledger, &row), ERR_INVALID);
	ck_assert_int_eq(ledger_remove(ledger, 0), ERR_INVALID);
	/* A number that is not below next_number would be taken again. */
	put(ledger, 5, 1);
	ck_assert_int_eq(ledger_commit(ledger, &position), ERR_INVALID);
	position.next_number = 6;
	ck_assert_ok(ledger_commit(ledger, &position));
	finish(ledger);
}
END_TEST

/* --- commit ----------------------------------------------------------------------- */

struct committer {
	pthread_t thread;
	struct ledger *ledger;
	struct ledger_position position;
	enum err err;
};

static void *run_commit(void *ctx)
{
	struct committer *committer = ctx;

	committer->err = ledger_commit(committer->ledger, &committer->position);
	return NULL;
}

/* While a commit hangs, rows are looked up, changed and counted as usual. */
START_TEST(test_commit_does_not_block)
{
	struct ledger *ledger = create_with(2);
	struct committer committer = {.ledger = ledger, .position = position_at(2, 100)};
	struct ledger_row row;
	sqlite3 *blocker;

	put(ledger, 1, 2);
	put(ledger, 3, 1);
	ck_assert_ok(ledger_remove(ledger, 2));
	ck_assert_int_eq(sqlite3_open(temp_path(dir, "ledger.db"), &blocker), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(blocker, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	pthread_create(&committer.thread, NULL, run_commit, &committer);
	for (size_t left = 1; left > 0;) {
		pthread_mutex_lock(&ledger->lock);
		left = ledger_changes_count(&ledger->changed);
		pthread_mutex_unlock(&ledger->lock);
	}
	ck_assert_ok(ledger_get(ledger, 1, &row));
	ck_assert_uint_eq(row.attr.version, 2);
	ck_assert_int_eq(ledger_get(ledger, 2, &row), ERR_NOT_FOUND);
	put(ledger, 2, 5);
	ck_assert_ok(ledger_remove(ledger, 3));
	put(ledger, 4, 1);
	ck_assert_uint_eq(ledger_count(ledger), 3);
	ck_assert_int_eq(sqlite3_exec(blocker, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(blocker);
	pthread_join(committer.thread, NULL);
	ck_assert_ok(committer.err);

	ck_assert_uint_eq(ledger_count(ledger), 3);
	ck_assert_int_eq(ledger_get(ledger, 3, &row), ERR_NOT_FOUND);
	ledger_close(ledger);
	ledger = open_ledger();
	ck_assert_uint_eq(ledger_count(ledger), 2);
	ck_assert_int_eq(ledger_get(ledger, 2, &row), ERR_NOT_FOUND);
	ck_assert_ok(ledger_get(ledger, 3, &row));
	finish(ledger);
}
END_TEST

/* A full disk: everything stays in memory and the next commit brings it all. */
START_TEST(test_commit_fails)
{
	struct ledger *ledger = create_with(2);
	struct ledger_position position = position_at(2, 10000);
	struct ledger_row row;

	for (uint64_t number = 1; number < 3000; number++)
		put(ledger, number, 2);
	ck_assert_int_eq(sqlite3_exec(ledger->writer, "PRAGMA max_page_count=20", NULL, NULL, NULL),
			 SQLITE_OK);
	ck_assert_int_eq(ledger_commit(ledger, &position), ERR_FULL);
	ck_assert_uint_eq(ledger_count(ledger), 2999);
	ck_assert_ok(ledger_remove(ledger, 1));
	put(ledger, 2, 3);
	put(ledger, 5000, 1);
	ck_assert_int_eq(ledger_commit(ledger, &position), ERR_FULL);
	ck_assert_ok(ledger_remove(ledger, 2999));
	ck_assert_ok(ledger_position(ledger, &position));
	ck_assert_uint_eq(position.start_seq, 1);
	ck_assert_int_eq(
		sqlite3_exec(ledger->writer, "PRAGMA max_page_count=100000", NULL, NULL, NULL),
		SQLITE_OK);
	commit(ledger, 3);
	ledger_close(ledger);
	ledger = open_ledger();
	ck_assert_uint_eq(ledger_count(ledger), 2998);
	ck_assert_int_eq(ledger_get(ledger, 1, &row), ERR_NOT_FOUND);
	ck_assert_int_eq(ledger_get(ledger, 2999, &row), ERR_NOT_FOUND);
	ck_assert_ok(ledger_get(ledger, 2, &row));
	ck_assert_uint_eq(row.attr.version, 3);
	ck_assert_ok(ledger_get(ledger, 5000, &row));
	finish(ledger);
}
END_TEST

START_TEST(test_read_only)
{
	struct ledger *ledger = create_with(2), *reader = NULL;
	struct ledger_position position = position_at(2, 100);
	struct ledger_row row;

	put(ledger, 3, 1);
	commit(ledger, 2);
	ck_assert_ok(ledger_open(dir, true, &reader));
	ck_assert_ok(ledger_set_key(reader, key));
	ck_assert_ok(ledger_get(reader, 3, &row));
	put(reader, 3, 2);
	ck_assert_int_eq(ledger_commit(reader, &position), ERR_READ_ONLY);
	ck_assert_ok(ledger_get(reader, 3, &row));
	ck_assert_uint_eq(row.attr.version, 2);
	ledger_close(reader);
	finish(ledger);
}
END_TEST

/* --- walking ------------------------------------------------------------------------ */

struct seen {
	uint64_t numbers[4096];
	size_t count;
	size_t stop_after; /* 0: never */
	struct ledger *remove_from;
};

static enum err see(void *ctx, const struct ledger_row *row)
{
	struct seen *seen = ctx;

	ck_assert_uint_lt(seen->count, 4096);
	seen->numbers[seen->count++] = object_id_number(&row->id);
	if (seen->remove_from != NULL)
		ck_assert_ok(ledger_remove(seen->remove_from, object_id_number(&row->id)));
	return seen->stop_after != 0 && seen->count == seen->stop_after ? ERR_NO : ERR_OK;
}

START_TEST(test_walk)
{
	struct ledger *ledger = create_with(200);
	struct seen seen = {.count = 0};

	put(ledger, 50, 2);
	put(ledger, 300, 1);
	put(ledger, 250, 1);
	ck_assert_ok(ledger_remove(ledger, 64));
	ck_assert_ok(ledger_remove(ledger, 65));
	ck_assert_ok(ledger_walk(ledger, see, &seen));
	ck_assert_uint_eq(seen.count, 200);
	for (size_t i = 1; i < seen.count; i++)
		ck_assert_uint_lt(seen.numbers[i - 1], seen.numbers[i]);
	ck_assert_uint_eq(seen.numbers[63], 66);
	ck_assert_uint_eq(seen.numbers[198], 250);
	seen = (struct seen){.stop_after = 70};
	ck_assert_int_eq(ledger_walk(ledger, see, &seen), ERR_NO);
	ck_assert_uint_eq(seen.count, 70);

	edit("UPDATE objects SET size=size+1 WHERE number IN (10, 190)");
	seen = (struct seen){.count = 0};
	ck_assert_int_eq(ledger_walk(ledger, see, &seen), ERR_TAMPERED);
	ck_assert_uint_eq(seen.count, 198);
	finish(ledger);
}
END_TEST

START_TEST(test_walk_unlinked)
{
	struct ledger *ledger = create_with(500);
	struct ledger_row row;
	struct seen seen = {.count = 0};

	ck_assert_ok(ledger_walk_unlinked(ledger, see, &seen));
	ck_assert_uint_eq(seen.count, 0);
	for (uint64_t number = 3; number <= 500; number += 3) {
		row = row_of(number, 2);
		row.attr.nlink = 0;
		ck_assert_ok(ledger_put(ledger, &row));
	}
	ck_assert_ok(ledger_walk_unlinked(ledger, see, &seen));
	ck_assert_uint_eq(seen.count, 166);
	commit(ledger, 2);
	put(ledger, 6, 3);
	row = row_of(7, 2);
	row.attr.nlink = 0;
	ck_assert_ok(ledger_put(ledger, &row));
	seen = (struct seen){.remove_from = ledger};
	ck_assert_ok(ledger_walk_unlinked(ledger, see, &seen));
	ck_assert_uint_eq(seen.count, 166);
	ck_assert_uint_eq(seen.numbers[1], 7);
	seen = (struct seen){.count = 0};
	ck_assert_ok(ledger_walk_unlinked(ledger, see, &seen));
	ck_assert_uint_eq(seen.count, 0);
	ck_assert_uint_eq(ledger_count(ledger), 334);
	finish(ledger);
}
END_TEST

/* --- against a naive model ------------------------------------------------------------- */

#define MODEL_NUMBERS 40
#define MODEL_STEPS   6000

struct model {
	uint64_t now[MODEL_NUMBERS + 1]; /* version; 0: no row */
	uint64_t disk[MODEL_NUMBERS + 1];
	uint64_t version;
	uint64_t seq;
};

static uint64_t random_state = 88172645463325252ull;

static uint64_t draw(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void model_compare(const struct model *model, struct ledger *ledger)
{
	struct seen seen = {.count = 0};
	size_t count = 0;

	ck_assert_ok(ledger_walk(ledger, see, &seen));
	for (uint64_t number = 1; number <= MODEL_NUMBERS; number++) {
		struct ledger_row row, expected = row_of(number, model->now[number]);

		if (model->now[number] == 0) {
			ck_assert_int_eq(ledger_get(ledger, number, &row), ERR_NOT_FOUND);
			continue;
		}
		ck_assert_ok(ledger_get(ledger, number, &row));
		assert_row(&row, &expected);
		ck_assert_uint_eq(seen.numbers[count], number);
		count++;
	}
	ck_assert_uint_eq(ledger_count(ledger), count);
	ck_assert_uint_eq(seen.count, count);
}

static void model_fail_commit(struct ledger *ledger)
{
	struct ledger_position bad = position_at(1, 1);

	/* Too small a next_number fails after the overlay was swapped away. */
	if (ledger_changes_count(&ledger->changed) > 0)
		ck_assert_int_eq(ledger_commit(ledger, &bad), ERR_INVALID);
}

static struct ledger *model_reopen(struct model *model, struct ledger *ledger)
{
	ledger_close(ledger);
	memcpy(model->now, model->disk, sizeof(model->now));
	return open_ledger();
}

START_TEST(test_model)
{
	struct model model = {.version = 1};
	struct ledger *ledger;

	create();
	ledger = open_ledger();
	for (int step = 0; step < MODEL_STEPS; step++) {
		uint64_t number = 1 + draw() % MODEL_NUMBERS;

		switch (draw() % 64) {
		case 0:
			commit(ledger, ++model.seq);
			memcpy(model.disk, model.now, sizeof(model.disk));
			break;
		case 1:
			model_fail_commit(ledger);
			break;
		case 2:
			if (draw() % 8 == 0)
				ledger = model_reopen(&model, ledger);
			break;
		case 3 ... 30:
			ck_assert_ok(ledger_remove(ledger, number));
			model.now[number] = 0;
			break;
		default:
			put(ledger, number, ++model.version);
			model.now[number] = model.version;
		}
		if (step % 16 == 0)
			model_compare(&model, ledger);
	}
	model_compare(&model, ledger);
	finish(ledger);
}
END_TEST

/* --- an intruder --------------------------------------------------------------------------- */

/*
 * The row's HMAC as a few lines of Python compute it from FORMAT.md: so the
 * canonical bytes cannot change unnoticed.
 */
START_TEST(test_known_answer)
{
	static const char expected[] =
		"80ccc39d64229234c3bfad2601223eddc5635f0a2a0e0f484ddf8f8b0d285d79";
	struct ledger *ledger = create_with(2);
	sqlite3_stmt *statement;
	char text[2 * 32 + 1];

	ck_assert_int_eq(sqlite3_prepare_v2(ledger->writer,
					    "SELECT mac FROM objects WHERE number=2", -1,
					    &statement, NULL),
			 SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
	hex_encode(sqlite3_column_blob(statement, 0), 32, text);
	ck_assert_str_eq(text, expected);
	sqlite3_finalize(statement);
	finish(ledger);
}
END_TEST

static const char *const row_edits[] = {
	"tail=x'0000000000000000'",
	"version=version-1",
	"size=size+1",
	"root=zeroblob(32)",
	"mode=mode|4",
	"uid=0",
	"gid=0",
	"nlink=2",
	"rdev=0",
	"atime=atime+1",
	"atime_ns=0",
	"mtime=0",
	"mtime_ns=5",
	"ctime=1",
	"ctime_ns=1",
	"btime=9",
	"btime_ns=9",
	"blocks=0",
	"epoch=1",
	"mac=zeroblob(32)",
	"mac=x''",
	"root=x'00'",
	"root=zeroblob(5000)",
	"mode=-1",
	"mode=4294967296",
	"size=-1",
	"size=9223372036854775807",
	"atime_ns=1000000000",
	/* the row of another object, whole */
	"(tail,version,size,root,blocks,mac)="
	"(SELECT tail,version,size,root,blocks,mac FROM objects WHERE number=1)",
};

START_TEST(test_edited_row)
{
	struct ledger *ledger = create_with(2);
	struct ledger_row row, expected = row_of(1, 1);
	char sql[512];

	ledger_close(ledger);
	for (size_t i = 0; i < sizeof(row_edits) / sizeof(row_edits[0]); i++) {
		snprintf(sql, sizeof(sql), "UPDATE objects SET %s WHERE number=2", row_edits[i]);
		edit(sql);
		ledger = open_ledger();
		ck_assert_msg(ledger_get(ledger, 2, &row) == ERR_TAMPERED, "%s", row_edits[i]);
		ck_assert_ok(ledger_get(ledger, 1, &row));
		assert_row(&row, &expected);
		put(ledger, 2, 1);
		commit(ledger, i + 2);
		ck_assert_ok(ledger_get(ledger, 2, &row));
		ledger_close(ledger);
	}
	finish(NULL);
}
END_TEST

static const char *const position_edits[] = {
	"start_seq=start_seq-1",
	"previous_mac=zeroblob(32)",
	"session=zeroblob(16)",
	"half=1-half",
	"next_number=1",
	"slots_generation=6",
	"objects=objects+1",
	"mac=zeroblob(32)",
	"half=2",
	"start_seq=-1",
};

START_TEST(test_edited_position)
{
	struct ledger_position position = position_at(5, 100);
	struct ledger *ledger;
	char sql[128];

	for (size_t i = 0; i < sizeof(position_edits) / sizeof(position_edits[0]); i++) {
		ledger = create_with(2);
		ck_assert_ok(ledger_commit(ledger, &position));
		ledger_close(ledger);
		snprintf(sql, sizeof(sql), "UPDATE position SET %s", position_edits[i]);
		edit(sql);
		ledger = NULL;
		if (ledger_open(dir, false, &ledger) == ERR_OK)
			ck_assert_msg(ledger_set_key(ledger, key) == ERR_TAMPERED, "%s", sql);
		finish(ledger);
	}
	ledger = create_with(2);
	ledger_close(ledger);
	edit("DELETE FROM position");
	ck_assert_int_eq(ledger_open(dir, false, &ledger), ERR_FORMAT);
	finish(NULL);
}
END_TEST

struct hostile {
	const char *sql;
	enum err err;
};

static const struct hostile hostile[] = {
	{"CREATE TRIGGER t AFTER INSERT ON objects BEGIN DELETE FROM objects; END", ERR_FORMAT},
	{"CREATE VIEW v AS SELECT 1", ERR_FORMAT},
	{"CREATE TABLE t(x)", ERR_FORMAT},
	{"DROP INDEX unlinked", ERR_FORMAT},
	{"DROP TABLE objects", ERR_FORMAT},
	{"ALTER TABLE objects ADD COLUMN x ANY", ERR_FORMAT},
	{"ALTER TABLE objects RENAME TO o; CREATE VIEW objects AS SELECT * FROM o", ERR_FORMAT},
	{"DELETE FROM volume", ERR_FORMAT},
	{"UPDATE volume SET fs_id=x'00'", ERR_FORMAT},
	{"PRAGMA user_version=2", ERR_VERSION},
	{"PRAGMA application_id=1", ERR_FORMAT},
};

START_TEST(test_hostile_schema)
{
	struct ledger *ledger = NULL;

	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		create();
		edit(hostile[i].sql);
		ck_assert_msg(ledger_open(dir, false, &ledger) == hostile[i].err, "%s",
			      hostile[i].sql);
		ck_assert_int_eq(ledger_open(dir, true, &ledger), hostile[i].err);
		finish(NULL);
	}
	/* The fs id is covered by the MACs. */
	create();
	edit("UPDATE volume SET fs_id=zeroblob(16)");
	ck_assert_ok(ledger_open(dir, false, &ledger));
	ck_assert_int_eq(ledger_set_key(ledger, key), ERR_TAMPERED);
	finish(ledger);
}
END_TEST

/* --- damaged files -----------------------------------------------------------------------------
 */

static uint8_t *load(size_t *len)
{
	struct stat st;
	uint8_t *data;
	int fd = open(temp_path(dir, "ledger.db"), O_RDONLY);

	ck_assert_int_eq(fstat(fd, &st), 0);
	data = malloc((size_t)st.st_size);
	ck_assert_int_eq(read(fd, data, (size_t)st.st_size), st.st_size);
	close(fd);
	*len = (size_t)st.st_size;
	return data;
}

static void save(const uint8_t *data, size_t len)
{
	int fd;

	unlink(temp_path(dir, "ledger.db-wal"));
	unlink(temp_path(dir, "ledger.db-shm"));
	fd = open(temp_path(dir, "ledger.db"), O_WRONLY | O_TRUNC);
	ck_assert_int_eq(write(fd, data, len), (ssize_t)len);
	close(fd);
}

/* Whatever opens must either refuse or give exactly what was written. */
static bool is_damage_noticed(uint64_t count)
{
	struct ledger *ledger = NULL;
	bool noticed =
		ledger_open(dir, false, &ledger) != ERR_OK || ledger_set_key(ledger, key) != ERR_OK;

	for (uint64_t number = 1; !noticed && number <= count; number++) {
		struct ledger_row row, expected = row_of(number, 1);

		if (ledger_get(ledger, number, &row) != ERR_OK)
			noticed = true;
		else
			assert_row(&row, &expected);
	}
	if (!noticed) {
		struct seen seen = {.count = 0};

		noticed = ledger_walk(ledger, see, &seen) != ERR_OK || seen.count != count ||
			  ledger_walk_unlinked(ledger, see, &seen) != ERR_OK || seen.count != count;
	}
	ledger_close(ledger);
	return noticed;
}

START_TEST(test_damaged_file)
{
	struct ledger *ledger = create_with(30);
	size_t len, noticed = 0;
	uint8_t *data, *copy;

	ledger_close(ledger);
	data = load(&len);
	copy = malloc(len);
	ck_assert(!is_damage_noticed(30));
	for (int i = 0; i < 600; i++) {
		size_t at = draw() % len;

		memcpy(copy, data, len);
		copy[at] ^= (uint8_t)(1u << draw() % 8);
		save(copy, len);
		noticed += is_damage_noticed(30);
	}
	/* Most of the file is rows; the rest is unused space. */
	ck_assert_uint_gt(noticed, 100);
	for (size_t cut = 0; cut < len; cut += 509) {
		bool is_noticed;

		save(data, cut);
		is_noticed = is_damage_noticed(30);
		/* The last page is the empty index: its end may be missing. */
		ck_assert(is_noticed || cut > len - 4096);
	}
	free(copy);
	free(data);
	finish(NULL);
}
END_TEST

START_TEST(test_not_a_ledger)
{
	struct ledger *ledger = NULL;
	uint8_t noise[8192];

	create();
	memset(noise, 0xa5, sizeof(noise));
	save(noise, sizeof(noise));
	ck_assert_int_eq(ledger_open(dir, false, &ledger), ERR_FORMAT);
	save(noise, 0);
	ck_assert_int_eq(ledger_open(dir, false, &ledger), ERR_FORMAT);
	unlink(temp_path(dir, "ledger.db"));
	ck_assert_int_eq(ledger_open(dir, false, &ledger), ERR_NOT_FOUND);
	ck_assert_int_eq(ledger_open(dir, true, &ledger), ERR_NOT_FOUND);
	ck_assert_int_eq(access(temp_path(dir, "ledger.db"), F_OK), -1);
	ck_assert_int_eq(symlink("/etc/passwd", temp_path(dir, "ledger.db")), 0);
	ck_assert_int_ne(ledger_open(dir, false, &ledger), ERR_OK);
	finish(NULL);
}
END_TEST

UNIT_MAIN("ledger", test_create, test_locked, test_round_trip, test_uncommitted, test_invalid_rows,
	  test_commit_does_not_block, test_commit_fails, test_read_only, test_walk,
	  test_walk_unlinked, test_model, test_known_answer, test_edited_row, test_edited_position,
	  test_hostile_schema, test_damaged_file, test_not_a_ledger)

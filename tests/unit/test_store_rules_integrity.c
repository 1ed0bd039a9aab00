/* Rules of integrity and freshness: what an attacker with both disks' files meets (I16 to I20). */
#include <sqlite3.h>

#include "store/volume.h"
#include "temp_dir.h"
#include "test_store_rules.h"

#define LONG (600 * KIB) /* two leaves and a node above them */

/* Discoveries, as the audit trail is told of them. */
struct discoveries {
	atomic_uint count;
	enum err what;
	uint64_t number;
};

static void discovered(void *ctx, uint64_t number, enum err what, uint64_t block)
{
	struct discoveries *discoveries = ctx;

	(void)block;
	discoveries->what = what;
	discoveries->number = number;
	atomic_fetch_add(&discoveries->count, 1);
}

/* Files "x" and "y" of `len` bytes, check-pointed; an image to be edited. */
static void make_two(struct scene *scene, struct scene *after, size_t len, uint64_t *x,
		     uint64_t *y, char path[OBJECT_PATH_LEN])
{
	scene_new(scene);
	*x = scene_create(scene, "x");
	*y = scene_create(scene, "y");
	scene_write(scene, *x, 0, letters('a', len), len);
	scene_write(scene, *y, 0, letters('a', len), len);
	scene_checkpoint(scene);
	scene_path(scene, *x, path);
	scene_cut_closed(scene, 1, 1, after);
}

/* One flipped bit at `offset` of x: reading `at` is TAMPERED, told once, and y is well. */
static void flip_and_read(size_t len, uint64_t offset, uint64_t at)
{
	struct discoveries discoveries = {.what = ERR_OK};
	struct scene scene, after;
	char path[OBJECT_PATH_LEN];
	uint8_t byte = 0;
	uint64_t x, y;
	size_t got;

	make_two(&scene, &after, len, &x, &y, path);
	after.settings.hooks = (struct store_hooks){.ctx = &discoveries, .integrity = discovered};
	scene_flip(&after, path, offset);
	ck_assert_ok(scene_open(&after));
	ck_assert_uint_eq(scene_find(&after, "x"), x); /* referenced, as by the kernel */
	ck_assert_int_eq(store_read(after.store, x, at, &byte, 1, &got), ERR_TAMPERED);
	ck_assert_int_eq(store_read(after.store, x, at, &byte, 1, &got), ERR_TAMPERED);
	ck_assert_uint_eq(byte, 0);
	ck_assert_uint_eq(atomic_load(&discoveries.count), 1);
	ck_assert_int_eq(discoveries.what, ERR_TAMPERED);
	ck_assert_uint_eq(discoveries.number, x);
	scene_expect(&after, y, letters('a', len), len);
	scene_free(&after);
	scene_free(&scene);
}

START_TEST(i16_a_changed_block_is_not_read)
{
	flip_and_read(LONG, layout_page_of_block(3) * BLOCK_SIZE + 77, 3 * BLOCK_SIZE + 100);
}
END_TEST

START_TEST(i16_a_changed_leaf_is_not_believed)
{
	/* The entry of block 140 is changed; that of 130 on the same page is right. */
	flip_and_read(LONG,
		      layout_page_of_node(1, 1) * BLOCK_SIZE + NODE_HEADER_LEN + 12 * ENTRY_LEN,
		      130 * BLOCK_SIZE);
}
END_TEST

START_TEST(i16_a_changed_node_is_not_believed)
{
	/* The hash of leaf 1 is changed; leaf 0's on the same page is right. */
	flip_and_read(LONG, layout_page_of_node(2, 0) * BLOCK_SIZE + NODE_HEADER_LEN + ENTRY_LEN,
		      0);
}
END_TEST

START_TEST(i16_a_changed_header_is_not_believed)
{
	flip_and_read(64 * KIB, 200, 0);
}
END_TEST

START_TEST(i16_changed_inline_content_is_not_read)
{
	flip_and_read(1000, OBJECT_HEADER_LEN + ENTRY_LEN + 10, 0);
}
END_TEST

START_TEST(i16_blocks_cannot_change_places)
{
	struct scene scene, after;
	char path[OBJECT_PATH_LEN];
	uint8_t one[BLOCK_SIZE], other[BLOCK_SIZE];
	uint64_t x, y;

	make_two(&scene, &after, 64 * KIB, &x, &y, path);
	scene_peek(&after, path, one, BLOCK_SIZE, layout_page_of_block(2) * BLOCK_SIZE);
	scene_peek(&after, path, other, BLOCK_SIZE, layout_page_of_block(3) * BLOCK_SIZE);
	scene_poke(&after, path, other, BLOCK_SIZE, layout_page_of_block(2) * BLOCK_SIZE);
	scene_poke(&after, path, one, BLOCK_SIZE, layout_page_of_block(3) * BLOCK_SIZE);
	ck_assert_ok(scene_open(&after));
	ck_assert_int_eq(scene_read_error(&after, x), ERR_TAMPERED);
	scene_free(&after);
	scene_free(&scene);
}
END_TEST

/* --- I17 ------------------------------------------------------------------------------------ */

START_TEST(i17_an_older_object_is_a_rollback)
{
	struct scene scene, after;
	char path[OBJECT_PATH_LEN];
	uint8_t *old = malloc(64 * KIB);
	uint64_t x;

	x = scene_new_with_x(&scene, 20 * KIB);
	scene_path(&scene, x, path);
	scene_peek(&scene, path, old, 64 * KIB, 0);
	scene_write(&scene, x, 0, letters('b', 20 * KIB), 20 * KIB);
	scene_checkpoint(&scene);
	scene_cut_closed(&scene, 1, 1, &after);
	scene_poke(&after, path, old, 64 * KIB, 0);
	ck_assert_ok(scene_open(&after));
	ck_assert_int_eq(scene_read_error(&after, x), ERR_ROLLBACK);
	scene_free(&after);
	scene_free(&scene);
	free(old);
}
END_TEST

/* With the row as `edit` makes it. */
static enum err read_with_row(void (*edit)(struct ledger_row *row))
{
	struct scene scene, after;
	char path[OBJECT_PATH_LEN];
	struct ledger_row row;
	uint64_t x, y;
	enum err err;

	make_two(&scene, &after, 20 * KIB, &x, &y, path);
	ck_assert_ok(scene_open(&after));
	ck_assert_ok(ledger_get(after.store->ledger, x, &row));
	edit(&row);
	ck_assert_ok(ledger_put(after.store->ledger, &row));
	err = scene_read_error(&after, x);
	scene_expect(&after, y, letters('a', 20 * KIB), 20 * KIB);
	scene_free(&after);
	scene_free(&scene);
	return err;
}

static void an_older_row(struct ledger_row *row)
{
	row->attr.version--;
}

static void another_root(struct ledger_row *row)
{
	row->attr.root[5] ^= 1;
}

static void another_size(struct ledger_row *row)
{
	row->attr.size++;
}

static void another_mode(struct ledger_row *row)
{
	row->attr.mode ^= 04;
}

static void another_time(struct ledger_row *row)
{
	row->attr.ctime.tv_nsec ^= 1;
}

START_TEST(i17_a_newer_object_means_an_old_ledger)
{
	ck_assert_int_eq(read_with_row(an_older_row), ERR_LEDGER_OLD);
}
END_TEST

START_TEST(i17_root_and_size_are_the_ledgers)
{
	ck_assert_int_eq(read_with_row(another_root), ERR_TAMPERED);
	ck_assert_int_eq(read_with_row(another_size), ERR_TAMPERED);
}
END_TEST

/*
 * Version and root are not enough: of two histories after a power cut one may
 * have had the same version with other attributes, and its header is still about.
 */
START_TEST(i17_all_attributes_are_the_ledgers)
{
	ck_assert_int_eq(read_with_row(another_mode), ERR_TAMPERED);
	ck_assert_int_eq(read_with_row(another_time), ERR_TAMPERED);
}
END_TEST

START_TEST(i17_an_object_that_is_gone_was_deleted)
{
	struct scene scene, after;
	char path[OBJECT_PATH_LEN];
	uint64_t x, y;

	make_two(&scene, &after, 20 * KIB, &x, &y, path);
	scene_remove(&after, path);
	ck_assert_ok(scene_open(&after));
	ck_assert_int_eq(scene_read_error(&after, x), ERR_DELETED);
	scene_expect(&after, y, letters('a', 20 * KIB), 20 * KIB);
	scene_free(&after);
	scene_free(&scene);
}
END_TEST

START_TEST(i17_a_name_without_a_row_is_unknown)
{
	struct discoveries discoveries = {.what = ERR_OK};
	struct scene scene, after;
	char path[OBJECT_PATH_LEN];
	struct store_attr attr;
	uint64_t x, y;

	make_two(&scene, &after, 20 * KIB, &x, &y, path);
	after.settings.hooks = (struct store_hooks){.ctx = &discoveries, .integrity = discovered};
	ck_assert_ok(scene_open(&after));
	ck_assert_ok(ledger_remove(after.store->ledger, x));
	ck_assert_int_eq(store_lookup(after.store, STORE_ROOT, "x", &attr), ERR_UNKNOWN);
	ck_assert_int_eq(discoveries.what, ERR_UNKNOWN);
	ck_assert_uint_eq(discoveries.number, x);
	ck_assert_uint_eq(scene_find(&after, "y"), y);
	scene_free(&after);
	scene_free(&scene);
}
END_TEST

/* With an edit of the ledger's file: looking "x" up is this error, recorded with its number. */
static void look_up_after(const char *sql, bool is_root, enum err expected)
{
	struct discoveries discoveries = {.what = ERR_OK};
	struct scene scene, after;
	char path[OBJECT_PATH_LEN];
	struct store_attr attr;
	sqlite3 *db;
	uint64_t x, y;

	make_two(&scene, &after, 20 * KIB, &x, &y, path);
	after.settings.hooks = (struct store_hooks){.ctx = &discoveries, .integrity = discovered};
	ck_assert_int_eq(sqlite3_open(temp_path(after.world.directory, "ledger.db"), &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	ck_assert_ok(scene_open(&after));
	ck_assert_int_eq(store_lookup(after.store, STORE_ROOT, "x", &attr), expected);
	ck_assert_int_eq(discoveries.what, expected);
	ck_assert_uint_eq(discoveries.number, is_root ? STORE_ROOT : x);
	if (!is_root)
		ck_assert_uint_eq(scene_find(&after, "y"), y);
	scene_free(&after);
	scene_free(&scene);
}

START_TEST(i17_a_row_that_does_not_verify_is_recorded)
{
	look_up_after("UPDATE objects SET mode=mode|2 WHERE number=2", false, ERR_TAMPERED);
}
END_TEST

START_TEST(i17_the_root_has_a_row)
{
	look_up_after("DELETE FROM objects WHERE number=1", true, ERR_UNKNOWN);
}
END_TEST

/* --- I18 to I20 ------------------------------------------------------------------------------- */

START_TEST(i18_each_commit_is_a_version)
{
	struct scene scene;
	uint64_t x, version;

	scene_new(&scene);
	x = scene_create(&scene, "x");
	scene_sync(&scene);
	scene_applied(&scene);
	version = scene_version(&scene, x);
	ck_assert_uint_eq(version, 1);
	for (unsigned int i = 1; i < 4; i++) {
		/* The same bytes again: a version nevertheless. */
		scene_write(&scene, x, 0, "same", 4);
		scene_fsync(&scene, x);
		scene_applied(&scene);
		ck_assert_uint_eq(scene_version(&scene, x), version + i);
	}
	scene_free(&scene);
}
END_TEST

START_TEST(i19_no_key_stream_is_used_twice)
{
	enum { BLOCKS = 64 };
	uint8_t (*cipher)[BLOCK_SIZE] = malloc(2 * BLOCKS * sizeof(*cipher));
	struct scene scene;
	char path[OBJECT_PATH_LEN];
	uint64_t x;

	scene_new(&scene);
	x = scene_create(&scene, "x");
	/* Equal blocks, streamed, then overwritten by the same through the journal. */
	for (unsigned int round = 0; round < 2; round++) {
		scene_write(&scene, x, 0, letters('a', BLOCKS * BLOCK_SIZE), BLOCKS * BLOCK_SIZE);
		scene_checkpoint(&scene);
		scene_path(&scene, x, path);
		for (unsigned int i = 0; i < BLOCKS; i++)
			scene_peek(&scene, path, cipher[round * BLOCKS + i], BLOCK_SIZE,
				   layout_page_of_block(i) * BLOCK_SIZE);
	}
	for (unsigned int i = 0; i < 2 * BLOCKS; i++)
		for (unsigned int k = 0; k < i; k++)
			ck_assert_mem_ne(cipher[i], cipher[k], 64);
	free(cipher);
	scene_free(&scene);
}
END_TEST

static bool is_all_zero(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (data[i] != 0)
			return false;
	return true;
}

START_TEST(i19_a_retry_takes_another_nonce)
{
	static const uint64_t pieces[] = {0, CHUNK_BLOCKS}; /* their first blocks */
	uint8_t failed[2][BLOCK_SIZE], again[BLOCK_SIZE];
	struct answer answer;
	struct scene scene;
	char path[OBJECT_PATH_LEN];
	uint64_t x;

	scene_new(&scene);
	x = scene_create(&scene, "x");
	scene_path_new(&scene, x, path);
	/* One of its two pieces reaches the disk, the other does not. */
	watch_fail(scene.disk, WATCH_PWRITE, "objects/new/", ERR_FULL);
	scene_write_begin(&scene, x, 0, letters('a', 512 * KIB), 512 * KIB, false, &answer);
	ck_assert_int_eq(answer_wait(&answer), ERR_FULL);
	ck_assert_uint_eq(scene_size(&scene, x), 0);
	for (size_t i = 0; i < 2; i++)
		scene_peek(&scene, path, failed[i], BLOCK_SIZE,
			   layout_page_of_block(pieces[i]) * BLOCK_SIZE);
	ck_assert(!is_all_zero(failed[0], 64) || !is_all_zero(failed[1], 64));
	scene_write(&scene, x, 0, letters('a', 512 * KIB), 512 * KIB);
	for (size_t i = 0; i < 2; i++) {
		scene_peek(&scene, path, again, BLOCK_SIZE,
			   layout_page_of_block(pieces[i]) * BLOCK_SIZE);
		ck_assert_mem_ne(failed[i], again, 64);
	}
	scene_free(&scene);
}
END_TEST

START_TEST(i20_a_hole_is_the_trees_word)
{
	struct scene scene, after;
	char path[OBJECT_PATH_LEN];
	uint8_t garbage[BLOCK_SIZE], *expected = calloc(1, 100 * KIB);
	uint64_t x, found;

	memset(garbage, 0xa5, sizeof(garbage));
	expected[96 * KIB] = 'x';
	scene_new(&scene);
	x = scene_create(&scene, "x");
	scene_write(&scene, x, 96 * KIB, letters('x', 1), 1);
	scene_truncate(&scene, x, 100 * KIB);
	/* Zeroes that were written are data. */
	scene_write(&scene, x, 8 * KIB, expected, BLOCK_SIZE);
	scene_checkpoint(&scene);
	scene_path(&scene, x, path);
	scene_cut_closed(&scene, 1, 1, &after);
	scene_poke(&after, path, garbage, BLOCK_SIZE, layout_page_of_block(5) * BLOCK_SIZE);
	ck_assert_ok(scene_open(&after));
	scene_expect(&after, x, expected, 100 * KIB);
	ck_assert_ok(store_seek(after.store, x, 0, true, &found));
	ck_assert_uint_eq(found, 8 * KIB);
	scene_close(&after);
	/* And zeroes on the disk are no hole. */
	memset(garbage, 0, sizeof(garbage));
	scene_poke(&after, path, garbage, BLOCK_SIZE, layout_page_of_block(2) * BLOCK_SIZE);
	ck_assert_ok(scene_open(&after));
	ck_assert_int_eq(scene_read_error(&after, x), ERR_TAMPERED);
	scene_free(&after);
	scene_free(&scene);
	free(expected);
}
END_TEST

/* Two threads open a file that is not in memory; the slower one has seen what was. */
START_TEST(i17_a_slow_opener_is_no_rollback)
{
	struct store_status status;
	struct store_attr attr;
	struct scene scene;
	struct answer answer;
	struct helper *slow;
	char path[OBJECT_PATH_LEN];
	uint64_t x;
	int hold;

	x = scene_new_with_x(&scene, 8 * KIB);
	scene_close(&scene);
	ck_assert_ok(scene_open(&scene));
	ck_assert_ok(store_lookup(scene.store, STORE_ROOT, "x", &attr)); /* does not open it */
	scene_path(&scene, x, path);
	hold = watch_hold(scene.disk, WATCH_READ, path, true);
	slow = scene_write_beside(&scene, x, 0, "c", 1, &answer);
	watch_wait_held(scene.disk, hold, NULL);
	scene_write(&scene, x, 8 * KIB, letters('b', 8 * KIB), 8 * KIB);
	scene_checkpoint(&scene);
	watch_release(scene.disk, hold);
	helper_join(slow);
	ck_assert_ok(answer_wait(&answer));
	store_status(scene.store, &status);
	ck_assert_uint_eq(status.damaged, 0);
	ck_assert_uint_eq(scene_size(&scene, x), 16 * KIB);
	scene_free(&scene);
}
END_TEST

RULES(integrity, i17_a_slow_opener_is_no_rollback,
      i16_a_changed_block_is_not_read, i16_a_changed_leaf_is_not_believed,
      i16_a_changed_node_is_not_believed, i16_a_changed_header_is_not_believed,
      i16_changed_inline_content_is_not_read, i16_blocks_cannot_change_places,
      i17_an_older_object_is_a_rollback, i17_a_newer_object_means_an_old_ledger,
      i17_root_and_size_are_the_ledgers, i17_all_attributes_are_the_ledgers,
      i17_a_row_that_does_not_verify_is_recorded, i17_the_root_has_a_row, i17_an_object_that_is_gone_was_deleted,
      i17_a_name_without_a_row_is_unknown, i18_each_commit_is_a_version,
      i19_no_key_stream_is_used_twice, i19_a_retry_takes_another_nonce,
      i20_a_hole_is_the_trees_word)

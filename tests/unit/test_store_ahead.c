/*
 * Reading ahead: whoever reads a file from one end to the other gets what is in
 * it now, whatever was read ahead before.  On a machine with one core nothing is
 * read ahead, and the cases hold all the more.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "store/ahead.h"
#include "store/content.h"
#include "store/node.h"
#include "store_fixture.h"
#include "unit.h"

#define REQUEST  (128u << 10)
#define FILE_LEN (4u << 20)
#define BLOCK    4096u
#define ROUNDS   6
#define SETTLE_NS (20 * NS_PER_MS) /* long enough for what was asked for to be read ahead */

static uint8_t content[FILE_LEN], buffer[1u << 20];

/* The block's place and its version in every word. */
static void stamp(uint8_t *block, uint32_t place, uint32_t version)
{
	for (size_t i = 0; i < BLOCK; i += 8) {
		memcpy(block + i, &place, 4);
		memcpy(block + i + 4, &version, 4);
	}
}

static void stamp_all(uint32_t version)
{
	for (uint32_t i = 0; i < FILE_LEN / BLOCK; i++)
		stamp(content + (size_t)i * BLOCK, i, version);
}

static uint64_t make_file(struct fixture *f, const char *name)
{
	uint64_t number = fixture_create(f, STORE_ROOT, name);

	stamp_all(0);
	for (size_t at = 0; at < FILE_LEN; at += sizeof(buffer))
		ck_assert_ok(fixture_write(f, number, at, content + at, sizeof(buffer), false));
	ck_assert_ok(fixture_fsync(f, number));
	return number;
}

static void expect_at(struct fixture *f, uint64_t number, size_t at, size_t len, size_t size)
{
	size_t got, want = at >= size ? 0 : (size - at < len ? size - at : len);

	ck_assert_ok(store_read(f->store, number, at, buffer, len, &got));
	ck_assert_uint_eq(got, want);
	ck_assert_int_eq(memcmp(buffer, content + at, want), 0);
}

/* Requests of a row up to the end of a piece; what follows them is on its way. */
static size_t begin_row(struct fixture *f, uint64_t number, size_t len)
{
	size_t at = 0;

	for (; at < 4 * len; at += len)
		expect_at(f, number, at, len, FILE_LEN);
	clock_sleep_ns(SETTLE_NS);
	return at;
}

START_TEST(every_size_and_start)
{
	static const size_t lens[] = {32u << 10, 64u << 10, 100000, REQUEST, 300000, 1u << 20};
	struct fixture f;
	uint64_t number;

	fixture_new(&f);
	number = make_file(&f, "file");
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
		for (size_t start = 0; start < 10000; start += 4097)
			for (size_t at = start; at < FILE_LEN; at += lens[i])
				expect_at(&f, number, at, lens[i], FILE_LEN);
	fixture_free(&f);
}
END_TEST

START_TEST(a_write_since_is_seen)
{
	struct fixture f;
	uint64_t number;

	fixture_new(&f);
	number = make_file(&f, "file");
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		size_t at = begin_row(&f, number, REQUEST);
		uint32_t block = (uint32_t)(at / BLOCK) + round;

		stamp(content + (size_t)block * BLOCK, block, round);
		ck_assert_ok(fixture_write(&f, number, (uint64_t)block * BLOCK,
					   content + (size_t)block * BLOCK, BLOCK, round % 2));
		for (; at < FILE_LEN; at += REQUEST)
			expect_at(&f, number, at, REQUEST, FILE_LEN);
	}
	fixture_free(&f);
}
END_TEST

START_TEST(a_truncation_and_a_hole_since_are_seen)
{
	const size_t cut = 4 * REQUEST + 5 * BLOCK + 100;
	struct store_setattr set = {.valid = STORE_SET_SIZE, .size = cut};
	struct store_attr attr;
	struct fixture f;
	uint64_t number;
	size_t at;

	fixture_new(&f);
	number = make_file(&f, "file");
	at = begin_row(&f, number, REQUEST);
	memset(content + at + BLOCK, 0, BLOCK);
	ck_assert_ok(store_fallocate(f.store, number, STORE_FALLOCATE_PUNCH | STORE_FALLOCATE_KEEP_SIZE,
				     at + BLOCK, BLOCK));
	expect_at(&f, number, at, REQUEST, FILE_LEN);
	at = begin_row(&f, number, REQUEST);
	ck_assert_ok(store_setattr(f.store, number, &set, &attr));
	expect_at(&f, number, at, REQUEST, cut);
	fixture_free(&f);
}
END_TEST

/*
 * A size that was looked at before the file was cut off: what lies behind the end is
 * zero, not what the memory held before (another file's).
 */
START_TEST(nothing_is_shown_from_behind_the_end)
{
	const size_t len = 64u << 10, cut = AHEAD_PIECE + BLOCK;
	struct store_setattr set = {.valid = STORE_SET_SIZE, .size = cut};
	struct store_attr attr;
	struct content *loaded;
	struct node *node;
	struct fixture f;
	uint64_t number;
	size_t at;

	fixture_new(&f);
	number = make_file(&f, "file");
	/* Its pieces have held something, and all of it was taken. */
	for (at = begin_row(&f, number, len); at < FILE_LEN; at += REQUEST)
		expect_at(&f, number, at, REQUEST, FILE_LEN);
	expect_at(&f, number, 0, len, FILE_LEN);
	expect_at(&f, number, len, len, FILE_LEN);
	ck_assert_ok(store_setattr(f.store, number, &set, &attr));
	expect_at(&f, number, 2 * len, len, cut);
	clock_sleep_ns(10 * SETTLE_NS);
	expect_at(&f, number, 3 * len, len, cut);
	ck_assert_ok(node_get(f.store, number, NULL, &node));
	ck_assert_ok(content_get(f.store, node, &loaded));
	ck_assert_ok(ahead_read(f.store->ahead, f.store, loaded, FILE_LEN, AHEAD_PIECE, buffer, len));
	content_put(f.store, loaded);
	node_put(f.store, node);
	memset(content + cut, 0, len);
	ck_assert_int_eq(memcmp(buffer, content + AHEAD_PIECE, len), 0);
	fixture_free(&f);
}
END_TEST

/* As if the kernel and the idle list had dropped it. */
static void forget(struct fixture *f, uint64_t number)
{
	store_release_node(f->store, number);
	store_forget(f->store, number, 1);
	ck_assert_ok(fixture_sync(f));
	clock_sleep_ns(SETTLE_NS);
	content_trim(f->store, 0);
}

static void find_again(struct fixture *f, uint64_t number)
{
	struct store_attr attr;

	ck_assert_ok(store_lookup(f->store, STORE_ROOT, "file", &attr));
	ck_assert_uint_eq(attr.number, number);
	ck_assert_ok(store_open_node(f->store, number, false));
}

/* The node is known anew, and its clock begins anew too. */
START_TEST(a_file_that_was_forgotten_meanwhile)
{
	struct fixture f;
	uint64_t number;

	fixture_new(&f);
	number = make_file(&f, "file");
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		size_t at;

		forget(&f, number);
		find_again(&f, number);
		at = begin_row(&f, number, REQUEST);
		stamp(content + at, (uint32_t)(at / BLOCK), round);
		ck_assert_ok(fixture_write(&f, number, at, content + at, BLOCK, true));
		forget(&f, number);
		find_again(&f, number);
		expect_at(&f, number, at, REQUEST, FILE_LEN);
	}
	fixture_free(&f);
}
END_TEST

START_TEST(nothing_is_left_after_a_lock)
{
	struct store_lock_report report;
	struct fixture f;
	uint64_t number;

	fixture_new(&f);
	number = make_file(&f, "file");
	begin_row(&f, number, REQUEST);
	store_lock(f.store, 10000, &report);
	ck_assert_ok(report.err);
	ck_assert_uint_eq(slab_used(f.store->ahead_buffers), 0);
	ck_assert_ptr_null(f.store->ahead);
	ck_assert_ok(store_unlock(f.store, f.keyring, &f.recovery));
	for (size_t at = 0; at < FILE_LEN; at += REQUEST)
		expect_at(&f, number, at, REQUEST, FILE_LEN);
	fixture_free(&f);
}
END_TEST

START_TEST(more_files_than_streams)
{
	uint64_t numbers[AHEAD_STREAMS + 2];
	struct fixture f;
	char name[] = "file 0";

	fixture_new(&f);
	for (size_t i = 0; i < AHEAD_STREAMS + 2; i++) {
		name[5] = (char)('0' + i);
		numbers[i] = make_file(&f, name);
	}
	for (size_t at = 0; at < FILE_LEN; at += REQUEST)
		for (size_t i = 0; i < AHEAD_STREAMS + 2; i++)
			expect_at(&f, numbers[i], at, REQUEST, FILE_LEN);
	fixture_free(&f);
}
END_TEST

/* --- beside a writer: no block goes back to an earlier version, none is torn ---------------- */

struct race {
	struct fixture fixture;
	uint64_t number;
	_Atomic uint32_t written[FILE_LEN / BLOCK]; /* versions that were acknowledged */
	atomic_bool is_over;
};

static void *overwrite(void *arg)
{
	struct race *race = arg;
	uint8_t block[BLOCK];
	uint64_t random = 88172645463325252u;

	for (uint32_t version = 1; !atomic_load(&race->is_over); version++) {
		uint32_t place;

		random ^= random << 13, random ^= random >> 7, random ^= random << 17;
		place = random % (FILE_LEN / BLOCK);
		stamp(block, place, version);
		ck_assert_ok(fixture_write(&race->fixture, race->number, (uint64_t)place * BLOCK,
					   block, BLOCK, version % 64 == 0));
		atomic_store(&race->written[place], version);
		if (version % 16 == 0)
			clock_sleep_ns(NS_PER_MS / 4);
	}
	return NULL;
}

static void expect_no_older(const uint8_t *block, uint32_t place, uint32_t version)
{
	uint32_t is[2];

	memcpy(is, block, sizeof(is));
	ck_assert_uint_eq(is[0], place);
	ck_assert_uint_ge(is[1], version);
	ck_assert_int_eq(memcmp(block, block + 8, BLOCK - 8), 0);
}

START_TEST(beside_a_writer)
{
	static struct race race;
	static uint32_t acknowledged[REQUEST / BLOCK];
	pthread_t writer;

	fixture_new(&race.fixture);
	race.number = make_file(&race.fixture, "file");
	ck_assert_int_eq(pthread_create(&writer, NULL, overwrite, &race), 0);
	for (int round = 0; round < 20; round++)
		for (uint32_t first = 0; first < FILE_LEN / BLOCK; first += REQUEST / BLOCK) {
			size_t got;

			for (uint32_t i = 0; i < REQUEST / BLOCK; i++)
				acknowledged[i] = atomic_load(&race.written[first + i]);
			ck_assert_ok(store_read(race.fixture.store, race.number,
						(uint64_t)first * BLOCK, buffer, REQUEST, &got));
			for (uint32_t i = 0; i < REQUEST / BLOCK; i++)
				expect_no_older(buffer + (size_t)i * BLOCK, first + i,
						acknowledged[i]);
		}
	atomic_store(&race.is_over, true);
	pthread_join(writer, NULL);
	fixture_free(&race.fixture);
}
END_TEST

UNIT_MAIN("store ahead", every_size_and_start, a_write_since_is_seen,
	  a_truncation_and_a_hole_since_are_seen, nothing_is_shown_from_behind_the_end,
	  a_file_that_was_forgotten_meanwhile, nothing_is_left_after_a_lock, more_files_than_streams,
	  beside_a_writer)

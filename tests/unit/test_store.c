#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "store_fixture.h"
#include "unit.h"

static uint8_t pattern[8 << 20];

static void fill_pattern(void)
{
	uint32_t x = 12345;

	for (size_t i = 0; i < sizeof(pattern); i++) {
		x = x * 1103515245 + 12345;
		pattern[i] = (uint8_t)(x >> 16);
	}
}

START_TEST(a_new_volume_has_an_empty_root)
{
	struct fixture f;
	struct store_attr attr;

	fixture_new(&f);
	ck_assert_ok(store_getattr(f.store, STORE_ROOT, &attr));
	ck_assert_uint_eq(attr.object.mode, S_IFDIR | 0755);
	ck_assert_uint_eq(attr.object.nlink, 2);
	ck_assert_uint_eq(fixture_find(&f, STORE_ROOT, "nothing"), 0);
	fixture_free(&f);
}
END_TEST

/* Sizes around every boundary of the layout: inline, blocks, leaves, streaming. */
static const size_t sizes[] = {0,	 1,	  100,	    3555,     3556,	3557,	  4095,
			       4096,	 4097,	  8192,	    65535,    65536,	262144,	  262145,
			       524287,	 524288,  524289,   1048576,  1048577,	1572864,  5000000};

START_TEST(files_of_every_size_survive_a_reopen)
{
	struct fixture f;
	char name[32];

	fill_pattern();
	fixture_new(&f);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t number;

		snprintf(name, sizeof(name), "file%zu", i);
		number = fixture_create(&f, STORE_ROOT, name);
		for (size_t at = 0; at < sizes[i]; at += 1 << 20) {
			size_t len = sizes[i] - at < 1 << 20 ? sizes[i] - at : 1 << 20;

			ck_assert_ok(fixture_write(&f, number, at, pattern + at, len, false));
		}
		fixture_expect(&f, number, pattern, sizes[i]);
	}
	fixture_reopen(&f);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		snprintf(name, sizeof(name), "file%zu", i);
		fixture_expect(&f, fixture_find(&f, STORE_ROOT, name), pattern, sizes[i]);
	}
	fixture_free(&f);
}
END_TEST

START_TEST(fsync_answers_and_small_appends_add_up)
{
	struct fixture f;
	uint64_t number;

	fill_pattern();
	fixture_new(&f);
	number = fixture_create(&f, STORE_ROOT, "log");
	for (size_t at = 0; at < 20000; at += 100) {
		ck_assert_ok(fixture_write(&f, number, at, pattern + at, 100, at % 1000 == 0));
		if (at % 5000 == 0)
			ck_assert_ok(fixture_fsync(&f, number));
	}
	fixture_expect(&f, number, pattern, 20000);
	fixture_reopen(&f);
	fixture_expect(&f, fixture_find(&f, STORE_ROOT, "log"), pattern, 20000);
	fixture_free(&f);
}
END_TEST

START_TEST(truncate_both_ways_leaves_zeroes)
{
	static uint8_t expected[2 << 20];
	struct store_setattr set = {.valid = STORE_SET_SIZE};
	struct store_attr attr;
	struct fixture f;
	uint64_t number;

	fill_pattern();
	fixture_new(&f);
	number = fixture_create(&f, STORE_ROOT, "t");
	ck_assert_ok(fixture_write(&f, number, 0, pattern, 1 << 20, false));
	memcpy(expected, pattern, 1 << 20);
	for (size_t i = 0; i < 40; i++) {
		static const uint64_t targets[] = {700001, 3000, 5000, 4096, 0, 100, 900000, 1500000};

		set.size = targets[i % 8];
		ck_assert_ok(store_setattr(f.store, number, &set, &attr));
		ck_assert_uint_eq(attr.object.size, set.size);
		memset(expected + set.size, 0, sizeof(expected) - set.size);
		fixture_expect(&f, number, expected, set.size);
		if (i % 3 == 0) {
			ck_assert_ok(fixture_fsync(&f, number));
			fixture_expect(&f, number, expected, set.size);
		}
		if (i % 5 == 4) {
			memcpy(expected + 2000, pattern, 50000);
			ck_assert_ok(fixture_write(&f, number, 2000, pattern, 50000, false));
			fixture_expect(&f, number, expected, set.size > 52000 ? set.size : 52000);
		}
	}
	fixture_free(&f);
}
END_TEST

START_TEST(names_links_and_removal)
{
	struct fixture f;
	struct store_attr attr;
	uint64_t dir, a;
	char path[64];

	fixture_new(&f);
	ck_assert_ok(store_create_node(f.store, STORE_ROOT, "d", S_IFDIR | 0750, 0, 7, 8, &attr));
	dir = attr.number;
	a = fixture_create(&f, dir, "a");
	ck_assert_ok(fixture_write(&f, a, 0, "hello", 5, false));
	ck_assert_int_eq(store_create_node(f.store, dir, "a", S_IFREG | 0600, 0, 0, 0, &attr),
			 ERR_EXISTS);
	ck_assert_ok(store_link(f.store, a, STORE_ROOT, "b", &attr));
	ck_assert_uint_eq(attr.object.nlink, 2);
	ck_assert_ok(store_path(f.store, a, path, sizeof(path)));
	ck_assert_str_eq(path, "/d/a");
	ck_assert_int_eq(store_rmdir(f.store, STORE_ROOT, "d"), ERR_NOT_EMPTY);
	fixture_reopen(&f);
	a = fixture_find(&f, STORE_ROOT, "b");
	dir = fixture_find(&f, STORE_ROOT, "d");
	fixture_expect(&f, a, "hello", 5);
	ck_assert_ok(store_unlink(f.store, dir, "a"));
	ck_assert_ok(store_path(f.store, a, path, sizeof(path)));
	ck_assert_str_eq(path, "/b");
	ck_assert_ok(store_rmdir(f.store, STORE_ROOT, "d"));
	ck_assert_ok(store_unlink(f.store, STORE_ROOT, "b"));
	fixture_reopen(&f);
	ck_assert_uint_eq(fixture_find(&f, STORE_ROOT, "b"), 0);
	ck_assert_uint_eq(fixture_find(&f, STORE_ROOT, "d"), 0);
	fixture_free(&f);
}
END_TEST

START_TEST(rename_replaces_with_whole_content)
{
	struct fixture f;
	uint64_t source, target;

	fill_pattern();
	fixture_new(&f);
	target = fixture_create(&f, STORE_ROOT, "target");
	ck_assert_ok(fixture_write(&f, target, 0, "old", 3, true));
	source = fixture_create(&f, STORE_ROOT, "source");
	ck_assert_ok(fixture_write(&f, source, 0, pattern, 1 << 20, false));
	ck_assert_ok(fixture_rename(&f, STORE_ROOT, "source", STORE_ROOT, "target", 0));
	ck_assert_uint_eq(fixture_find(&f, STORE_ROOT, "target"), source);
	ck_assert_uint_eq(fixture_find(&f, STORE_ROOT, "source"), 0);
	/* The handle that is still open reads the replaced file. */
	fixture_expect(&f, target, "old", 3);
	fixture_reopen(&f);
	fixture_expect(&f, fixture_find(&f, STORE_ROOT, "target"), pattern, 1 << 20);
	fixture_free(&f);
}
END_TEST

/* Found by crash-sim: the attributes object stayed dirty for ever, and sync waited for it. */
START_TEST(a_file_deleted_before_its_first_commit_takes_its_attributes_along)
{
	struct fixture f;
	uint64_t number;

	fixture_new(&f);
	number = fixture_create(&f, STORE_ROOT, "short-lived");
	ck_assert_ok(store_setxattr(f.store, number, "user.note", "x", 1, 0));
	store_release_node(f.store, number);
	ck_assert_ok(store_unlink(f.store, STORE_ROOT, "short-lived"));
	store_forget(f.store, number, 1);
	ck_assert_ok(fixture_sync(&f));
	fixture_free(&f);
}
END_TEST

START_TEST(a_thousand_names_in_one_directory)
{
	struct fixture f;
	struct store_attr attr;
	char name[64];

	fixture_new(&f);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "a-rather-long-name-of-a-file-%d", i);
		ck_assert_ok(store_create_node(f.store, STORE_ROOT, name, S_IFREG | 0600, 0, 0, 0,
					       &attr));
		store_forget(f.store, attr.number, 1);
	}
	fixture_reopen(&f);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "a-rather-long-name-of-a-file-%d", i);
		ck_assert_uint_ne(fixture_find(&f, STORE_ROOT, name), 0);
		if (i % 2 == 0)
			ck_assert_ok(store_unlink(f.store, STORE_ROOT, name));
	}
	fixture_reopen(&f);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "a-rather-long-name-of-a-file-%d", i);
		ck_assert_int_eq(fixture_find(&f, STORE_ROOT, name) != 0, i % 2);
	}
	fixture_free(&f);
}
END_TEST

/* Found by posix-suite: removing 100,000 names opened a file for each, and froze the volume. */
START_TEST(more_files_are_removed_than_may_be_open)
{
	enum { FILES = 1500 };
	const struct rlimit few = {300, 300};
	struct fixture f;
	char name[32];

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	fixture_new(&f);
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "%d", i);
		store_release_node(f.store, fixture_create(&f, STORE_ROOT, name));
	}
	fixture_reopen(&f);
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "%d", i);
		ck_assert_ok(store_unlink(f.store, STORE_ROOT, name));
	}
	ck_assert_ok(fixture_sync(&f));
	fixture_reopen(&f);
	ck_assert_uint_eq(fixture_find(&f, STORE_ROOT, "7"), 0);
	fixture_free(&f);
}
END_TEST

START_TEST(extended_attributes_come_back)
{
	struct fixture f;
	uint64_t number;
	char value[16], names[64];
	size_t len;

	fixture_new(&f);
	number = fixture_create(&f, STORE_ROOT, "x");
	ck_assert_ok(store_setxattr(f.store, number, "user.one", "1", 1, 0));
	ck_assert_ok(store_setxattr(f.store, number, "user.two", "22", 2, 0));
	ck_assert_ok(store_setxattr(f.store, number, "user.one", "111", 3, 0));
	ck_assert_int_eq(store_setxattr(f.store, number, "user.one", "", 0, STORE_XATTR_CREATE),
			 ERR_EXISTS);
	fixture_reopen(&f);
	number = fixture_find(&f, STORE_ROOT, "x");
	len = sizeof(value);
	ck_assert_ok(store_getxattr(f.store, number, "user.one", value, &len));
	ck_assert_uint_eq(len, 3);
	ck_assert_mem_eq(value, "111", 3);
	len = sizeof(names);
	ck_assert_ok(store_listxattr(f.store, number, names, &len));
	ck_assert_uint_eq(len, 18);
	ck_assert_ok(store_removexattr(f.store, number, "user.one"));
	len = sizeof(value);
	ck_assert_int_eq(store_getxattr(f.store, number, "user.one", value, &len), ERR_NO_ATTR);
	fixture_free(&f);
}
END_TEST

START_TEST(holes_cost_nothing_and_are_found)
{
	struct fixture f;
	uint64_t number, found;
	struct store_attr attr;
	uint8_t byte;
	size_t got;

	fixture_new(&f);
	number = fixture_create(&f, STORE_ROOT, "sparse");
	ck_assert_ok(fixture_write(&f, number, (1ull << 40) - 1, "x", 1, true));
	ck_assert_ok(fixture_write(&f, number, 1ull << 30, "y", 1, true));
	ck_assert_ok(store_getattr(f.store, number, &attr));
	ck_assert_uint_eq(attr.object.size, 1ull << 40);
	ck_assert_uint_eq(attr.object.blocks, 2);
	ck_assert_ok(store_seek(f.store, number, 0, true, &found));
	ck_assert_uint_eq(found, 1ull << 30);
	ck_assert_ok(store_seek(f.store, number, found, false, &found));
	ck_assert_uint_eq(found, (1ull << 30) + 4096);
	fixture_reopen(&f);
	number = fixture_find(&f, STORE_ROOT, "sparse");
	ck_assert_ok(store_seek(f.store, number, (1ull << 30) + 4096, true, &found));
	ck_assert_uint_eq(found, (1ull << 40) - 4096);
	ck_assert_ok(store_read(f.store, number, (1ull << 40) - 1, &byte, 1, &got));
	ck_assert_uint_eq(byte, 'x');
	fixture_free(&f);
}
END_TEST

/* Found by the exerciser: its times were changed, but not the header's, and it was refused. */
START_TEST(a_hole_is_punched_into_a_hole)
{
	struct fixture f;
	uint64_t number;

	fixture_new(&f);
	number = fixture_create(&f, STORE_ROOT, "sparse");
	ck_assert_ok(fixture_write(&f, number, 1 << 20, "end", 3, true));
	ck_assert_ok(store_fallocate(f.store, number,
				     STORE_FALLOCATE_PUNCH | STORE_FALLOCATE_KEEP_SIZE, 0, 65536));
	store_lock(f.store, 10000, &(struct store_lock_report){0});
	ck_assert_ok(store_unlock(f.store, f.keyring, &f.recovery));
	ck_assert_ok(fixture_write(&f, number, 0, "start", 5, true));
	fixture_reopen(&f);
	ck_assert_ok(fixture_write(&f, fixture_find(&f, STORE_ROOT, "sparse"), 4096, "more", 4, true));
	fixture_free(&f);
}
END_TEST

static void lock_at_once(void *ctx, enum err err, size_t bytes)
{
	struct fixture *f = ctx;
	struct store_lock_report report;

	ck_assert_ok(err);
	ck_assert_uint_eq(bytes, 4096);
	store_lock(f->store, 10000, &report);
	ck_assert_ok(report.err);
}

/* Who was answered is in no lock's way: what it used goes with the lock. */
START_TEST(a_write_that_is_answered_uses_nothing_of_its_content)
{
	struct fixture f;
	uint64_t number;

	fill_pattern();
	fixture_new(&f);
	number = fixture_create(&f, STORE_ROOT, "file");
	store_write(f.store, number, 0, pattern, 4096, false, lock_at_once, &f);
	ck_assert_ok(store_unlock(f.store, f.keyring, &f.recovery));
	fixture_expect(&f, fixture_find(&f, STORE_ROOT, "file"), pattern, 4096);
	fixture_free(&f);
}
END_TEST

static atomic_bool is_renamed;

static void note_renamed(void *ctx, enum err err, size_t bytes)
{
	(void)ctx;
	(void)bytes;
	ck_assert_ok(err);
	atomic_store(&is_renamed, true);
}

static void *rename_over(void *ctx)
{
	struct fixture *f = ctx;

	store_rename(f->store, STORE_ROOT, "new", STORE_ROOT, "old", 0, note_renamed, NULL);
	return NULL;
}

/* The same of a rename that waits for a flush: its thread may return after the lock. */
START_TEST(a_rename_that_is_answered_uses_nothing_of_its_content)
{
	struct fixture f;
	struct store_lock_report report;
	pthread_t thread;
	uint64_t number;

	fill_pattern();
	fixture_new(&f);
	(void)fixture_create(&f, STORE_ROOT, "old");
	number = fixture_create(&f, STORE_ROOT, "new");
	for (uint64_t at = 0; at < 3 << 20; at += 1 << 20)
		ck_assert_ok(fixture_write(&f, number, at, pattern + at, 1 << 20, false));
	ck_assert_int_eq(pthread_create(&thread, NULL, rename_over, &f), 0);
	while (!atomic_load(&is_renamed))
		clock_sleep_ns(NS_PER_MS / 10);
	store_lock(f.store, 10000, &report);
	ck_assert_ok(report.err);
	pthread_join(thread, NULL);
	ck_assert_ok(store_unlock(f.store, f.keyring, &f.recovery));
	fixture_expect(&f, fixture_find(&f, STORE_ROOT, "old"), pattern, 3 << 20);
	fixture_free(&f);
}
END_TEST

UNIT_MAIN("store", a_new_volume_has_an_empty_root, files_of_every_size_survive_a_reopen,
	  fsync_answers_and_small_appends_add_up, truncate_both_ways_leaves_zeroes,
	  names_links_and_removal, rename_replaces_with_whole_content,
	  a_file_deleted_before_its_first_commit_takes_its_attributes_along,
	  a_thousand_names_in_one_directory, more_files_are_removed_than_may_be_open,
	  extended_attributes_come_back, holes_cost_nothing_and_are_found,
	  a_hole_is_punched_into_a_hole, a_write_that_is_answered_uses_nothing_of_its_content,
	  a_rename_that_is_answered_uses_nothing_of_its_content)

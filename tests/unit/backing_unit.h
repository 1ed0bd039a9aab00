/* Backings for their tests: shorter calls, and what every one of them promises. */
#ifndef PHIFS_TESTS_BACKING_UNIT_H
#define PHIFS_TESTS_BACKING_UNIT_H

#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "store/backing.h"

/* --- shorter calls ------------------------------------------------------------ */

static inline int make(struct backing *b, const char *path)
{
	int file = -1;

	ck_assert_ok(b->ops->open(b, path, BACKING_CREATE, &file));
	return file;
}

static inline int get(struct backing *b, const char *path)
{
	int file = -1;

	ck_assert_ok(b->ops->open(b, path, 0, &file));
	return file;
}

static inline enum err try_open(struct backing *b, const char *path, int flags)
{
	int file;
	enum err err = b->ops->open(b, path, flags, &file);

	if (err == ERR_OK)
		b->ops->close(b, file);
	return err;
}

static inline bool exists(struct backing *b, const char *path)
{
	enum err err = try_open(b, path, BACKING_READ_ONLY);

	ck_assert(err == ERR_OK || err == ERR_NOT_FOUND);
	return err == ERR_OK;
}

static inline void fill(struct backing *b, int file, uint8_t value, size_t len, uint64_t offset)
{
	uint8_t data[65536];

	ck_assert_uint_le(len, sizeof(data));
	memset(data, value, len);
	ck_assert_ok(b->ops->pwrite(b, file, data, len, offset));
}

static inline uint8_t byte_at(struct backing *b, int file, uint64_t offset)
{
	uint8_t byte;

	ck_assert_ok(b->ops->pread(b, file, &byte, 1, offset));
	return byte;
}

static inline uint64_t size_of(struct backing *b, int file)
{
	uint64_t size = 0;

	ck_assert_ok(b->ops->size(b, file, &size));
	return size;
}

/* --- what every backing does --------------------------------------------------- */

static inline void check_names(struct backing *b)
{
	int file = make(b, "a");

	b->ops->close(b, file);
	ck_assert_int_eq(try_open(b, "a", BACKING_CREATE), ERR_EXISTS);
	ck_assert_int_eq(try_open(b, "b", 0), ERR_NOT_FOUND);
	ck_assert_int_eq(try_open(b, "objects/x", BACKING_CREATE), ERR_NOT_FOUND);
	ck_assert_ok(b->ops->mkdir(b, "objects"));
	ck_assert_int_eq(b->ops->mkdir(b, "objects"), ERR_EXISTS);
	ck_assert_ok(b->ops->mkdir(b, "objects/new"));
	ck_assert_ok(b->ops->rename(b, "a", "objects/new/a"));
	ck_assert(!exists(b, "a"));
	file = make(b, "objects/b");
	fill(b, file, 7, 1, 0);
	ck_assert_ok(b->ops->rename(b, "objects/b", "objects/new/a"));
	ck_assert_uint_eq(byte_at(b, file, 0), 7);
	b->ops->close(b, file);
	file = get(b, "objects/new/a");
	ck_assert_ok(b->ops->unlink(b, "objects/new/a"));
	ck_assert_uint_eq(byte_at(b, file, 0), 7);
	b->ops->close(b, file);
	ck_assert(!exists(b, "objects/new/a"));
	ck_assert_int_eq(b->ops->unlink(b, "objects/new/a"), ERR_NOT_FOUND);
	ck_assert_int_eq(b->ops->rename(b, "none", "objects/x"), ERR_NOT_FOUND);
	ck_assert_int_ne(b->ops->unlink(b, "objects"), ERR_OK);
	ck_assert_int_eq(try_open(b, "objects", 0), ERR_TAMPERED);
	ck_assert_int_eq(try_open(b, "objects", BACKING_READ_ONLY), ERR_TAMPERED);
	ck_assert_int_eq(try_open(b, "../x", BACKING_CREATE), ERR_INVALID);
	ck_assert_int_eq(try_open(b, "/x", BACKING_CREATE), ERR_INVALID);
	ck_assert_int_eq(try_open(b, "", 0), ERR_INVALID);
	ck_assert_ok(b->ops->sync_dir(b, "."));
	ck_assert_ok(b->ops->sync_dir(b, "objects/new"));
	ck_assert_int_eq(b->ops->sync_dir(b, "objects/old"), ERR_NOT_FOUND);
	ck_assert_ok(b->ops->sync_all(b));
}

static inline void check_content(struct backing *b)
{
	uint8_t data[3 * 4096];
	int file = make(b, "content");

	memset(data, 0xee, sizeof(data));
	ck_assert_ok(b->ops->pread(b, file, data, sizeof(data), 100));
	for (size_t i = 0; i < sizeof(data); i++)
		ck_assert_uint_eq(data[i], 0);
	fill(b, file, 5, 10000, 1000);
	ck_assert_uint_eq(size_of(b, file), 11000);
	ck_assert_uint_eq(byte_at(b, file, 999), 0);
	ck_assert_uint_eq(byte_at(b, file, 1000), 5);
	memset(data, 0xee, sizeof(data));
	ck_assert_ok(b->ops->pread(b, file, data, sizeof(data), 10000));
	ck_assert_uint_eq(data[999], 5);
	ck_assert_uint_eq(data[1000], 0);
	ck_assert_uint_eq(data[sizeof(data) - 1], 0);
	ck_assert_ok(b->ops->punch(b, file, 4096, 4096));
	ck_assert_uint_eq(byte_at(b, file, 4095), 5);
	ck_assert_uint_eq(byte_at(b, file, 4096), 0);
	ck_assert_uint_eq(byte_at(b, file, 8191), 0);
	ck_assert_uint_eq(byte_at(b, file, 8192), 5);
	ck_assert_uint_eq(size_of(b, file), 11000);
	ck_assert_ok(b->ops->truncate(b, file, 2000));
	ck_assert_ok(b->ops->truncate(b, file, 1ull << 40));
	ck_assert_uint_eq(byte_at(b, file, 1999), 5);
	ck_assert_uint_eq(byte_at(b, file, 2000), 0);
	ck_assert_uint_eq(byte_at(b, file, 10000), 0);
	ck_assert_uint_eq(size_of(b, file), 1ull << 40);
	ck_assert_ok(b->ops->fdatasync(b, file));
	ck_assert_int_eq(b->ops->pread(b, file, data, 2, UINT64_MAX), ERR_TOO_LARGE);
	ck_assert_int_eq(b->ops->pwrite(b, file, data, 2, UINT64_MAX - 1), ERR_TOO_LARGE);
	ck_assert_int_eq(b->ops->truncate(b, file, UINT64_MAX), ERR_TOO_LARGE);
	ck_assert_int_eq(b->ops->punch(b, file, 1, UINT64_MAX), ERR_TOO_LARGE);
	b->ops->close(b, file);
	ck_assert_ok(b->ops->open(b, "content", BACKING_READ_ONLY, &file));
	ck_assert_int_ne(b->ops->pwrite(b, file, data, 1, 0), ERR_OK);
	b->ops->close(b, file);
}

static inline void count_name(void *ctx, const char *name)
{
	unsigned int *seen = ctx;
	unsigned int number = 99;

	ck_assert_int_eq(sscanf(name, "n%u", &number), 1);
	ck_assert_uint_lt(number, 20);
	*seen += 1u << number;
}

static inline void check_list(struct backing *b)
{
	unsigned int seen = 0;
	char path[32];

	ck_assert_ok(b->ops->mkdir(b, "list"));
	for (int i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "list/n%d", i);
		b->ops->close(b, make(b, path));
	}
	ck_assert_ok(b->ops->unlink(b, "list/n3"));
	ck_assert_ok(b->ops->list(b, "list", count_name, &seen));
	ck_assert_uint_eq(seen, 0xfffffu & ~8u);
	ck_assert_int_eq(b->ops->list(b, "none", count_name, &seen), ERR_NOT_FOUND);
}

static inline void check_all(struct backing *b)
{
	struct backing_space space;

	check_names(b);
	check_content(b);
	check_list(b);
	ck_assert_ok(b->ops->space(b, &space));
	ck_assert_uint_gt(space.total_bytes, 0);
	ck_assert_uint_le(space.free_bytes, space.total_bytes);
}

static inline struct backing *sim_new(void)
{
	struct backing *b;

	ck_assert_ok(backing_sim_new(&b));
	return b;
}

#endif

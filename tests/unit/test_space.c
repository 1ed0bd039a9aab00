/* The free-space guard, over simulated disks of known size. */
#include "unit.h"

#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/space.h"
#include "temp_dir.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

static struct backing *ciphertext, *state, *faulty;
static struct space *space;

static void be_quiet(void *ctx, enum log_level level, const char *text)
{
	(void)ctx;
	(void)level;
	(void)text;
}

/* `ciphertext` can be made to fail through `faulty`, which is the same. */
static void start(uint64_t bytes, uint64_t inodes, bool read_only)
{
	struct backing *sim;

	log_set_hook(be_quiet, NULL);
	ck_assert_ok(backing_sim_new(&sim));
	backing_sim_set_space(sim, bytes, inodes);
	ck_assert_ok(backing_fault_new(sim, &faulty));
	ciphertext = faulty;
	ck_assert_ok(backing_sim_new(&state));
	ck_assert_ok(space_new(ciphertext, state, read_only, &space));
}

static void finish(void)
{
	space_free(space);
	backing_free(ciphertext);
	backing_free(state);
}

static uint64_t size_of(struct backing *b, const char *path)
{
	uint64_t size = 0;
	int file;

	if (b->ops->open(b, path, BACKING_READ_ONLY, &file) != ERR_OK)
		return 0;
	ck_assert_ok(b->ops->size(b, file, &size));
	b->ops->close(b, file);
	return size;
}

/* Somebody else takes room: a file of that size. */
static void use(struct backing *b, const char *path, uint64_t size)
{
	enum err err;
	int file;

	err = b->ops->open(b, path, 0, &file);
	if (err != ERR_OK)
		err = b->ops->open(b, path, BACKING_CREATE, &file);
	ck_assert_ok(err);
	ck_assert_ok(b->ops->truncate(b, file, size));
	b->ops->close(b, file);
	/*
	 * Longer than the guard looks into the past: no real disk fills at this
	 * speed, so it need not see it sooner.
	 */
	clock_sleep_ns(101 * NS_PER_MS);
}

START_TEST(test_margin)
{
	start(2 * GIB, 100000, false);
	ck_assert_uint_eq(size_of(ciphertext, SPACE_BALLAST), 64 * MIB);
	ck_assert_uint_eq(size_of(state, SPACE_BALLAST), 64 * MIB);
	ck_assert_ok(space_admit(space, 0, 0));
	ck_assert_ok(space_admit(space, 2 * GIB - 128 * MIB, 1));
	ck_assert_int_eq(space_admit(space, 2 * GIB - 128 * MIB + 1, 1), ERR_FULL);
	ck_assert_int_eq(space_admit(space, UINT64_MAX, 0), ERR_FULL);
	use(ciphertext, "other", 2 * GIB - 128 * MIB - 4096);
	ck_assert_ok(space_admit(space, 4096, 1));
	ck_assert_int_eq(space_admit(space, 4097, 0), ERR_FULL);
	finish();
}
END_TEST

START_TEST(test_inodes)
{
	start(64 * GIB, 100000, false);
	/* The ballast is one. */
	ck_assert_ok(space_admit(space, 0, 100000 - 1024 - 1));
	ck_assert_int_eq(space_admit(space, 0, 100000 - 1024), ERR_FULL);
	ck_assert_int_eq(space_admit(space, 0, UINT64_MAX), ERR_FULL);
	finish();
	start(64 * GIB, 160, false);
	ck_assert_ok(space_admit(space, 0, 160 - 10 - 1));
	ck_assert_int_eq(space_admit(space, 0, 160 - 10), ERR_FULL);
	finish();
	/* A file system that does not count them. */
	start(64 * GIB, 0, false);
	ck_assert_ok(space_admit(space, 0, 1000));
	finish();
}
END_TEST

START_TEST(test_small)
{
	struct backing_space left;

	start(160 * MIB, 1000, false);
	ck_assert_uint_eq(size_of(ciphertext, SPACE_BALLAST), 10 * MIB);
	ck_assert_ok(space_admit(space, 140 * MIB, 0));
	ck_assert_int_eq(space_admit(space, 140 * MIB + 1, 0), ERR_FULL);
	ck_assert_ok(space_left(space, &left));
	ck_assert_uint_eq(left.free_bytes, 140 * MIB);
	ck_assert_uint_eq(left.total_bytes, 160 * MIB);
	finish();
}
END_TEST

/* The state directory alone is full. */
START_TEST(test_state)
{
	start(64 * GIB, 100000, false);
	ck_assert_ok(space_admit(space, GIB, 1));
	backing_sim_set_space(state, 128 * MIB, 1000);
	clock_sleep_ns(110 * NS_PER_MS);
	ck_assert_int_eq(space_admit(space, GIB, 1), ERR_FULL);
	finish();
}
END_TEST

START_TEST(test_release_and_remake)
{
	start(320 * MIB, 1000, false);
	ck_assert_uint_eq(size_of(ciphertext, SPACE_BALLAST), 20 * MIB);
	use(ciphertext, "other", 300 * MIB);
	ck_assert_int_eq(space_admit(space, 0, 0), ERR_FULL);
	ck_assert(space_release(space));
	ck_assert_uint_eq(size_of(ciphertext, SPACE_BALLAST), 0);
	ck_assert_uint_eq(size_of(state, SPACE_BALLAST), 0);
	ck_assert(!space_release(space));
	/* There are 20 MiB now: they are for the applier, not for new data. */
	ck_assert_int_eq(space_admit(space, 0, 0), ERR_FULL);
	space_remake(space);
	ck_assert_uint_eq(size_of(ciphertext, SPACE_BALLAST), 0);
	ck_assert_uint_gt(size_of(state, SPACE_BALLAST), 0);
	use(ciphertext, "other", 280 * MIB);
	ck_assert_ok(space_admit(space, 0, 0));
	ck_assert_int_eq(space_admit(space, 1, 0), ERR_FULL);
	space_remake(space);
	ck_assert_uint_eq(size_of(ciphertext, SPACE_BALLAST), 20 * MIB);
	clock_sleep_ns(2 * NS_PER_MS);
	ck_assert_ok(space_admit(space, 0, 0));
	finish();
}
END_TEST

START_TEST(test_read_only)
{
	start(2 * GIB, 1000, true);
	ck_assert_uint_eq(size_of(ciphertext, SPACE_BALLAST), 0);
	space_remake(space);
	ck_assert_uint_eq(size_of(ciphertext, SPACE_BALLAST), 0);
	ck_assert(!space_release(space));
	finish();
}
END_TEST

/* An old ballast is kept, one of another size (a grown file system) replaced. */
START_TEST(test_again)
{
	uint64_t calls;

	start(160 * MIB, 1000, false);
	space_free(space);
	calls = backing_fault_calls(faulty);
	ck_assert_ok(space_new(ciphertext, state, false, &space));
	ck_assert_uint_eq(backing_fault_calls(faulty), calls);
	space_free(space);
	use(ciphertext, SPACE_BALLAST, 1 * MIB);
	ck_assert_ok(space_new(ciphertext, state, false, &space));
	ck_assert_uint_eq(size_of(ciphertext, SPACE_BALLAST), 10 * MIB);
	finish();
}
END_TEST

/* Whatever fails while the ballast is made: half a file never counts as one. */
START_TEST(test_failures)
{
	start(160 * MIB, 1000, false);
	for (uint64_t call = 1; call < 14; call++) {
		ck_assert(space_release(space));
		backing_fault_arm(faulty, call, ERR_FULL, false);
		space_remake(space);
		backing_fault_arm(faulty, 0, ERR_OK, false);
		space_remake(space);
		ck_assert_uint_eq(size_of(ciphertext, SPACE_BALLAST), 10 * MIB);
		backing_fault_arm(faulty, call, ERR_IO, true);
		ck_assert(space_release(space));
		space_remake(space);
		backing_fault_arm(faulty, 0, ERR_OK, false);
		space_remake(space);
		ck_assert_uint_eq(size_of(ciphertext, SPACE_BALLAST), 10 * MIB);
		ck_assert_uint_eq(size_of(state, SPACE_BALLAST), 64 * MIB);
	}
	finish();
}
END_TEST

/* --- how often it looks -------------------------------------------------------------- */

static const struct backing_ops *inner_ops;
static unsigned int looks;

static enum err count_space(struct backing *b, struct backing_space *out)
{
	looks++;
	return inner_ops->space(b, out);
}

START_TEST(test_cache)
{
	struct backing_ops counting;
	int64_t begin;

	start(64 * GIB, 100000, false);
	inner_ops = ciphertext->ops;
	counting = *inner_ops;
	counting.space = count_space;
	ciphertext->ops = &counting;
	clock_sleep_ns(101 * NS_PER_MS);
	begin = clock_boot_ns();
	for (int i = 0; i < 1000; i++)
		ck_assert_ok(space_admit(space, 1, 1));
	ck_assert_uint_ge(looks, 1);
	ck_assert_int_le(looks, 1 + (clock_boot_ns() - begin) / (100 * NS_PER_MS));
	looks = 0;
	clock_sleep_ns(101 * NS_PER_MS);
	ck_assert_ok(space_admit(space, 1, 1));
	ck_assert_uint_eq(looks, 1);
	ciphertext->ops = inner_ops;
	finish();
}
END_TEST

/* On a real file system the ballast takes real room: blocks, not a hole. */
START_TEST(test_real)
{
	char *dir = temp_dir_new();
	struct backing *real = NULL;
	struct backing_space there;
	struct stat st;

	ck_assert_ok(backing_real_new(dir, &real));
	ck_assert_ok(backing_sim_new(&state));
	ck_assert_ok(real->ops->space(real, &there));
	ck_assert_ok(space_new(real, state, false, &space));
	if (there.free_bytes > 4 * (uint64_t)SPACE_MARGIN) {
		ck_assert_int_eq(stat(temp_path(dir, SPACE_BALLAST), &st), 0);
		ck_assert_int_gt(st.st_size, 0);
		ck_assert_int_ge(st.st_blocks * 512, st.st_size);
		ck_assert(space_release(space));
		ck_assert_int_ne(stat(temp_path(dir, SPACE_BALLAST), &st), 0);
	}
	space_free(space);
	backing_free(real);
	backing_free(state);
	temp_dir_free(dir);
}
END_TEST

UNIT_MAIN("space", test_margin, test_inodes, test_small, test_state, test_release_and_remake,
	  test_read_only, test_again, test_failures, test_cache, test_real)

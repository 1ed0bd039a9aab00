#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "daemon/invalidate.h"

#define NUMBERS_MAX (INVALIDATE_QUEUE_MAX + 1000)

struct fake {
	struct invalidate *invalidate;
	_Atomic uint64_t drops;
	_Atomic uint64_t last_number, last_offset, last_length;
	_Atomic bool is_hung;
	_Atomic unsigned int add_alls;
	_Atomic bool seen[NUMBERS_MAX];
	uint64_t all; /* add_all adds 0 ... all - 1 */
};

static void fake_drop(void *ctx, uint64_t number, uint64_t offset, uint64_t length)
{
	struct fake *fake = ctx;

	while (atomic_load(&fake->is_hung))
		clock_sleep_ns(NS_PER_MS);
	atomic_store(&fake->last_number, number);
	atomic_store(&fake->last_offset, offset);
	atomic_store(&fake->last_length, length);
	if (number < NUMBERS_MAX)
		atomic_store(&fake->seen[number], true);
	atomic_fetch_add(&fake->drops, 1);
}

static void fake_add_all(void *ctx)
{
	struct fake *fake = ctx;

	atomic_fetch_add(&fake->add_alls, 1);
	for (uint64_t i = 0; i < fake->all; i++)
		invalidate_add(fake->invalidate, i, 0, 0);
	fake->all = 0;
}

static int64_t in_ms(int64_t ms)
{
	return clock_boot_ns() + ms * NS_PER_MS;
}

static struct fake *start(void)
{
	struct fake *fake = calloc(1, sizeof(*fake));
	const struct invalidate_calls calls = {
		.ctx = fake, .drop = fake_drop, .add_all = fake_add_all};

	ck_assert_ok(invalidate_new(&calls, &fake->invalidate));
	return fake;
}

static void stop(struct fake *fake)
{
	invalidate_free(fake->invalidate);
	free(fake);
}

static void wait_for_drops(struct fake *fake, uint64_t count)
{
	int64_t end = in_ms(10000);

	while (atomic_load(&fake->drops) < count && clock_boot_ns() < end)
		clock_sleep_ns(NS_PER_MS);
	ck_assert_uint_ge(atomic_load(&fake->drops), count);
}

START_TEST(test_delayed)
{
	struct fake *fake = start();
	int64_t begin = clock_boot_ns();

	invalidate_add(fake->invalidate, 7, 4096, 8192);
	wait_for_drops(fake, 1);
	ck_assert_int_ge(clock_boot_ns() - begin, INVALIDATE_DELAY_MS * NS_PER_MS);
	ck_assert_uint_eq(atomic_load(&fake->last_number), 7);
	ck_assert_uint_eq(atomic_load(&fake->last_offset), 4096);
	ck_assert_uint_eq(atomic_load(&fake->last_length), 8192);
	stop(fake);
}
END_TEST

/* Ranges of one file join: a stream of fills costs few invalidations. */
START_TEST(test_joined)
{
	struct fake *fake = start();

	atomic_store(&fake->is_hung, true);
	invalidate_add(fake->invalidate, 1, 0, 1);
	while (invalidate_stuck_ns(fake->invalidate) == 0)
		clock_sleep_ns(NS_PER_MS);
	for (uint64_t i = 0; i < 100; i++)
		invalidate_add(fake->invalidate, 5, i * 4096, 4096);
	atomic_store(&fake->is_hung, false);
	wait_for_drops(fake, 2);
	ck_assert_uint_eq(atomic_load(&fake->last_offset), 0);
	ck_assert_uint_eq(atomic_load(&fake->last_length), 100 * 4096);
	clock_sleep_ns(20 * NS_PER_MS);
	ck_assert_uint_eq(atomic_load(&fake->drops), 2);
	stop(fake);
}
END_TEST

START_TEST(test_join_to_the_end_of_the_file)
{
	struct fake *fake = start();

	atomic_store(&fake->is_hung, true);
	invalidate_add(fake->invalidate, 1, 0, 1);
	while (invalidate_stuck_ns(fake->invalidate) == 0)
		clock_sleep_ns(NS_PER_MS);
	invalidate_add(fake->invalidate, 5, 8192, 0);
	invalidate_add(fake->invalidate, 5, 4096, 100);
	invalidate_add(fake->invalidate, 5, UINT64_MAX - 10, 100); /* an end beyond 64 bits */
	atomic_store(&fake->is_hung, false);
	wait_for_drops(fake, 2);
	ck_assert_uint_eq(atomic_load(&fake->last_offset), 4096);
	ck_assert_uint_eq(atomic_load(&fake->last_length), 0);
	stop(fake);
}
END_TEST

START_TEST(test_pass)
{
	struct fake *fake = start();

	fake->all = 1000;
	ck_assert_ok(invalidate_pass(fake->invalidate, in_ms(10000)));
	for (uint64_t i = 0; i < 1000; i++)
		ck_assert(atomic_load(&fake->seen[i]));
	stop(fake);
}
END_TEST

/* A drop that hangs: the pass gives up at its deadline and the watchdog can see it. */
START_TEST(test_hung)
{
	struct fake *fake = start();

	ck_assert_int_eq(invalidate_stuck_ns(fake->invalidate), 0);
	atomic_store(&fake->is_hung, true);
	fake->all = 1;
	ck_assert_int_eq(invalidate_pass(fake->invalidate, in_ms(50)), ERR_AGAIN);
	ck_assert_int_gt(invalidate_stuck_ns(fake->invalidate), 10 * NS_PER_MS);
	atomic_store(&fake->is_hung, false);
	ck_assert_ok(invalidate_pass(fake->invalidate, in_ms(10000)));
	stop(fake);
}
END_TEST

/* More ranges than the queue holds: nothing is forgotten. */
START_TEST(test_overflow)
{
	struct fake *fake = start();

	atomic_store(&fake->is_hung, true);
	invalidate_add(fake->invalidate, 0, 0, 1);
	while (invalidate_stuck_ns(fake->invalidate) == 0)
		clock_sleep_ns(NS_PER_MS);
	fake->all = NUMBERS_MAX;
	for (uint64_t i = 0; i < NUMBERS_MAX; i++)
		invalidate_add(fake->invalidate, i, 0, 4096);
	atomic_store(&fake->is_hung, false);
	for (int64_t end = in_ms(20000); clock_boot_ns() < end;) {
		if (atomic_load(&fake->seen[NUMBERS_MAX - 1]))
			break;
		clock_sleep_ns(NS_PER_MS);
	}
	ck_assert_uint_ge(atomic_load(&fake->add_alls), 1);
	ck_assert_ok(invalidate_pass(fake->invalidate, in_ms(10000)));
	for (uint64_t i = 0; i < INVALIDATE_QUEUE_MAX; i++)
		ck_assert(atomic_load(&fake->seen[i]));
	stop(fake);
}
END_TEST

UNIT_MAIN("daemon_invalidate", test_delayed, test_joined, test_join_to_the_end_of_the_file,
	  test_pass, test_hung, test_overflow)

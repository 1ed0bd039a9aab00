/* What runs on time: idle clock, watchdog, the pauses after wrong passphrases. */
#include <stdatomic.h>

#include "base/clock.h"
#include "daemon/idle.h"
#include "daemon/tries.h"
#include "daemon/watchdog.h"
#include "unit.h"

#define LIMIT_MS 5000

static void wait_until_at_least(atomic_int *value, int wanted)
{
	for (int i = 0; i < LIMIT_MS && atomic_load(value) < wanted; i++)
		clock_sleep_ns(NS_PER_MS);
	ck_assert_int_ge(atomic_load(value), wanted);
}

/* --- idle ----------------------------------------------------------------------------- */

struct fake_volume {
	_Atomic int64_t due_at_ns; /* INT64_MAX: not at all */
	atomic_int asked, locked;
	_Atomic int64_t locked_at_ns;
};

static int64_t left_ms(void *ctx)
{
	struct fake_volume *volume = ctx;
	int64_t due = atomic_load(&volume->due_at_ns), left;

	atomic_fetch_add(&volume->asked, 1);
	if (due == INT64_MAX)
		return INT64_MAX;
	left = (due - clock_boot_ns() + NS_PER_MS - 1) / NS_PER_MS;
	return left > 0 ? left : 0;
}

static void lock_it(void *ctx)
{
	struct fake_volume *volume = ctx;

	atomic_store(&volume->locked_at_ns, clock_boot_ns());
	atomic_store(&volume->due_at_ns, INT64_MAX);
	atomic_fetch_add(&volume->locked, 1);
}

static struct idle *start_idle(struct fake_volume *volume)
{
	const struct idle_calls calls = {.ctx = volume, .left_ms = left_ms, .due = lock_it};
	struct idle *idle;

	ck_assert_ok(idle_new(&calls, &idle));
	return idle;
}

START_TEST(test_idle_locks_in_time)
{
	struct fake_volume volume = {.due_at_ns = clock_boot_ns() + 60 * NS_PER_MS};
	int64_t due = volume.due_at_ns;
	struct idle *idle = start_idle(&volume);

	wait_until_at_least(&volume.locked, 1);
	ck_assert_int_ge(atomic_load(&volume.locked_at_ns), due);
	idle_free(idle);
	ck_assert_int_eq(atomic_load(&volume.locked), 1);
}
END_TEST

/* Activity moves the end while the thread sleeps. */
START_TEST(test_idle_asks_again)
{
	struct fake_volume volume = {.due_at_ns = clock_boot_ns() + 50 * NS_PER_MS};
	struct idle *idle = start_idle(&volume);
	int64_t later = clock_boot_ns() + 150 * NS_PER_MS;

	atomic_store(&volume.due_at_ns, later);
	wait_until_at_least(&volume.locked, 1);
	ck_assert_int_ge(atomic_load(&volume.locked_at_ns), later);
	idle_free(idle);
}
END_TEST

START_TEST(test_idle_never)
{
	struct fake_volume volume = {.due_at_ns = INT64_MAX};
	struct idle *idle = start_idle(&volume);
	int asked;

	wait_until_at_least(&volume.asked, 1);
	asked = atomic_load(&volume.asked);
	/* It looks again, and still does nothing. */
	wait_until_at_least(&volume.asked, asked + 1);
	idle_free(idle);
	ck_assert_int_eq(atomic_load(&volume.locked), 0);
}
END_TEST

/* --- watchdog -------------------------------------------------------------------------- */

struct fake_kernel {
	_Atomic int64_t stuck_ns;
	atomic_int aborted, alive, looked;
};

static int64_t stuck_ns(void *ctx)
{
	struct fake_kernel *kernel = ctx;

	atomic_fetch_add(&kernel->looked, 1);
	return atomic_load(&kernel->stuck_ns);
}

static void abort_it(void *ctx)
{
	struct fake_kernel *kernel = ctx;

	atomic_fetch_add(&kernel->aborted, 1);
}

static void tell_alive(void *ctx)
{
	struct fake_kernel *kernel = ctx;

	atomic_fetch_add(&kernel->alive, 1);
}

static struct watchdog *start_watchdog(struct fake_kernel *kernel)
{
	const struct watchdog_calls calls = {
		.ctx = kernel,
		.stuck_ns = stuck_ns,
		.abort = abort_it,
		.alive = tell_alive,
		.alive_ns = 20 * NS_PER_MS,
		.stuck_ms = 1000,
	};
	struct watchdog *watchdog;

	ck_assert_ok(watchdog_new(&calls, &watchdog));
	return watchdog;
}

START_TEST(test_watchdog_tells_that_all_is_well)
{
	struct fake_kernel kernel = {.stuck_ns = 999 * NS_PER_MS};
	struct watchdog *watchdog = start_watchdog(&kernel);

	wait_until_at_least(&kernel.alive, 3);
	watchdog_free(watchdog);
	ck_assert_int_eq(atomic_load(&kernel.aborted), 0);
}
END_TEST

START_TEST(test_watchdog_aborts_once)
{
	struct fake_kernel kernel = {.stuck_ns = 1001 * NS_PER_MS};
	struct watchdog *watchdog = start_watchdog(&kernel);

	wait_until_at_least(&kernel.looked, 5);
	ck_assert_int_eq(atomic_load(&kernel.aborted), 1);
	ck_assert_int_eq(atomic_load(&kernel.alive), 0);
	/* Free again: alive again, and a second time is a second abort. */
	atomic_store(&kernel.stuck_ns, 0);
	wait_until_at_least(&kernel.alive, 1);
	atomic_store(&kernel.stuck_ns, 2000 * NS_PER_MS);
	wait_until_at_least(&kernel.aborted, 2);
	watchdog_free(watchdog);
}
END_TEST

/* --- wrong passphrases ------------------------------------------------------------------- */

#define SECOND NS_PER_SECOND

START_TEST(test_tries_slow_down)
{
	struct tries tries = {0};
	int64_t now = 1000 * SECOND, wait_ms, pause = TRIES_PAUSE_MS;

	for (unsigned int i = 0; i < TRIES_FREE; i++)
		ck_assert_ok(tries_begin(&tries, 7, 0, now, &wait_ms));
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(tries_begin(&tries, 7, 0, now, &wait_ms), ERR_AGAIN);
		ck_assert_int_eq(wait_ms, pause);
		/* Asking too early does not make it longer. */
		ck_assert_int_eq(tries_begin(&tries, 7, 0, now + 1, &wait_ms), ERR_AGAIN);
		now += pause * NS_PER_MS;
		ck_assert_ok(tries_begin(&tries, 7, 0, now, &wait_ms));
		pause = 2 * pause < TRIES_PAUSE_MAX_MS ? 2 * pause : TRIES_PAUSE_MAX_MS;
	}
	ck_assert_int_eq(pause, TRIES_PAUSE_MAX_MS);
}
END_TEST

START_TEST(test_tries_are_each_callers_own)
{
	struct tries tries = {0};
	int64_t now = 1000 * SECOND, wait_ms;

	for (unsigned int i = 0; i < TRIES_FREE; i++)
		ck_assert_ok(tries_begin(&tries, 7, 0, now, &wait_ms));
	ck_assert_int_eq(tries_begin(&tries, 7, 0, now, &wait_ms), ERR_AGAIN);
	ck_assert_ok(tries_begin(&tries, 8, 0, now, &wait_ms));
	ck_assert_ok(tries_begin(&tries, 7, 1, now, &wait_ms));
	/* User 0 and slot 0 are like others. */
	for (unsigned int i = 0; i < TRIES_FREE; i++)
		ck_assert_ok(tries_begin(&tries, 0, 0, now, &wait_ms));
	ck_assert_int_eq(tries_begin(&tries, 0, 0, now, &wait_ms), ERR_AGAIN);
	tries_forget(&tries, 7, 0);
	ck_assert_ok(tries_begin(&tries, 7, 0, now, &wait_ms));
	ck_assert_int_eq(tries_begin(&tries, 0, 0, now, &wait_ms), ERR_AGAIN);
}
END_TEST

/* More callers than places: the one that is longest quiet is forgotten, nobody is refused for it. */
START_TEST(test_tries_forget_the_oldest)
{
	struct tries tries = {0};
	int64_t now = 1000 * SECOND, wait_ms;

	for (uid_t uid = 1; uid <= 3 * TRIES_MAX; uid++, now += SECOND)
		ck_assert_ok(tries_begin(&tries, uid, 0, now, &wait_ms));
	for (unsigned int i = 1; i < TRIES_FREE; i++)
		ck_assert_ok(tries_begin(&tries, 3 * TRIES_MAX, 0, now, &wait_ms));
	ck_assert_int_eq(tries_begin(&tries, 3 * TRIES_MAX, 0, now, &wait_ms), ERR_AGAIN);
}
END_TEST

UNIT_MAIN("daemon/clocks", test_idle_locks_in_time, test_idle_asks_again, test_idle_never,
	  test_watchdog_tells_that_all_is_well,
	  test_watchdog_aborts_once, test_tries_slow_down, test_tries_are_each_callers_own,
	  test_tries_forget_the_oldest)

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/periodic.h"
#include "unit.h"

#define LIMIT_MS 5000

struct counter {
	atomic_int calls, is_inside;
	_Atomic int64_t pause_ns, takes_ns;
	_Atomic int64_t last_ns, shortest_ns; /* of the time between two calls */
};

static int64_t count(void *ctx)
{
	struct counter *counter = ctx;
	int64_t now = clock_boot_ns(), last = atomic_exchange(&counter->last_ns, now);

	if (last != 0 && now - last < atomic_load(&counter->shortest_ns))
		atomic_store(&counter->shortest_ns, now - last);
	atomic_store(&counter->is_inside, 1);
	atomic_fetch_add(&counter->calls, 1);
	if (atomic_load(&counter->takes_ns) > 0)
		clock_sleep_ns(atomic_load(&counter->takes_ns));
	atomic_store(&counter->is_inside, 0);
	return atomic_load(&counter->pause_ns);
}

static void wait_for_calls(struct counter *counter, int wanted)
{
	for (int i = 0; i < LIMIT_MS && atomic_load(&counter->calls) < wanted; i++)
		clock_sleep_ns(NS_PER_MS);
	ck_assert_int_ge(atomic_load(&counter->calls), wanted);
}

START_TEST(it_comes_again_and_not_too_early)
{
	struct counter counter = {.pause_ns = 20 * NS_PER_MS, .shortest_ns = INT64_MAX};
	struct periodic *periodic;

	ck_assert_ok(periodic_new(count, &counter, &periodic));
	wait_for_calls(&counter, 4);
	periodic_free(periodic);
	ck_assert_int_ge(atomic_load(&counter.shortest_ns), 20 * NS_PER_MS);
}
END_TEST

START_TEST(the_end_cuts_a_long_pause_short)
{
	struct counter counter = {.pause_ns = 3600 * NS_PER_SECOND, .shortest_ns = INT64_MAX};
	struct periodic *periodic;

	ck_assert_ok(periodic_new(count, &counter, &periodic));
	wait_for_calls(&counter, 1);
	periodic_free(periodic);
	ck_assert_int_eq(atomic_load(&counter.calls), 1);
}
END_TEST

START_TEST(the_end_waits_for_a_call)
{
	struct counter counter = {
		.pause_ns = 1, .takes_ns = 50 * NS_PER_MS, .shortest_ns = INT64_MAX};
	struct periodic *periodic;

	ck_assert_ok(periodic_new(count, &counter, &periodic));
	wait_for_calls(&counter, 1);
	periodic_free(periodic);
	ck_assert_int_eq(atomic_load(&counter.is_inside), 0);
}
END_TEST

START_TEST(none_is_harmless)
{
	periodic_free(NULL);
}
END_TEST

UNIT_MAIN("periodic", it_comes_again_and_not_too_early, the_end_cuts_a_long_pause_short,
	  the_end_waits_for_a_call, none_is_harmless)

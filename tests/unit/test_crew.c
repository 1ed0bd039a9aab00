#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/crew.h"
#include "unit.h"

#define PIECES	 40u
#define CALLERS	 4u
#define LIMIT_MS 5000

/* --- what the pieces do ----------------------------------------------------------------- */

struct work {
	atomic_uint calls[PIECES];
	atomic_uint inside, most_inside;
	atomic_uint meet; /* so many must be inside before anybody returns; 0: nobody waits */
	pthread_t caller;
	atomic_bool was_helped;
};

static void note_inside(struct work *work)
{
	unsigned int inside = atomic_fetch_add(&work->inside, 1) + 1;
	unsigned int most = atomic_load(&work->most_inside);

	while (inside > most && !atomic_compare_exchange_weak(&work->most_inside, &most, inside))
		;
}

static void do_piece(void *ctx, unsigned int piece)
{
	struct work *work = ctx;

	note_inside(work);
	atomic_fetch_add(&work->calls[piece], 1);
	if (!pthread_equal(pthread_self(), work->caller))
		atomic_store(&work->was_helped, true);
	for (int i = 0; i < LIMIT_MS && atomic_load(&work->most_inside) < atomic_load(&work->meet);
	     i++)
		clock_sleep_ns(NS_PER_MS);
	atomic_fetch_sub(&work->inside, 1);
}

static void expect_each_once(const struct work *work, unsigned int pieces)
{
	for (unsigned int i = 0; i < PIECES; i++)
		ck_assert_uint_eq(atomic_load(&work->calls[i]), i < pieces);
	ck_assert_uint_eq(atomic_load(&work->inside), 0);
}

static void *run_all(void *arg)
{
	struct crew *crew = arg;

	for (int i = 0; i < 200; i++) {
		struct work work = {.caller = pthread_self()};

		crew_run(crew, 1 + (unsigned int)i % PIECES, do_piece, &work);
		expect_each_once(&work, 1 + (unsigned int)i % PIECES);
	}
	return NULL;
}

/* --- cases -------------------------------------------------------------------------------- */

START_TEST(helpers_work_beside_the_caller)
{
	struct work work = {.caller = pthread_self(), .meet = 3};
	struct crew *crew;

	ck_assert_ok(crew_new(2, &crew));
	crew_run(crew, PIECES, do_piece, &work);
	expect_each_once(&work, PIECES);
	ck_assert_uint_eq(atomic_load(&work.most_inside), 3);
	ck_assert(atomic_load(&work.was_helped));
	crew_free(crew);
}
END_TEST

START_TEST(without_helpers_the_caller_does_it)
{
	struct work work = {.caller = pthread_self()};
	struct crew *crew;

	ck_assert_ok(crew_new(0, &crew));
	crew_run(crew, PIECES, do_piece, &work);
	expect_each_once(&work, PIECES);
	ck_assert(!atomic_load(&work.was_helped));
	crew_free(crew);
}
END_TEST

START_TEST(one_piece_wakes_nobody)
{
	struct work work = {.caller = pthread_self()};
	struct crew *crew;

	ck_assert_ok(crew_new(2, &crew));
	crew_run(crew, 1, do_piece, &work);
	crew_run(crew, 0, do_piece, &work);
	expect_each_once(&work, 1);
	ck_assert(!atomic_load(&work.was_helped));
	crew_free(crew);
}
END_TEST

static void *hold_helpers(void *arg)
{
	struct crew *crew = arg;
	struct work work = {.caller = pthread_self(), .meet = PIECES + 1};

	/* They wait for what never comes, until LIMIT_MS. */
	crew_run(crew, 2, do_piece, &work);
	return NULL;
}

START_TEST(nobody_waits_for_busy_helpers)
{
	struct work work = {.caller = pthread_self()};
	struct crew *crew;
	pthread_t holder;
	int64_t begin;

	ck_assert_ok(crew_new(1, &crew));
	ck_assert_int_eq(pthread_create(&holder, NULL, hold_helpers, crew), 0);
	clock_sleep_ns(50 * NS_PER_MS);
	begin = clock_boot_ns();
	crew_run(crew, PIECES, do_piece, &work);
	expect_each_once(&work, PIECES);
	ck_assert_int_lt(clock_boot_ns() - begin, LIMIT_MS / 2 * NS_PER_MS);
	pthread_join(holder, NULL);
	crew_free(crew);
}
END_TEST

START_TEST(many_callers)
{
	pthread_t threads[CALLERS];
	struct crew *crew;

	ck_assert_ok(crew_new(CREW_HELPERS_MAX + 5, &crew));
	for (unsigned int i = 0; i < CALLERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, run_all, crew), 0);
	for (unsigned int i = 0; i < CALLERS; i++)
		pthread_join(threads[i], NULL);
	crew_free(crew);
	crew_free(NULL);
}
END_TEST

UNIT_MAIN("crew", helpers_work_beside_the_caller, without_helpers_the_caller_does_it,
	  one_piece_wakes_nobody, nobody_waits_for_busy_helpers, many_callers)

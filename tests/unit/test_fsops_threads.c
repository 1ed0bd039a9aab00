/*
 * Many requests at once, while the policy is reloaded, the ticker ticks and
 * phifsctl looks: nothing is lost, counted twice, or left in flight.  For the
 * thread sanitizer above all.
 */
#include <errno.h>
#include <fcntl.h>

#include "fsops_fixture.h"

#define THREADS 6
#define ROUNDS  60
#define READS   8
#define RELOADS 40
#define USER    1001

static const char wide[] = "[class all]\npath = /\n[role one]\nmembers = uid:1001\n"
			   "allow = edit on all\n";
static const char other[] = "[class all]\npath = /\n[class wards]\npath = /wards\n"
			    "[role two]\nmembers = uid:1001\nallow = edit on all, wards\n";

static struct world world;
static struct events events;

struct worker {
	pthread_t thread;
	uint64_t shared;       /* a file that all of them have open */
	unsigned int id, reads;
};

/*
 * The assertions of Check are not for threads: the count of successes is what
 * the test looks at.
 */
static void one_round(struct worker *worker, unsigned int round)
{
	char name[32], moved[32];
	uint64_t file = 0, handle;
	int error;

	snprintf(name, sizeof(name), "f%u-%u", worker->id, round);
	snprintf(moved, sizeof(moved), "m%u-%u", worker->id, round);
	handle = world_create(&world, asker(USER), STORE_ROOT, name, O_RDWR, &file);
	if (handle == 0)
		return;
	if (world_write(&world, asker(USER), OP_WRITE, file, handle, 0, 100) == 100)
		for (int i = 0; i < READS; i++)
			worker->reads += world_read(&world, asker(USER), file, handle, 0, 100,
						    i == 0) == 100;
	world_release(&world, file, handle);
	handle = world_open(&world, asker(USER), worker->shared, O_RDWR, &error);
	if (handle != 0) {
		(void)world_write(&world, asker(USER), OP_WRITEBACK, worker->shared, handle, 0, 10);
		world_release(&world, worker->shared, handle);
	}
	(void)world_open(&world, asker(1002), file, O_RDONLY, &error);
	(void)world_rename(&world, USER, STORE_ROOT, name, STORE_ROOT, moved);
	(void)world_unlink(&world, USER, STORE_ROOT, moved);
}

static void *work(void *ctx)
{
	struct worker *worker = ctx;

	for (unsigned int round = 0; round < ROUNDS; round++)
		one_round(worker, round);
	return NULL;
}

static void count_holder(void *ctx, const struct fsops_holder *holder)
{
	(void)holder;
	++*(unsigned int *)ctx;
}

static void count_refusal(void *ctx, const struct fsops_refusal *refusal)
{
	(void)refusal;
	++*(unsigned int *)ctx;
}

static void count_number(void *ctx, uint64_t number)
{
	(void)number;
	++*(unsigned int *)ctx;
}

static void disturb(void)
{
	unsigned int seen = 0;

	for (int i = 0; i < RELOADS; i++) {
		ck_assert_ok(fsops_set_policy(world.fsops, world_policy(i % 2 == 0 ? other : wide)));
		ticker_work(world.fsops, true);
		fsops_holders(world.fsops, count_holder, &seen);
		fsops_refusals(world.fsops, (uid_t)-1, count_refusal, &seen);
		fsops_each_filled(world.fsops, count_number, &seen);
		fsops_wipe(world.fsops);
	}
}

START_TEST(test_everything_at_once)
{
	struct worker workers[THREADS] = {0};
	uint64_t shared = 0, handle;
	size_t reads = 0, denied = 0;

	world_new(&world, wide);
	world.config.filled = NULL;
	world.fsops->config.filled = NULL; /* its counter is not for threads */
	handle = world_create(&world, asker(USER), STORE_ROOT, "shared", O_RDWR, &shared);
	ck_assert_uint_ne(handle, 0);
	for (unsigned int i = 0; i < THREADS; i++) {
		workers[i].id = i;
		workers[i].shared = shared;
		ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	disturb();
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		ck_assert_uint_eq(workers[i].reads, ROUNDS * READS);
		reads += workers[i].reads;
	}
	world_release(&world, shared, handle);
	ck_assert_uint_eq(handle_table_count(world.fsops->handles), 0);
	world_events(&world, &events);
	ck_assert_uint_eq(events_of(&events, AUDIT_READ), reads);
	ck_assert_uint_eq(events_of(&events, AUDIT_WRITE), 2 * THREADS * ROUNDS);
	ck_assert_uint_eq(events_of(&events, AUDIT_OPEN), 2 * THREADS * ROUNDS + 1);
	ck_assert_uint_eq(events_of(&events, AUDIT_CLOSE), 2 * THREADS * ROUNDS + 1);
	ck_assert_uint_eq(events_of(&events, AUDIT_DELETE), THREADS * ROUNDS);
	ck_assert_uint_eq(events_of(&events, AUDIT_IDENTITY), 0);
	for (size_t i = 0; i < events.count; i++)
		if (events.list[i].type == AUDIT_DENY)
			denied += events.list[i].count == 0 ? 1 : events.list[i].count;
	ck_assert_uint_eq(denied, THREADS * ROUNDS);
	world_free(&world);
}
END_TEST

UNIT_MAIN("fsops threads", test_everything_at_once)

#include "crash_faults.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "crash_model.h"
#include "crash_work.h"
#include "world.h"

#define STEPS	      25
#define FULL_MS	      60 /* how long there is no room */
#define GOES_ON_TRIES 500 /* of 10 ms */
#define ROOM	      (1ull << 40)
#define INODES	      (1ull << 30)

struct run {
	const struct fault_case *fault;
	struct fault_result *result;
	struct world world;
	struct world_settings settings;
	struct model *model;
	struct workload work;
	struct backing *struck_disk; /* the one that may fail */
	struct model_bounds live;    /* what the store has in memory, if it has not gone wrong */
	size_t on;                   /* the node that shows that it goes on */
	pthread_t room_maker;
	atomic_bool is_full, is_over;
};

static void wrong(struct run *run, const char *what)
{
	if (run->result->why[0] == '\0')
		snprintf(run->result->why, sizeof(run->result->why), "%s", what);
}

static void alarmed(void *ctx, uint64_t number, enum err what, uint64_t block)
{
	struct run *run = ctx;
	char text[200];

	if (what == ERR_IO)
		return;
	snprintf(text, sizeof(text), "false alarm: object %llu, block %llu: %s",
		 (unsigned long long)number, (unsigned long long)block, err_text(what));
	wrong(run, text);
}

/* --- the fault ---------------------------------------------------------------------------- */

static struct backing *simulated(struct run *run, struct world *world)
{
	return run->fault->is_state ? world->state : world->ciphertext;
}

/* From here on not a byte more fits. */
static void fill_disk(void *ctx)
{
	struct run *run = ctx;
	struct backing *disk = simulated(run, &run->world);
	struct backing_space space;

	if (disk->ops->space(disk, &space) != ERR_OK)
		return;
	backing_sim_set_space(disk, space.total_bytes - space.free_bytes,
			      space.total_inodes - space.free_inodes);
	atomic_store(&run->is_full, true);
	run->result->has_struck = true;
}

static void *make_room(void *ctx)
{
	struct run *run = ctx;

	while (!atomic_load(&run->is_full) && !atomic_load(&run->is_over))
		usleep(500);
	usleep(FULL_MS * 1000);
	backing_sim_set_space(simulated(run, &run->world), ROOM, INODES);
	return NULL;
}

static void arm(struct run *run)
{
	bool is_io = run->fault->kind == FAULT_IO_ONCE || run->fault->kind == FAULT_IO_FOREVER;

	if (run->fault->kind == FAULT_NONE)
		return;
	if (run->fault->kind == FAULT_FULL_DISK) {
		world_arm(&run->world, run->fault->call, fill_disk, run);
		pthread_create(&run->room_maker, NULL, make_room, run);
		return;
	}
	backing_fault_arm(run->struck_disk, run->fault->call, is_io ? ERR_IO : ERR_FULL,
			  run->fault->kind == FAULT_IO_FOREVER);
}

static void disarm(struct run *run)
{
	if (run->fault->kind == FAULT_FULL_DISK) {
		atomic_store(&run->is_over, true);
		pthread_join(run->room_maker, NULL);
		world_arm(&run->world, 0, NULL, NULL);
	}
	/* A disk that is broken stays so; what has not happened does not happen later. */
	if (run->fault->kind != FAULT_IO_FOREVER || backing_fault_struck(run->struck_disk) == NULL)
		backing_fault_arm(run->struck_disk, 0, ERR_OK, false);
	if (backing_fault_struck(run->struck_disk) != NULL)
		run->result->has_struck = true;
}

/*
 * Nothing is lost where only room was missing, so nothing need be frozen; but a
 * sync that fails has lost data, whatever it calls the reason.
 */
static bool may_freeze(struct run *run)
{
	const char *struck = backing_fault_struck(run->struck_disk);

	if (run->fault->kind == FAULT_FULL_DISK || struck == NULL)
		return false;
	return run->fault->kind != FAULT_FULL_ONCE || strstr(struck, "sync") != NULL;
}

/* --- worlds ------------------------------------------------------------------------------------ */

static void must(enum err err)
{
	if (err != ERR_OK)
		abort();
}

static void watch(struct run *run, struct world *world)
{
	must(backing_fault_new(world->ciphertext, &world->disk_watch));
	must(backing_fault_new(world->state, &world->state_watch));
	run->struck_disk = run->fault->is_state ? world->state_watch : world->disk_watch;
}

static void bounds_now(struct run *run, struct model_bounds *bounds)
{
	model_bounds_begin(run->model, bounds);
	model_bounds_end(run->model, bounds);
}

/* What a power cut leaves, opened where nothing fails. */
static void check_image(struct run *run, uint64_t choice, const char *when)
{
	struct store_recovery recovery;
	struct model_bounds bounds;
	struct world image;
	char why[300], text[400];
	enum err err;

	model_bounds_begin(run->model, &bounds);
	world_image_now(&run->world, choice, choice, &image);
	model_bounds_end(run->model, &bounds);
	err = world_open(&image, &run->settings, &recovery);
	if (err != ERR_OK)
		snprintf(why, sizeof(why), "recovery: %s", err_text(err));
	else if (recovery.damaged > 0)
		snprintf(why, sizeof(why), "%llu objects damaged",
			 (unsigned long long)recovery.damaged);
	else
		why[0] = '\0';
	if (why[0] != '\0' ||
	    !model_check(run->model, &bounds, image.store, why, sizeof(why))) {
		snprintf(text, sizeof(text), "%s: %s", when, why);
		wrong(run, text);
	}
	atomic_fetch_add(&run->result->states, 1);
	world_free(&image);
}

/* --- the workload --------------------------------------------------------------------------------- */

static bool has_failed(struct run *run)
{
	bool has;

	pthread_mutex_lock(&run->work.mutex);
	has = run->work.why[0] != '\0';
	pthread_mutex_unlock(&run->work.mutex);
	return has;
}

/* Until something is refused.  What the store has then is all but the last step, or all. */
static void work(struct run *run)
{
	struct model_ticket before = model_request(run->model, 0);

	for (run->work.op = 0; run->work.op < STEPS && !has_failed(run); run->work.op++) {
		before = model_request(run->model, 0);
		workload_step(&run->work);
		if (run->fault->is_verbose)
			fprintf(stderr, "step %zu: %s\n", run->work.op, run->work.why);
	}
	workload_wait(&run->work);
	if (!has_failed(run))
		before = model_request(run->model, 0);
	bounds_now(run, &run->live);
	run->live.names_acknowledged = before.clock;
	for (size_t i = 0; i < MODEL_NODES_MAX; i++)
		run->live.acknowledged[i] = before.clock;
}

static bool is_frozen(struct run *run)
{
	struct store_status status;

	store_status(run->world.store, &status);
	return status.is_frozen;
}

/* A frozen volume refuses what changes something; whoever waits is told. */
static void check_frozen(struct run *run)
{
	struct store_attr attr;
	enum err err = store_create_node(run->world.store, STORE_ROOT, "late", S_IFREG | 0600, 0, 0, 0,
					 &attr);

	if (err != ERR_FROZEN)
		wrong(run, "a frozen volume lets something be created");
	run->work.why[0] = '\0';
	store_sync(run->world.store, workload_answered, workload_request(&run->work, 0, false));
	workload_wait(&run->work);
	if (run->work.why[0] == '\0')
		wrong(run, "a frozen volume says that it is synced");
}

/* Whether that was answered well; tried until it is, or nothing can help any more. */
static bool try_until(struct run *run, bool (*attempt)(struct run *run))
{
	for (int i = 0; i < GOES_ON_TRIES && !is_frozen(run); i++) {
		run->work.why[0] = '\0';
		if (attempt(run))
			return true;
		usleep(10000);
	}
	return false;
}

static bool attempt_sync(struct run *run)
{
	store_sync(run->world.store, workload_answered, workload_request(&run->work, 0, false));
	workload_wait(&run->work);
	return run->work.why[0] == '\0';
}

static bool attempt_create(struct run *run)
{
	struct store_attr attr;

	if (store_create_node(run->world.store, STORE_ROOT, "on", S_IFREG | 0600, 0, 0, 0, &attr) !=
	    ERR_OK)
		return false;
	run->on = model_create(run->model, 0, "on", MODEL_FILE);
	model_set_number(run->model, run->on, attr.number);
	return true;
}

static bool attempt_write(struct run *run)
{
	uint8_t data[6000];

	memset(data, 'g', sizeof(data));
	model_write(run->model, run->on, 0, data, sizeof(data));
	store_write(run->world.store, model_number(run->model, run->on), 0, data, sizeof(data), true,
		    workload_answered, workload_request(&run->work, run->on, true));
	workload_wait(&run->work);
	return run->work.why[0] == '\0';
}

/* There is room again, or never was too little: the volume is as before. */
static void check_goes_on(struct run *run)
{
	bool is_right = try_until(run, attempt_sync);

	/* What was refused is in the old model, what was not is durable now. */
	if (is_right) {
		model_free(run->model);
		run->model = model_new();
		run->work.model = run->model;
		must(model_from_store(run->model, run->world.store));
		is_right = try_until(run, attempt_create) && try_until(run, attempt_write);
	}
	if (!is_right)
		wrong(run, is_frozen(run) ? "frozen late" : "refuses to go on although there is room");
}

static void check_live(struct run *run)
{
	char why[300], text[400];

	if (!model_check(run->model, &run->live, run->world.store, why, sizeof(why))) {
		snprintf(text, sizeof(text), "not readable as before: %s", why);
		wrong(run, text);
	}
	atomic_fetch_add(&run->result->states, 1);
}

static void check_after(struct run *run)
{
	check_live(run);
	if (run->result->has_struck && is_frozen(run)) {
		check_frozen(run);
		if (!may_freeze(run))
			wrong(run, "frozen where only room was missing");
	}
	check_image(run, 0, "after a power cut, nothing unflushed left");
	if (!is_frozen(run) && run->fault->kind != FAULT_IO_FOREVER)
		check_goes_on(run);
	check_image(run, 1, "after a kill");
	check_image(run, workload_draw(&run->work), "after a power cut");
}

/* --- a recovery ------------------------------------------------------------------------------------ */

/* The workload again from its image: opened with the fault, then without. */
static void recover(struct run *run)
{
	struct store_recovery recovery;
	struct world image;
	enum err err;

	world_image_now(&run->world, 1, 1, &image);
	world_free(&run->world);
	run->world = image;
	watch(run, &run->world);
	arm(run);
	err = world_open(&run->world, &run->settings, &recovery);
	if (run->fault->kind != FAULT_NONE)
		disarm(run);
	if (err != ERR_OK && !run->result->has_struck)
		wrong(run, "recovery fails without a reason");
	if (err == ERR_OK && recovery.damaged > 0)
		wrong(run, "a recovery whose disk fails finds damage");
	bounds_now(run, &run->live);
	if (err == ERR_OK)
		check_live(run);
	run->result->calls[0][1] = backing_fault_calls(run->world.disk_watch);
	run->result->calls[1][1] = backing_fault_calls(run->world.state_watch);
	check_image(run, 0, "after a power cut in the recovery, nothing unflushed left");
	check_image(run, 1, "after a kill in the recovery");
}

void fault_case_run(const struct fault_case *fault, struct fault_result *result)
{
	struct run *run = calloc(1, sizeof(*run));
	struct store_recovery recovery;
	uint64_t before[2];

	if (run == NULL)
		abort();
	run->fault = fault;
	run->result = result;
	run->model = model_new();
	workload_init(&run->work, run->model, fault->seed);
	run->settings.commit_interval_ms = (uint32_t)(1 + workload_below(&run->work, 20));
	run->settings.dirty_max = (1u << 20) << workload_below(&run->work, 6);
	run->settings.stream_threshold = (16u << 10) << workload_below(&run->work, 5);
	run->settings.hooks = (struct store_hooks){.ctx = run, .integrity = alarmed};
	world_new(&run->world);
	watch(run, &run->world);
	must(world_open(&run->world, &run->settings, &recovery));
	run->work.store = run->world.store;
	before[0] = backing_fault_calls(run->world.disk_watch);
	before[1] = backing_fault_calls(run->world.state_watch);
	if (!fault->is_recovering)
		arm(run);
	work(run);
	result->calls[0][0] = backing_fault_calls(run->world.disk_watch) - before[0];
	result->calls[1][0] = backing_fault_calls(run->world.state_watch) - before[1];
	if (!fault->is_recovering) {
		disarm(run);
		check_after(run);
	}
	if (fault->is_recovering || fault->kind == FAULT_NONE)
		recover(run);
	world_free(&run->world);
}

#include "crash_life.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "crash_log.h"
#include "crash_process.h"
#include "crash_work.h"
#include "crypto/crypto.h"
#include "temp_dir.h"

#define LIFE_SECONDS 60
#define FROZEN_TRIES 500 /* of 10 ms */
#define EXIT_WRONG   1 /* `why` says what */

/* What a life and its survivor share. */
struct shared {
	atomic_uint stage, step;
	atomic_uint_least64_t states;
	atomic_uint_least64_t journal_seq; /* the last one seen appended */
	atomic_bool expects_errors;
	atomic_bool was_closed;
	char why[512];
};

struct lives {
	struct disk *disks[2];
	unsigned int disk_count;
	char *ciphertext, *state; /* the directories */
	struct model *model; /* as of the end of the last life; a life changes its copy */
	struct crash_log *log; /* of those changes */
	struct shared *shared;
	uint32_t commit_interval_ms;
	uint64_t dirty_max, stream_threshold;
};

/* One life, in its own process. */
struct life {
	struct lives *lives;
	struct shared *shared;
	const struct life_plan *plan;
	struct backing *ciphertext, *state; /* that can kill */
	struct keyring *keyring;
	struct store *store;
	struct workload work;
};

/* --- a life --------------------------------------------------------------------------------- */

static const char *const stages[] = {"opening", "comparing", "working", "ending"};

static void end_wrong(struct life *life, const char *what)
{
	struct shared *shared = life->shared;

	snprintf(shared->why, sizeof(shared->why), "%s (%s, step %u%s)", what,
		 stages[atomic_load(&shared->stage)], atomic_load(&shared->step),
		 atomic_load(&shared->expects_errors) ? ", the disk is failing" : "");
	_exit(EXIT_WRONG);
}

/* An error that is none where the disk was to fail: then the life is over. */
static void want(struct life *life, enum err err, const char *what)
{
	char text[256];

	if (err == ERR_OK)
		return;
	if (atomic_load(&life->shared->expects_errors))
		_exit(0);
	snprintf(text, sizeof(text), "%s: %s", what, err_text(err));
	end_wrong(life, text);
}

static void alarmed(void *ctx, uint64_t number, enum err what, uint64_t block)
{
	struct life *life = ctx;
	char text[256];

	if (atomic_load(&life->shared->expects_errors) && what == ERR_IO)
		return;
	snprintf(text, sizeof(text), "false alarm: object %llu, block %llu: %s",
		 (unsigned long long)number, (unsigned long long)block, err_text(what));
	end_wrong(life, text);
}

static struct backing *open_directory(struct life *life, const char *path)
{
	struct backing *real = NULL, *fault = NULL;
	enum err err = backing_real_new(path, &real);

	/* The lock of the life before goes with its last thread, a little later. */
	for (int tries = 0; err == ERR_BUSY && tries < 500; tries++) {
		usleep(10000);
		err = backing_real_new(path, &real);
	}
	want(life, err, "opening a directory");
	want(life, backing_fault_new(real, &fault), "opening a directory");
	return fault;
}

static void arm(struct life *life)
{
	if (life->plan->kill_at > 0)
		backing_fault_arm_kill(life->plan->kill_on_state ? life->state : life->ciphertext,
				       life->plan->kill_at);
}

static void make_keyring(struct life *life)
{
	uint8_t fs_id[FS_ID_LEN] = {1}, vk[MASTER_KEY_LEN] = {2}, mk[MASTER_KEY_LEN] = {3};

	want(life, crypto_init(), "the crypto libraries");
	want(life, keyring_new(fs_id, vk, mk, 1, &life->keyring), "making a key ring");
}

static void open_volume(struct life *life, struct store_recovery *recovery)
{
	struct lives *lives = life->lives;
	struct store_config config = {.state_path = lives->state,
				      .commit_interval_ms = lives->commit_interval_ms,
				      .dirty_max = lives->dirty_max,
				      .stream_threshold = lives->stream_threshold,
				      .hooks = {.ctx = life, .integrity = alarmed}};

	make_keyring(life);
	config.ciphertext = life->ciphertext = open_directory(life, lives->ciphertext);
	config.state = life->state = open_directory(life, lives->state);
	if (life->plan->kill_recovering)
		arm(life);
	want(life, store_open(&config, &life->store), "opening the volume");
	want(life, store_unlock(life->store, life->keyring, recovery), "recovery");
}

static uint64_t journal_seq(struct life *life)
{
	struct store_status status;

	store_status(life->store, &status);
	return status.journal_seq;
}

/* What the life before made last may have got a number that it could not note any more. */
static void number_last(struct life *life, struct model *model)
{
	size_t node = model_node_count(model) - 1, dir = 0;
	char name[MODEL_NAME_MAX];
	struct store_attr attr;

	if (model_number(model, node) != 0 || !model_name(model, node, &dir, name))
		return;
	if (store_lookup(life->store, model_number(model, dir), name, &attr) != ERR_OK)
		return;
	store_forget(life->store, attr.number, 1);
	/* An older state may have something else of that name. */
	for (size_t i = 0; i < node; i++)
		if (model_number(model, i) == attr.number)
			return;
	model_set_number(model, node, attr.number);
}

static void check_recovery(struct life *life, const struct store_recovery *recovery)
{
	char text[128];

	if (recovery->damaged > 0) {
		snprintf(text, sizeof(text), "%llu objects damaged",
			 (unsigned long long)recovery->damaged);
		end_wrong(life, text);
	}
	if (atomic_load(&life->shared->was_closed) && !recovery->was_clean)
		end_wrong(life, "a volume that was closed needed recovery");
	/* The kernel lives: what was appended is there, flushed or not. */
	if (!life->plan->loses_power && journal_seq(life) < atomic_load(&life->shared->journal_seq))
		end_wrong(life, "a transaction is missing that was in the journal");
}

static void found(void *ctx, const struct object_id *id, enum err what, uint64_t block)
{
	struct life *life = ctx;
	char text[128];

	snprintf(text, sizeof(text), "the volume's check finds object %llu, block %llu: %s",
		 (unsigned long long)object_id_number(id), (unsigned long long)block,
		 err_text(what));
	end_wrong(life, text);
}

/* All objects against the ledger and the other way round; possible when nothing is under way. */
static void check_volume(struct life *life)
{
	struct store_check_counts counts;

	want(life, store_check(life->store, found, NULL, life, &counts), "the volume's check");
}

static void compare(struct life *life)
{
	struct model *model = life->lives->model;
	struct model_bounds bounds;
	char why[400];

	number_last(life, model);
	model_bounds_begin(model, &bounds);
	model_bounds_end(model, &bounds);
	if (!model_check(model, &bounds, life->store, why, sizeof(why))) {
		want(life, atomic_load(&life->shared->expects_errors) ? ERR_IO : ERR_OK, "reading");
		end_wrong(life, why);
	}
	atomic_fetch_add(&life->shared->states, 1);
}

/* What was found is what is acknowledged from here on. */
static void take_for_granted(struct life *life)
{
	atomic_store(&life->shared->journal_seq, journal_seq(life));
	want(life, model_from_store(life->lives->model, life->store), "reading what was found");
}

/* The disk is gone: nothing is changed any more, and whoever waits is told (I24). */
static void want_frozen(struct life *life)
{
	struct store_status status = {.is_frozen = false};
	struct store_attr attr;
	enum err err = ERR_OK;

	life->work.why[0] = '\0';
	for (int i = 0; i < FROZEN_TRIES && err == ERR_OK && !status.is_frozen; i++) {
		char name[32];

		snprintf(name, sizeof(name), "late-%d", i);
		err = store_create_node(life->store, STORE_ROOT, name, S_IFREG | 0600, 0, 0, 0, &attr);
		store_sync(life->store, workload_answered, workload_request(&life->work, 0, false));
		workload_wait(&life->work);
		store_status(life->store, &status);
		usleep(10000);
	}
	if (err == ERR_OK && !status.is_frozen)
		end_wrong(life, "the disk is gone and the volume is not frozen");
	_exit(0);
}

static void look_for_errors(struct life *life)
{
	char text[sizeof(life->work.why)];

	pthread_mutex_lock(&life->work.mutex);
	snprintf(text, sizeof(text), "%s", life->work.why);
	pthread_mutex_unlock(&life->work.mutex);
	if (text[0] == '\0')
		return;
	if (!atomic_load(&life->shared->expects_errors))
		end_wrong(life, text);
	want_frozen(life);
}

static void work(struct life *life)
{
	workload_init(&life->work, life->lives->model, life->plan->seed);
	life->work.store = life->store;
	life->work.is_verbose = life->plan->is_verbose;
	for (unsigned int step = 0; step < life->plan->steps; step++) {
		atomic_store(&life->shared->step, step);
		life->work.op = step;
		workload_step(&life->work);
		atomic_store(&life->shared->journal_seq, journal_seq(life));
		look_for_errors(life);
		if (crash_log_is_full(life->lives->log))
			break;
	}
}

static void close_volume(struct life *life)
{
	struct store_lock_report report;
	struct model_ticket everything;

	workload_wait(&life->work);
	store_lock(life->store, 30000, &report);
	want(life, report.err, "closing the volume");
	store_close(life->store);
	everything = model_request(life->work.model, MODEL_NODES_MAX);
	model_acknowledge(life->work.model, &everything);
	atomic_store(&life->shared->was_closed, true);
}

static void live(struct lives *lives, const struct life_plan *plan)
{
	struct life life = {.lives = lives, .shared = lives->shared, .plan = plan};
	struct store_recovery recovery;
	bool was_closed = atomic_load(&lives->shared->was_closed);

	model_tell(lives->model, crash_log_append, lives->log);
	open_volume(&life, &recovery);
	atomic_store(&lives->shared->stage, LIFE_COMPARES);
	check_recovery(&life, &recovery);
	atomic_store(&lives->shared->was_closed, false);
	if (was_closed)
		check_volume(&life);
	compare(&life);
	take_for_granted(&life);
	atomic_store(&lives->shared->stage, LIFE_WORKS);
	if (!plan->kill_recovering)
		arm(&life);
	work(&life);
	if (plan->closes)
		close_volume(&life);
	atomic_store(&lives->shared->stage, LIFE_IS_DONE);
	_exit(0);
}

/* --- who survives ------------------------------------------------------------------------------- */

enum life_stage life_stage(const struct lives *lives)
{
	return (enum life_stage)atomic_load(&lives->shared->stage);
}

unsigned int life_step(const struct lives *lives)
{
	return atomic_load(&lives->shared->step);
}

void life_expect_errors(struct lives *lives)
{
	atomic_store(&lives->shared->expects_errors, true);
}

uint64_t lives_states(const struct lives *lives)
{
	return atomic_load(&lives->shared->states);
}

static void make_volume(struct lives *lives)
{
	struct life life = {.lives = lives, .shared = lives->shared};
	struct backing *ciphertext, *state;

	make_keyring(&life);
	ciphertext = open_directory(&life, lives->ciphertext);
	state = open_directory(&life, lives->state);
	want(&life,
	     store_create(ciphertext, state, lives->state, life.keyring, 0, 0, 0755),
	     "making a volume");
	_exit(0);
}

static char *make_directory(const struct disk *disk, const char *name)
{
	char *path = strdup(temp_path(disk_path(disk), name));

	if (path == NULL || mkdir(path, 0700) < 0)
		abort();
	return path;
}

struct lives *lives_new(enum disk_kind kind, bool has_two_disks, uint64_t seed)
{
	struct lives *lives = calloc(1, sizeof(*lives));
	struct workload draw = {.random = seed};
	char why[512];
	pid_t maker;

	if (lives == NULL)
		abort();
	lives->disk_count = has_two_disks ? 2 : 1;
	for (unsigned int i = 0; i < lives->disk_count; i++)
		lives->disks[i] = disk_new(kind);
	lives->ciphertext = make_directory(lives->disks[0], "c");
	lives->state = make_directory(lives->disks[lives->disk_count - 1], "s");
	lives->model = model_new();
	lives->log = crash_log_new();
	lives->shared = mmap(NULL, sizeof(*lives->shared), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (lives->shared == MAP_FAILED)
		abort();
	lives->commit_interval_ms = (uint32_t)(1 + workload_below(&draw, 20));
	lives->dirty_max = (1u << 20) << workload_below(&draw, 6);
	lives->stream_threshold = (16u << 10) << workload_below(&draw, 5);
	maker = process_fork();
	if (maker == 0)
		make_volume(lives);
	if (!life_end(lives, maker, why, sizeof(why))) {
		fprintf(stderr, "crash life: %s\n", why);
		exit(99);
	}
	return lives;
}

unsigned int lives_disks(const struct lives *lives)
{
	return lives->disk_count;
}

struct disk *lives_disk(struct lives *lives, unsigned int i)
{
	return lives->disks[i];
}

void lives_free(struct lives *lives)
{
	for (unsigned int i = 0; i < lives->disk_count; i++)
		disk_free(lives->disks[i]);
	model_free(lives->model);
	crash_log_free(lives->log);
	munmap(lives->shared, sizeof(*lives->shared));
	free(lives->ciphertext);
	free(lives->state);
	free(lives);
}

pid_t life_begin(struct lives *lives, const struct life_plan *plan)
{
	pid_t child;

	crash_log_replay(lives->log, lives->model);
	atomic_store(&lives->shared->stage, LIFE_OPENS);
	atomic_store(&lives->shared->step, 0);
	atomic_store(&lives->shared->expects_errors, false);
	child = process_fork();
	if (child == 0)
		live(lives, plan);
	return child;
}

bool life_end(struct lives *lives, pid_t life, char *why, size_t size)
{
	const char *stage = stages[life_stage(lives)];
	int status = 0;

	if (!process_end(life, LIFE_SECONDS, &status)) {
		snprintf(why, size, "hung for %d s while %s", LIFE_SECONDS, stage);
		return false;
	}
	if ((WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
	    (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
		return true;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_WRONG)
		snprintf(why, size, "%s", lives->shared->why);
	else
		snprintf(why, size, "died (wait status %x) while %s, step %u", (unsigned int)status,
			 stages[life_stage(lives)], life_step(lives));
	return false;
}

unsigned int life_kinds(const struct campaign *campaign, enum disk_kind first,
			enum disk_kind kinds[DISK_KINDS])
{
	unsigned int count = 0;

	for (enum disk_kind kind = first; kind < DISK_KINDS; kind++) {
		const char *missing = disk_kind_missing(kind);

		if (campaign->on != NULL && strcmp(campaign->on, disk_kind_name(kind)) != 0)
			continue;
		if (missing == NULL)
			kinds[count++] = kind;
		else
			fprintf(stderr, "%s: not on %s: %s\n", campaign->name, disk_kind_name(kind),
				missing);
	}
	return count;
}

/*
 * Power cuts against the real store on the simulated disk (storage.md D, L1).
 *
 * A run is a random workload of one driver thread over the real store with its
 * threads.  At a few backing calls the disk is copied as a power cut would
 * leave it, several ways each.  Afterwards every image is recovered, sometimes
 * with a second cut inside the recovery, compared with the model, used for a
 * little more work and cut again.
 *
 *     crash-sim [--seconds N] [--states N] [--seed S] [--first] [--verbose]
 *
 * --first ends with the first violation.  A violation prints the seed that
 * reproduces it.  Thread timing is real, so a
 * seed may need several runs.
 */
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "crash_model.h"
#include "crypto/crypto.h"
#include "store/committer.h"
#include "store/volume.h"
#include "world.h"

#define OPS_PER_RUN    60
#define CUTS_PER_RUN   4
#define IMAGES_PER_CUT 4
#define NAMES          6
#define WRITE_LEN_MAX  (1u << 20)

struct cut_point {
	struct model_bounds bounds;
	struct world images[IMAGES_PER_CUT];
	size_t image_count;
	size_t op; /* of the workload, when it was made */
};

struct run {
	uint64_t seed, random;
	struct world world;
	struct world_settings settings;
	struct model *model;
	struct cut_point cuts[CUTS_PER_RUN];
	size_t cut_count;
	size_t op;
	pthread_mutex_t mutex;
	pthread_cond_t answered;
	unsigned int waiting; /* requests not answered yet */
	char why[256];
};

static bool is_verbose;
static uint64_t states, violations;

static uint64_t draw(struct run *run)
{
	uint64_t z = run->random += 0x9e3779b97f4a7c15ull; /* splitmix64 */

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static uint64_t below(struct run *run, uint64_t limit)
{
	return draw(run) % limit;
}

/* --- waiting requests ----------------------------------------------------------------- */

struct request {
	struct run *run;
	struct model_ticket ticket;
	bool is_durable; /* acknowledge the model when it is answered */
};

static void answered(void *ctx, enum err err, size_t bytes)
{
	struct request *request = ctx;
	struct run *run = request->run;

	(void)bytes;
	if (err == ERR_OK && request->is_durable)
		model_acknowledge(run->model, &request->ticket);
	pthread_mutex_lock(&run->mutex);
	if (err != ERR_OK && run->why[0] == '\0')
		snprintf(run->why, sizeof(run->why), "a request failed: %s", err_text(err));
	run->waiting--;
	pthread_cond_broadcast(&run->answered);
	pthread_mutex_unlock(&run->mutex);
	free(request);
}

static struct request *request_new(struct run *run, size_t node, bool is_durable)
{
	struct request *request = malloc(sizeof(*request));

	if (request == NULL)
		abort();
	*request = (struct request){run, model_request(run->model, node), is_durable};
	pthread_mutex_lock(&run->mutex);
	run->waiting++;
	pthread_mutex_unlock(&run->mutex);
	return request;
}

static void wait_answers(struct run *run)
{
	pthread_mutex_lock(&run->mutex);
	while (run->waiting > 0)
		pthread_cond_wait(&run->answered, &run->mutex);
	pthread_mutex_unlock(&run->mutex);
}

/* --- the workload ------------------------------------------------------------------------ */

static void expect(struct run *run, enum err err, const char *what)
{
	if (err != ERR_OK && run->why[0] == '\0')
		snprintf(run->why, sizeof(run->why), "%s failed: %s", what, err_text(err));
}

static void say(const struct run *run, const char *text)
{
	if (is_verbose)
		fprintf(stderr, "%zu: %s\n", run->op, text);
}

/* A node of that type which still has a name; 0: none (the root for directories). */
static size_t pick(struct run *run, enum model_type type)
{
	size_t count = model_node_count(run->model), start = below(run, count);

	for (size_t i = 0; i < count; i++) {
		size_t node = (start + i) % count;

		if (model_type(run->model, node) == type &&
		    (node == 0 || model_links(run->model, node) > 0))
			return node;
	}
	return 0;
}

static void pick_name(struct run *run, char name[MODEL_NAME_MAX])
{
	snprintf(name, MODEL_NAME_MAX, "n%u", (unsigned int)below(run, NAMES));
}

static void do_create(struct run *run)
{
	size_t dir = pick(run, MODEL_DIRECTORY), node;
	enum model_type type = below(run, 4) == 0 ? MODEL_DIRECTORY
			       : below(run, 8) == 0 ? MODEL_SYMLINK : MODEL_FILE;
	struct store_attr attr;
	char name[MODEL_NAME_MAX];
	enum err err;

	pick_name(run, name);
	if (model_find(run->model, dir, name) >= 0 ||
	    model_node_count(run->model) == MODEL_NODES_MAX)
		return;
	say(run, "create");
	node = model_create(run->model, dir, name, type);
	if (type == MODEL_SYMLINK)
		err = store_symlink(run->world.store, model_number(run->model, dir), name, "target",
				    0, 0, &attr);
	else
		err = store_create_node(run->world.store, model_number(run->model, dir), name,
					type == MODEL_FILE ? S_IFREG | 0644 : S_IFDIR | 0755, 0, 0,
					0, &attr);
	expect(run, err, "create");
	if (err == ERR_OK)
		model_set_number(run->model, node, attr.number);
}

static size_t random_len(struct run *run)
{
	switch (below(run, 8)) {
	case 0:
		return 1 + below(run, WRITE_LEN_MAX);
	case 1:
	case 2:
		return 1 + below(run, 100u << 10);
	case 3:
		return 4096 * (1 + below(run, 40));
	default:
		return 1 + below(run, 5000);
	}
}

static void do_write(struct run *run)
{
	size_t node = pick(run, MODEL_FILE);
	size_t len = random_len(run);
	uint64_t size = node == 0 ? 0 : model_size(run->model, node), offset;
	bool is_durable = below(run, 10) == 0;
	static uint8_t data[WRITE_LEN_MAX];
	uint64_t fill = draw(run);

	if (node == 0)
		return;
	switch (below(run, 4)) {
	case 0:
		offset = size; /* append */
		break;
	case 1:
		offset = below(run, size + 1);
		break;
	case 2:
		offset = below(run, 64) * 4096;
		break;
	default:
		offset = below(run, 8) == 0 ? below(run, 2u << 20) : 0;
	}
	if (offset + len > MODEL_SIZE_MAX)
		return;
	for (size_t i = 0; i + 8 <= len; i += 8, fill = fill * 6364136223846793005ull + 1)
		memcpy(data + i, &fill, 8);
	data[len - 1] = (uint8_t)(fill >> 56);
	say(run, is_durable ? "write, durable" : "write");
	model_write(run->model, node, offset, data, len);
	store_write(run->world.store, model_number(run->model, node), offset, data, len, is_durable,
		    answered, request_new(run, node, is_durable));
}

static void do_truncate(struct run *run)
{
	size_t node = pick(run, MODEL_FILE);
	struct store_setattr set = {.valid = STORE_SET_SIZE};
	struct store_attr attr;

	if (node == 0)
		return;
	set.size = below(run, 3) == 0 ? 0 : below(run, model_size(run->model, node) * 2 + 1);
	if (set.size > MODEL_SIZE_MAX)
		return;
	say(run, "truncate");
	model_truncate(run->model, node, set.size);
	expect(run, store_setattr(run->world.store, model_number(run->model, node), &set, &attr),
	       "truncate");
}

static void do_fsync(struct run *run)
{
	size_t node = pick(run, MODEL_FILE);

	say(run, "fsync");
	store_fsync(run->world.store, model_number(run->model, node), answered,
		    request_new(run, node, true));
}

static void do_sync(struct run *run)
{
	say(run, "sync");
	store_sync(run->world.store, answered, request_new(run, MODEL_NODES_MAX, true));
}

static void do_rename(struct run *run)
{
	size_t dir = pick(run, MODEL_DIRECTORY), new_dir = pick(run, MODEL_DIRECTORY);
	char name[MODEL_NAME_MAX], new_name[MODEL_NAME_MAX];
	bool is_exchange = below(run, 6) == 0;
	int node, target;

	pick_name(run, name);
	pick_name(run, new_name);
	node = model_find(run->model, dir, name);
	target = model_find(run->model, new_dir, new_name);
	if (node < 0 || model_is_below(run->model, new_dir, (size_t)node) ||
	    (is_exchange && (target < 0 || model_is_below(run->model, dir, (size_t)target))))
		return;
	if (!is_exchange && target >= 0 && target != node &&
	    ((model_type(run->model, (size_t)node) == MODEL_DIRECTORY) !=
		     (model_type(run->model, (size_t)target) == MODEL_DIRECTORY) ||
	     !model_is_empty(run->model, (size_t)target)))
		return;
	say(run, is_exchange ? "exchange" : target >= 0 ? "rename over" : "rename");
	wait_answers(run); /* one rename at a time: the model has one order */
	model_rename(run->model, dir, name, new_dir, new_name, is_exchange);
	store_rename(run->world.store, model_number(run->model, dir), name,
		     model_number(run->model, new_dir), new_name,
		     is_exchange ? STORE_RENAME_EXCHANGE : 0, answered,
		     request_new(run, (size_t)node, false));
	wait_answers(run);
}

static void do_unlink(struct run *run)
{
	size_t dir = pick(run, MODEL_DIRECTORY);
	char name[MODEL_NAME_MAX];
	uint64_t number = model_number(run->model, dir);
	int node;

	pick_name(run, name);
	node = model_find(run->model, dir, name);
	if (node < 0 || !model_is_empty(run->model, (size_t)node))
		return;
	say(run, "unlink");
	model_unlink(run->model, dir, name);
	if (model_type(run->model, (size_t)node) == MODEL_DIRECTORY)
		expect(run, store_rmdir(run->world.store, number, name), "rmdir");
	else
		expect(run, store_unlink(run->world.store, number, name), "unlink");
}

static void do_link(struct run *run)
{
	size_t dir = pick(run, MODEL_DIRECTORY), node = pick(run, MODEL_FILE);
	struct store_attr attr;
	char name[MODEL_NAME_MAX];

	pick_name(run, name);
	if (node == 0 || model_find(run->model, dir, name) >= 0)
		return;
	say(run, "link");
	model_link(run->model, node, dir, name);
	expect(run,
	       store_link(run->world.store, model_number(run->model, node),
			  model_number(run->model, dir), name, &attr),
	       "link");
}

static void do_xattr(struct run *run)
{
	size_t node = pick(run, MODEL_FILE);
	uint64_t value[8] = {draw(run)};

	if (node == 0)
		return;
	say(run, "setxattr");
	model_set_xattr(run->model, node, value, sizeof(value));
	expect(run,
	       store_setxattr(run->world.store, model_number(run->model, node), "user.state", value,
			      sizeof(value), 0),
	       "setxattr");
}

static void do_checkpoint(struct run *run)
{
	say(run, "checkpoint");
	committer_checkpoint(run->world.store->committer);
}

static void do_pause(struct run *run)
{
	struct timespec pause = {0, (long)below(run, 5) * 1000000};

	nanosleep(&pause, NULL);
}

static void do_wait(struct run *run)
{
	wait_answers(run);
}

static const struct {
	void (*run)(struct run *);
	unsigned int weight;
} operations[] = {
	{do_create, 14}, {do_write, 36}, {do_truncate, 8}, {do_fsync, 10}, {do_sync, 2},
	{do_rename, 12}, {do_unlink, 6}, {do_link, 4},     {do_xattr, 4},  {do_checkpoint, 2},
	{do_pause, 4},	 {do_wait, 4},
};

static void do_something(struct run *run)
{
	unsigned int total = 0, picked;
	size_t i = 0;

	for (size_t j = 0; j < sizeof(operations) / sizeof(operations[0]); j++)
		total += operations[j].weight;
	picked = (unsigned int)below(run, total);
	while (picked >= operations[i].weight)
		picked -= operations[i++].weight;
	operations[i].run(run);
}

/* --- cuts --------------------------------------------------------------------------------- */

static void cut_power(void *ctx)
{
	struct run *run = ctx;
	struct cut_point *cut = &run->cuts[run->cut_count++];

	model_bounds_begin(run->model, &cut->bounds);
	cut->op = run->op;
	for (size_t i = 0; i < IMAGES_PER_CUT; i++)
		world_image(&run->world, i < 2 ? i : draw(run), &cut->images[cut->image_count++]);
	model_bounds_end(run->model, &cut->bounds);
}

static void work(struct run *run)
{
	uint64_t calls_between = 5 + below(run, 120);

	world_arm(&run->world, 1 + below(run, calls_between), cut_power, run);
	for (run->op = 0; run->op < OPS_PER_RUN && run->why[0] == '\0'; run->op++) {
		size_t cuts = run->cut_count;

		do_something(run);
		if (run->cut_count > cuts && run->cut_count < CUTS_PER_RUN)
			world_arm(&run->world, 1 + below(run, calls_between), cut_power, run);
	}
	wait_answers(run);
	world_arm(&run->world, 0, NULL, NULL);
}

/* --- after a cut ------------------------------------------------------------------------------ */

struct second_cut {
	struct world *world, image;
	uint64_t choice;
	bool is_made;
};

static void cut_recovery(void *ctx)
{
	struct second_cut *second = ctx;

	world_image(second->world, second->choice, &second->image);
	second->is_made = true;
}

static bool check_image(struct run *run, const struct cut_point *cut, struct world *image,
			unsigned int depth);

/* A little more work after a recovery, and what it leaves after another cut. */
static bool goes_on(struct run *run, struct world *image)
{
	struct world_settings settings = run->settings;
	struct store_recovery recovery;
	struct store_attr attr;
	uint8_t data[5000], back[sizeof(data)];
	struct world after;
	size_t got = 0;
	enum err err;

	memset(data, (int)draw(run), sizeof(data));
	err = store_create_node(image->store, STORE_ROOT, "after", S_IFREG | 0600, 0, 0, 0, &attr);
	if (err == ERR_OK) {
		store_write(image->store, attr.number, 0, data, sizeof(data), true, answered,
			    request_new(run, 0, false));
		wait_answers(run);
		world_image(image, draw(run), &after);
		err = world_open(&after, &settings, &recovery);
		if (err == ERR_OK)
			err = store_lookup(after.store, STORE_ROOT, "after", &attr);
		if (err == ERR_OK)
			err = store_read(after.store, attr.number, 0, back, sizeof(back), &got);
		if (err == ERR_OK && (got != sizeof(data) || memcmp(data, back, got) != 0))
			err = ERR_TAMPERED;
		states++;
		world_free(&after);
	}
	expect(run, err, "work after the recovery");
	return err == ERR_OK;
}

/* Recover, perhaps with a cut on the way, and compare. */
static bool check_image(struct run *run, const struct cut_point *cut, struct world *image,
			unsigned int depth)
{
	struct second_cut second = {.world = image, .choice = draw(run)};
	struct store_recovery recovery;
	bool is_right;
	enum err err;

	if (depth == 0 && below(run, 2) == 0)
		world_arm(image, 1 + below(run, 40), cut_recovery, &second);
	err = world_open(image, &run->settings, &recovery);
	world_arm(image, 0, NULL, NULL);
	states++;
	is_right = err == ERR_OK;
	if (!is_right)
		snprintf(run->why, sizeof(run->why), "recovery failed: %s", err_text(err));
	else if (recovery.damaged > 0) {
		is_right = false;
		snprintf(run->why, sizeof(run->why), "%" PRIu64 " objects damaged",
			 recovery.damaged);
	}
	if (is_right)
		is_right = model_check(run->model, &cut->bounds, image->store, run->why,
				       sizeof(run->why));
	if (is_right && depth == 0 && below(run, 4) == 0) {
		/* What was recovered is durable (I12). */
		struct world again;

		world_image_now(image, draw(run), draw(run), &again);
		is_right = check_image(run, cut, &again, depth + 1);
	}
	if (is_right && below(run, 4) == 0)
		is_right = goes_on(run, image);
	world_free(image);
	if (second.is_made) {
		if (is_right)
			is_right = check_image(run, cut, &second.image, depth + 1);
		else
			world_free(&second.image);
	}
	return is_right;
}

static void check_cuts(struct run *run)
{
	for (size_t i = 0; i < run->cut_count; i++) {
		struct cut_point *cut = &run->cuts[i];

		for (size_t j = 0; j < cut->image_count; j++) {
			if (run->why[0] != '\0') {
				world_free(&cut->images[j]);
				continue;
			}
			if (!check_image(run, cut, &cut->images[j], 0)) {
				size_t len = strlen(run->why);

				snprintf(run->why + len, sizeof(run->why) - len,
					 " (cut %zu, image %zu, around step %zu)", i, j, cut->op);
			}
		}
	}
}

static void explore(uint64_t seed)
{
	struct run *run = calloc(1, sizeof(*run));
	struct store_recovery recovery;

	if (run == NULL)
		abort();
	run->seed = run->random = seed;
	pthread_mutex_init(&run->mutex, NULL);
	pthread_cond_init(&run->answered, NULL);
	run->settings.commit_interval_ms = (uint32_t)(1 + below(run, 20));
	run->settings.dirty_max = (1u << 20) << below(run, 6);
	run->settings.stream_threshold = (16u << 10) << below(run, 5);
	run->model = model_new();
	world_new(&run->world);
	expect(run, world_open(&run->world, &run->settings, &recovery), "opening the new volume");
	if (run->why[0] == '\0')
		work(run);
	check_cuts(run);
	world_free(&run->world);
	model_free(run->model);
	if (run->why[0] != '\0') {
		violations++;
		fprintf(stderr, "violation: %s; reproduce with --seed %" PRIu64 " --states 1\n",
			run->why, seed);
	}
	pthread_cond_destroy(&run->answered);
	pthread_mutex_destroy(&run->mutex);
	free(run);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"seconds", required_argument, NULL, 't'}, {"states", required_argument, NULL, 'n'},
		{"seed", required_argument, NULL, 's'},	   {"first", no_argument, NULL, 'f'},
		{"verbose", no_argument, NULL, 'v'},	   {NULL, 0, NULL, 0}};
	bool first_ends = false;
	uint64_t seed = 1, states_max = UINT64_MAX;
	int64_t seconds = 10, told = 0, start;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 't')
			seconds = strtoll(optarg, NULL, 10);
		else if (option == 'n')
			states_max = strtoull(optarg, NULL, 10);
		else if (option == 's')
			seed = strtoull(optarg, NULL, 10);
		else if (option == 'f')
			first_ends = true;
		else if (option == 'v')
			is_verbose = true;
		else
			return 2;
	}
	if (crypto_init() != ERR_OK)
		return 1;
	log_set_name("crash-sim");
	start = clock_boot_ns();
	for (; states < states_max && clock_boot_ns() - start < seconds * NS_PER_SECOND; seed++) {
		explore(seed);
		if (first_ends && violations > 0)
			break;
		if ((clock_boot_ns() - start) / (10 * NS_PER_SECOND) > told) {
			told = (clock_boot_ns() - start) / (10 * NS_PER_SECOND);
			fprintf(stderr, "%" PRIu64 " states, seed %" PRIu64 "\n", states, seed);
		}
	}
	world_forget_template();
	printf("%" PRIu64 " states explored, %" PRIu64 " violations\n", states, violations);
	return violations == 0 && states > 0 ? 0 : 1;
}

/*
 * Power cuts against the real store on the simulated disk.
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
 * reproduces it.  Thread timing is real, so a seed may need several runs.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "crash_model.h"
#include "crash_work.h"
#include "crypto/crypto.h"
#include "world.h"

#define OPS_PER_RUN    60
#define CUTS_PER_RUN   4
#define IMAGES_PER_CUT 4

struct cut_point {
	struct model_bounds bounds;
	struct world images[IMAGES_PER_CUT];
	size_t image_count;
	size_t op; /* of the workload, when it was made */
};

struct run {
	struct world world;
	struct world_settings settings;
	struct model *model;
	struct workload work;
	struct cut_point cuts[CUTS_PER_RUN];
	uint64_t choices[IMAGES_PER_CUT]; /* of the next cut */
	atomic_size_t cut_count; /* counted by the store's threads */
};

static bool is_verbose;
static uint64_t states, violations;

/* --- cuts --------------------------------------------------------------------------------- */

static void cut_power(void *ctx)
{
	struct run *run = ctx;
	struct cut_point *cut = &run->cuts[run->cut_count];

	model_bounds_begin(run->model, &cut->bounds);
	cut->op = run->work.op;
	for (size_t i = 0; i < IMAGES_PER_CUT; i++)
		world_image(&run->world, i < 2 ? i : run->choices[i], &cut->images[cut->image_count++]);
	model_bounds_end(run->model, &cut->bounds);
	/* Only now: the driver arms the next one. */
	run->cut_count++;
}

/* The next cut, made by whichever of the store's threads comes to its call. */
static void arm(struct run *run, uint64_t calls_between)
{
	for (size_t i = 0; i < IMAGES_PER_CUT; i++)
		run->choices[i] = workload_draw(&run->work);
	world_arm(&run->world, 1 + workload_below(&run->work, calls_between), cut_power, run);
}

static void work(struct run *run)
{
	uint64_t calls_between = 5 + workload_below(&run->work, 120);

	arm(run, calls_between);
	for (run->work.op = 0; run->work.op < OPS_PER_RUN && run->work.why[0] == '\0'; run->work.op++) {
		size_t cuts = run->cut_count;

		workload_step(&run->work);
		if (run->cut_count > cuts && run->cut_count < CUTS_PER_RUN)
			arm(run, calls_between);
	}
	workload_wait(&run->work);
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

	memset(data, (int)workload_draw(&run->work), sizeof(data));
	err = store_create_node(image->store, STORE_ROOT, "after", S_IFREG | 0600, 0, 0, 0, &attr);
	if (err == ERR_OK) {
		store_write(image->store, attr.number, 0, data, sizeof(data), true,
			    workload_answered,
			    workload_request(&run->work, 0, false));
		workload_wait(&run->work);
		world_image(image, workload_draw(&run->work), &after);
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
	workload_expect(&run->work, err, "work after the recovery");
	return err == ERR_OK;
}

/* Recover, perhaps with a cut on the way, and compare. */
static bool check_image(struct run *run, const struct cut_point *cut, struct world *image,
			unsigned int depth)
{
	struct second_cut second = {.world = image, .choice = workload_draw(&run->work)};
	struct store_recovery recovery;
	bool is_right;
	enum err err;

	if (depth == 0 && workload_below(&run->work, 2) == 0)
		world_arm(image, 1 + workload_below(&run->work, 40), cut_recovery, &second);
	err = world_open(image, &run->settings, &recovery);
	world_arm(image, 0, NULL, NULL);
	states++;
	is_right = err == ERR_OK;
	if (!is_right)
		snprintf(run->work.why, sizeof(run->work.why), "recovery failed: %s", err_text(err));
	else if (recovery.damaged > 0) {
		is_right = false;
		snprintf(run->work.why, sizeof(run->work.why), "%" PRIu64 " objects damaged",
			 recovery.damaged);
	}
	if (is_right)
		is_right = model_check(run->model, &cut->bounds, image->store, run->work.why,
				       sizeof(run->work.why));
	if (is_right && depth == 0 && workload_below(&run->work, 4) == 0) {
		/* What was recovered is durable (I12). */
		struct world again;

		world_image_now(image, workload_draw(&run->work), workload_draw(&run->work), &again);
		is_right = check_image(run, cut, &again, depth + 1);
	}
	if (is_right && workload_below(&run->work, 4) == 0)
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
			if (run->work.why[0] != '\0') {
				world_free(&cut->images[j]);
				continue;
			}
			if (!check_image(run, cut, &cut->images[j], 0)) {
				size_t len = strlen(run->work.why);

				snprintf(run->work.why + len, sizeof(run->work.why) - len,
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
	run->model = model_new();
	workload_init(&run->work, run->model, seed);
	run->work.is_verbose = is_verbose;
	run->settings.commit_interval_ms = (uint32_t)(1 + workload_below(&run->work, 20));
	run->settings.dirty_max = (1u << 20) << workload_below(&run->work, 6);
	run->settings.stream_threshold = (16u << 10) << workload_below(&run->work, 5);
	world_new(&run->world);
	workload_expect(&run->work, world_open(&run->world, &run->settings, &recovery), "opening the new volume");
	run->work.store = run->world.store;
	if (run->work.why[0] == '\0')
		work(run);
	check_cuts(run);
	world_free(&run->world);
	model_free(run->model);
	if (run->work.why[0] != '\0') {
		violations++;
		fprintf(stderr, "violation: %s; reproduce with --seed %" PRIu64 " --states 1\n",
			run->work.why, seed);
	}
	workload_destroy(&run->work);
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

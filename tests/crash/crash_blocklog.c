/*
 * Power cuts against the real store on a real file system: every block write
 * and flush below ext4 and xfs is recorded, then disks are made that have all
 * up to a flush and any subset of what followed.
 *
 * A run is a random workload (crash_work.h) on a volume whose two directories
 * lie on a recorded disk.  Afterwards each epoch of the recording is cut several
 * ways (crash_blocklog_explore.c): mounted, which is the file system's own
 * recovery, unlocked, compared with the model, sometimes used a little, and
 * sometimes cut once more inside the recovery.
 *
 *     crash-blocklog [--seconds N] [--states N] [--seed S] [--fs NAME]
 *                    [--share PERCENT] [--keep DIRECTORY] [--first] [--verbose]
 *
 * --share looks at so many of the epochs only, drawn at random: more workloads
 * in less time.  --keep leaves each image as DIRECTORY/image before it is
 * mounted: with --first, the one that shows the violation.  A violation prints
 * seed, epoch and subset; thread timing is real, so a seed may need several runs.
 * Exit status 77: it cannot run here.
 */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "crash_blocklog.h"
#include "crypto/crypto.h"

#define STEPS_MAX   60
#define EXIT_CANNOT 77

static volatile sig_atomic_t is_interrupted;

static void interrupt(int number)
{
	(void)number;
	is_interrupted = 1;
}

/* --- the campaign -------------------------------------------------------------------- */

bool campaign_is_over(const struct campaign *campaign)
{
	return is_interrupted || campaign->states >= campaign->states_max ||
	       clock_boot_ns() - campaign->start >= campaign->seconds * NS_PER_SECOND ||
	       (campaign->first_ends && campaign->violations > 0);
}

void campaign_state(struct campaign *campaign)
{
	int64_t passed = (clock_boot_ns() - campaign->start) / (10 * NS_PER_SECOND);

	campaign->states++;
	if (passed <= campaign->told)
		return;
	campaign->told = passed;
	fprintf(stderr, "%" PRIu64 " states, seed %" PRIu64 "\n", campaign->states,
		campaign->seed);
}

/* --- the recording --------------------------------------------------------------------- */

static struct model_bounds *add_bounds(struct run *run)
{
	if (run->bounds_count == run->bounds_room) {
		run->bounds_room = run->bounds_room * 2 + 64;
		run->bounds = realloc(run->bounds, run->bounds_room * sizeof(*run->bounds));
		if (run->bounds == NULL)
			abort();
	}
	return &run->bounds[run->bounds_count++];
}

/* On the recorder's thread, while the disk waits. */
static void bound_epoch(void *ctx)
{
	struct run *run = ctx;
	struct model_bounds *bounds = add_bounds(run);

	model_bounds_begin(run->model, bounds);
	model_bounds_end(run->model, bounds);
}

static void work(struct run *run)
{
	struct store_recovery recovery;
	size_t steps = 10 + workload_below(&run->work, STEPS_MAX - 10);

	workload_expect(&run->work,
			rig_open(&run->campaign->rig, &run->settings, &run->work.store, &recovery),
			"opening the new volume");
	for (run->work.op = 0; run->work.op < steps && run->work.why[0] == '\0'; run->work.op++)
		workload_step(&run->work);
	if (run->work.store != NULL)
		workload_wait(&run->work);
}

static void record(struct run *run)
{
	struct rig *rig = &run->campaign->rig;
	struct model_bounds last;
	size_t flushes = 0;

	block_disk_copy(rig->disk, rig->file_systems[run->file_system].volume);
	block_recorder_begin(rig->recorder, bound_epoch, run);
	if (!rig_mount(rig, run->file_system)) {
		block_recorder_end(rig->recorder);
		workload_expect(&run->work, ERR_IO, "mounting the new volume");
		return;
	}
	work(run);
	model_bounds_begin(run->model, &last);
	block_recorder_end(rig->recorder);
	model_bounds_end(run->model, &last);
	if (run->work.store != NULL)
		store_close(run->work.store);
	rig_unmount(rig);
	recording_take(&run->recording, rig->recorder, block_recorder_count(rig->recorder));
	for (size_t i = 0; i < run->recording.count; i++)
		flushes += run->recording.entries[i].kind == BLOCK_FLUSH;
	/* A flush that came when the recording ended has bounds and no entry. */
	run->bounds_count = flushes;
	*add_bounds(run) = last;
	if (block_recorder_is_full(rig->recorder))
		workload_expect(&run->work, ERR_FULL, "recording");
	if (run->work.is_verbose)
		fprintf(stderr, "%zu entries, %zu flushes\n", run->recording.count, flushes);
}

/* --- runs -------------------------------------------------------------------------------- */

static void one_run(struct campaign *campaign)
{
	struct run *run = calloc(1, sizeof(*run));

	if (run == NULL)
		abort();
	run->campaign = campaign;
	run->model = model_new();
	workload_init(&run->work, run->model, campaign->seed);
	run->work.is_verbose = campaign->is_verbose;
	run->file_system = campaign->seed % campaign->rig.count;
	run->settings.commit_interval_ms = (uint32_t)(1 + workload_below(&run->work, 20));
	run->settings.dirty_max = (1u << 20) << workload_below(&run->work, 6);
	run->settings.stream_threshold = (16u << 10) << workload_below(&run->work, 5);
	record(run);
	if (run->work.why[0] == '\0') {
		block_disk_copy(campaign->rig.disk,
				campaign->rig.file_systems[run->file_system].volume);
		explore(run);
	}
	if (run->work.why[0] != '\0') {
		campaign->violations++;
		fprintf(stderr, "violation: %s; reproduce with --seed %" PRIu64 "\n",
			run->work.why, campaign->seed);
	}
	recording_free(&run->recording);
	free(run->bounds);
	workload_destroy(&run->work);
	model_free(run->model);
	free(run);
}

static bool read_options(struct campaign *campaign, const char **only, int argc, char **argv)
{
	static const struct option options[] = {
		{"seconds", required_argument, NULL, 't'}, {"states", required_argument, NULL, 'n'},
		{"seed", required_argument, NULL, 's'},	   {"fs", required_argument, NULL, 'o'},
		{"share", required_argument, NULL, 'p'},   {"keep", required_argument, NULL, 'k'},
		{"first", no_argument, NULL, 'f'},	   {"verbose", no_argument, NULL, 'v'},
		{NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 't': campaign->seconds = strtoll(optarg, NULL, 10); break;
		case 'n': campaign->states_max = strtoull(optarg, NULL, 10); break;
		case 's': campaign->seed = strtoull(optarg, NULL, 10); break;
		case 'o': *only = optarg; break;
		case 'p': campaign->share = strtoull(optarg, NULL, 10); break;
		case 'k': campaign->keep = optarg; break;
		case 'f': campaign->first_ends = true; break;
		case 'v': campaign->is_verbose = true; break;
		default: return false;
		}
	}
	return optind == argc;
}

int main(int argc, char **argv)
{
	static struct campaign campaign = {
		.seconds = 10, .states_max = UINT64_MAX, .share = 100, .seed = 1};
	const struct sigaction action = {.sa_handler = interrupt};
	const char *only = NULL;
	bool is_ready;

	if (!read_options(&campaign, &only, argc, argv))
		return 2;
	if (crypto_init() != ERR_OK)
		return 1;
	log_set_name("crash-blocklog");
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	is_ready = rig_new(&campaign.rig, only);
	campaign.start = clock_boot_ns();
	for (; is_ready && !campaign_is_over(&campaign); campaign.seed++)
		one_run(&campaign);
	rig_free(&campaign.rig);
	if (!is_ready)
		return EXIT_CANNOT;
	if (campaign.refused > 0)
		printf("%" PRIu64 " torn superblocks that the kernel refused\n", campaign.refused);
	printf("%" PRIu64 " states explored, %" PRIu64 " violations\n", campaign.states,
	       campaign.violations);
	return campaign.violations == 0 && campaign.states > 0 ? 0 : 1;
}

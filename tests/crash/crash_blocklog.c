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
 *     crash-blocklog [--share PERCENT] [--keep DIRECTORY] and crash_campaign.h
 *
 * --on is the file system.  --share looks at so many of the epochs only, drawn at random: more workloads
 * in less time.  --keep leaves each image as DIRECTORY/image before it is
 * mounted: with --first, the one that shows the violation.  A violation prints
 * seed, epoch and subset; thread timing is real, so a seed may need several runs.
 * Exit status 77: it cannot run here.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "crash_blocklog.h"
#include "crypto/crypto.h"

#define STEPS_MAX   60
#define EXIT_CANNOT 77

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
			rig_open(&run->blocklog->rig, &run->settings, &run->work.store, &recovery),
			"opening the new volume");
	for (run->work.op = 0; run->work.op < steps && run->work.why[0] == '\0'; run->work.op++)
		workload_step(&run->work);
	if (run->work.store != NULL)
		workload_wait(&run->work);
}

static void record(struct run *run)
{
	struct rig *rig = &run->blocklog->rig;
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

static void record_and_explore(struct run *run)
{
	struct rig *rig = &run->blocklog->rig;

	record(run);
	if (run->work.why[0] == '\0') {
		block_disk_copy(rig->disk, rig->file_systems[run->file_system].volume);
		explore(run);
	}
	if (run->work.why[0] != '\0')
		campaign_violation(&run->blocklog->campaign, run->seed, "", run->work.why);
}

static void one_run(struct campaign *campaign, uint64_t seed)
{
	struct run *run = calloc(1, sizeof(*run));

	if (run == NULL)
		abort();
	run->blocklog = (struct blocklog *)campaign;
	run->seed = seed;
	run->model = model_new();
	workload_init(&run->work, run->model, seed);
	run->work.is_verbose = campaign->is_verbose;
	run->file_system = seed % run->blocklog->rig.count;
	run->settings.commit_interval_ms = (uint32_t)(1 + workload_below(&run->work, 20));
	run->settings.dirty_max = (1u << 20) << workload_below(&run->work, 6);
	run->settings.stream_threshold = (16u << 10) << workload_below(&run->work, 5);
	record_and_explore(run);
	recording_free(&run->recording);
	free(run->bounds);
	workload_destroy(&run->work);
	model_free(run->model);
	free(run);
}

/* The value of an option that other campaigns do not have, which is taken out; or `value`. */
static const char *take_option(int *argc, char **argv, const char *option, const char *value)
{
	for (int i = 1; i + 1 < *argc; i++) {
		if (strcmp(argv[i], option) != 0)
			continue;
		value = argv[i + 1];
		*argc -= 2;
		memmove(&argv[i], &argv[i + 2], (size_t)(*argc - i + 1) * sizeof(*argv));
	}
	return value;
}

int main(int argc, char **argv)
{
	static struct blocklog blocklog = {.campaign.name = "crash-blocklog"};
	int status = EXIT_CANNOT;

	blocklog.share = strtoull(take_option(&argc, argv, "--share", "100"), NULL, 10);
	blocklog.keep = take_option(&argc, argv, "--keep", NULL);
	if (!campaign_options(&blocklog.campaign, argc, argv))
		return 2;
	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	log_set_name(blocklog.campaign.name);
	if (rig_new(&blocklog.rig, blocklog.campaign.on))
		status = campaign_run(&blocklog.campaign, one_run);
	rig_free(&blocklog.rig);
	if (blocklog.refused > 0)
		fprintf(stderr, "%" PRIu64 " torn superblocks that the kernel refused\n",
			blocklog.refused);
	return status;
}

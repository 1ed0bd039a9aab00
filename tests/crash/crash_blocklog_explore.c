/*
 * Which disks a power cut may leave, and what each must have.
 *
 * The recorder serves one request after the other.  Flush k arrives: every
 * write before it was answered, no write behind it has come.  So the log falls
 * into epochs: epoch e are the writes after flush e - 1 and before flush e.
 *
 * What may be on the disk.  A flush that was answered has made durable what was
 * answered before it came.  So while epoch e lasts, until flush e is *answered*,
 * the disk has all of the epochs before e, and of epoch e any subset of the
 * writes: each may have left the write cache or not, in any order, and one that
 * was on its way at the cut may have left some of its sectors only.  Two writes
 * to one place stay in their order.
 *
 * What it must have.  The bounds of epoch e are taken when flush e has arrived
 * and is not yet answered:
 *   - acknowledged (lower bound): whoever was told "durable" by then was told
 *     because of flushes answered by then, that is flush e - 1 and earlier; a cut
 *     at this very moment may leave any subset of epoch e, so each of them must
 *     have all of it.  Taken first: an acknowledgment that comes later counts
 *     for the next epoch.
 *   - issued (upper bound): the model is told before the store is asked, so what
 *     a write of epoch e carries was issued before the write came.
 * The last epoch has no flush; its acknowledged states are taken before the
 * recording ends, its issued ones after.
 *
 * FUA and PREFLUSH are writes and flushes of their own here (block_recorder.h):
 * a FUA write is the last of its epoch, so there are states in which all other
 * writes of that epoch are there and it is not, and the other way round.
 *
 * Thinner than a disk may be: a write that the file system sent before a flush
 * without waiting for it counts as before or behind the flush as the loop device
 * took them, never both.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "crash_blocklog.h"

#define EXHAUSTIVE_MAX 6
#define RANDOM_SUBSETS 20
#define TORN_SUBSETS   2 /* besides the exhaustive ones */
#define SECOND_EVERY   8

/* Some of the writes of entries first ... end - 1. */
struct subset {
	size_t first, end, epoch;
	bool *chosen;  /* end - first of them */
	size_t torn;   /* the entry of which only some sectors came; SIZE_MAX: none */
	uint64_t tear; /* which */
};

/* --- recordings ----------------------------------------------------------------------- */

void recording_take(struct recording *recording, const struct block_recorder *recorder,
		    size_t count)
{
	size_t len = 0;

	recording->count = count;
	recording->entries = calloc(count + 1, sizeof(*recording->entries));
	for (size_t i = 0; i < count; i++) {
		struct block_entry entry = block_recorder_entry(recorder, i);

		len += entry.kind == BLOCK_WRITE ? (size_t)entry.len : 0;
	}
	recording->data = malloc(len + 1);
	if (recording->entries == NULL || recording->data == NULL)
		abort();
	len = 0;
	for (size_t i = 0; i < count; i++) {
		struct block_entry *entry = &recording->entries[i];

		*entry = block_recorder_entry(recorder, i);
		if (entry->kind != BLOCK_WRITE)
			continue;
		memcpy(recording->data + len, entry->data, (size_t)entry->len);
		entry->data = recording->data + len;
		len += (size_t)entry->len;
	}
}

void recording_free(struct recording *recording)
{
	free(recording->entries);
	free(recording->data);
	memset(recording, 0, sizeof(*recording));
}

/* The end of the epoch that starts at `first`: its flush, or the end of all. */
static size_t epoch_end(const struct recording *recording, size_t first)
{
	while (first < recording->count && recording->entries[first].kind != BLOCK_FLUSH)
		first++;
	return first;
}

static void put(struct block_disk *disk, const struct block_entry *entry, uint64_t from,
		uint64_t len)
{
	if (entry->kind == BLOCK_WRITE)
		block_disk_write(disk, entry->offset + from, entry->data + from, (size_t)len);
	else if (entry->kind == BLOCK_ZERO)
		block_disk_zero(disk, entry->offset + from, len);
}

/* A prefix, a suffix, or sectors at random, as `tear` has it. */
static void put_torn(struct block_disk *disk, const struct block_entry *entry, uint64_t tear)
{
	uint64_t sectors = entry->len / BLOCK_SECTOR, cut = 1 + (tear >> 2) % (sectors - 1);

	for (uint64_t i = 0; i < sectors; i++) {
		bool is_there = tear % 4 == 0	? i < cut
				: tear % 4 == 1 ? i >= cut
						: (tear >> (2 + i % 61)) & 1;

		if (is_there)
			put(disk, entry, i * BLOCK_SECTOR, BLOCK_SECTOR);
	}
}

static void put_all(struct block_disk *disk, const struct recording *recording, size_t first,
		    size_t end)
{
	for (size_t i = first; i < end; i++)
		put(disk, &recording->entries[i], 0, recording->entries[i].len);
}

static void put_subset(struct block_disk *disk, const struct recording *recording,
		       const struct subset *subset)
{
	for (size_t i = subset->first; i < subset->end; i++) {
		const struct block_entry *entry = &recording->entries[i];

		if (i == subset->torn)
			put_torn(disk, entry, subset->tear);
		else if (subset->chosen[i - subset->first])
			put(disk, entry, 0, entry->len);
	}
}

/* --- subsets --------------------------------------------------------------------------- */

static struct subset subset_new(size_t first, size_t end, size_t epoch)
{
	struct subset subset = {first, end, epoch, calloc(end - first + 1, sizeof(bool)), SIZE_MAX,
				0};

	if (subset.chosen == NULL)
		abort();
	return subset;
}

/* All but one, one alone, up to one, or each with a chance. */
static void choose(struct workload *work, struct subset *subset)
{
	size_t count = subset->end - subset->first;
	uint64_t style = workload_below(work, 5), one = workload_below(work, count + 1);
	uint64_t chance = 1 + workload_below(work, 7);

	for (size_t i = 0; i < count; i++)
		subset->chosen[i] = style == 0	 ? i != one
				    : style == 1 ? i == one
				    : style == 2 ? i < one
						 : workload_below(work, 8) < chance;
}

/* Most tears are of the journal and the objects, which are large writes. */
static void tear_one(struct workload *work, const struct recording *recording,
		     struct subset *subset)
{
	size_t count = subset->end - subset->first;
	size_t torn = count == 0 ? 0 : subset->first + workload_below(work, count);

	if (count == 0 || recording->entries[torn].len < 2 * (uint64_t)BLOCK_SECTOR)
		return;
	subset->torn = torn;
	subset->tear = workload_draw(work);
}

/* What shows it again, given the same recording. */
static void violation(const struct run *run, const struct subset *subset, const char *why)
{
	const struct rig *rig = &run->blocklog->rig;
	char *how = NULL;
	size_t size;
	FILE *text = open_memstream(&how, &size);

	if (text == NULL)
		abort();
	fprintf(text, " --on %s: epoch %zu, entries %zu to %zu, of them",
		rig->file_systems[run->file_system].name, subset->epoch, subset->first, subset->end);
	for (size_t i = subset->first; i < subset->end; i++)
		if (subset->chosen[i - subset->first] && i != subset->torn)
			fprintf(text, " %zu", i - subset->first);
	if (subset->torn != SIZE_MAX)
		fprintf(text, ", torn %zu by %" PRIx64, subset->torn - subset->first, subset->tear);
	fclose(text);
	campaign_violation(&run->blocklog->campaign, run->seed, how, why);
	free(how);
}

/* --- one image ---------------------------------------------------------------------------- */

/* A little more work, and that it is there after another start. */
static enum err use(struct run *run, struct store **store)
{
	struct rig *rig = &run->blocklog->rig;
	uint8_t data[5000], back[sizeof(data)];
	struct store_recovery recovery;
	struct store_attr attr;
	size_t got = 0;
	enum err err;

	memset(data, (int)workload_draw(&run->work), sizeof(data));
	err = store_create_node(*store, STORE_ROOT, "after", S_IFREG | 0600, 0, 0, 0, &attr);
	if (err != ERR_OK)
		return err;
	store_write(*store, attr.number, 0, data, sizeof(data), true, workload_answered,
		    workload_request(&run->work, 0, false));
	workload_wait(&run->work);
	store_close(*store);
	err = rig_open(rig, &run->settings, store, &recovery);
	if (err == ERR_OK)
		err = store_lookup(*store, STORE_ROOT, "after", &attr);
	if (err == ERR_OK)
		err = store_read(*store, attr.number, 0, back, sizeof(back), &got);
	if (err == ERR_OK && (got != sizeof(data) || memcmp(data, back, got) != 0))
		err = ERR_TAMPERED;
	return err;
}

/* What is mounted: `recovered` is told how much of the log the recovery was. */
static bool check_volume(struct run *run, const struct model_bounds *bounds, size_t *recovered,
			 char *why, size_t size)
{
	struct rig *rig = &run->blocklog->rig;
	struct store_recovery recovery = {.damaged = 0};
	struct store *store = NULL;
	enum err err = rig_open(rig, &run->settings, &store, &recovery);
	bool is_right = false;

	*recovered = block_recorder_count(rig->recorder);
	if (err != ERR_OK)
		snprintf(why, size, "recovery failed: %s", err_text(err));
	else if (recovery.damaged > 0)
		snprintf(why, size, "%" PRIu64 " objects damaged", recovery.damaged);
	else
		is_right = model_check(run->model, bounds, store, why, size);
	if (is_right && workload_below(&run->work, 4) == 0) {
		err = use(run, &store);
		is_right = err == ERR_OK;
		if (!is_right)
			snprintf(why, size, "work after the recovery: %s", err_text(err));
	}
	if (store != NULL)
		store_close(store);
	return is_right;
}

static bool check_image(struct run *run, const struct model_bounds *bounds,
			const struct subset *subset, size_t *recovered)
{
	struct blocklog *blocklog = run->blocklog;
	char why[256] = "", path[4096];
	bool is_right, is_mounted;

	*recovered = 0;
	blocklog->campaign.states++;
	/* Before anything changes it. */
	if (blocklog->keep != NULL) {
		snprintf(path, sizeof(path), "%s/image", blocklog->keep);
		block_disk_export(blocklog->rig.disk, path);
	}
	is_mounted = rig_mount(&blocklog->rig, run->file_system);
	/* A superblock of which one sector came: no file system survives that. */
	if (!is_mounted && subset->torn != SIZE_MAX) {
		blocklog->refused++;
		return true;
	}
	is_right = is_mounted && check_volume(run, bounds, recovered, why, sizeof(why));
	if (is_mounted)
		rig_unmount(&blocklog->rig);
	else
		snprintf(why, sizeof(why), "the kernel refuses to mount it");
	if (is_right)
		return true;
	violation(run, subset, why);
	return false;
}

/* --- cuts inside the recovery --------------------------------------------------------------- */

/* Of what the recovery of the image wrote, up to some flush and some of the rest. */
static void cut_recovery(struct run *run, const struct model_bounds *bounds,
			 const struct subset *image, const struct recording *recovery)
{
	struct block_disk *disk = run->blocklog->rig.disk;
	size_t somewhere = workload_below(&run->work, recovery->count), ignored;
	size_t first = 0, end = epoch_end(recovery, 0);
	struct subset subset;

	while (end < somewhere) {
		first = end + 1;
		end = epoch_end(recovery, first);
	}
	subset = subset_new(first, end, image->epoch);
	choose(&run->work, &subset);
	block_disk_forget(disk);
	put_subset(disk, &run->recording, image);
	put_all(disk, recovery, 0, subset.first);
	put_subset(disk, recovery, &subset);
	if (!check_image(run, bounds, &subset, &ignored))
		violation(run, image, "that was a cut inside the recovery of this one");
	free(subset.chosen);
}

static void explore_subset(struct run *run, const struct subset *subset)
{
	struct blocklog *blocklog = run->blocklog;
	const struct model_bounds *bounds = &run->bounds[subset->epoch];
	bool has_second = workload_below(&run->work, SECOND_EVERY) == 0, is_right;
	struct recording recovery;
	size_t recovered;

	block_disk_forget(blocklog->rig.disk);
	put_subset(blocklog->rig.disk, &run->recording, subset);
	if (has_second)
		block_recorder_begin(blocklog->rig.recorder, NULL, NULL);
	is_right = check_image(run, bounds, subset, &recovered);
	block_recorder_end(blocklog->rig.recorder);
	if (!is_right || !has_second || recovered == 0 || campaign_is_over(&blocklog->campaign))
		return;
	recording_take(&recovery, blocklog->rig.recorder, recovered);
	cut_recovery(run, bounds, subset, &recovery);
	recording_free(&recovery);
}

/* --- epochs ------------------------------------------------------------------------------------ */

static void explore_epoch(struct run *run, size_t epoch, size_t first, size_t end)
{
	struct subset subset = subset_new(first, end, epoch);
	size_t count = end - first;
	bool is_exhaustive = count <= EXHAUSTIVE_MAX;
	size_t subsets = is_exhaustive ? (size_t)1 << count : 2 + RANDOM_SUBSETS;

	for (size_t i = 0; i < subsets && !campaign_is_over(&run->blocklog->campaign); i++) {
		subset.torn = SIZE_MAX;
		for (size_t j = 0; j < count; j++)
			subset.chosen[j] = is_exhaustive ? (i >> j) & 1 : i == 1;
		if (!is_exhaustive && i >= 2)
			choose(&run->work, &subset);
		if (!is_exhaustive && i >= 2 && i % 4 == 0)
			tear_one(&run->work, &run->recording, &subset);
		explore_subset(run, &subset);
	}
	for (size_t i = 0; i < TORN_SUBSETS && is_exhaustive && count > 0 &&
			   !campaign_is_over(&run->blocklog->campaign); i++) {
		choose(&run->work, &subset);
		tear_one(&run->work, &run->recording, &subset);
		explore_subset(run, &subset);
	}
	free(subset.chosen);
}

void explore(struct run *run)
{
	struct block_disk *disk = run->blocklog->rig.disk;
	size_t first = 0, epoch = 0;

	while (first <= run->recording.count && epoch < run->bounds_count &&
	       !campaign_is_over(&run->blocklog->campaign)) {
		size_t end = epoch_end(&run->recording, first);

		if (workload_below(&run->work, 100) < run->blocklog->share)
			explore_epoch(run, epoch, first, end);
		block_disk_forget(disk);
		put_all(disk, &run->recording, first, end);
		block_disk_keep(disk);
		first = end + 1;
		epoch++;
	}
}

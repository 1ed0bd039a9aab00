/*
 * What the parts of crash-blocklog share: the campaign (crash_blocklog.c), the
 * disk with a file system and a volume on it (crash_blocklog_rig.c), and what a
 * recording may leave after a cut (crash_blocklog_explore.c).
 */
#ifndef PHIFS_TESTS_CRASH_BLOCKLOG_H
#define PHIFS_TESTS_CRASH_BLOCKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "block_recorder.h"
#include "crash_campaign.h"
#include "crash_model.h"
#include "crash_work.h"

/* --- the rig ------------------------------------------------------------------------ */

#define RIG_FILE_SYSTEMS_MAX 2

struct rig {
	char *directory; /* of the mount points */
	char mountpoint[4096], ciphertext[4096], state[4096];
	struct block_disk *disk;
	struct block_recorder *recorder;
	struct keyring *keyring;
	struct {
		const char *name;
		struct block_disk *volume; /* freshly made, cleanly unmounted */
	} file_systems[RIG_FILE_SYSTEMS_MAX];
	size_t count;
};

/*
 * A disk for each file system (one if `only` is not NULL) that can be made here,
 * with an empty volume on it.  False: none; says why.
 */
bool rig_new(struct rig *rig, const char *only);
void rig_free(struct rig *rig);
/* False: the kernel refuses it. */
bool rig_mount(struct rig *rig, size_t file_system);
void rig_unmount(struct rig *rig);

struct rig_settings {
	uint32_t commit_interval_ms;
	uint64_t dirty_max, stream_threshold;
};
/* Open and unlock the volume that is mounted.  On an error too, store_close is due. */
enum err rig_open(struct rig *rig, const struct rig_settings *settings, struct store **store,
		  struct store_recovery *recovery) MUST_CHECK;

/* --- a run ---------------------------------------------------------------------------- */

struct blocklog {
	struct campaign campaign; /* first: it is what the runs are given */
	struct rig rig;
	uint64_t share;           /* percent of the epochs that are looked at */
	const char *keep;         /* a directory for the image that is looked at; NULL: none */
	uint64_t refused;         /* torn superblocks */
};

struct recording {
	struct block_entry *entries;
	size_t count;
	uint8_t *data;
};
/* The first `count` entries of the log, copied. */
void recording_take(struct recording *recording, const struct block_recorder *recorder,
		    size_t count);
void recording_free(struct recording *recording);

struct run {
	struct blocklog *blocklog;
	uint64_t seed;
	size_t file_system;
	struct rig_settings settings;
	struct model *model;
	struct workload work;
	struct recording recording;
	struct model_bounds *bounds; /* of epoch 0, 1, ... */
	size_t bounds_count, bounds_room;
};

/* Every epoch of the run's recording, cut several ways. */
void explore(struct run *run);

#endif

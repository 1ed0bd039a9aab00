/*
 * A volume on the simulated disk, and images of it: what a power cut at some
 * backing call leaves.  The ledger is SQLite on a real (memory) file system and
 * is copied as of its last commit: SQLite's own crash safety is not under test.
 */
#ifndef PHIFS_TESTS_WORLD_H
#define PHIFS_TESTS_WORLD_H

#include <stdint.h>

#include "store/store.h"

/* The disks of a volume and, while it is open, its store. */
struct world {
	struct backing *ciphertext, *state;
	struct backing *disk_watch, *state_watch; /* over them; NULL: none */
	char *directory; /* of the ledger */
	struct store *store;
};

struct world_settings {
	uint32_t commit_interval_ms;
	uint64_t dirty_max, stream_threshold;
	struct store_hooks hooks;
	const struct keyring *keyring; /* NULL: world_keyring() */
	uint64_t slots_generation;     /* 0: not known */
};

/* An empty volume, made once; `world` becomes a copy of it, not open. */
void world_new(struct world *world);
/* Put a watch over each of its disks (backing_watch.h); before it is opened. */
void world_watch(struct world *world);
/* Make the template now: before a fork, so that all children share it. */
void world_template(void);
void world_forget_template(void);
/* Open and unlock.  Any error is the volume's. */
enum err world_open(struct world *world, const struct world_settings *settings,
		    struct store_recovery *recovery) MUST_CHECK;
/* Close the store if it is open, free all. */
void world_free(struct world *world);

/*
 * The hook `at_call` runs on whichever thread makes the n-th changing call from
 * now, with every other one held at the door: world_image may be called in it.
 */
typedef void world_at_call(void *ctx);
void world_arm(struct world *world, uint64_t calls, world_at_call *at_call, void *ctx);
uint64_t world_calls(struct world *world);
void world_image(struct world *world, uint64_t choice, struct world *image);
/* Different choices for the two disks. */
void world_image_of(struct world *world, uint64_t choice, uint64_t state_choice,
		    struct world *image);
/* From outside of any call: everybody is held at the door meanwhile. */
void world_image_now(struct world *world, uint64_t choice, uint64_t state_choice,
		     struct world *image);
/* That of every world. */
const struct keyring *world_keyring(void);

#endif

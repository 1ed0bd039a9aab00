/*
 * A volume that lives many times.  A life is a process: it opens the volume as the
 * last life left it, compares it with the model, takes what it found for granted
 * from then on, and works until something ends it.  The process that begins the
 * lives survives them all and has the model, changed as the log of each life says.
 */
#ifndef PHIFS_TESTS_CRASH_LIFE_H
#define PHIFS_TESTS_CRASH_LIFE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "crash_campaign.h"
#include "crash_disk.h"

struct lives;

/* How a life goes. */
struct life_plan {
	uint64_t seed;
	unsigned int steps;
	uint64_t kill_at;     /* SIGKILL at this changing call (1 is the first); 0: never */
	bool kill_on_state;   /* of the state disk, not of the ciphertext's */
	bool kill_recovering; /* counted from before the volume is opened */
	bool closes;          /* an orderly end, if it comes to it */
	bool loses_power;     /* what was written but not flushed may be lost before it */
	bool is_verbose;
};

/* Of the life that is, or was last; shared with it. */
enum life_stage { LIFE_OPENS, LIFE_COMPARES, LIFE_WORKS, LIFE_IS_DONE };
enum life_stage life_stage(const struct lives *lives);
/* The step of the workload. */
unsigned int life_step(const struct lives *lives);
/* From here on errors are no violation: the disk is about to fail. */
void life_expect_errors(struct lives *lives);

/* A volume in new directories, the state on the same disk or on another. */
struct lives *lives_new(enum disk_kind kind, bool has_two_disks, uint64_t seed);
unsigned int lives_disks(const struct lives *lives);
struct disk *lives_disk(struct lives *lives, unsigned int i);
void lives_free(struct lives *lives);

/* Forks; the process that lives. */
pid_t life_begin(struct lives *lives, const struct life_plan *plan);
/*
 * Until it has ended (after a minute it is ended, which is a violation).  False:
 * a violation, `why` says which.
 */
bool life_end(struct lives *lives, pid_t life, char *why, size_t size);
/* Recovered volumes compared so far. */
uint64_t lives_states(const struct lives *lives);

/* The kinds that `campaign->on` asks for and that can be had; says on stderr what cannot. */
unsigned int life_kinds(const struct campaign *campaign, enum disk_kind first,
			enum disk_kind kinds[DISK_KINDS]);

#endif

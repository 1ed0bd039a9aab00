/*
 * Room on the two file systems below a volume: refuse early, never get stuck.
 *
 * What is acknowledged must find room later, when the applier writes it in
 * place and the ledger commits.  So whatever makes a volume larger is refused
 * (ERR_FULL, the application's ENOSPC) while there still is room: when either
 * directory has less left than what is pending plus a margin of SPACE_MARGIN
 * bytes and SPACE_MARGIN_INODES inodes (a sixteenth of a small file system, if
 * that is less).  Unlink and truncate are not asked.
 *
 * Others use these file systems too, so a ballast file of the margin's size
 * lies in each directory.  Whoever meets ERR_FULL in apply or in the ledger's
 * commit calls space_release once and tries again; space_remake puts the
 * ballast back when there is room.  While one is missing, its size is added to
 * the margin, so that new data does not take its place.
 *
 * Thread-safe; one mutex, held during a statvfs and while a ballast file is
 * made.  No callbacks.
 */
#ifndef PHIFS_STORE_SPACE_H
#define PHIFS_STORE_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/backing.h"

#define SPACE_MARGIN	    (64u << 20)
#define SPACE_MARGIN_INODES 1024u
#define SPACE_BALLAST	    "ballast"

struct space;

/*
 * Looks at both directories (neither is owned) and, unless `read_only`, makes
 * the ballast files that are missing or have another size.  A file system too
 * full for one is no error.
 */
enum err space_new(struct backing *ciphertext, struct backing *state, bool read_only,
		   struct space **space) MUST_CHECK;
/* The ballast stays.  NULL is harmless. */
void space_free(struct space *space);

/*
 * May what is pending grow to `bytes` bytes and `inodes` new objects in all
 * (this call's included)?  ERR_FULL if not.  Looks at most 100 ms into the past,
 * 1 ms when room is short.
 */
enum err space_admit(struct space *space, uint64_t bytes, uint64_t inodes) MUST_CHECK;

/* What is left for users: the ciphertext directory's, without the margin. */
enum err space_left(struct space *space, struct backing_space *left) MUST_CHECK;

/* Gives the ballast to whoever needs it; true if there was any. */
bool space_release(struct space *space);

/* Makes missing ballast if there is room for it besides the margin; cheap if none is missing. */
void space_remake(struct space *space);

#endif

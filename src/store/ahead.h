/*
 * Reads ahead of whoever reads a file from one end to the other: while the
 * kernel takes one answer, the next is read and decrypted on another core.
 *
 * What was read ahead is plaintext in locked memory, at most 10 MiB in all, and
 * used only if the file has not changed since; the lock stops the thread and wipes
 * it.  It is no cache: what was read once is not kept.  A record is written for
 * what a program reads, when it reads it, as ever.
 */
#ifndef PHIFS_STORE_AHEAD_H
#define PHIFS_STORE_AHEAD_H

#include "store/volume.h"

#define AHEAD_STREAMS 4u           /* files read ahead of at a time */
#define AHEAD_PIECE   (256u << 10) /* bytes read ahead in one go */
#define AHEAD_PIECES  10u          /* of a file in memory: a request covers five, four are ahead */

struct ahead;

/*
 * `*ahead` stays NULL on a machine with one core, where there is nothing to gain.
 * ERR_NO_MEMORY, ERR_SYSTEM: no thread.
 */
enum err ahead_start(struct store *store, struct ahead **ahead) MUST_CHECK;
/* Asks the thread to end, and waits for nothing: who reads goes on without it.  NULL is harmless. */
void ahead_end(struct ahead *ahead);
/* After ahead_end: false if it still hangs in the backing at `deadline_ns`.  NULL has ended. */
bool ahead_has_ended(struct ahead *ahead, int64_t deadline_ns) MUST_CHECK;
/* Ends the thread, waits for it, however long that takes, and gives back its memory, wiped.  NULL is harmless. */
void ahead_stop(struct ahead *ahead);

/*
 * As content_read, and remembers where it was, so that the next may find its
 * answer ready.  `size` is that of the file, perhaps just before it changed;
 * offset + len <= size.  `ahead` may be NULL.
 */
enum err ahead_read(struct ahead *ahead, struct store *store, struct content *content,
		    uint64_t size, uint64_t offset, void *data, size_t len) MUST_CHECK;

#endif

/*
 * The thread that drops pages from the kernel's page cache.
 *
 * notify_inval_inode waits for page locks, uninterruptibly: it may only run on
 * a thread that serves no request and holds no lock (fuse(4) connections can
 * be aborted if it hangs all the same).  Fills are dropped about a millisecond
 * after they were answered: earlier, the page fault could lose to us for ever.
 */
#ifndef PHIFS_DAEMON_INVALIDATE_H
#define PHIFS_DAEMON_INVALIDATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Ranges of fills waiting; when there are more, every inode that had a fill is dropped. */
#define INVALIDATE_QUEUE_MAX 16384u
#define INVALIDATE_DELAY_MS  1

struct invalidate_calls {
	void *ctx;
	/* Drop the pages of a range; length 0: to the end. */
	void (*drop)(void *ctx, uint64_t number, uint64_t offset, uint64_t length);
	/* Put all inodes that had a fill into the queue (invalidate_add, length 0). */
	void (*add_all)(void *ctx);
};

struct invalidate;
/* Starts the thread. */
enum err invalidate_new(const struct invalidate_calls *calls,
			struct invalidate **invalidate) MUST_CHECK;
/* Ends it; what is still queued is dropped.  Never call it while a drop hangs. */
void invalidate_free(struct invalidate *invalidate);

/* Queue a range.  Any thread; never waits for a drop. */
void invalidate_add(struct invalidate *invalidate, uint64_t number, uint64_t offset,
		    uint64_t length);

/*
 * Queue every inode that had a fill and wait until all that is queued is done:
 * one pass of the lock.  ERR_AGAIN at the deadline; ERR_NO_MEMORY if some
 * inode may have been forgotten.
 */
enum err invalidate_pass(struct invalidate *invalidate, int64_t deadline_boot_ns) MUST_CHECK;

/* How long the drop that runs now has been running; 0: none does. */
int64_t invalidate_stuck_ns(const struct invalidate *invalidate);

#endif

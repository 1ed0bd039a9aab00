/*
 * The buffer in which a worker builds what it replies: content, names, targets
 * of links, attributes.  One for each thread, kept, so that a read costs no
 * allocation and its pages are warm; known to a registry, so that the lock can
 * wipe what is left in them.
 *
 * A worker's buffer is its own until guard_end_data returned.  No worker uses
 * one when the volume's operations in flight are 0, which is when the lock
 * wipes; past the lock's deadline a stuck worker may be filling its buffer
 * while it is wiped, and nothing of that is replied any more.
 *
 * The memory is secmem_alloc's: locked and left out of core files.  It belongs
 * to its thread and is wiped and freed at its end.
 */
#ifndef PHIFS_FSOPS_REPLY_BUFFER_H
#define PHIFS_FSOPS_REPLY_BUFFER_H

#include <stddef.h>

/* The largest READ, READDIR or attribute (daemon/patch.h limits requests to this). */
#define REPLY_MAX (1u << 20)

/*
 * This thread's buffer, of which the first `size` bytes (at most REPLY_MAX) may
 * be used.  NULL: too large, or no memory.
 */
void *reply_buffer(size_t size);

/*
 * Memory of somebody else's in which this thread's replies are built until the
 * loan ends with NULL: where the transport would have to copy them to.  The lender
 * wipes it.
 */
struct reply_loan {
	void *data;  /* REPLY_MAX bytes */
	size_t used; /* of which so many held something */
};
void reply_buffer_lend(struct reply_loan *loan);

/* Wipe the used part of every thread's buffer; not of what is lent. */
void reply_buffers_wipe(void);

#endif

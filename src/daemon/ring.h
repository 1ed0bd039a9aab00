/*
 * The other way for requests to come: FUSE over io_uring (Linux 6.14), with a
 * queue for each processor and threads that stay on it, so that a request needs
 * one system call and wakes nobody on another processor.  FORGET, INTERRUPT,
 * notifications, and all that comes before the ring is in use, go through
 * /dev/fuse as ever; so the channel has both.
 *
 *   entry    a message's memory, registered with the kernel: one request in flight
 *   thread   has an io_uring of its own, in which entries wait for requests.  The
 *            kernel gives a request to the thread that submitted the entry
 *   group    the threads of one processor, and their entries.  Processors on which
 *            this process may not run (or that are off) share one more group
 *
 * A reply made on the thread that has the request goes out with the system call
 * that waits for the next one.  One made elsewhere (what waited for a flush) is
 * handed to a thread of the group that waits.
 *
 * Parked requests keep their entries.  A thread whose request is parked registers
 * another one, so that a group always has as many for ordinary requests as it has
 * threads, until RING_ENTRIES_MAX of all groups or its share of them are made:
 * then what comes from that processor waits for a parked one, as the kernel can
 * give it to nobody.  Entries are kept: locked memory is at most RING_ENTRIES_MAX
 * times RING_MESSAGE_SIZE, and begins with one entry for each thread.
 *
 * Wiping.  The kernel fills an entry on the thread that has it, inside that
 * thread's system call.  So each thread wipes what it has, outside of one.
 */
#ifndef PHIFS_DAEMON_RING_H
#define PHIFS_DAEMON_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"

#define RING_ENTRIES_MAX       256u /* 257 MiB */
#define RING_GROUP_ENTRIES_MAX 32u
#define RING_THREADS_MAX       4u   /* of a group */

struct ring;

struct ring_calls {
	void *ctx;
	/* A request as read(2) of /dev/fuse gives it; on a thread of the ring. */
	void (*request)(void *ctx, void *request, size_t len);
};

/* Whether this program was built with it. */
bool ring_is_built(void);

/*
 * Makes threads, their io_urings and entries for a connection, and does not touch
 * it yet.  ERR_UNSUPPORTED: not built; else what the kernel refused.  `fd` stays
 * the caller's and must stay open until ring_free.
 */
enum err ring_new(int fd, const struct ring_calls *calls, struct ring **ring) MUST_CHECK;
/* Ends the threads, waits for them.  NULL is harmless. */
void ring_free(struct ring *ring);

/*
 * After the reply to INIT, which said that this will come: until then the kernel
 * holds everything back.  On an error the kernel has been told to go on with
 * /dev/fuse.
 */
enum err ring_start(struct ring *ring) MUST_CHECK;

/*
 * A reply: header in iov[0], body behind it.  False: its request did not come
 * through the ring, or has its reply.  Any thread.
 */
bool ring_reply(struct ring *ring, const struct iovec *iov, int count);

/* From now on the threads wipe their entries for `generation`; see ring_kick. */
void ring_wipe(struct ring *ring, uint64_t generation);
/* From now on the threads end. */
void ring_stop(struct ring *ring);
/*
 * Wakes the threads that have not wiped for `generation`, of which it gives the
 * number.  UINT64_MAX: those that have not ended.
 */
unsigned int ring_kick(struct ring *ring, uint64_t generation);

#endif

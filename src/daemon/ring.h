/*
 * The other way for requests to come: FUSE over io_uring (Linux 6.14), with a
 * queue for each processor and threads that stay on it, so that a request needs
 * one system call and wakes nobody on another processor.  FORGET, INTERRUPT,
 * notifications, and all that comes before the ring is in use, go through
 * /dev/fuse as ever; so the channel has both.
 *
 *   thread   has a message's memory, registered with the kernel: one request in
 *            flight.  It waits for it in an io_uring of its own
 *   group    the threads of one processor, which stay on it.  The kernel gives a
 *            request to the group of the processor that it comes from
 *
 * A reply made on the thread that has the request goes out with the system call
 * that waits for the next one.  One made elsewhere (what waited for a flush) is
 * handed to the request's thread, which has nothing else to do: so it never waits
 * behind somebody else's request.
 *
 * A parked request keeps its thread.  A group makes another one then, so that it
 * always has RING_GROUP_THREADS (fewer with more than 32 processors) for ordinary
 * requests, until it has RING_GROUP_THREADS_MAX or all have RING_THREADS_MAX: then
 * what comes from that processor waits for a parked one, as the kernel can give it
 * to nobody.  Threads stay.  Each has RING_MESSAGE_SIZE of locked memory, all at
 * most 257 MiB.
 *
 * Wiping.  The kernel fills a message inside its thread's system call.  So each
 * thread wipes its own, outside of one.
 */
#ifndef PHIFS_DAEMON_RING_H
#define PHIFS_DAEMON_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"

#define RING_GROUP_THREADS     4u
#define RING_GROUP_THREADS_MAX 32u
#define RING_THREADS_MAX       256u

struct ring;

struct ring_calls {
	void *ctx;
	/* A request as read(2) of /dev/fuse gives it; on a thread of the ring. */
	void (*request)(void *ctx, void *request, size_t len);
};

/* Whether this program was built with it. */
bool ring_is_built(void);

/*
 * Makes threads, their messages and io_urings for a connection, and does not touch
 * it yet.  ERR_UNSUPPORTED: not built; else what the kernel refused.  `fd` stays
 * the caller's and open until the threads have ended.
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

/* From now on the threads wipe their messages for `generation`; see ring_kick. */
void ring_wipe(struct ring *ring, uint64_t generation);
/* From now on the threads end. */
void ring_stop(struct ring *ring);
/*
 * Wakes the threads that have not wiped for `generation`, of which it gives the
 * number.  UINT64_MAX: those that have not ended.
 */
unsigned int ring_kick(struct ring *ring, uint64_t generation);

#endif

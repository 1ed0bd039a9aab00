/*
 * The FUSE connection below libfuse (fuse_session_custom_io): sees raw
 * messages (daemon/patch.h), knows every worker's request buffer so that the
 * lock can wipe it, and can end the workers.  Requests come through /dev/fuse,
 * most of them through io_uring if that is asked for (daemon/ring.h).
 *
 * libfuse gives its hooks the session's user data, which belongs to fsops, so
 * a process has at most one channel.
 *
 * Wiping.  A buffer cannot be wiped by another thread: the kernel may just be
 * filling it with the next request.  So each worker wipes its own; those that
 * sleep in read(2) are woken by CHANNEL_SIGNAL, whose handler does nothing.
 */
#ifndef PHIFS_DAEMON_CHANNEL_H
#define PHIFS_DAEMON_CHANNEL_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define CHANNEL_SIGNAL SIGUSR1
#define CHANNEL_WORKERS_MAX 256

struct channel;

/*
 * `fd` is a mounted /dev/fuse and the channel's from then on, on success;
 * `masked` are INIT flags to hide.  Installs the handler of CHANNEL_SIGNAL.
 */
enum err channel_new(int fd, uint64_t masked, struct channel **channel) MUST_CHECK;
void channel_free(struct channel *channel);

/*
 * Read the first request, which is INIT, ahead of libfuse: what the kernel can
 * do is known before the file system is made.  Waits for the kernel.
 */
enum err channel_read_init(struct channel *channel) MUST_CHECK;
/* The kernel's 64 INIT flags, without the masked ones. */
uint64_t channel_offered(const struct channel *channel);

/*
 * Requests shall come through io_uring (daemon/ring.h).  After channel_read_init,
 * before channel_attach; the kernel hears of it with the reply to INIT.  On an
 * error, which the log explains, they come through the device.
 */
enum err channel_use_ring(struct channel *channel) MUST_CHECK;

/* Whether they do, as the kernel took it. */
bool channel_has_ring(const struct channel *channel);

/* Instead of fuse_session_mount.  The descriptor is the session's from then on. */
enum err channel_attach(struct channel *channel, struct fuse_session *session) MUST_CHECK;

/*
 * Make every worker wipe its request buffer; gives the number of workers that
 * did not come around until the deadline because they are busy.
 */
unsigned int channel_wipe(struct channel *channel, int64_t deadline_boot_ns);

/* End the workers and with them fuse_session_loop_mt.  Returns at once. */
void channel_stop(struct channel *channel);
/* As channel_stop, once more for those that were just going to sleep; true when all are gone. */
bool channel_is_stopped(struct channel *channel);

#endif

/*
 * The mount point: what is refused there, mount(2) and umount2(2) on
 * /dev/fuse.  Needs root; runs in the parent process (daemon/parent.h), which
 * stays root when the worker no longer is.
 */
#ifndef PHIFS_DAEMON_MOUNT_H
#define PHIFS_DAEMON_MOUNT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "config/config.h"

#define MOUNT_REQUEST_MAX (1u << 20) /* bytes of one READ: max_read= */

/*
 * Refuse, with message and hint, a mount point that is missing, no directory,
 * not empty, or that has one of the volume's own directories inside (the
 * daemon would wait for itself).  A dead mount of an earlier daemon is taken away.
 */
enum err mount_check(const struct config *config) MUST_CHECK;

struct mount_options {
	const char *source;      /* what mount(8) shows: the volume's NAME */
	const char *mountpoint;
	bool is_read_only;
	uid_t uid;               /* the daemon's */
	gid_t gid;
};

/*
 * Mount, and give the connection's descriptor and its number below
 * /sys/fs/fuse/connections.  Sends no request to the new file system.
 */
enum err mount_attach(const struct mount_options *options, int *fd, unsigned int *connection) MUST_CHECK;

/* Lazily: open files stay with the connection.  Not mounted is not an error. */
enum err mount_detach(const char *mountpoint) MUST_CHECK;

/* Cut every request and waiter of a connection off: the last resort. */
enum err mount_abort(unsigned int connection) MUST_CHECK;

#endif

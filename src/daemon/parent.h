/*
 * The small process that stays root: mounts, watches the worker, unmounts when
 * it is gone or asks, hands signals on.  It keeps no descriptor of the FUSE
 * connection, so that a dead worker ends the connection, and it never touches
 * the mount.  A worker that was killed and cannot end, because a thread of it
 * waits in the kernel, has its connection aborted.
 */
#ifndef PHIFS_DAEMON_PARENT_H
#define PHIFS_DAEMON_PARENT_H

#include "config/config.h"
#include "daemon/options.h"

/* Checks, detaches unless in the foreground, runs the worker; gives the exit status. */
int parent_run(const struct options *options, const struct config *config);

#endif

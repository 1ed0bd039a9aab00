/*
 * The FUSE side of a volume: mount (by the parent), channel, requests, the
 * invalidation thread, the loop's threads.
 */
#ifndef PHIFS_DAEMON_SERVE_H
#define PHIFS_DAEMON_SERVE_H

#include "daemon/volume.h"

/* Threads that serve: twice the cores, at least this many. */
#define SERVE_THREADS_MIN 4
#define SERVE_STOP_MS     10000

struct serve {
	struct volume *volume;
	unsigned int connection; /* /sys/fs/fuse/connections/N */
	pthread_t loop;
	bool is_running;
	int ended;               /* eventfd: the loop ended by itself */
};

/*
 * Mounts and serves; volume->fsops, invalidate, channel and fuse are there
 * afterwards.  On an error what was made is gone, the mount included.
 */
enum err serve_start(struct volume *volume, struct serve *serve) MUST_CHECK;

/* Unmount lazily: new opens find the bare mount point, requests still come. */
void serve_unmount(struct serve *serve);

/* Everybody who waits for an answer gets an error: the last resort. */
enum err serve_abort(struct serve *serve) MUST_CHECK;

/*
 * End the threads and free all but fsops; after serve_unmount.  ERR_AGAIN: some
 * do not end, nothing was freed, the process can only exit.
 */
enum err serve_stop(struct serve *serve) MUST_CHECK;

#endif

/*
 * The thread that watches over the daemon: it ends the FUSE connection if an
 * invalidation hangs in the kernel, which nothing else can undo, and tells the
 * service manager that all is well, if that asked to be told.
 */
#ifndef PHIFS_DAEMON_WATCHDOG_H
#define PHIFS_DAEMON_WATCHDOG_H

#include <stdint.h>

#include "base/err.h"

#define WATCHDOG_LOOK_MS  1000
/* An invalidation waits for pages being read: as long as a hung backing may hang. */
#define WATCHDOG_STUCK_MS 60000

struct watchdog_calls {
	void *ctx;
	int64_t (*stuck_ns)(void *ctx); /* how long the invalidation hangs */
	void (*abort)(void *ctx);       /* end the connection */
	void (*alive)(void *ctx);       /* tell the service manager */
	int64_t alive_ns;               /* how often; 0: never */
	int64_t stuck_ms;               /* WATCHDOG_STUCK_MS, but for tests */
};

struct watchdog;
enum err watchdog_new(const struct watchdog_calls *calls, struct watchdog **watchdog) MUST_CHECK;
/* NULL is harmless. */
void watchdog_free(struct watchdog *watchdog);

#endif

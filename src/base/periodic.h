/*
 * A thread that does something again and again until it is stopped: the idle
 * clock, the watchdog, the ticker of the requests.
 */
#ifndef PHIFS_BASE_PERIODIC_H
#define PHIFS_BASE_PERIODIC_H

#include <stdint.h>

#include "base/err.h"

struct periodic;

/*
 * Called on the thread, without a lock; may take its time.  Returns the
 * nanoseconds (CLOCK_BOOTTIME) until it wants to be called again.
 */
typedef int64_t periodic_work(void *ctx);

/* Starts the thread; the first call is at once.  ERR_NO_MEMORY: no memory or no thread. */
enum err periodic_new(periodic_work *work, void *ctx, struct periodic **periodic) MUST_CHECK;
/* Waits for a call that is running; none comes afterwards.  NULL is harmless. */
void periodic_free(struct periodic *periodic);

#endif

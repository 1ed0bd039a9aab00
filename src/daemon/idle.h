/*
 * The clock that locks an unused volume: a thread that asks how long it may
 * still sleep.  What is asked counts CLOCK_BOOTTIME; the thread looks at it
 * every second at the latest, so that time in suspend is noticed at once.
 */
#ifndef PHIFS_DAEMON_IDLE_H
#define PHIFS_DAEMON_IDLE_H

#include <stdint.h>

#include "base/err.h"

#define IDLE_LOOK_MS 1000

struct idle_calls {
	void *ctx;
	int64_t (*left_ms)(void *ctx); /* 0: due; INT64_MAX: not at all now */
	void (*due)(void *ctx);        /* on the idle thread; may take its time */
};

struct idle;
enum err idle_new(const struct idle_calls *calls, struct idle **idle) MUST_CHECK;
/* Waits for a `due` that is running.  NULL is harmless. */
void idle_free(struct idle *idle);

#endif

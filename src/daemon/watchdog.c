#include "daemon/watchdog.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/periodic.h"

struct watchdog {
	struct watchdog_calls calls;
	struct periodic *periodic;
	/* The thread's own: */
	bool is_aborted;
	int64_t next_alive_ns;
};

/* A daemon whose invalidation hangs is not called alive: the manager may then end it. */
static void look(struct watchdog *watchdog)
{
	const struct watchdog_calls *calls = &watchdog->calls;
	bool is_stuck = calls->stuck_ns(calls->ctx) > calls->stuck_ms * NS_PER_MS;

	if (is_stuck && !watchdog->is_aborted)
		calls->abort(calls->ctx);
	watchdog->is_aborted = is_stuck;
	if (is_stuck || calls->alive_ns == 0 || clock_boot_ns() < watchdog->next_alive_ns)
		return;
	calls->alive(calls->ctx);
	watchdog->next_alive_ns = clock_boot_ns() + calls->alive_ns;
}

static int64_t look_ns(const struct watchdog_calls *calls)
{
	int64_t ns = WATCHDOG_LOOK_MS * NS_PER_MS;

	return calls->alive_ns > 0 && calls->alive_ns / 2 < ns ? calls->alive_ns / 2 : ns;
}

static int64_t work(void *ctx)
{
	struct watchdog *watchdog = ctx;

	look(watchdog);
	return look_ns(&watchdog->calls);
}

enum err watchdog_new(const struct watchdog_calls *calls, struct watchdog **watchdog)
{
	struct watchdog *made = calloc(1, sizeof(*made));
	enum err err;

	if (!made)
		return ERR_NO_MEMORY;
	made->calls = *calls;
	err = periodic_new(work, made, &made->periodic);
	if (err) {
		free(made);
		return err;
	}
	*watchdog = made;
	return ERR_OK;
}

void watchdog_free(struct watchdog *watchdog)
{
	if (!watchdog)
		return;
	periodic_free(watchdog->periodic);
	free(watchdog);
}

/* The thread that writes what was counted when its second or minute is over. */
#include <stdatomic.h>

#include "base/clock.h"
#include "fsops/private.h"
#include "fsops/guard_private.h"

#define SECONDS_OF_MINUTE 60

static bool summarize(void *ctx, struct handle *handle)
{
	handle_record_summary(ctx, handle);
	return true;
}

/* Classes with audit = summary write nothing that would notice a trail that works again. */
static void look_at_trail(struct fsops *fsops)
{
	struct audit_status status;

	if (!atomic_load(&fsops->is_audit_failing))
		return;
	audit_status(fsops->config.audit, &status);
	if (!status.is_failed)
		atomic_store(&fsops->is_audit_failing, false);
}

/*
 * A role that has ended takes its open files along.  A second late on purpose:
 * what was decided just before the end has been remembered by then.
 */
static void look_at_ends(struct fsops *fsops)
{
	int64_t now = clock_wall_ns() / NS_PER_SECOND - 1, seen = atomic_load(&fsops->ends_seen);
	struct scope *scope = scope_take(fsops->scopes);

	if (policy_ended_between(scope->policy, seen, now) &&
	    scopes_renew(fsops->scopes) != ERR_OK)
		now = seen; /* again at the next tick */
	atomic_store(&fsops->ends_seen, now);
	scope_put(scope);
}

void ticker_work(struct fsops *fsops, bool is_minute)
{
	look_at_ends(fsops);
	refusals_tick(fsops->refusals);
	callers_tick(fsops->callers);
	look_at_trail(fsops);
	if (is_minute)
		handle_walk(fsops->handles, summarize, fsops);
}

static bool wait_a_second(struct fsops *fsops)
{
	int64_t deadline = clock_boot_ns() + NS_PER_SECOND;
	bool goes_on;

	pthread_mutex_lock(&fsops->tick_mutex);
	while (!fsops->is_stopping && clock_boot_ns() < deadline)
		clock_cond_wait(&fsops->tick_wake, &fsops->tick_mutex, deadline);
	goes_on = !fsops->is_stopping;
	pthread_mutex_unlock(&fsops->tick_mutex);
	return goes_on;
}

static void *run(void *ctx)
{
	struct fsops *fsops = ctx;

	for (unsigned int seconds = 1; wait_a_second(fsops); seconds++)
		ticker_work(fsops, seconds % SECONDS_OF_MINUTE == 0);
	return NULL;
}

enum err ticker_start(struct fsops *fsops)
{
	int error = pthread_create(&fsops->ticker, NULL, run, fsops);

	fsops->has_ticker = error == 0;
	return error == 0 ? ERR_OK : err_from_errno(error);
}

void ticker_stop(struct fsops *fsops)
{
	if (!fsops->has_ticker)
		return;
	pthread_mutex_lock(&fsops->tick_mutex);
	fsops->is_stopping = true;
	pthread_cond_signal(&fsops->tick_wake);
	pthread_mutex_unlock(&fsops->tick_mutex);
	pthread_join(fsops->ticker, NULL);
	fsops->has_ticker = false;
}

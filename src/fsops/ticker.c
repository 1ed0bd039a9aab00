/* The thread that writes what was counted when its second or minute is over. */
#include <stdatomic.h>

#include "base/clock.h"
#include "base/periodic.h"
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
	refusals_tick(fsops->refusals, clock_boot_ns());
	callers_tick(fsops->callers);
	look_at_trail(fsops);
	if (is_minute)
		handle_walk(fsops->handles, summarize, fsops);
}

/* The first call is at the start, when there is nothing yet. */
static int64_t tick(void *ctx)
{
	struct fsops *fsops = ctx;

	if (fsops->ticks > 0)
		ticker_work(fsops, fsops->ticks % SECONDS_OF_MINUTE == 0);
	fsops->ticks++;
	return NS_PER_SECOND;
}

enum err ticker_start(struct fsops *fsops)
{
	return periodic_new(tick, fsops, &fsops->ticker);
}

void ticker_stop(struct fsops *fsops)
{
	periodic_free(fsops->ticker);
	fsops->ticker = NULL;
}

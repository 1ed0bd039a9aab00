/* Refusals: what is recorded, when the caller is told. */
#include <stdio.h>

#include "fsops/guard_private.h"

static void answer(struct guard *guard, enum err err)
{
	if (guard->op == OP_FORGET || guard->op == OP_FORGET_MULTI)
		guard->fsops->reply->none(guard->req);
	else
		(void)guard->fsops->reply->err(guard->req, err_errno(err));
	guard_free(guard);
}

/* Whether the flush worked or not: the access does not happen. */
static void answer_parked(void *ctx, enum err err)
{
	struct guard *guard = ctx;

	(void)err;
	answer(guard, guard->refused);
}

/* Somebody who cannot be resolved is at least a uid and a thread. */
static void fill_person(const struct guard *guard, struct audit_person *unknown,
			struct audit_event *event)
{
	if (event->person != NULL)
		return;
	*unknown = (struct audit_person){.uid = guard->uid, .login_uid = LOGIN_UID_UNSET,
					 .session = UINT32_MAX, .pid = guard->thread};
	event->person = unknown;
}

/*
 * The first of its kind is on disk before the answer, which waits for that on
 * no worker; the others of the second are counted.
 */
static void record_and_answer(struct guard *guard, struct audit_event *event, enum err err)
{
	struct fsops *fsops = guard->fsops;
	struct audit_person unknown;

	fill_person(guard, &unknown, event);
	guard->refused = err;
	if (!refusals_note(fsops->refusals, event, guard->cause) ||
	    fsops_append(fsops, event) != ERR_OK)
		answer(guard, err);
	else
		audit_flush_async(fsops->config.audit, audit_flush_begin(fsops->config.audit),
				  answer_parked, guard);
}

static void refuse_by_policy(struct guard *guard, enum err err)
{
	struct audit_event event = {.type = AUDIT_DENY, .err = err,
				    .action = policy_action_name(guard->action)};

	guard_find_paths(guard);
	guard_fill_event(guard, &event);
	event.detail = guard->cause;
	record_and_answer(guard, &event, err);
}

static void refuse_locked(struct guard *guard)
{
	struct audit_event event = {.type = AUDIT_LOCKED, .err = ERR_LOCKED,
				    .action = guard->row->name, .thread = guard->thread,
				    .number = guard->target.number};

	snprintf(guard->cause, CAUSE_MAX, "the volume is locked");
	/* In flight while the answer is parked, so that an end of the mount waits for it. */
	guard->is_entered = session_enter(guard->fsops->config.session, NEED_NOTHING) == ERR_OK;
	if (guard->caller == NULL && guard->op != OP_WRITEBACK &&
	    caller_of(guard->fsops->callers, guard->thread, guard->uid, guard->gid, false,
		      &guard->caller) != ERR_OK)
		guard->caller = NULL;
	if (guard->caller != NULL)
		event.person = caller_person(guard->caller);
	event.detail = guard->cause;
	record_and_answer(guard, &event, ERR_LOCKED);
}

void guard_refuse(struct guard *guard, enum err err)
{
	if (err == ERR_LOCKED && !guard->is_entered)
		refuse_locked(guard);
	else if (err == ERR_DENIED || err == ERR_CLASS)
		refuse_by_policy(guard, err);
	else
		answer(guard, err);
}

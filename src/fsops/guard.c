/* The beginning of a request: lock state, who, what, may they, the record. */
#include "fsops/guard.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "fsops/guard_private.h"

/* How long a FROZEN or CLEAN answer waits for the last commit of a lock: more than its deadline. */
#define DRAIN_WAIT_MS 60000

static const struct op_row rows[OP_COUNT] = {
#define OP(name, member, need, action, event, when, locked, flags)                               \
	[OP_##name] = {#member, offsetof(struct fuse_lowlevel_ops, member), need, action, event,  \
		       when, locked, flags},
#include "fsops/ops.def"
#undef OP
};

const struct op_row *op_row(enum op op)
{
	return &rows[op];
}

/* --- a guard ------------------------------------------------------------------------ */

static bool makes_handle(enum op op)
{
	return op == OP_OPEN || op == OP_CREATE || op == OP_OPENDIR;
}

static struct guard *guard_new(struct fsops *fsops, fuse_req_t req, enum op op,
			       const struct guard_target *target)
{
	const struct fuse_ctx *context = fsops->reply->context(req);
	struct guard *guard = guard_pool_get(fsops->pool);

	if (guard == NULL)
		return NULL;
	guard->fsops = fsops;
	guard->req = req;
	guard->op = op;
	guard->row = &rows[op];
	guard->target = *target;
	guard->when = guard->row->when;
	guard->is_making = makes_handle(op);
	guard->thread = context->pid;
	guard->uid = context->uid;
	guard->gid = context->gid;
	return guard;
}

void guard_free(struct guard *guard)
{
	struct fsops *fsops = guard->fsops;
	bool is_entered = guard->is_entered;

	/* Still here: it was refused, or not made. */
	if (guard->is_making && guard->use.handle != NULL)
		handle_free(fsops->handles, guard->use.handle);
	handle_use_release(&guard->use);
	handle_use_release(&guard->out);
	caller_put(guard->caller);
	scope_put(guard->scope);
	guard_forget_paths(guard);
	guard_pool_put(fsops->pool, guard);
	/* Last: with nothing in flight the volume may go away. */
	if (is_entered)
		session_leave(fsops->config.session);
}

/* --- the lock state ----------------------------------------------------------------- */

/* Step 5 of a lock commits what is dirty: the answer is true when that is over. */
static enum err wait_while_drained(struct session *session)
{
	for (int waited = 0; session_state(session) == SESSION_DRAINED; waited++) {
		if (waited == DRAIN_WAIT_MS)
			return ERR_LOCKED;
		clock_sleep_ns(NS_PER_MS);
	}
	return ERR_OK;
}

static enum err enter_locked(struct guard *guard)
{
	struct session *session = guard->fsops->config.session;
	enum err err = ERR_LOCKED;

	if (guard->row->locked == REFUSE || guard->row->locked == RUN)
		return ERR_LOCKED;
	while (err == ERR_LOCKED) {
		err = wait_while_drained(session);
		if (err != ERR_OK)
			return err;
		if (session_enter(session, guard->row->need) == ERR_OK)
			return ERR_OK;
		err = session_enter(session, NEED_NOTHING);
		/* Between both it may have gone on to the next lock. */
		if (err == ERR_OK && session_state(session) == SESSION_DRAINED) {
			session_leave(session);
			err = ERR_LOCKED;
		}
	}
	guard->is_locked = true;
	return err;
}

static enum err enter(struct guard *guard)
{
	struct session *session = guard->fsops->config.session;
	enum err err = session_enter(session, guard->row->need);

	if (err == ERR_LOCKED)
		err = enter_locked(guard);
	guard->is_entered = err == ERR_OK;
	if (err == ERR_OK && guard->row->need == NEED_UNLOCKED)
		refusals_unlocked(guard->fsops->refusals);
	if (guard->row->locked == RUN)
		guard->is_locked = session_state(session) != SESSION_UNLOCKED;
	return err;
}

/* --- begin -------------------------------------------------------------------------- */

static enum err admit(struct guard *guard)
{
	struct fsops *fsops = guard->fsops;
	enum err err = enter(guard);

	if (err == ERR_OK && (guard->row->flags & CHANGES) && fsops->config.read_only)
		err = ERR_READ_ONLY;
	if (err == ERR_OK)
		err = guard_decide(guard);
	if (err == ERR_OK && guard->is_making)
		err = guard_make_handle(guard);
	if (err == ERR_OK && (guard->row->flags & ACTIVE))
		session_touch(fsops->config.session);
	return err == ERR_OK ? guard_record_before(guard) : err;
}

struct guard *guard_begin(struct fsops *fsops, fuse_req_t req, enum op op,
			  const struct guard_target *target)
{
	struct guard *guard = guard_new(fsops, req, op, target);
	enum err err;

	if (guard == NULL) {
		if (op == OP_FORGET || op == OP_FORGET_MULTI)
			fsops->reply->none(req);
		else
			(void)fsops->reply->err(req, err_errno(ERR_NO_MEMORY));
		return NULL;
	}
	err = admit(guard);
	if (err != ERR_OK) {
		guard_refuse(guard, err);
		return NULL;
	}
	/* libfuse uses the request's buffer again as soon as the operation returned. */
	guard->target.name = guard->target.new_name = guard->target.xattr = NULL;
	return guard;
}

/* --- while it runs ------------------------------------------------------------------ */

bool guard_is_locked(const struct guard *guard)
{
	return guard->is_locked;
}

struct handle *guard_handle(const struct guard *guard)
{
	return guard->use.handle;
}

uid_t guard_uid(const struct guard *guard)
{
	return guard->uid;
}

gid_t guard_gid(const struct guard *guard)
{
	return guard->gid;
}

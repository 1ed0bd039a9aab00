/*
 * Who uses an open handle.  Its person is its opener for as long as the same
 * process uses it, whatever uid the thread has; another process is itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fsops/guard_private.h"

/* --- deciding anew ------------------------------------------------------------------ */

/* For the DENY record, and for the class and rule of an IDENTITY. */
static void copy_answer(struct guard *guard, struct scope *scope, const struct handle_user *user)
{
	scope_put(guard->scope);
	guard->scope = scope_hold(scope);
	guard->class_index = user->class_index;
	guard->verdict = user->verdict;
}

static void remember(struct handle *handle, struct handle_user *user, struct scope *scope,
		     const struct guard *guard, bool is_refused)
{
	int class_index = guard->class_index;

	scope_put(user->scope);
	user->scope = scope_hold(scope);
	user->class_index = class_index;
	user->verdict = guard->verdict;
	if (is_refused)
		atomic_store(&user->is_refused, true);
	if (user == &handle->opener && class_index >= 0)
		atomic_store(&handle->is_summary, policy_class(scope->policy, class_index)->audit ==
							  POLICY_AUDIT_SUMMARY);
	/* Last: who sees it needs no lock to believe the rest. */
	atomic_store(&user->generation, scope->generation);
}

/*
 * What the open asked for, asked again under the policy in force.  Once refused
 * a handle stays dead for this user: a later policy may allow a new open.
 * `scope` and `set` come from outside: working out classes may look at handles.
 */
static enum err decide_user(struct guard *guard, struct handle *handle, struct handle_user *user,
			    struct scope *scope, const struct place_set *set)
{
	struct question question;
	enum err err;

	question_begin(&question, scope, user->caller);
	err = question_ask(&question, handle->actions, set, guard);
	remember(handle, user, scope, guard, err == ERR_DENIED);
	return err;
}

/* For the DENY record: what the open had asked for. */
static void name_action(struct guard *guard, const struct handle *handle)
{
	for (unsigned int action = 0; action < ACTION_COUNT; action++)
		if (handle->actions & 1u << action)
			guard->action = action;
}

static enum err refuse_dead(struct guard *guard, const struct handle *handle,
			    const struct handle_user *user)
{
	copy_answer(guard, user->scope, user);
	name_action(guard, handle);
	snprintf(guard->cause, CAUSE_MAX, "a change of policy ended this open file");
	return ERR_DENIED;
}

/* The handle's slow path: the policy changed, or the user was refused. */
static enum err look_again(struct guard *guard, struct handle *handle, struct handle_user *user)
{
	struct scope *scope = scope_take(guard->fsops->scopes);
	struct place_set set;
	enum err err = guard_classes(guard, scope, handle->node, &set);

	if (err == ERR_OK) {
		pthread_mutex_lock(&handle->mutex);
		if (atomic_load(&user->is_refused))
			err = refuse_dead(guard, handle, user);
		else if (atomic_load(&user->generation) != scope->generation)
			err = decide_user(guard, handle, user, scope, &set);
		if (err == ERR_DENIED)
			copy_answer(guard, user->scope, user);
		pthread_mutex_unlock(&handle->mutex);
	}
	scope_put(scope);
	return err;
}

static bool is_current(const struct guard *guard, const struct handle_user *user)
{
	return atomic_load_explicit(&user->generation, memory_order_acquire) ==
		       scopes_generation(guard->fsops->scopes) &&
	       !atomic_load_explicit(&user->is_refused, memory_order_relaxed);
}

/* --- another process ---------------------------------------------------------------- */

/* With the handle's lock; NULL: not seen yet. */
static struct handle_user *find_other(struct handle *handle, pid_t thread)
{
	for (size_t i = 0; i < HANDLE_OTHERS_MAX; i++) {
		struct handle_user *user = &handle->others[i];

		if (user->caller != NULL && caller_has_thread(user->caller, thread))
			return user;
	}
	return NULL;
}

static void fill_use(struct handle_use *use, const struct handle_user *user)
{
	if (use->caller == NULL)
		use->caller = caller_hold(user->caller);
	use->person = caller_person(use->caller);
}

/* From now on records of the handle with this pid are this person's. */
static enum err record_identity(struct guard *guard, const struct handle *handle,
				const struct handle_user *user)
{
	struct audit_event event = {.type = AUDIT_IDENTITY};
	enum err err;

	guard->number = handle->node;
	guard->object_id = handle->object_id;
	guard->has_object = true;
	copy_answer(guard, user->scope, user);
	guard_find_paths(guard);
	guard_fill_event(guard, &event);
	event.person = caller_person(user->caller);
	event.handle = handle->number;
	event.detail = "a handle that another process opened";
	err = fsops_append(guard->fsops, &event);
	/* A copy has a second handle, of another file. */
	guard_forget_paths(guard);
	return err;
}

/* With the handle's lock: a place among the others; the oldest makes room. */
static struct handle_user *take_place(struct handle *handle, struct caller *caller)
{
	struct handle_user *user = &handle->others[handle->next_other];

	handle->next_other = (handle->next_other + 1) % HANDLE_OTHERS_MAX;
	handle_user_clear(user);
	user->caller = caller_hold(caller);
	return user;
}

static enum err meet_other(struct guard *guard, struct handle *handle, struct caller *caller,
			   struct scope *scope, const struct place_set *set,
			   struct handle_use *use)
{
	struct handle_user *user;
	enum err err;

	pthread_mutex_lock(&handle->mutex);
	user = find_other(handle, guard->thread);
	if (user == NULL) {
		user = take_place(handle, caller);
		err = decide_user(guard, handle, user, scope, set);
		if (err == ERR_OK)
			err = record_identity(guard, handle, user);
		if (err == ERR_AUDIT)
			handle_user_clear(user);
	} else if (atomic_load(&user->is_refused)) {
		err = refuse_dead(guard, handle, user);
	} else if (atomic_load(&user->generation) != scope->generation) {
		err = decide_user(guard, handle, user, scope, set);
	} else {
		err = ERR_OK;
	}
	if (user->caller != NULL)
		fill_use(use, user);
	if (err == ERR_DENIED)
		copy_answer(guard, user->scope, user);
	pthread_mutex_unlock(&handle->mutex);
	return err;
}

static bool is_known_other(struct guard *guard, struct handle *handle, struct handle_use *use)
{
	struct handle_user *user;
	bool is_known;

	pthread_mutex_lock(&handle->mutex);
	user = find_other(handle, guard->thread);
	is_known = user != NULL && is_current(guard, user);
	if (is_known)
		fill_use(use, user);
	pthread_mutex_unlock(&handle->mutex);
	return is_known;
}

/*
 * Read-ahead is asked for by a thread that does not wait for it and may be gone.
 * Nobody can be told whose it is, and everybody who has the file mapped would see
 * the pages: it is not served.  Whoever needs them asks again, for himself.
 */
static bool is_orphan_fill(const struct guard *guard)
{
	return guard->op == OP_READ && guard->target.is_fill && guard->thread > 0 &&
	       syscall(SYS_tkill, guard->thread, 0) != 0 && errno == ESRCH;
}

static enum err use_by_other(struct guard *guard, struct handle *handle, struct handle_use *use)
{
	struct caller *caller;
	struct place_set set;
	struct scope *scope;
	enum err err;

	if (is_known_other(guard, handle, use))
		return ERR_OK;
	/* Read without the handle's lock: it takes a while. */
	err = caller_of(guard->fsops->callers, guard->thread, guard->uid, guard->gid, true,
			&caller);
	if (err != ERR_OK) {
		name_action(guard, handle);
		snprintf(guard->cause, CAUSE_MAX, "the calling process cannot be seen");
		return is_orphan_fill(guard) ? ERR_INTERRUPTED : err;
	}
	scope = scope_take(guard->fsops->scopes);
	err = guard_classes(guard, scope, handle->node, &set);
	if (err == ERR_OK)
		err = meet_other(guard, handle, caller, scope, &set, use);
	scope_put(scope);
	caller_put(caller);
	return err;
}

enum err guard_use(struct guard *guard, uint64_t number, struct handle_use *use)
{
	struct handle *handle = handle_find(guard->fsops->handles, number);

	if (handle == NULL)
		return ERR_HANDLE;
	use->handle = handle;
	if (guard->number == 0)
		guard->number = handle->node;
	guard->object_id = handle->object_id;
	guard->has_object = true;
	if (!caller_has_thread(handle->opener.caller, guard->thread))
		return use_by_other(guard, handle, use);
	use->person = caller_person(handle->opener.caller);
	return is_current(guard, &handle->opener) ? ERR_OK
						  : look_again(guard, handle, &handle->opener);
}

/* --- a new handle ------------------------------------------------------------------- */

static unsigned int actions_of_open(const struct guard *guard)
{
	int access = guard->target.flags & O_ACCMODE;
	unsigned int actions = 0;

	if (guard->op == OP_OPENDIR)
		return 1u << ACTION_LIST;
	if (guard->op == OP_CREATE)
		return 1u << ACTION_CREATE;
	if (access != O_WRONLY)
		actions |= 1u << ACTION_READ;
	if (access != O_RDONLY)
		actions |= 1u << ACTION_WRITE;
	return actions;
}

enum err guard_make_handle(struct guard *guard)
{
	const struct policy_class *class;
	struct handle *handle;
	enum err err = handle_new(guard->fsops->handles, &handle);

	if (err != ERR_OK)
		return err;
	handle->flags = guard->target.flags;
	handle->is_directory = guard->op == OP_OPENDIR;
	handle->is_created = guard->op == OP_CREATE;
	handle->actions = actions_of_open(guard);
	handle->opener.caller = caller_hold(guard->caller);
	remember(handle, &handle->opener, guard->scope, guard, false);
	class = policy_class(guard->scope->policy, guard->class_index);
	handle->has_mmap = class->mmap;
	if (guard->op != OP_CREATE) {
		handle->object_id = guard->object_id;
		/* Before the reply: a page-cache fill that follows finds it. */
		handle_list(guard->fsops->handles, handle, guard->number);
	}
	guard->use = (struct handle_use){.handle = handle,
					 .person = caller_person(guard->caller)};
	return ERR_OK;
}

void handle_use_release(struct handle_use *use)
{
	caller_put(use->caller);
	*use = (struct handle_use){0};
}

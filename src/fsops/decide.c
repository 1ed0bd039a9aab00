/* Which rights a request needs, in which classes; whether its caller has them. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "fsops/guard_private.h"

#define BIT(action) (1u << (action))

/* --- asking ------------------------------------------------------------------------- */

void question_begin(struct question *question, struct scope *scope, const struct caller *caller)
{
	question->scope = scope;
	caller_subject(caller, &question->subject);
	policy_roles_of(scope->policy, &question->subject, &question->roles);
	question->now = clock_wall_ns() / NS_PER_SECOND;
}

static const char *const miss_text[] = {
	[POLICY_MISS_NONE] = "",
	[POLICY_MISS_SERVICE] = "from = service, but there is a login",
	[POLICY_MISS_LOGIN] = "from = login, but there is none",
	[POLICY_MISS_UNTIL] = "its until has passed",
};

static void explain(const struct question *question, struct guard *guard)
{
	const struct policy *policy = question->scope->policy;
	enum policy_miss miss;
	int role = -1;

	if (guard->class_index < 0) {
		snprintf(guard->cause, CAUSE_MAX, "no class covers it");
		return;
	}
	if (guard->verdict.line != 0) {
		policy_verdict_text(policy, &guard->verdict, guard->cause, CAUSE_MAX);
		return;
	}
	miss = policy_near_miss(policy, &question->subject, guard->class_index, guard->action,
				question->now, &role);
	if (miss != POLICY_MISS_NONE)
		snprintf(guard->cause, CAUSE_MAX, "role %s: %s", policy_role_name(policy, role),
			 miss_text[miss]);
	else
		snprintf(guard->cause, CAUSE_MAX, "no rule allows it%s",
			 question->subject.uid == 0 ? "; root is not a role" : "");
}

enum err question_ask(struct question *question, unsigned int actions,
		      const struct place_set *set, struct guard *guard)
{
	for (unsigned int action = 0; action < ACTION_COUNT; action++) {
		for (uint32_t i = 0; (actions & BIT(action)) && i < set->count; i++) {
			guard->action = action;
			guard->class_index = set->classes[i];
			guard->verdict = policy_decide(question->scope->policy, &question->roles,
						       set->classes[i], guard->action,
						       question->now);
			if (!guard->verdict.allowed) {
				explain(question, guard);
				return ERR_DENIED;
			}
		}
	}
	return ERR_OK;
}

/* --- classes ------------------------------------------------------------------------ */

struct last_class {
	const struct scope *scope;
	int class_index;
	bool is_found;
};

static int class_by_name(const struct policy *policy, const char *name)
{
	for (int i = 0; i < policy_class_count(policy); i++)
		if (strcmp(policy_class(policy, i)->name, name) == 0)
			return i;
	return -1;
}

static bool take_class(void *ctx, struct handle *handle)
{
	struct last_class *last = ctx;

	pthread_mutex_lock(&handle->mutex);
	if (handle->opener.scope != NULL && handle->opener.class_index >= 0) {
		const struct policy_class *then = policy_class(handle->opener.scope->policy,
							       handle->opener.class_index);

		last->class_index = class_by_name(last->scope->policy, then->name);
		last->is_found = true;
	}
	pthread_mutex_unlock(&handle->mutex);
	return !last->is_found;
}

enum err guard_classes(struct guard *guard, const struct scope *scope, uint64_t number,
		       struct place_set *set)
{
	struct last_class last = {.scope = scope};
	enum err err = place_of_node(guard->fsops->places, scope, number, set);

	if (err != ERR_STALE)
		return err;
	handle_walk_node(guard->fsops->handles, number, take_class, &last);
	if (!last.is_found)
		return err;
	set->count = 1;
	set->classes[0] = last.class_index;
	return ERR_OK;
}

static enum err classes_of_name(struct guard *guard, uint64_t dir, const char *name,
				struct place_set *set)
{
	enum err err = place_of_name(guard->fsops->places, guard->scope, dir, name, &set->place);

	set->count = 1;
	set->classes[0] = err == ERR_OK ? policy_class_at(guard->scope->policy, set->place) : -1;
	return err;
}

/* Attributes of a name, without keeping the lookup. */
static enum err peek(struct guard *guard, uint64_t dir, const char *name, struct store_attr *attr)
{
	enum err err = store_lookup(guard->fsops->store, dir, name, attr);

	if (err == ERR_OK)
		store_forget(guard->fsops->store, attr->number, 1);
	return err;
}

static void note_object(struct guard *guard, uint64_t number)
{
	guard->number = number;
	guard->has_object = number != 0 && store_object_id(guard->fsops->store, number,
							   &guard->object_id) == ERR_OK;
}

static bool has_links(const struct store_attr *attr)
{
	return attr->object.nlink > 1 && !S_ISDIR(attr->object.mode);
}

/* --- what each operation needs ------------------------------------------------------ */

typedef enum err plan(struct guard *guard, struct question *question);

/* The row's action on a node that is named by its number. */
static enum err plan_node(struct guard *guard, struct question *question)
{
	struct place_set set;
	enum err err = guard_classes(guard, guard->scope, guard->target.number, &set);

	note_object(guard, guard->target.number);
	return err == ERR_OK ? question_ask(question, BIT(guard->row->action), &set, guard) : err;
}

static enum err plan_new_name(struct guard *guard, struct question *question)
{
	struct place_set set;
	enum err err = classes_of_name(guard, guard->target.dir, guard->target.name, &set);

	return err == ERR_OK ? question_ask(question, BIT(ACTION_CREATE), &set, guard) : err;
}

/* A name of a link set goes only with the right in every class of it. */
static enum err plan_removal(struct guard *guard, struct question *question)
{
	const struct guard_target *target = &guard->target;
	struct store_attr attr;
	struct place_set set;
	enum err err = classes_of_name(guard, target->dir, target->name, &set);

	if (err == ERR_OK)
		err = peek(guard, target->dir, target->name, &attr);
	if (err != ERR_OK)
		return err;
	note_object(guard, attr.number);
	if (has_links(&attr)) {
		err = place_of_node(guard->fsops->places, guard->scope, attr.number, &set);
		guard->moved = attr.number;
	}
	return err == ERR_OK ? question_ask(question, BIT(ACTION_DELETE), &set, guard) : err;
}

static enum err across_classes(struct guard *guard, enum policy_action action, int from, int to,
			       const char *cause)
{
	guard->action = action;
	guard->class_index = from;
	guard->new_class_index = to;
	guard->verdict = (struct policy_verdict){.role = -1};
	snprintf(guard->cause, CAUSE_MAX, "%s", cause);
	return ERR_CLASS;
}

static enum err plan_link(struct guard *guard, struct question *question)
{
	const struct guard_target *target = &guard->target;
	struct place_set set, new_set;
	enum err err = classes_of_name(guard, target->new_dir, target->new_name, &new_set);

	note_object(guard, target->number);
	if (err == ERR_OK)
		err = place_of_node(guard->fsops->places, guard->scope, target->number, &set);
	if (err != ERR_OK)
		return err;
	if (set.count != 1 || set.classes[0] != new_set.classes[0])
		return across_classes(guard, ACTION_CREATE, set.classes[0], new_set.classes[0],
				      "a hard link into another class");
	guard->moved = target->number;
	return question_ask(question, BIT(ACTION_CREATE), &new_set, guard);
}

/* What is renamed: its attributes, and the classes it has by all its names. */
struct side {
	bool exists;
	struct store_attr attr;
	struct place_set name, all; /* by this name; by every name */
};

static enum err look_at_side(struct guard *guard, uint64_t dir, const char *name,
			     struct side *side)
{
	enum err err = classes_of_name(guard, dir, name, &side->name);

	if (err != ERR_OK)
		return err;
	side->all = side->name;
	err = peek(guard, dir, name, &side->attr);
	side->exists = err == ERR_OK;
	if (err == ERR_OK && has_links(&side->attr))
		err = place_of_node(guard->fsops->places, guard->scope, side->attr.number,
				    &side->all);
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* Nothing below a directory may change its class; a file may, alone and by who may do both. */
static enum err ask_move(struct guard *guard, struct question *question, const struct side *side,
			 const struct place_set *to)
{
	int from_class = side->name.classes[0], to_class = to->classes[0];
	enum err err;

	if (S_ISDIR(side->attr.object.mode) && side->name.place != to->place)
		return across_classes(guard, ACTION_RENAME, from_class, to_class,
				      "files below would change class");
	if (side->all.count == 1 && from_class == to_class)
		return question_ask(question, BIT(ACTION_RENAME), &side->all, guard);
	if (!S_ISREG(side->attr.object.mode) || has_links(&side->attr))
		return across_classes(guard, ACTION_RENAME, from_class, to_class,
				      "only a file with one name moves into another class");
	err = question_ask(question, BIT(ACTION_READ) | BIT(ACTION_DELETE), &side->all, guard);
	if (err == ERR_OK)
		err = question_ask(question, BIT(ACTION_CREATE), to, guard);
	guard->new_class_index = to_class;
	/* The record names the class it comes from; the rule is the one that lets it in. */
	if (err == ERR_OK)
		guard->class_index = from_class;
	return err;
}

static enum err plan_rename(struct guard *guard, struct question *question)
{
	const struct guard_target *target = &guard->target;
	struct side from, to;
	enum err err = look_at_side(guard, target->dir, target->name, &from);

	if (err == ERR_OK)
		err = look_at_side(guard, target->new_dir, target->new_name, &to);
	if (err != ERR_OK)
		return err;
	if (!from.exists)
		return ERR_NOT_FOUND;
	note_object(guard, from.attr.number);
	if (to.exists && (target->flags & STORE_RENAME_EXCHANGE))
		err = ask_move(guard, question, &to, &from.name);
	else if (to.exists && to.attr.number != from.attr.number)
		err = question_ask(question, BIT(ACTION_DELETE), &to.all, guard);
	if (err == ERR_OK)
		err = ask_move(guard, question, &from, &to.name);
	if (!S_ISDIR(from.attr.object.mode))
		guard->moved = from.attr.number;
	if (to.exists && !S_ISDIR(to.attr.object.mode))
		guard->also_moved = to.attr.number;
	return err;
}

static enum err plan_open(struct guard *guard, struct question *question)
{
	int access = guard->target.flags & O_ACCMODE;
	unsigned int actions = 0;
	struct place_set set;
	enum err err;

	if (access != O_WRONLY)
		actions |= BIT(ACTION_READ);
	if (access != O_RDONLY || (guard->target.flags & O_TRUNC))
		actions |= BIT(ACTION_WRITE);
	if ((actions & BIT(ACTION_WRITE)) && guard->fsops->config.read_only)
		return ERR_READ_ONLY;
	/* Emptying is a change: it is recorded before it happens. */
	if (guard->target.flags & O_TRUNC)
		guard->when = BEFORE;
	note_object(guard, guard->target.number);
	err = guard_classes(guard, guard->scope, guard->target.number, &set);
	return err == ERR_OK ? question_ask(question, actions, &set, guard) : err;
}

/* --- the right of who made the file ------------------------------------------------- */

struct maker {
	const struct guard *guard;
	struct caller *caller; /* a reference; NULL: not found */
};

static bool is_maker(void *ctx, struct handle *handle)
{
	struct maker *maker = ctx;

	pthread_mutex_lock(&handle->mutex);
	if (handle->is_created && !atomic_load(&handle->opener.is_refused) &&
	    caller_same_process(handle->opener.caller, maker->guard->caller))
		maker->caller = caller_hold(handle->opener.caller);
	pthread_mutex_unlock(&handle->mutex);
	return maker->caller == NULL;
}

/*
 * fchmod(2), fchown(2), futimens(2), fsetxattr(2) reach us without their handle:
 * `create` covers them while the process has the handle open that made the file.
 * It is asked for anew, as for a handle: policies and locks come and go meanwhile.
 */
static enum err or_as_maker(struct guard *guard, struct question *question,
			    unsigned int actions, const struct place_set *set)
{
	struct maker maker = {.guard = guard};
	enum err err = question_ask(question, actions, set, guard);
	struct question makers;

	if (err != ERR_DENIED)
		return err;
	handle_walk_node(guard->fsops->handles, guard->target.number, is_maker, &maker);
	if (maker.caller == NULL)
		return err;
	question_begin(&makers, question->scope, maker.caller);
	err = question_ask(&makers, BIT(ACTION_CREATE), set, guard);
	caller_put(maker.caller);
	/* Refused for what was asked, and with its cause. */
	return err == ERR_OK ? ERR_OK : question_ask(question, actions, set, guard);
}

static const struct {
	uint32_t bit;
	const char *name;
	enum policy_action action;
} settable[] = {
	{STORE_SET_MODE, "mode", ACTION_ATTR},    {STORE_SET_UID, "owner", ACTION_ATTR},
	{STORE_SET_GID, "group", ACTION_ATTR},    {STORE_SET_SIZE, "size", ACTION_WRITE},
	{STORE_SET_ATIME, "atime", ACTION_WRITE}, {STORE_SET_MTIME, "mtime", ACTION_WRITE},
	{STORE_SET_CTIME, "ctime", ACTION_WRITE},
};

static unsigned int actions_of_set(struct guard *guard, uint32_t valid)
{
	unsigned int actions = 0;
	size_t len = 0;

	for (size_t i = 0; i < sizeof(settable) / sizeof(settable[0]); i++) {
		if (!(valid & settable[i].bit))
			continue;
		actions |= BIT(settable[i].action);
		len += (size_t)snprintf(guard->detail + len, DETAIL_MAX - len, "%s%s",
					len == 0 ? "set " : ",", settable[i].name);
	}
	return actions;
}

/*
 * Where truncate(2) and write(2) take the set-id bits of a file away the kernel
 * sends the mode along: that is part of the write.
 */
static bool only_drops_set_id(struct guard *guard)
{
	const uint32_t set_id = S_ISUID | S_ISGID;
	const uint32_t of_attr = STORE_SET_MODE | STORE_SET_UID | STORE_SET_GID;
	struct store_attr attr;
	uint32_t now;

	if ((guard->target.set & of_attr) != STORE_SET_MODE ||
	    store_getattr(guard->fsops->store, guard->target.number, &attr) != ERR_OK)
		return false;
	now = attr.object.mode & 07777;
	return S_ISREG(attr.object.mode) && (now & set_id) != 0 &&
	       (guard->target.mode & set_id) != (now & set_id) &&
	       (guard->target.mode & ~set_id) == (now & ~set_id) &&
	       (guard->target.mode & set_id & ~now) == 0;
}

/* ftruncate(2) brings its handle: the right is the handle's. */
static enum err plan_setattr(struct guard *guard, struct question *question)
{
	uint32_t valid = guard->target.set;
	unsigned int actions = actions_of_set(guard, valid);
	bool drops_set_id = only_drops_set_id(guard);
	struct place_set set;
	enum err err;

	if (guard->target.handle != 0 && (valid & STORE_SET_SIZE)) {
		err = guard_use(guard, guard->target.handle, &guard->use);
		if (err != ERR_OK)
			return err;
		/* It may have put the handle's own in its place. */
		scope_put(guard->scope);
		guard->scope = scope_hold(question->scope);
		if (drops_set_id || !(valid & (STORE_SET_MODE | STORE_SET_UID | STORE_SET_GID)))
			actions = 0;
	} else if (drops_set_id) {
		actions = BIT(ACTION_WRITE);
	}
	note_object(guard, guard->target.number);
	err = guard_classes(guard, guard->scope, guard->target.number, &set);
	if (err != ERR_OK)
		return err;
	guard->class_index = set.classes[0];
	return or_as_maker(guard, question, actions, &set);
}

static enum err plan_xattr(struct guard *guard, struct question *question)
{
	bool is_users = strncmp(guard->target.xattr, "user.", 5) == 0;
	struct place_set set;
	enum err err = guard_classes(guard, guard->scope, guard->target.number, &set);

	/* The name is the user's text: only its kind is recorded. */
	snprintf(guard->detail, DETAIL_MAX, "%s %s attribute",
		 guard->op == OP_SETXATTR ? "set" : "remove", is_users ? "user" : "trusted");
	note_object(guard, guard->target.number);
	if (err != ERR_OK)
		return err;
	return or_as_maker(guard, question, BIT(is_users ? ACTION_WRITE : ACTION_ATTR), &set);
}

/* Where the row's action on the node is not the whole answer. */
static plan *const plans[OP_COUNT] = {
	[OP_MKNOD] = plan_new_name,   [OP_MKDIR] = plan_new_name, [OP_SYMLINK] = plan_new_name,
	[OP_CREATE] = plan_new_name,  [OP_UNLINK] = plan_removal, [OP_RMDIR] = plan_removal,
	[OP_LINK] = plan_link,        [OP_RENAME] = plan_rename,  [OP_OPEN] = plan_open,
	[OP_SETATTR] = plan_setattr,  [OP_SETXATTR] = plan_xattr, [OP_REMOVEXATTR] = plan_xattr,
};

/* What the record says was asked for, until a question says it better. */
static enum policy_action first_action(const struct guard *guard)
{
	if (guard->row->action < ACTION_COUNT)
		return (enum policy_action)guard->row->action;
	switch (guard->op) {
	case OP_OPEN:
		return (guard->target.flags & O_ACCMODE) == O_RDONLY ? ACTION_READ : ACTION_WRITE;
	case OP_LINK:
		return ACTION_CREATE;
	case OP_RENAME:
		return ACTION_RENAME;
	default:
		return ACTION_ATTR;
	}
}

static enum err decide_by_policy(struct guard *guard)
{
	struct fsops *fsops = guard->fsops;
	plan *needs = plans[guard->op] != NULL ? plans[guard->op] : plan_node;
	struct question question;
	struct scope *scope;
	enum err err = caller_of(fsops->callers, guard->thread, guard->uid, guard->gid,
				 guard->is_making, &guard->caller);

	guard->action = first_action(guard);
	if (err != ERR_OK) {
		snprintf(guard->cause, CAUSE_MAX, "the calling process cannot be seen");
		return err;
	}
	scope = scope_take(fsops->scopes);
	guard->scope = scope_hold(scope);
	question_begin(&question, scope, guard->caller);
	err = needs(guard, &question);
	scope_put(scope);
	return err;
}

/* A refusal is about the side that was refused. */
static enum err use_copy_target(struct guard *guard)
{
	struct handle_use source = guard->use;
	uint64_t number = guard->number;
	enum err err;

	guard->use = (struct handle_use){0};
	guard->number = 0;
	err = guard_use(guard, guard->target.out_handle, &guard->use);
	if (err != ERR_OK) {
		handle_use_release(&source);
		return err;
	}
	guard->out = guard->use;
	guard->use = source;
	guard->number = number;
	guard->object_id = source.handle->object_id;
	return ERR_OK;
}

enum err guard_decide(struct guard *guard)
{
	const struct guard_target *target = &guard->target;
	enum err err;

	guard->class_index = -1;
	guard->new_class_index = -1;
	guard->verdict.role = -1;
	guard->number = target->number;
	if (guard->row->action == ACTION_NONE)
		return ERR_OK;
	if (guard->row->action != ACTION_OF_HANDLE)
		return decide_by_policy(guard);
	err = guard_use(guard, target->handle, &guard->use);
	return err == ERR_OK && guard->op == OP_COPY_RANGE ? use_copy_target(guard) : err;
}

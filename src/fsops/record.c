/* What a request writes into the audit trail. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/secmem.h"
#include "fsops/guard_private.h"

#define PATH_ROOM      (STORE_PATH_MAX + STORE_NAME_MAX + 2)
/* Only seen where somebody nests directories to make a path unreadable: its end is kept. */
#define LONG_PATH_ROOM (512u << 10)

enum err fsops_append(struct fsops *fsops, const struct audit_event *event)
{
	enum err err = audit_append(fsops->config.audit, event, NULL);

	/* Written only when it changes: every worker reads it. */
	if ((err != ERR_OK) != atomic_load_explicit(&fsops->is_audit_failing, memory_order_relaxed))
		atomic_store(&fsops->is_audit_failing, err != ERR_OK);
	return err == ERR_OK ? ERR_OK : ERR_AUDIT;
}

/* --- paths -------------------------------------------------------------------------- */

/* "/a/b" and "c" become "/a/b/c"; `name` NULL: the directory itself. */
static char *join(const char *dir, const char *name)
{
	size_t len = strlen(dir);
	char *path;

	if (name == NULL)
		return strdup(dir);
	if (len > 0 && dir[len - 1] == '/')
		len--;
	path = malloc(len + 1 + strlen(name) + 1);
	if (path == NULL)
		return NULL;
	memcpy(path, dir, len);
	path[len] = '/';
	strcpy(path + len + 1, name);
	return path;
}

static char *long_path(struct guard *guard, uint64_t number, const char *name)
{
	char *room = malloc(LONG_PATH_ROOM), *path = NULL;

	if (room != NULL && store_path(guard->fsops->store, number, room, LONG_PATH_ROOM) == ERR_OK)
		path = join(room, name);
	free(room);
	return path;
}

/* NULL: it has no name any more. */
static char *path_of(struct guard *guard, uint64_t number, const char *name)
{
	char room[PATH_ROOM];
	char *path = NULL;
	enum err err = store_path(guard->fsops->store, number, room, sizeof(room));

	if (err == ERR_OK)
		path = join(room, name);
	else if (err == ERR_RANGE)
		path = long_path(guard, number, name);
	secmem_wipe(room, err == ERR_OK ? strlen(room) : 0);
	return path;
}

void guard_find_paths(struct guard *guard)
{
	const struct guard_target *target = &guard->target;

	if (guard->path == NULL && target->dir != 0 && target->name != NULL)
		guard->path = path_of(guard, target->dir, target->name);
	else if (guard->path == NULL && guard->number != 0)
		guard->path = path_of(guard, guard->number, NULL);
	if (guard->new_path == NULL && target->new_dir != 0 && target->new_name != NULL)
		guard->new_path = path_of(guard, target->new_dir, target->new_name);
}

static void wipe_text(char **text)
{
	if (*text != NULL)
		secmem_wipe(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

void guard_forget_paths(struct guard *guard)
{
	wipe_text(&guard->path);
	wipe_text(&guard->new_path);
}

/* --- events ------------------------------------------------------------------------- */

static const struct policy_class *class_of(const struct scope *scope, int class_index)
{
	return scope == NULL || class_index < 0 ? NULL : policy_class(scope->policy, class_index);
}

static void fill_rule(struct audit_event *event, const struct scope *scope, int class_index,
		      const struct policy_verdict *verdict)
{
	const struct policy_class *class = class_of(scope, class_index);

	if (class != NULL) {
		event->class_name = class->name;
		event->patient = class->patient;
	}
	if (scope != NULL && verdict->role >= 0) {
		event->role = policy_role_name(scope->policy, verdict->role);
		event->rule = verdict->line;
	}
}

void guard_fill_event(struct guard *guard, struct audit_event *event)
{
	const struct policy_class *new_class = class_of(guard->scope, guard->new_class_index);

	/* On a handle its person's, whatever uid the thread has that uses it. */
	event->person = guard->use.person;
	if (event->person == NULL && guard->caller != NULL)
		event->person = caller_person(guard->caller);
	event->thread = guard->thread;
	if (guard->use.handle != NULL && !guard->hides_handle)
		event->handle = guard->use.handle->number;
	event->number = guard->number;
	event->object_id = guard->has_object ? guard->object_id.bytes : NULL;
	event->path = guard->path;
	event->new_path = guard->new_path;
	fill_rule(event, guard->scope, guard->class_index, &guard->verdict);
	if (new_class != NULL)
		event->new_class_name = new_class->name;
	if (guard->detail[0] != '\0')
		event->detail = guard->detail;
}

static uint8_t via_of(const struct guard *guard)
{
	if (guard->op == OP_WRITEBACK)
		return AUDIT_VIA_WRITEBACK;
	return guard->op == OP_READ && guard->target.is_fill ? AUDIT_VIA_FILL : AUDIT_VIA_DIRECT;
}

/* Content: its records are as short as can be, the rest was said at the open. */
static bool is_content(const struct guard *guard)
{
	return guard->row->event == AUDIT_READ || guard->row->event == AUDIT_WRITE;
}

static enum err append(struct guard *guard, enum err outcome, uint64_t bytes)
{
	struct audit_event event = {.type = (enum audit_type)guard->row->event, .err = outcome,
				    .offset = guard->target.offset,
				    .length = guard->target.length, .bytes = bytes,
				    .via = via_of(guard)};

	if (!is_content(guard))
		guard_find_paths(guard);
	guard_fill_event(guard, &event);
	return fsops_append(guard->fsops, &event);
}

/* --- content ------------------------------------------------------------------------ */

struct writers {
	char *text;
	size_t size, len;
	unsigned int count;
};

static bool add_writer(void *ctx, struct handle *handle)
{
	struct writers *writers = ctx;

	if ((handle->flags & O_ACCMODE) == O_RDONLY)
		return true;
	writers->count++;
	if (writers->len + 24 < writers->size)
		writers->len += (size_t)snprintf(writers->text + writers->len,
						 writers->size - writers->len, "%s%llu",
						 writers->count == 1 ? "one of handles " : ",",
						 (unsigned long long)handle->number);
	return true;
}

/* The page cache says a handle, but it is any of those that could have written. */
static void find_writers(struct guard *guard)
{
	struct writers writers = {guard->detail, DETAIL_MAX - 24, 0, 0};

	handle_walk_node(guard->fsops->handles, guard->target.number, add_writer, &writers);
	if (writers.len + 24 >= writers.size)
		snprintf(guard->detail + writers.len, DETAIL_MAX - writers.len, "... (%u)",
			 writers.count);
	guard->hides_handle = writers.count != 1;
	guard->use.handle = handle_find(guard->fsops->handles, guard->target.handle);
	if (guard->use.handle != NULL) {
		guard->object_id = guard->use.handle->object_id;
		guard->has_object = true;
	}
}

/* Classes with audit = summary: counted; a trail that fails refuses them all the same. */
static enum err count_summary(struct guard *guard, struct handle_count *count, uint64_t offset,
			      uint64_t bytes)
{
	if (atomic_load_explicit(&guard->fsops->is_audit_failing, memory_order_relaxed))
		return ERR_AUDIT;
	handle_count_add(count, offset, bytes);
	return ERR_OK;
}

/* The opener's only: another process, or a write-back, has records of its own. */
static bool is_summary(const struct handle_use *use)
{
	return use->handle != NULL && use->caller == NULL && use->person != NULL &&
	       atomic_load_explicit(&use->handle->is_summary, memory_order_relaxed);
}

/* A copy is a read of one file and a write of another; both are said before it happens. */
static enum err record_copy(struct guard *guard)
{
	const struct guard_target *target = &guard->target;
	struct audit_event event = {.type = AUDIT_READ, .person = guard->use.person,
				    .thread = guard->thread, .handle = guard->use.handle->number,
				    .number = target->number,
				    .object_id = guard->use.handle->object_id.bytes,
				    .offset = target->offset, .length = target->length};
	struct store_attr attr;
	enum err err = store_getattr(guard->fsops->store, target->number, &attr);

	if (err != ERR_OK)
		return err;
	event.bytes = target->offset >= attr.object.size ? 0 : attr.object.size - target->offset;
	if (event.bytes > target->length)
		event.bytes = target->length;
	handle_count_add(&guard->use.handle->reads, target->offset, event.bytes);
	if (is_summary(&guard->use))
		err = count_summary(guard, &guard->use.handle->summary_reads, target->offset,
				    event.bytes);
	else
		err = fsops_append(guard->fsops, &event);
	/* The rest is about the target. */
	handle_use_release(&guard->use);
	guard->use = guard->out;
	guard->out = (struct handle_use){0};
	guard->number = target->out_number;
	guard->object_id = guard->use.handle->object_id;
	guard->target.offset = target->out_offset;
	guard->target.length = event.bytes;
	return err;
}

static enum err record_write(struct guard *guard)
{
	struct handle *handle;
	enum err err = ERR_OK;

	if (guard->op == OP_WRITEBACK)
		find_writers(guard);
	if (guard->op == OP_FALLOCATE)
		snprintf(guard->detail, DETAIL_MAX, "fallocate");
	if (guard->op == OP_COPY_RANGE)
		err = record_copy(guard);
	if (err != ERR_OK)
		return err;
	handle = guard->use.handle;
	if (is_summary(&guard->use))
		return count_summary(guard, &handle->summary_writes, guard->target.offset,
				     guard->target.length);
	return append(guard, ERR_OK, guard->target.length);
}

static enum err record_read(struct guard *guard, enum err err, uint64_t bytes)
{
	struct handle *handle = guard->use.handle;
	enum err appended;

	if (err == ERR_OK) {
		handle_count_add(&handle->reads, guard->target.offset, bytes);
		atomic_fetch_add_explicit(&guard->fsops->reads, 1, memory_order_relaxed);
	}
	if (err == ERR_OK && is_summary(&guard->use))
		return count_summary(guard, &handle->summary_reads, guard->target.offset, bytes);
	appended = append(guard, err, bytes);
	return err != ERR_OK ? err : appended;
}

/* --- before and after --------------------------------------------------------------- */

enum err guard_record_before(struct guard *guard)
{
	if (guard->when != BEFORE || guard->row->event == AUDIT_NONE)
		return ERR_OK;
	return guard->row->event == AUDIT_WRITE ? record_write(guard) : append(guard, ERR_OK, 0);
}

static void count_write(struct guard *guard, uint64_t bytes)
{
	if (guard->use.handle != NULL)
		handle_count_add(&guard->use.handle->writes, guard->target.offset, bytes);
	atomic_fetch_add_explicit(&guard->fsops->writes, 1, memory_order_relaxed);
}

enum err guard_record_after(struct guard *guard, enum err err, uint64_t bytes)
{
	enum err appended;

	if (guard->row->event == AUDIT_NONE)
		return err;
	if (guard->row->event == AUDIT_READ)
		return record_read(guard, err, bytes);
	if (guard->row->event == AUDIT_WRITE && err == ERR_OK)
		count_write(guard, bytes);
	/* A change that was announced: a second record only if it did not happen. */
	if (guard->when == BEFORE && err == ERR_OK)
		return ERR_OK;
	appended = append(guard, err, bytes);
	return err != ERR_OK ? err : appended;
}

enum err guard_record_open(struct guard *guard, enum err err)
{
	struct audit_event event = {.type = AUDIT_OPEN, .err = err};

	guard_find_paths(guard);
	guard_fill_event(guard, &event);
	event.detail = "created";
	return fsops_append(guard->fsops, &event);
}

/* --- handles ------------------------------------------------------------------------ */

static void record_summary(struct fsops *fsops, struct handle *handle, enum audit_type type,
			   struct handle_count *count)
{
	struct audit_event event = {.type = type, .handle = handle->number,
				    .person = caller_person(handle->opener.caller),
				    .number = handle->node, .object_id = handle->object_id.bytes};
	uint64_t requests, end;
	enum err err;

	if (!handle_count_take(count, &requests, &event.bytes, &event.offset, &end))
		return;
	event.length = end - event.offset;
	event.count = requests > UINT32_MAX ? UINT32_MAX : (uint32_t)requests;
	err = fsops_append(fsops, &event);
	if (err != ERR_OK)
		log_error("a summary of %llu requests could not be recorded: %s",
			  (unsigned long long)requests, err_text(err));
}

void handle_record_summary(struct fsops *fsops, struct handle *handle)
{
	record_summary(fsops, handle, AUDIT_READ, &handle->summary_reads);
	record_summary(fsops, handle, AUDIT_WRITE, &handle->summary_writes);
}

static void record_close(struct fsops *fsops, struct handle *handle, const char *detail)
{
	const struct handle_user *user = &handle->opener;
	struct audit_event event = {.type = AUDIT_CLOSE, .handle = handle->number,
				    .person = caller_person(user->caller),
				    .number = handle->node,
				    .object_id = handle->object_id.bytes, .detail = detail};
	enum err err;

	fill_rule(&event, user->scope, user->class_index, &user->verdict);
	err = fsops_append(fsops, &event);
	/* The file is closed whether anybody writes it down or not. */
	if (err != ERR_OK)
		log_error("a CLOSE could not be recorded: %s", err_text(err));
}

void handle_record_close(struct fsops *fsops, struct handle *handle)
{
	char detail[DETAIL_MAX];

	handle_record_summary(fsops, handle);
	if (handle->is_directory)
		return;
	snprintf(detail, sizeof(detail), "reads %llu bytes %llu, writes %llu bytes %llu",
		 (unsigned long long)atomic_load(&handle->reads.requests),
		 (unsigned long long)atomic_load(&handle->reads.bytes),
		 (unsigned long long)atomic_load(&handle->writes.requests),
		 (unsigned long long)atomic_load(&handle->writes.bytes));
	record_close(fsops, handle, detail);
}

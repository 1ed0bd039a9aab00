/*
 * A volume's requests without a mount: a real store and audit trail in
 * temporary directories, a policy from a text, and replies that are kept.
 */
#ifndef PHIFS_TESTS_FSOPS_FIXTURE_H
#define PHIFS_TESTS_FSOPS_FIXTURE_H

/* Both fixtures call themselves by the same name. */
#define fixture trail_fixture
#include "tests/unit/audit_fixture.h"
#undef fixture
#include "store_fixture.h"

#include <stdatomic.h>

#include "fsops/guard_private.h"

#define WAIT_LIMIT_MS 20000
#define EVENTS_MAX    16384

struct world {
	struct fixture store;
	struct trail_fixture trail;
	struct audit *audit;
	struct session *session;
	struct fsops *fsops;
	struct fsops_config config;
	/* Of the callback. */
	unsigned int fills;
	uint64_t filled_number, filled_offset, filled_length;
};

/* What a request was answered.  A fuse_req_t of these tests is a pointer to one. */
struct answer {
	struct fuse_ctx context;
	_Atomic int count;
	int error;              /* errno; -1: a body was replied */
	uint64_t number;        /* entry, create */
	size_t bytes;
	int refuse_body;        /* what a reply with a body returns: 0 or -ENOENT */
};

static inline void answered(fuse_req_t req, int error)
{
	struct answer *answer = (struct answer *)req;

	answer->error = error;
	atomic_fetch_add(&answer->count, 1);
}

static inline int answered_body(fuse_req_t req)
{
	answered(req, -1);
	return ((struct answer *)req)->refuse_body;
}

static inline const struct fuse_ctx *fake_context(fuse_req_t req)
{
	return &((struct answer *)req)->context;
}

static inline int fake_err(fuse_req_t req, int error)
{
	answered(req, error);
	return 0;
}

static inline void fake_none(fuse_req_t req)
{
	answered(req, 0);
}

static inline int fake_entry(fuse_req_t req, const struct fuse_entry_param *entry)
{
	((struct answer *)req)->number = entry->ino;
	return answered_body(req);
}

static inline int fake_create(fuse_req_t req, const struct fuse_entry_param *entry,
			      const struct fuse_file_info *fi)
{
	(void)fi;
	return fake_entry(req, entry);
}

static inline int fake_open(fuse_req_t req, const struct fuse_file_info *fi)
{
	(void)fi;
	return answered_body(req);
}

static inline int fake_attr(fuse_req_t req, const struct stat *st, double timeout)
{
	(void)st;
	(void)timeout;
	return answered_body(req);
}

static inline int fake_readlink(fuse_req_t req, const char *target)
{
	(void)target;
	return answered_body(req);
}

static inline int fake_buf(fuse_req_t req, const char *data, size_t size)
{
	(void)data;
	((struct answer *)req)->bytes = size;
	return answered_body(req);
}

static inline int fake_count(fuse_req_t req, size_t count)
{
	((struct answer *)req)->bytes = count;
	return answered_body(req);
}

static inline int fake_statfs(fuse_req_t req, const struct statvfs *st)
{
	(void)st;
	return answered_body(req);
}

static inline int fake_lseek(fuse_req_t req, off_t offset)
{
	(void)offset;
	return answered_body(req);
}

static const struct reply_table fake_replies = {
	.context = fake_context, .err = fake_err, .none = fake_none, .entry = fake_entry,
	.create = fake_create, .open = fake_open, .attr = fake_attr, .readlink = fake_readlink,
	.buf = fake_buf, .write = fake_count, .xattr = fake_count, .statfs = fake_statfs,
	.lseek = fake_lseek,
};

static inline struct policy *world_policy(const char *text)
{
	struct policy *policy;

	ck_assert_ok(policy_parse(text, strlen(text), NULL, NULL, &policy));
	return policy;
}

static inline void note_filled(void *ctx, uint64_t number, uint64_t offset, uint64_t length)
{
	struct world *world = ctx;

	world->fills++;
	world->filled_number = number;
	world->filled_offset = offset;
	world->filled_length = length;
}

static inline void world_unlock(struct world *world)
{
	ck_assert_ok(session_begin_unlock(world->session));
	session_unlocked(world->session, NULL);
}

static inline void world_start_fsops(struct world *world, const char *policy)
{
	world->config.policy = world_policy(policy);
	ck_assert_ok(fsops_new(&world->config, &world->fsops));
	world->fsops->reply = &fake_replies;
}

static inline void world_new(struct world *world, const char *policy)
{
	memset(world, 0, sizeof(*world));
	fixture_new(&world->store);
	fixture_set_up(&world->trail);
	world->audit = open_trail(&world->trail);
	ck_assert_ok(session_new(INT64_MAX, &world->session));
	world_unlock(world);
	world->config = (struct fsops_config){.store = world->store.store,
					      .session = world->session, .audit = world->audit,
					      .filled = note_filled, .ctx = world};
	world_start_fsops(world, policy);
}

/* No request may be in flight: each test has waited for its answers. */
static inline void world_stop(struct world *world)
{
	ck_assert_uint_eq(session_in_flight(world->session), 0);
	fsops_free(world->fsops);
	world->fsops = NULL;
	if (world->audit != NULL)
		audit_close(world->audit, 0);
	world->audit = NULL;
}

static inline void world_free(struct world *world)
{
	if (world->fsops != NULL)
		world_stop(world);
	session_free(world->session);
	fixture_free(&world->store);
	fixture_tear_down(&world->trail);
}

/* --- asking ------------------------------------------------------------------------- */

static inline struct answer asker_as(pid_t thread, uid_t uid)
{
	return (struct answer){.context = {.uid = uid, .gid = uid, .pid = thread}, .error = -2};
}

static inline struct answer asker(uid_t uid)
{
	return asker_as(getpid(), uid);
}

/* Exactly one answer; parked ones come from other threads. */
static inline int wait_answer(struct answer *answer)
{
	for (int waited = 0; atomic_load(&answer->count) == 0; waited++) {
		ck_assert_int_lt(waited, WAIT_LIMIT_MS);
		clock_sleep_ns(NS_PER_MS);
	}
	ck_assert_int_eq(atomic_load(&answer->count), 1);
	return answer->error;
}

static inline struct guard *begin(struct world *world, struct answer *answer, enum op op,
				  struct guard_target target)
{
	return guard_begin(world->fsops, (fuse_req_t)answer, op, &target);
}

/* Refused: the errno. */
static inline int refusal(struct world *world, struct answer answer, enum op op,
			  struct guard_target target)
{
	ck_assert_ptr_null(begin(world, &answer, op, target));
	return wait_answer(&answer);
}

/* mkdir(2): the new directory's number, 0 if it was refused (errno in *error). */
static inline uint64_t world_mkdir(struct world *world, uid_t uid, uint64_t dir, const char *name,
				   int *error)
{
	struct answer answer = asker(uid);
	struct guard *guard = begin(world, &answer, OP_MKDIR,
				    (struct guard_target){.dir = dir, .name = name});
	struct fuse_entry_param entry = {0};
	struct store_attr attr;
	enum err err;

	if (guard != NULL) {
		err = store_create_node(world->store.store, dir, name, S_IFDIR | 0755, 0, uid, uid,
					&attr);
		entry.ino = err == ERR_OK ? attr.number : 0;
		guard_end_entry(guard, err, &entry);
	}
	*error = wait_answer(&answer);
	return *error == -1 ? answer.number : 0;
}

/* creat(2): handle number, 0 if it was refused. */
static inline uint64_t world_create(struct world *world, struct answer answer, uint64_t dir,
				    const char *name, int flags, uint64_t *number)
{
	struct guard *guard = begin(world, &answer, OP_CREATE,
				    (struct guard_target){.dir = dir, .name = name,
							  .flags = flags});
	struct fuse_entry_param entry = {0};
	struct fuse_file_info fi = {.flags = flags};
	struct store_attr attr;
	enum err err;

	if (guard != NULL) {
		err = store_create_node(world->store.store, dir, name, S_IFREG | 0644, 0,
					answer.context.uid, answer.context.gid, &attr);
		if (err == ERR_OK)
			err = store_open_node(world->store.store, attr.number, false);
		entry.ino = err == ERR_OK ? attr.number : 0;
		guard_end_create(guard, err, &entry, &fi);
	}
	if (wait_answer(&answer) != -1)
		return 0;
	*number = answer.number;
	return fi.fh;
}

/* open(2): the handle's number, 0 if it was refused (errno in *error). */
static inline uint64_t world_open(struct world *world, struct answer answer, uint64_t number,
				  int flags, int *error)
{
	struct guard *guard = begin(world, &answer, OP_OPEN,
				    (struct guard_target){.number = number, .flags = flags});
	struct fuse_file_info fi = {.flags = flags};

	if (guard != NULL)
		guard_end_open(guard, store_open_node(world->store.store, number, flags & O_TRUNC),
			       &fi);
	*error = wait_answer(&answer);
	return *error == -1 ? fi.fh : 0;
}

/* pread(2): bytes, or minus errno. */
static inline int world_read(struct world *world, struct answer answer, uint64_t number,
			     uint64_t handle, uint64_t offset, size_t size, bool is_fill)
{
	struct guard *guard = begin(world, &answer, OP_READ,
				    (struct guard_target){.number = number, .handle = handle,
							  .offset = offset, .length = size,
							  .is_fill = is_fill});
	char data[4096];
	size_t got = 0;
	enum err err;

	ck_assert_uint_le(size, sizeof(data));
	if (guard != NULL) {
		err = store_read(world->store.store, number, offset, data, size, &got);
		guard_end_data(guard, err, data, got);
	}
	return wait_answer(&answer) == -1 ? (int)answer.bytes : -answer.error;
}

/* pwrite(2), or a write-back of the page cache: bytes, or minus errno. */
static inline int world_write(struct world *world, struct answer answer, enum op op,
			      uint64_t number, uint64_t handle, uint64_t offset, size_t size)
{
	static const char zeroes[4096];
	struct guard *guard = begin(world, &answer, op,
				    (struct guard_target){.number = number, .handle = handle,
							  .offset = offset, .length = size});

	if (guard != NULL)
		store_write(world->store.store, number, offset, zeroes, size, false, guard_done,
			    guard);
	return wait_answer(&answer) == -1 ? (int)answer.bytes : -answer.error;
}

static inline void world_release(struct world *world, uint64_t number, uint64_t handle)
{
	struct answer answer = asker_as(0, 0);

	guard_release(world->fsops, (fuse_req_t)&answer, OP_RELEASE, number, handle);
	ck_assert_int_eq(wait_answer(&answer), 0);
}

/* rename(2), link(2), unlink(2): errno. */
static inline int world_rename(struct world *world, uid_t uid, uint64_t dir, const char *name,
			       uint64_t new_dir, const char *new_name)
{
	struct answer answer = asker(uid);
	struct guard *guard = begin(world, &answer, OP_RENAME,
				    (struct guard_target){.dir = dir, .name = name,
							  .new_dir = new_dir,
							  .new_name = new_name});

	if (guard != NULL)
		store_rename(world->store.store, dir, name, new_dir, new_name, 0, guard_done,
			     guard);
	return wait_answer(&answer);
}

static inline int world_link(struct world *world, uid_t uid, uint64_t number, uint64_t dir,
			     const char *name)
{
	struct answer answer = asker(uid);
	struct guard *guard = begin(world, &answer, OP_LINK,
				    (struct guard_target){.number = number, .new_dir = dir,
							  .new_name = name});
	struct fuse_entry_param entry = {0};
	struct store_attr attr;
	enum err err;

	if (guard != NULL) {
		err = store_link(world->store.store, number, dir, name, &attr);
		entry.ino = err == ERR_OK ? number : 0;
		guard_end_entry(guard, err, &entry);
	}
	return wait_answer(&answer);
}

static inline int world_unlink(struct world *world, uid_t uid, uint64_t dir, const char *name)
{
	struct answer answer = asker(uid);
	struct guard *guard = begin(world, &answer, OP_UNLINK,
				    (struct guard_target){.dir = dir, .name = name});

	if (guard != NULL)
		guard_end_err(guard, store_unlink(world->store.store, dir, name));
	return wait_answer(&answer);
}

/* --- another process ---------------------------------------------------------------- */

/* A child that waits until it is ended. */
static inline pid_t child_new(void)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		for (;;)
			pause();
	}
	return pid;
}

static inline void child_end(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}

/* --- the trail ---------------------------------------------------------------------- */

/* A record as the tests look at it. */
struct event {
	enum audit_type type;
	enum err err;
	uint64_t handle, number, offset, length, bytes;
	uint32_t count;
	uint8_t via;
	int rule;
	uid_t uid;
	pid_t pid;
	bool has_person, has_object;
	char path[128], new_path[128], class_name[64], new_class_name[64], role[64], action[16];
	char detail[256];
};

struct events {
	size_t count;
	struct event list[EVENTS_MAX];
};

static inline void copy_event_text(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text == NULL ? "" : text);
}

static inline void copy_event(struct event *event, const struct audit_event *from)
{
	*event = (struct event){.type = from->type, .err = from->err, .handle = from->handle,
				.number = from->number, .offset = from->offset,
				.length = from->length, .bytes = from->bytes,
				.count = from->count, .via = from->via, .rule = from->rule,
				.has_object = from->object_id != NULL};
	event->has_person = from->person != NULL;
	if (event->has_person) {
		event->uid = from->person->uid;
		event->pid = from->person->pid;
	}
	copy_event_text(event->path, sizeof(event->path), from->path);
	copy_event_text(event->new_path, sizeof(event->new_path), from->new_path);
	copy_event_text(event->class_name, sizeof(event->class_name), from->class_name);
	copy_event_text(event->new_class_name, sizeof(event->new_class_name), from->new_class_name);
	copy_event_text(event->role, sizeof(event->role), from->role);
	copy_event_text(event->action, sizeof(event->action), from->action);
	copy_event_text(event->detail, sizeof(event->detail), from->detail);
}

/* Ends the volume and reads what it recorded, without the trail's own records. */
static inline void world_events(struct world *world, struct events *events)
{
	struct audit_reader *reader;
	struct audit_record record;
	enum err err;

	world_stop(world);
	events->count = 0;
	ck_assert_ok(audit_reader_open(world->trail.journal, world->trail.key, NULL, NULL,
				       &reader));
	while ((err = audit_reader_next(reader, &record)) == ERR_OK) {
		if (record.body == NULL || record.type == AUDIT_SEGMENT ||
		    record.type == AUDIT_RECOVER)
			continue;
		ck_assert_uint_lt(events->count, EVENTS_MAX);
		copy_event(&events->list[events->count++], &record.body->event);
	}
	ck_assert_int_eq(err, ERR_NOT_FOUND);
	audit_reader_close(reader);
}

static inline size_t events_of(const struct events *events, enum audit_type type)
{
	size_t count = 0;

	for (size_t i = 0; i < events->count; i++)
		count += events->list[i].type == type;
	return count;
}

/* The first of its type; fails if there is none. */
static inline const struct event *event_of(const struct events *events, enum audit_type type)
{
	for (size_t i = 0; i < events->count; i++)
		if (events->list[i].type == type)
			return &events->list[i];
	ck_abort_msg("no %s record", audit_type_name(type));
	return NULL;
}

#endif

#include "backing_watch.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILES_MAX  4096
#define HOLDS_MAX  4
#define PATH_LEN   96
#define POLL_US    100
#define PATIENCE   100000 /* polls: ten seconds */

struct entry {
	enum watch_call call;
	char path[PATH_LEN];
	uint64_t begin, end; /* end 0: under way, or it failed */
};

enum hold_state { HOLD_FREE, HOLD_SET, HOLD_CAUGHT, HOLD_LET_GO };

struct hold {
	enum hold_state state;
	enum watch_call call;
	char path[PATH_LEN];
	bool after;
};

struct watch {
	struct backing base;
	struct backing *inner;
	pthread_mutex_t mutex; /* protects the rest */
	pthread_cond_t changed;
	struct hold holds[HOLDS_MAX];
	struct hold failing;   /* SET: the next such call fails */
	enum err failure;
	struct entry *log;
	size_t count, room;
	char paths[FILES_MAX][PATH_LEN];
};

static atomic_uint_fast64_t now = 1;

static struct watch *watch_of(struct backing *b)
{
	return (struct watch *)b;
}

static bool fits(enum watch_call wanted, const char *prefix, enum watch_call call,
		 const char *path)
{
	return ((wanted == WATCH_ANY && call < WATCH_ANY) || wanted == call) &&
	       strncmp(path, prefix, strlen(prefix)) == 0;
}

/* --- every changing call ---------------------------------------------------------- */

/* Mutex held; released while it is held back. */
static void hold_back(struct watch *watch, enum watch_call call, const char *path, bool after)
{
	for (size_t i = 0; i < HOLDS_MAX; i++) {
		struct hold *hold = &watch->holds[i];

		if (hold->state != HOLD_SET || hold->after != after ||
		    !fits(hold->call, hold->path, call, path))
			continue;
		hold->state = HOLD_CAUGHT;
		while (hold->state != HOLD_LET_GO)
			pthread_cond_wait(&watch->changed, &watch->mutex);
		hold->state = HOLD_FREE;
		return;
	}
}

/* Its place in the log; mutex held. */
static size_t note(struct watch *watch, enum watch_call call, const char *path)
{
	struct entry *entry;

	if (watch->count == watch->room) {
		watch->room = watch->room == 0 ? 256 : watch->room * 2;
		watch->log = realloc(watch->log, watch->room * sizeof(*watch->log));
		if (watch->log == NULL)
			abort();
	}
	entry = &watch->log[watch->count];
	*entry = (struct entry){.call = call, .begin = atomic_fetch_add(&now, 1)};
	snprintf(entry->path, sizeof(entry->path), "%s", path);
	return watch->count++;
}

static enum err begin(struct watch *watch, enum watch_call call, const char *path, size_t *at)
{
	enum err err = ERR_OK;

	pthread_mutex_lock(&watch->mutex);
	hold_back(watch, call, path, false);
	if (watch->failing.state == HOLD_SET &&
	    fits(watch->failing.call, watch->failing.path, call, path)) {
		watch->failing.state = HOLD_FREE;
		err = watch->failure;
	} else {
		*at = note(watch, call, path);
	}
	pthread_mutex_unlock(&watch->mutex);
	return err;
}

static enum err end(struct watch *watch, size_t at, enum err err)
{
	struct entry entry;

	pthread_mutex_lock(&watch->mutex);
	if (err == ERR_OK)
		watch->log[at].end = atomic_fetch_add(&now, 1);
	entry = watch->log[at];
	hold_back(watch, entry.call, entry.path, true);
	pthread_mutex_unlock(&watch->mutex);
	return err;
}

/* --- the table ---------------------------------------------------------------------- */

static enum err watch_open(struct backing *b, const char *path, int flags, int *file)
{
	struct watch *watch = watch_of(b);
	bool creates = (flags & BACKING_CREATE) != 0;
	size_t at = 0;
	enum err err = creates ? begin(watch, WATCH_CREATE, path, &at) : ERR_OK;

	if (err != ERR_OK)
		return err;
	err = watch->inner->ops->open(watch->inner, path, flags, file);
	if (err == ERR_OK) {
		if (*file < 0 || *file >= FILES_MAX)
			abort();
		pthread_mutex_lock(&watch->mutex);
		snprintf(watch->paths[*file], PATH_LEN, "%s", path);
		pthread_mutex_unlock(&watch->mutex);
	}
	return creates ? end(watch, at, err) : err;
}

static void watch_close(struct backing *b, int file)
{
	struct watch *watch = watch_of(b);

	watch->inner->ops->close(watch->inner, file);
}

static enum err begin_file(struct watch *watch, enum watch_call call, int file, size_t *at)
{
	char path[PATH_LEN];

	pthread_mutex_lock(&watch->mutex);
	snprintf(path, sizeof(path), "%s", watch->paths[file]);
	pthread_mutex_unlock(&watch->mutex);
	return begin(watch, call, path, at);
}

static enum err watch_pread(struct backing *b, int file, void *data, size_t len, uint64_t offset)
{
	struct watch *watch = watch_of(b);
	enum err err = watch->inner->ops->pread(watch->inner, file, data, len, offset);
	char path[PATH_LEN];

	pthread_mutex_lock(&watch->mutex);
	snprintf(path, sizeof(path), "%s", watch->paths[file]);
	hold_back(watch, WATCH_READ, path, true);
	pthread_mutex_unlock(&watch->mutex);
	return err;
}

static enum err watch_pwrite(struct backing *b, int file, const void *data, size_t len,
			     uint64_t offset)
{
	struct watch *watch = watch_of(b);
	size_t at;
	enum err err = begin_file(watch, WATCH_PWRITE, file, &at);

	if (err != ERR_OK)
		return err;
	return end(watch, at, watch->inner->ops->pwrite(watch->inner, file, data, len, offset));
}

static enum err watch_fdatasync(struct backing *b, int file)
{
	struct watch *watch = watch_of(b);
	size_t at;
	enum err err = begin_file(watch, WATCH_FDATASYNC, file, &at);

	if (err != ERR_OK)
		return err;
	return end(watch, at, watch->inner->ops->fdatasync(watch->inner, file));
}

static enum err watch_write_out(struct backing *b, int file, uint64_t offset, uint64_t len)
{
	struct watch *watch = watch_of(b);
	size_t at;
	enum err err = begin_file(watch, WATCH_WRITE_OUT, file, &at);

	if (err != ERR_OK)
		return err;
	return end(watch, at, watch->inner->ops->write_out(watch->inner, file, offset, len));
}

static enum err watch_truncate(struct backing *b, int file, uint64_t size)
{
	struct watch *watch = watch_of(b);
	size_t at;
	enum err err = begin_file(watch, WATCH_TRUNCATE, file, &at);

	if (err != ERR_OK)
		return err;
	return end(watch, at, watch->inner->ops->truncate(watch->inner, file, size));
}

static enum err watch_punch(struct backing *b, int file, uint64_t offset, uint64_t len)
{
	struct watch *watch = watch_of(b);
	size_t at;
	enum err err = begin_file(watch, WATCH_PUNCH, file, &at);

	if (err != ERR_OK)
		return err;
	return end(watch, at, watch->inner->ops->punch(watch->inner, file, offset, len));
}

static enum err watch_size(struct backing *b, int file, uint64_t *size)
{
	struct watch *watch = watch_of(b);

	return watch->inner->ops->size(watch->inner, file, size);
}

static enum err watch_rename(struct backing *b, const char *from, const char *to)
{
	struct watch *watch = watch_of(b);
	size_t at;
	enum err err = begin(watch, WATCH_RENAME, from, &at);

	if (err != ERR_OK)
		return err;
	err = watch->inner->ops->rename(watch->inner, from, to);
	pthread_mutex_lock(&watch->mutex);
	for (size_t i = 0; err == ERR_OK && i < FILES_MAX; i++)
		if (strcmp(watch->paths[i], from) == 0)
			snprintf(watch->paths[i], PATH_LEN, "%s", to);
	pthread_mutex_unlock(&watch->mutex);
	return end(watch, at, err);
}

static enum err watch_unlink(struct backing *b, const char *path)
{
	struct watch *watch = watch_of(b);
	size_t at;
	enum err err = begin(watch, WATCH_UNLINK, path, &at);

	return err == ERR_OK ? end(watch, at, watch->inner->ops->unlink(watch->inner, path)) : err;
}

static enum err watch_mkdir(struct backing *b, const char *path)
{
	struct watch *watch = watch_of(b);
	size_t at;
	enum err err = begin(watch, WATCH_MKDIR, path, &at);

	return err == ERR_OK ? end(watch, at, watch->inner->ops->mkdir(watch->inner, path)) : err;
}

static enum err watch_sync_dir(struct backing *b, const char *path)
{
	struct watch *watch = watch_of(b);
	size_t at;
	enum err err = begin(watch, WATCH_SYNC_DIR, path, &at);

	return err == ERR_OK ? end(watch, at, watch->inner->ops->sync_dir(watch->inner, path)) : err;
}

static enum err watch_sync_all(struct backing *b)
{
	struct watch *watch = watch_of(b);
	size_t at;
	enum err err = begin(watch, WATCH_SYNC_ALL, "", &at);

	return err == ERR_OK ? end(watch, at, watch->inner->ops->sync_all(watch->inner)) : err;
}

static enum err watch_space(struct backing *b, struct backing_space *space)
{
	struct watch *watch = watch_of(b);

	return watch->inner->ops->space(watch->inner, space);
}

static enum err watch_list(struct backing *b, const char *path, backing_name *each, void *ctx)
{
	struct watch *watch = watch_of(b);

	return watch->inner->ops->list(watch->inner, path, each, ctx);
}

static void watch_free(struct backing *b)
{
	struct watch *watch = watch_of(b);

	backing_free(watch->inner);
	pthread_cond_destroy(&watch->changed);
	pthread_mutex_destroy(&watch->mutex);
	free(watch->log);
	free(watch);
}

static const struct backing_ops watch_ops = {
	.open = watch_open,
	.close = watch_close,
	.pread = watch_pread,
	.pwrite = watch_pwrite,
	.fdatasync = watch_fdatasync,
	.write_out = watch_write_out,
	.truncate = watch_truncate,
	.punch = watch_punch,
	.size = watch_size,
	.rename = watch_rename,
	.unlink = watch_unlink,
	.mkdir = watch_mkdir,
	.sync_dir = watch_sync_dir,
	.sync_all = watch_sync_all,
	.space = watch_space,
	.list = watch_list,
	.free = watch_free,
};

struct backing *watch_new(struct backing *inner)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (watch == NULL)
		abort();
	watch->base.ops = &watch_ops;
	watch->inner = inner;
	pthread_mutex_init(&watch->mutex, NULL);
	pthread_cond_init(&watch->changed, NULL);
	return &watch->base;
}

/* --- holding --------------------------------------------------------------------------- */

int watch_hold(struct backing *backing, enum watch_call call, const char *path, bool after)
{
	struct watch *watch = watch_of(backing);
	int number = 0;

	pthread_mutex_lock(&watch->mutex);
	while (number < HOLDS_MAX && watch->holds[number].state != HOLD_FREE)
		number++;
	if (number == HOLDS_MAX)
		abort();
	watch->holds[number] = (struct hold){.state = HOLD_SET, .call = call, .after = after};
	snprintf(watch->holds[number].path, PATH_LEN, "%s", path);
	pthread_mutex_unlock(&watch->mutex);
	return number;
}

static void give_up(const char *what)
{
	fprintf(stderr, "# waited too long for %s\n", what);
	abort();
}

bool watch_wait_held(struct backing *backing, int number, const atomic_bool *unless)
{
	struct watch *watch = watch_of(backing);

	for (int i = 0; i < PATIENCE; i++) {
		bool is_caught;

		pthread_mutex_lock(&watch->mutex);
		is_caught = watch->holds[number].state == HOLD_CAUGHT;
		pthread_mutex_unlock(&watch->mutex);
		if (is_caught)
			return true;
		if (unless != NULL && atomic_load(unless))
			return false;
		usleep(POLL_US);
	}
	give_up("a call to be held");
	return false;
}

void watch_release(struct backing *backing, int number)
{
	struct watch *watch = watch_of(backing);
	struct hold *hold = &watch->holds[number];

	pthread_mutex_lock(&watch->mutex);
	hold->state = hold->state == HOLD_CAUGHT ? HOLD_LET_GO : HOLD_FREE;
	pthread_cond_broadcast(&watch->changed);
	pthread_mutex_unlock(&watch->mutex);
}

void watch_release_all(struct backing *backing)
{
	struct watch *watch = watch_of(backing);

	pthread_mutex_lock(&watch->mutex);
	for (size_t i = 0; i < HOLDS_MAX; i++)
		watch->holds[i].state = watch->holds[i].state == HOLD_SET      ? HOLD_FREE
					: watch->holds[i].state == HOLD_CAUGHT ? HOLD_LET_GO
									       : watch->holds[i].state;
	pthread_cond_broadcast(&watch->changed);
	pthread_mutex_unlock(&watch->mutex);
}

void watch_fail(struct backing *backing, enum watch_call call, const char *path, enum err err)
{
	struct watch *watch = watch_of(backing);

	pthread_mutex_lock(&watch->mutex);
	watch->failing = (struct hold){.state = HOLD_SET, .call = call};
	snprintf(watch->failing.path, PATH_LEN, "%s", path);
	watch->failure = err;
	pthread_mutex_unlock(&watch->mutex);
}

/* --- the log ------------------------------------------------------------------------------ */

uint64_t watch_now(void)
{
	return atomic_fetch_add(&now, 1);
}

uint64_t watch_first(struct backing *backing, uint64_t since, enum watch_call call,
		     const char *path)
{
	struct watch *watch = watch_of(backing);
	uint64_t when = 0;

	pthread_mutex_lock(&watch->mutex);
	for (size_t i = 0; i < watch->count && when == 0; i++)
		if (watch->log[i].begin > since && fits(call, path, watch->log[i].call,
							watch->log[i].path))
			when = watch->log[i].end;
	pthread_mutex_unlock(&watch->mutex);
	return when;
}

uint64_t watch_last_begin(struct backing *backing, uint64_t since, enum watch_call call,
			  const char *path)
{
	struct watch *watch = watch_of(backing);
	uint64_t when = 0;

	pthread_mutex_lock(&watch->mutex);
	for (size_t i = 0; i < watch->count; i++)
		if (watch->log[i].begin > since && fits(call, path, watch->log[i].call,
							watch->log[i].path))
			when = watch->log[i].begin;
	pthread_mutex_unlock(&watch->mutex);
	return when;
}

unsigned int watch_count(struct backing *backing, uint64_t since, enum watch_call call,
			 const char *path)
{
	struct watch *watch = watch_of(backing);
	unsigned int count = 0;

	pthread_mutex_lock(&watch->mutex);
	for (size_t i = 0; i < watch->count; i++)
		count += watch->log[i].begin > since && watch->log[i].end != 0 &&
			 fits(call, path, watch->log[i].call, watch->log[i].path);
	pthread_mutex_unlock(&watch->mutex);
	return count;
}

void watch_wait(struct backing *backing, uint64_t since, enum watch_call call, const char *path)
{
	for (int i = 0; watch_count(backing, since, call, path) == 0; i++) {
		if (i == PATIENCE)
			give_up(path);
		usleep(POLL_US);
	}
}

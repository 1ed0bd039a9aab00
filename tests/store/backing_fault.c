/* A backing that fails, or ends the process, at the n-th changing call. */
#include "store/backing.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct fault {
	struct backing base;
	struct backing *inner;
	pthread_mutex_t lock;
	uint64_t calls;
	uint64_t left; /* calls until it happens, 0: never */
	enum err err;
	bool sticky;
	bool broken; /* sticky and happened */
	bool kill;
	const char *struck; /* the call that failed first; NULL: none has */
};

static struct fault *fault_of(struct backing *b)
{
	return (struct fault *)b;
}

/* Counts a changing call; what it shall fail with, or ERR_OK. */
static enum err count(struct fault *fault, const char *call)
{
	enum err err = ERR_OK;

	pthread_mutex_lock(&fault->lock);
	fault->calls++;
	if (fault->broken || (fault->left > 0 && --fault->left == 0)) {
		err = fault->err;
		fault->broken = fault->sticky;
		if (fault->struck == NULL)
			fault->struck = call;
	}
	pthread_mutex_unlock(&fault->lock);
	return err;
}

static void die_if_lethal(const struct fault *fault)
{
	if (fault->kill)
		kill(getpid(), SIGKILL);
}

/* The same for a call that does nothing at all when it fails. */
static enum err strike(struct fault *fault, const char *call)
{
	enum err err = count(fault, call);

	if (err != ERR_OK)
		die_if_lethal(fault);
	return err;
}

static enum err fault_open(struct backing *b, const char *path, int flags, int *file)
{
	struct backing *inner = fault_of(b)->inner;
	enum err err = (flags & BACKING_CREATE) != 0 ? strike(fault_of(b), "open") : ERR_OK;

	return err == ERR_OK ? inner->ops->open(inner, path, flags, file) : err;
}

static void fault_close(struct backing *b, int file)
{
	struct backing *inner = fault_of(b)->inner;

	inner->ops->close(inner, file);
}

static enum err fault_pread(struct backing *b, int file, void *data, size_t len, uint64_t offset)
{
	struct backing *inner = fault_of(b)->inner;

	return inner->ops->pread(inner, file, data, len, offset);
}

static enum err fault_pwrite(struct backing *b, int file, const void *data, size_t len,
			     uint64_t offset)
{
	struct backing *inner = fault_of(b)->inner;
	enum err err = count(fault_of(b), "pwrite");
	enum err half;

	if (err == ERR_OK)
		return inner->ops->pwrite(inner, file, data, len, offset);
	/* What a short write leaves behind; whether it worked is all the same. */
	half = inner->ops->pwrite(inner, file, data, len / 2, offset);
	(void)half;
	die_if_lethal(fault_of(b));
	return err;
}

static enum err fault_fdatasync(struct backing *b, int file)
{
	struct backing *inner = fault_of(b)->inner;
	enum err err = strike(fault_of(b), "fdatasync");

	return err == ERR_OK ? inner->ops->fdatasync(inner, file) : err;
}

static enum err fault_write_out(struct backing *b, int file, uint64_t offset, uint64_t len)
{
	struct backing *inner = fault_of(b)->inner;
	enum err err = strike(fault_of(b), "write_out");

	return err == ERR_OK ? inner->ops->write_out(inner, file, offset, len) : err;
}

static enum err fault_truncate(struct backing *b, int file, uint64_t size)
{
	struct backing *inner = fault_of(b)->inner;
	enum err err = strike(fault_of(b), "truncate");

	return err == ERR_OK ? inner->ops->truncate(inner, file, size) : err;
}

static enum err fault_punch(struct backing *b, int file, uint64_t offset, uint64_t len)
{
	struct backing *inner = fault_of(b)->inner;
	enum err err = strike(fault_of(b), "punch");

	return err == ERR_OK ? inner->ops->punch(inner, file, offset, len) : err;
}

static enum err fault_size(struct backing *b, int file, uint64_t *size)
{
	struct backing *inner = fault_of(b)->inner;

	return inner->ops->size(inner, file, size);
}

static enum err fault_rename(struct backing *b, const char *from, const char *to)
{
	struct backing *inner = fault_of(b)->inner;
	enum err err = strike(fault_of(b), "rename");

	return err == ERR_OK ? inner->ops->rename(inner, from, to) : err;
}

static enum err fault_unlink(struct backing *b, const char *path)
{
	struct backing *inner = fault_of(b)->inner;
	enum err err = strike(fault_of(b), "unlink");

	return err == ERR_OK ? inner->ops->unlink(inner, path) : err;
}

static enum err fault_mkdir(struct backing *b, const char *path)
{
	struct backing *inner = fault_of(b)->inner;
	enum err err = strike(fault_of(b), "mkdir");

	return err == ERR_OK ? inner->ops->mkdir(inner, path) : err;
}

static enum err fault_sync_dir(struct backing *b, const char *path)
{
	struct backing *inner = fault_of(b)->inner;
	enum err err = strike(fault_of(b), "sync_dir");

	return err == ERR_OK ? inner->ops->sync_dir(inner, path) : err;
}

static enum err fault_sync_all(struct backing *b)
{
	struct backing *inner = fault_of(b)->inner;
	enum err err = strike(fault_of(b), "sync_all");

	return err == ERR_OK ? inner->ops->sync_all(inner) : err;
}

static enum err fault_space(struct backing *b, struct backing_space *space)
{
	struct backing *inner = fault_of(b)->inner;

	return inner->ops->space(inner, space);
}

static enum err fault_list(struct backing *b, const char *path, backing_name *each, void *ctx)
{
	struct backing *inner = fault_of(b)->inner;

	return inner->ops->list(inner, path, each, ctx);
}

static void fault_free(struct backing *b)
{
	struct fault *fault = fault_of(b);

	backing_free(fault->inner);
	pthread_mutex_destroy(&fault->lock);
	free(fault);
}

static const struct backing_ops fault_ops = {
	.open = fault_open,
	.close = fault_close,
	.pread = fault_pread,
	.pwrite = fault_pwrite,
	.fdatasync = fault_fdatasync,
	.write_out = fault_write_out,
	.truncate = fault_truncate,
	.punch = fault_punch,
	.size = fault_size,
	.rename = fault_rename,
	.unlink = fault_unlink,
	.mkdir = fault_mkdir,
	.sync_dir = fault_sync_dir,
	.sync_all = fault_sync_all,
	.space = fault_space,
	.list = fault_list,
	.free = fault_free,
};

enum err backing_fault_new(struct backing *inner, struct backing **backing)
{
	struct fault *fault = calloc(1, sizeof(*fault));

	if (fault == NULL)
		return ERR_NO_MEMORY;
	fault->base.ops = &fault_ops;
	fault->inner = inner;
	pthread_mutex_init(&fault->lock, NULL);
	*backing = &fault->base;
	return ERR_OK;
}

static void arm(struct fault *fault, uint64_t calls, enum err err, bool sticky, bool lethal)
{
	pthread_mutex_lock(&fault->lock);
	fault->left = calls;
	fault->err = err;
	fault->sticky = sticky;
	fault->kill = lethal;
	fault->broken = false;
	if (calls > 0)
		fault->struck = NULL;
	pthread_mutex_unlock(&fault->lock);
}

void backing_fault_arm(struct backing *backing, uint64_t calls, enum err err, bool sticky)
{
	arm(fault_of(backing), calls, err, sticky, false);
}

void backing_fault_arm_kill(struct backing *backing, uint64_t calls)
{
	arm(fault_of(backing), calls, ERR_IO, false, true);
}

uint64_t backing_fault_calls(struct backing *backing)
{
	struct fault *fault = fault_of(backing);
	uint64_t calls;

	pthread_mutex_lock(&fault->lock);
	calls = fault->calls;
	pthread_mutex_unlock(&fault->lock);
	return calls;
}

const char *backing_fault_struck(struct backing *backing)
{
	struct fault *fault = fault_of(backing);
	const char *call;

	pthread_mutex_lock(&fault->lock);
	call = fault->struck;
	pthread_mutex_unlock(&fault->lock);
	return call;
}

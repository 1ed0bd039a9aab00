/* The end of a request: the record, the reply, out of flight. */
#include <stdatomic.h>

#include "base/log.h"
#include "fsops/guard_private.h"

/* What has to be true before the caller hears of it.  Returns what it hears. */
static enum err conclude(struct guard *guard, enum err err, uint64_t bytes)
{
	struct fsops *fsops = guard->fsops;

	if (guard->moved != 0)
		place_moved(fsops->places, guard->moved);
	if (guard->also_moved != 0)
		place_moved(fsops->places, guard->also_moved);
	return guard_record_after(guard, err, bytes);
}

static void reply_err(struct guard *guard, enum err err)
{
	(void)guard->fsops->reply->err(guard->req, err_errno(err));
}

void guard_end_err(struct guard *guard, enum err err)
{
	reply_err(guard, conclude(guard, err, 0));
	guard_free(guard);
}

void guard_end_none(struct guard *guard)
{
	guard->fsops->reply->none(guard->req);
	guard_free(guard);
}

void guard_end_entry(struct guard *guard, enum err err, const struct fuse_entry_param *entry)
{
	enum err told = conclude(guard, err, 0);
	bool is_told = told == ERR_OK;

	if (is_told)
		is_told = guard->fsops->reply->entry(guard->req, entry) == 0;
	else
		reply_err(guard, told);
	/* The kernel does not know that it looked this node up. */
	if (!is_told && err == ERR_OK && entry->ino != 0)
		store_forget(guard->fsops->store, entry->ino, 1);
	guard_free(guard);
}

/* --- handles ------------------------------------------------------------------------ */

/* An open of which the kernel does not know: no RELEASE will come. */
static void undo_open(struct guard *guard, bool was_recorded)
{
	struct handle *handle = guard->use.handle;

	if (was_recorded)
		handle_record_close(guard->fsops, handle);
	store_release_node(guard->fsops->store, handle->node);
}

/* The kernel has it: guard_free leaves it alone. */
static void keep_handle(struct guard *guard)
{
	guard->is_making = false;
}

void guard_end_open(struct guard *guard, enum err err, struct fuse_file_info *fi)
{
	enum err told = conclude(guard, err, 0);

	if (told == ERR_OK) {
		fi->fh = guard->use.handle->number;
		if (guard->fsops->reply->open(guard->req, fi) == 0)
			keep_handle(guard);
	} else {
		reply_err(guard, told);
	}
	if (err == ERR_OK && guard->is_making)
		undo_open(guard, told == ERR_OK);
	guard_free(guard);
}

static enum err conclude_create(struct guard *guard, enum err err,
				const struct fuse_entry_param *entry)
{
	struct handle *handle = guard->use.handle;

	if (err != ERR_OK)
		return conclude(guard, err, 0);
	guard->number = entry->ino;
	guard->has_object = store_object_id(guard->fsops->store, entry->ino,
					    &guard->object_id) == ERR_OK;
	handle->object_id = guard->object_id;
	handle_list(guard->fsops->handles, handle, entry->ino);
	/* CREATE could not say yet which file it would be. */
	return guard_record_open(guard, ERR_OK);
}

void guard_end_create(struct guard *guard, enum err err, const struct fuse_entry_param *entry,
		      struct fuse_file_info *fi)
{
	enum err told = conclude_create(guard, err, entry);

	if (told == ERR_OK) {
		fi->fh = guard->use.handle->number;
		if (guard->fsops->reply->create(guard->req, entry, fi) == 0)
			keep_handle(guard);
	} else {
		reply_err(guard, told);
	}
	if (err == ERR_OK && guard->is_making) {
		undo_open(guard, told == ERR_OK);
		store_forget(guard->fsops->store, entry->ino, 1);
	}
	guard_free(guard);
}

void guard_release(struct fsops *fsops, fuse_req_t req, enum op op, uint64_t number,
		   uint64_t handle_number)
{
	struct guard *guard = guard_begin(fsops, req, op,
					  &(struct guard_target){.number = number,
								 .handle = handle_number});
	struct handle *handle = handle_find(fsops->handles, handle_number);
	bool was_cached;

	/* Without memory for a guard it was answered already, and released all the same. */
	if (handle != NULL) {
		handle_record_close(fsops, handle);
		was_cached = handle->is_cached;
		handle_free(fsops->handles, handle);
		store_release_node(fsops->store, number);
		/* The kernel keeps pages after a close. */
		if (was_cached && fsops->config.filled != NULL)
			fsops->config.filled(fsops->config.ctx, number, 0, 0);
	}
	if (guard != NULL) {
		reply_err(guard, ERR_OK);
		guard_free(guard);
	}
}

/* --- bodies ------------------------------------------------------------------------- */

void guard_end_attr(struct guard *guard, enum err err, const struct stat *st, double timeout)
{
	enum err told = conclude(guard, err, 0);

	if (told == ERR_OK)
		(void)guard->fsops->reply->attr(guard->req, st, timeout);
	else
		reply_err(guard, told);
	guard_free(guard);
}

void guard_end_readlink(struct guard *guard, enum err err, const char *target)
{
	enum err told = conclude(guard, err, 0);

	if (told == ERR_OK)
		(void)guard->fsops->reply->readlink(guard->req, target);
	else
		reply_err(guard, told);
	guard_free(guard);
}

/* Known before the pages are in the kernel: a lock that comes now finds the node. */
static enum err note_fill(struct guard *guard)
{
	if (guard->op != OP_READ || !guard->target.is_fill)
		return ERR_OK;
	return numbers_add(guard->fsops->filled, guard->number);
}

/* The handle may be gone once the reply is out: its RELEASE can overtake us. */
static bool is_dropped_later(const struct guard *guard)
{
	return guard->op == OP_READ && guard->target.is_fill &&
	       guard->fsops->config.filled != NULL && !guard->use.handle->is_cached;
}

void guard_end_data(struct guard *guard, enum err err, const void *data, size_t size)
{
	const struct fsops_config *config = &guard->fsops->config;
	bool is_announced = is_dropped_later(guard);
	enum err told = conclude(guard, err, size);

	if (told == ERR_OK)
		told = note_fill(guard);
	if (told == ERR_OK) {
		(void)guard->fsops->reply->buf(guard->req, data, size);
		if (is_announced)
			config->filled(config->ctx, guard->number, guard->target.offset,
				       guard->target.length);
	} else {
		reply_err(guard, told);
	}
	guard_free(guard);
}

void guard_end_xattr_size(struct guard *guard, enum err err, size_t size)
{
	enum err told = conclude(guard, err, 0);

	if (told == ERR_OK)
		(void)guard->fsops->reply->xattr(guard->req, size);
	else
		reply_err(guard, told);
	guard_free(guard);
}

void guard_end_statfs(struct guard *guard, enum err err, const struct statvfs *st)
{
	enum err told = conclude(guard, err, 0);

	if (told == ERR_OK)
		(void)guard->fsops->reply->statfs(guard->req, st);
	else
		reply_err(guard, told);
	guard_free(guard);
}

void guard_end_lseek(struct guard *guard, enum err err, uint64_t offset)
{
	enum err told = conclude(guard, err, 0);

	if (told == ERR_OK)
		(void)guard->fsops->reply->lseek(guard->req, (off_t)offset);
	else
		reply_err(guard, told);
	guard_free(guard);
}

/* --- parked ------------------------------------------------------------------------- */

static void open_settled(void *ctx, enum err err, size_t bytes)
{
	struct guard *guard = ctx;
	struct fuse_file_info fi = guard->parked.open;

	(void)bytes;
	guard_end_open(guard, err, &fi);
}

void guard_end_open_settled(struct guard *guard, const struct fuse_file_info *fi)
{
	guard->parked.open = *fi;
	store_settle(guard->fsops->store, guard->target.number, open_settled, guard);
}

static void attr_settled(void *ctx, enum err err, size_t bytes)
{
	struct guard *guard = ctx;
	struct stat st = guard->parked.attr.st;

	(void)bytes;
	guard_end_attr(guard, err, &st, guard->parked.attr.timeout);
}

void guard_end_attr_settled(struct guard *guard, const struct stat *st, double timeout)
{
	guard->parked.attr.st = *st;
	guard->parked.attr.timeout = timeout;
	store_settle(guard->fsops->store, guard->target.number, attr_settled, guard);
}

static bool replies_bytes(enum op op)
{
	return op == OP_WRITE || op == OP_WRITEBACK || op == OP_COPY_RANGE;
}

void guard_done(void *ctx, enum err err, size_t bytes)
{
	struct guard *guard = ctx;
	enum err told = conclude(guard, err, bytes);

	if (guard->op == OP_WRITEBACK) {
		atomic_fetch_add(&guard->fsops->writebacks, 1);
		/* The page is still mapped, and its data is there for the lock to find. */
		if (told == ERR_OK && numbers_add(guard->fsops->filled, guard->number) != ERR_OK)
			log_warning("no memory to note a mapped file");
	}
	if (told == ERR_OK && replies_bytes(guard->op))
		(void)guard->fsops->reply->write(guard->req, bytes);
	else
		reply_err(guard, told);
	guard_free(guard);
}

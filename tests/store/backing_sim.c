/* The simulated disk: the table of calls.  sim_private.h tells how it is kept. */
#include "sim_private.h"

#include <stdlib.h>
#include <string.h>

#define FILES_MAX      4096
#define BYTES_DEFAULT  (1ull << 50)
#define INODES_DEFAULT (1ull << 20)
#define SIZE_MAX_FILE  (1ull << 62)

static struct sim *sim_of(struct backing *b)
{
	return (struct sim *)b;
}

/*
 * Every changing call starts here: the hook sees the disk before it.  Returns
 * the moment at which the call began, with the lock held.
 */
static uint64_t change_begin(struct sim *sim, bool is_sync)
{
	backing_sim_hook *hook;
	void *ctx;
	uint64_t when;

	pthread_mutex_lock(&sim->lock);
	sim->calls++;
	sim->active++;
	sim->windows += is_sync;
	when = sim->clock;
	hook = sim->hook;
	ctx = sim->hook_ctx;
	pthread_mutex_unlock(&sim->lock);
	if (hook != NULL)
		hook(ctx);
	pthread_mutex_lock(&sim->lock);
	sim->windows -= is_sync;
	return when;
}

static enum err change_end(struct sim *sim, enum err err)
{
	sim->active--;
	pthread_mutex_unlock(&sim->lock);
	return err;
}

/* --- files -------------------------------------------------------------------- */

static int file_take(struct sim *sim, struct sim_inode *inode, bool read_only)
{
	size_t file = 0;

	while (file < sim->files_count && sim->files[file].inode != NULL)
		file++;
	if (file == FILES_MAX)
		return -1;
	if (file == sim->files_count) {
		sim->files = realloc(sim->files, (file + 1) * sizeof(*sim->files));
		if (sim->files == NULL)
			abort();
		sim->files_count++;
	}
	sim->files[file] = (struct sim_file){inode, read_only};
	sim_inode_use(inode);
	return (int)file;
}

static struct sim_inode *file_inode(const struct sim *sim, int file)
{
	/* A wrong number is a bug of the caller: the test shall fail here. */
	if (file < 0 || (size_t)file >= sim->files_count || sim->files[file].inode == NULL)
		abort();
	return sim->files[file].inode;
}

static enum err open_existing(struct sim *sim, const char *path, struct sim_inode **inode)
{
	struct sim_name *name;
	enum err err = sim_name_get(sim, path, &name);

	if (err != ERR_OK)
		return err;
	if (name->now == NULL)
		return ERR_NOT_FOUND;
	if (name->now->is_directory)
		return ERR_TAMPERED;
	*inode = name->now;
	return ERR_OK;
}

static enum err create(struct sim *sim, const char *path, bool is_directory,
		       struct sim_inode **inode)
{
	struct sim_name *name;
	enum err err = sim_name_get(sim, path, &name);

	if (err != ERR_OK)
		return err;
	if (name->now != NULL)
		return ERR_EXISTS;
	if (sim->inodes_used >= sim->inodes_max)
		return ERR_FULL;
	*inode = sim_inode_new(sim, is_directory);
	sim_name_change(sim, name, *inode);
	return ERR_OK;
}

static enum err sim_open(struct backing *b, const char *path, int flags, int *file)
{
	struct sim *sim = sim_of(b);
	struct sim_inode *inode;
	enum err err;
	int taken = -1;

	if ((flags & BACKING_CREATE) != 0) {
		change_begin(sim, false);
		err = create(sim, path, false, &inode);
	} else {
		pthread_mutex_lock(&sim->lock);
		sim->active++;
		err = open_existing(sim, path, &inode);
	}
	if (err == ERR_OK)
		taken = file_take(sim, inode, (flags & BACKING_READ_ONLY) != 0);
	if (err == ERR_OK && taken < 0)
		err = ERR_SYSTEM;
	if (err == ERR_OK)
		*file = taken;
	return change_end(sim, err);
}

static void sim_close(struct backing *b, int file)
{
	struct sim *sim = sim_of(b);

	pthread_mutex_lock(&sim->lock);
	sim_inode_release(sim, file_inode(sim, file));
	sim->files[file].inode = NULL;
	pthread_mutex_unlock(&sim->lock);
}

/* --- content -------------------------------------------------------------------- */

static bool range_is_valid(uint64_t offset, uint64_t len)
{
	return offset <= SIZE_MAX_FILE && len <= SIZE_MAX_FILE - offset;
}

static enum err sim_pread(struct backing *b, int file, void *data, size_t len, uint64_t offset)
{
	struct sim *sim = sim_of(b);

	if (!range_is_valid(offset, len))
		return ERR_TOO_LARGE;
	pthread_mutex_lock(&sim->lock);
	sim_read(file_inode(sim, file), data, len, offset);
	pthread_mutex_unlock(&sim->lock);
	return ERR_OK;
}

/* Room for the file to grow to `size`, and the right to. */
static enum err check_write(const struct sim *sim, int file, uint64_t size)
{
	const struct sim_inode *inode = file_inode(sim, file);

	if (sim->files[file].read_only)
		return ERR_HANDLE;
	if (size > inode->size && sim->bytes_used + (size - inode->size) > sim->bytes_max)
		return ERR_FULL;
	return ERR_OK;
}

static enum err sim_pwrite(struct backing *b, int file, const void *data, size_t len,
			   uint64_t offset)
{
	struct sim *sim = sim_of(b);
	enum err err;

	if (!range_is_valid(offset, len))
		return ERR_TOO_LARGE;
	change_begin(sim, false);
	err = check_write(sim, file, offset + len);
	if (err == ERR_OK && len > 0) {
		struct sim_inode *inode = file_inode(sim, file);

		if (offset + len > inode->size)
			sim_resize(sim, inode, offset + len);
		sim_write(sim, inode, data, len, offset);
	}
	return change_end(sim, err);
}

static enum err sim_fdatasync(struct backing *b, int file)
{
	struct sim *sim = sim_of(b);
	uint64_t when = change_begin(sim, true);

	sim_inode_sync(file_inode(sim, file), when);
	return change_end(sim, ERR_OK);
}

/* Nothing: every version of a sector may be the one that a power cut leaves, anyway. */
static enum err sim_write_out(struct backing *b, int file, uint64_t offset, uint64_t len)
{
	(void)b, (void)file;
	return range_is_valid(offset, len) ? ERR_OK : ERR_TOO_LARGE;
}

static enum err sim_truncate(struct backing *b, int file, uint64_t size)
{
	struct sim *sim = sim_of(b);
	enum err err;

	if (!range_is_valid(size, 0))
		return ERR_TOO_LARGE;
	change_begin(sim, false);
	err = check_write(sim, file, size);
	if (err == ERR_OK)
		sim_resize(sim, file_inode(sim, file), size);
	return change_end(sim, err);
}

static enum err sim_punch(struct backing *b, int file, uint64_t offset, uint64_t len)
{
	struct sim *sim = sim_of(b);
	enum err err;

	if (!range_is_valid(offset, len))
		return ERR_TOO_LARGE;
	change_begin(sim, false);
	err = check_write(sim, file, 0);
	if (err == ERR_OK)
		sim_zero(sim, file_inode(sim, file), offset, offset + len);
	return change_end(sim, err);
}

static enum err sim_size(struct backing *b, int file, uint64_t *size)
{
	struct sim *sim = sim_of(b);

	pthread_mutex_lock(&sim->lock);
	*size = file_inode(sim, file)->size;
	pthread_mutex_unlock(&sim->lock);
	return ERR_OK;
}

/* --- names ------------------------------------------------------------------------- */

static enum err move(struct sim *sim, const char *from, const char *to)
{
	struct sim_name *source, *target;
	enum err err = sim_name_get(sim, from, &source);

	if (err == ERR_OK)
		err = sim_name_get(sim, to, &target);
	if (err != ERR_OK)
		return err;
	if (source->now == NULL)
		return ERR_NOT_FOUND;
	if (source->now->is_directory || (target->now != NULL && target->now->is_directory))
		return ERR_IS_DIR;
	if (source != target)
		sim_name_move(sim, source, target);
	return ERR_OK;
}

static enum err sim_rename(struct backing *b, const char *from, const char *to)
{
	struct sim *sim = sim_of(b);

	change_begin(sim, false);
	return change_end(sim, move(sim, from, to));
}

static enum err remove_name(struct sim *sim, const char *path)
{
	struct sim_name *name;
	enum err err = sim_name_get(sim, path, &name);

	if (err != ERR_OK)
		return err;
	if (name->now == NULL)
		return ERR_NOT_FOUND;
	if (name->now->is_directory)
		return ERR_IS_DIR;
	sim_name_change(sim, name, NULL);
	return ERR_OK;
}

static enum err sim_unlink(struct backing *b, const char *path)
{
	struct sim *sim = sim_of(b);

	change_begin(sim, false);
	return change_end(sim, remove_name(sim, path));
}

static enum err sim_mkdir(struct backing *b, const char *path)
{
	struct sim *sim = sim_of(b);
	struct sim_inode *inode;

	change_begin(sim, false);
	return change_end(sim, create(sim, path, true, &inode));
}

static enum err sim_sync_dir(struct backing *b, const char *path)
{
	struct sim *sim = sim_of(b);
	uint64_t when = change_begin(sim, true);
	struct sim_name *directory;
	enum err err = sim_directory_get(sim, path, &directory);

	if (err == ERR_OK)
		sim_names_sync(sim, directory, false, when);
	return change_end(sim, err);
}

static enum err sim_sync_all(struct backing *b)
{
	struct sim *sim = sim_of(b);
	uint64_t when = change_begin(sim, true);

	for (struct sim_inode *inode = sim->inodes; inode != NULL; inode = inode->next)
		sim_inode_sync(inode, when);
	sim_names_sync(sim, NULL, true, when);
	return change_end(sim, ERR_OK);
}

static enum err sim_space(struct backing *b, struct backing_space *space)
{
	struct sim *sim = sim_of(b);

	pthread_mutex_lock(&sim->lock);
	space->total_bytes = sim->bytes_max;
	space->free_bytes = sim->bytes_max > sim->bytes_used ? sim->bytes_max - sim->bytes_used : 0;
	space->total_inodes = sim->inodes_max;
	space->free_inodes =
		sim->inodes_max > sim->inodes_used ? sim->inodes_max - sim->inodes_used : 0;
	pthread_mutex_unlock(&sim->lock);
	return ERR_OK;
}

static enum err sim_list(struct backing *b, const char *path, backing_name *each, void *ctx)
{
	struct sim *sim = sim_of(b);
	struct sim_name *directory;
	enum err err;

	pthread_mutex_lock(&sim->lock);
	err = sim_directory_get(sim, path, &directory);
	for (struct sim_name *name = sim->names; err == ERR_OK && name != NULL;
	     name = name->hh.next) {
		const char *slash = strrchr(name->path, '/');

		if (name->now != NULL && name->parent == directory)
			each(ctx, slash == NULL ? name->path : slash + 1);
	}
	pthread_mutex_unlock(&sim->lock);
	return err;
}

/* --- life ------------------------------------------------------------------------------ */

static void sim_free(struct backing *b)
{
	struct sim *sim = sim_of(b);

	while (sim->inodes != NULL)
		sim_inode_free(sim, sim->inodes);
	sim_names_free(sim);
	free(sim->files);
	pthread_mutex_destroy(&sim->lock);
	free(sim);
}

static const struct backing_ops sim_ops = {
	.open = sim_open,
	.close = sim_close,
	.pread = sim_pread,
	.pwrite = sim_pwrite,
	.fdatasync = sim_fdatasync,
	.write_out = sim_write_out,
	.truncate = sim_truncate,
	.punch = sim_punch,
	.size = sim_size,
	.rename = sim_rename,
	.unlink = sim_unlink,
	.mkdir = sim_mkdir,
	.sync_dir = sim_sync_dir,
	.sync_all = sim_sync_all,
	.space = sim_space,
	.list = sim_list,
	.free = sim_free,
};

enum err backing_sim_new(struct backing **backing)
{
	struct sim *sim = sim_alloc(sizeof(*sim));

	sim->base.ops = &sim_ops;
	sim->bytes_max = BYTES_DEFAULT;
	sim->inodes_max = INODES_DEFAULT;
	pthread_mutex_init(&sim->lock, NULL);
	*backing = &sim->base;
	return ERR_OK;
}

void backing_sim_set_hook(struct backing *backing, backing_sim_hook *hook, void *ctx)
{
	struct sim *sim = sim_of(backing);

	pthread_mutex_lock(&sim->lock);
	sim->hook = hook;
	sim->hook_ctx = ctx;
	pthread_mutex_unlock(&sim->lock);
}

uint64_t backing_sim_calls(struct backing *backing)
{
	struct sim *sim = sim_of(backing);
	uint64_t calls;

	pthread_mutex_lock(&sim->lock);
	calls = sim->calls;
	pthread_mutex_unlock(&sim->lock);
	return calls;
}

unsigned int backing_sim_active(struct backing *backing)
{
	struct sim *sim = sim_of(backing);
	unsigned int active;

	pthread_mutex_lock(&sim->lock);
	active = sim->active;
	pthread_mutex_unlock(&sim->lock);
	return active;
}

void backing_sim_rename_in_two(struct backing *backing, bool in_two)
{
	sim_of(backing)->rename_in_two = in_two;
}

void backing_sim_set_space(struct backing *backing, uint64_t bytes, uint64_t inodes)
{
	struct sim *sim = sim_of(backing);

	pthread_mutex_lock(&sim->lock);
	sim->bytes_max = bytes;
	sim->inodes_max = inodes;
	pthread_mutex_unlock(&sim->lock);
}

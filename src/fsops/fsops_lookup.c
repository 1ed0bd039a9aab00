/* LOOKUP, FORGET, STATFS. */
#include "fsops/operation.h"

#define ATTRIBUTE_BLOCK 512u  /* the unit of st_blocks */
#define DATA_BLOCK      4096u /* of object_attr.blocks */

void operation_stat(const struct store_attr *attr, struct stat *st)
{
	const struct object_attr *object = &attr->object;

	*st = (struct stat){
		.st_ino = attr->number,
		.st_mode = object->mode,
		.st_nlink = object->nlink,
		.st_uid = object->uid,
		.st_gid = object->gid,
		.st_rdev = object->rdev,
		.st_size = (off_t)object->size,
		.st_blksize = PREFERRED_IO_SIZE,
		.st_blocks = (blkcnt_t)(object->blocks * (DATA_BLOCK / ATTRIBUTE_BLOCK)),
		.st_atim = object->atime,
		.st_mtim = object->mtime,
		.st_ctim = object->ctime,
	};
}

/* Numbers are never used twice: the generation stays 0. */
void operation_entry(const struct store_attr *attr, bool is_locked,
		     struct fuse_entry_param *entry)
{
	*entry = (struct fuse_entry_param){
		.ino = attr->number,
		.attr_timeout = is_locked ? 0 : ATTRIBUTE_TIMEOUT,
		.entry_timeout = is_locked ? 0 : NAME_TIMEOUT,
	};
	operation_stat(attr, &entry->attr);
}

void op_lookup(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	struct fsops *fsops = fsops_of(req);
	struct guard *guard = guard_begin(fsops, req, OP_LOOKUP,
					  &(struct guard_target){.dir = dir, .name = name});
	struct fuse_entry_param entry = {.entry_timeout = NAME_TIMEOUT};
	struct store_attr attr;
	bool is_locked;
	enum err err;

	if (!guard)
		return;
	is_locked = guard_is_locked(guard);
	if (is_locked)
		err = store_lookup_frozen(fsops->store, dir, name, &attr);
	else
		err = store_lookup(fsops->store, dir, name, &attr);
	if (!err)
		operation_entry(&attr, is_locked, &entry);
	/* entry.ino 0: the kernel may remember that there is no such name. */
	guard_end_entry(guard, err == ERR_NOT_FOUND ? ERR_OK : err, &entry);
}

void op_forget(fuse_req_t req, fuse_ino_t number, uint64_t count)
{
	struct fsops *fsops = fsops_of(req);
	struct guard *guard = guard_begin(fsops, req, OP_FORGET,
					  &(struct guard_target){.number = number});

	if (!guard)
		return;
	store_forget(fsops->store, number, count);
	guard_end_none(guard);
}

void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	struct fsops *fsops = fsops_of(req);
	struct guard *guard = guard_begin(fsops, req, OP_FORGET_MULTI, &(struct guard_target){0});

	if (!guard)
		return;
	for (size_t i = 0; i < count; i++)
		store_forget(fsops->store, forgets[i].ino, forgets[i].nlookup);
	guard_end_none(guard);
}

void op_statfs(fuse_req_t req, fuse_ino_t number)
{
	struct fsops *fsops = fsops_of(req);
	struct guard *guard = guard_begin(fsops, req, OP_STATFS,
					  &(struct guard_target){.number = number});
	struct store_statfs space = {0};
	struct statvfs st;
	enum err err;

	if (!guard)
		return;
	err = store_statfs(fsops->store, &space);
	st = (struct statvfs){
		.f_bsize = space.block_size,
		.f_frsize = space.block_size,
		.f_blocks = space.blocks,
		.f_bfree = space.blocks_free,
		.f_bavail = space.blocks_free,
		.f_files = space.files,
		.f_ffree = space.files_free,
		.f_favail = space.files_free,
		.f_namemax = STORE_NAME_MAX,
	};
	guard_end_statfs(guard, err, &st);
}

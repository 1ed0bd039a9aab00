/* What makes, reads and removes names, but RENAME. */
#include "fsops/operation.h"

#include "fsops/reply_buffer.h"

enum err operation_new_owner(struct guard *guard, struct fsops *fsops, uint64_t dir, mode_t mode,
			     struct new_owner *owner)
{
	struct store_attr attr;
	enum err err = store_getattr(fsops->store, dir, &attr);

	if (err)
		return err;
	*owner = (struct new_owner){.uid = guard_uid(guard), .gid = guard_gid(guard), .mode = mode};
	if (attr.object.mode & S_ISGID) {
		owner->gid = attr.object.gid;
		if (S_ISDIR(mode))
			owner->mode |= S_ISGID;
	}
	return ERR_OK;
}

static void make_node(fuse_req_t req, enum op op, uint64_t dir, const char *name, mode_t mode,
		      dev_t device)
{
	struct fsops *fsops = fsops_of(req);
	struct guard *guard = guard_begin(fsops, req, op,
					  &(struct guard_target){.dir = dir, .name = name});
	struct fuse_entry_param entry = {0};
	struct store_attr attr;
	struct new_owner owner;
	enum err err;

	if (!guard)
		return;
	err = operation_new_owner(guard, fsops, dir, mode, &owner);
	if (!err)
		err = store_create_node(fsops->store, dir, name, owner.mode, device, owner.uid,
					owner.gid, &attr);
	if (!err)
		operation_entry(&attr, false, &entry);
	guard_end_entry(guard, err, &entry);
}

void op_mknod(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode, dev_t device)
{
	make_node(req, OP_MKNOD, dir, name, mode, device);
}

void op_mkdir(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode)
{
	make_node(req, OP_MKDIR, dir, name, S_IFDIR | (mode & 07777), 0);
}

void op_symlink(fuse_req_t req, const char *target, fuse_ino_t dir, const char *name)
{
	struct fsops *fsops = fsops_of(req);
	struct guard *guard = guard_begin(fsops, req, OP_SYMLINK,
					  &(struct guard_target){.dir = dir, .name = name});
	struct fuse_entry_param entry = {0};
	struct store_attr attr;
	struct new_owner owner;
	enum err err;

	if (!guard)
		return;
	err = operation_new_owner(guard, fsops, dir, S_IFLNK | 0777, &owner);
	if (!err)
		err = store_symlink(fsops->store, dir, name, target, owner.uid, owner.gid, &attr);
	if (!err)
		operation_entry(&attr, false, &entry);
	guard_end_entry(guard, err, &entry);
}

void op_readlink(fuse_req_t req, fuse_ino_t number)
{
	struct fsops *fsops = fsops_of(req);
	struct guard *guard = guard_begin(fsops, req, OP_READLINK,
					  &(struct guard_target){.number = number});
	char *target;
	enum err err = ERR_NO_MEMORY;

	if (!guard)
		return;
	target = reply_buffer(STORE_TARGET_MAX + 1);
	if (target)
		err = store_readlink(fsops->store, number, target, STORE_TARGET_MAX + 1);
	guard_end_readlink(guard, err, target);
}

void op_unlink(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	struct fsops *fsops = fsops_of(req);
	struct guard *guard = guard_begin(fsops, req, OP_UNLINK,
					  &(struct guard_target){.dir = dir, .name = name});

	if (guard)
		guard_end_err(guard, store_unlink(fsops->store, dir, name));
}

void op_rmdir(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	struct fsops *fsops = fsops_of(req);
	struct guard *guard = guard_begin(fsops, req, OP_RMDIR,
					  &(struct guard_target){.dir = dir, .name = name});

	if (guard)
		guard_end_err(guard, store_rmdir(fsops->store, dir, name));
}

void op_link(fuse_req_t req, fuse_ino_t number, fuse_ino_t new_dir, const char *new_name)
{
	struct fsops *fsops = fsops_of(req);
	struct guard *guard = guard_begin(fsops, req, OP_LINK,
					  &(struct guard_target){.number = number,
								 .new_dir = new_dir,
								 .new_name = new_name});
	struct fuse_entry_param entry = {0};
	struct store_attr attr;
	enum err err;

	if (!guard)
		return;
	err = store_link(fsops->store, number, new_dir, new_name, &attr);
	if (!err)
		operation_entry(&attr, false, &entry);
	guard_end_entry(guard, err, &entry);
}

/* GETATTR and SETATTR: mode, owner, size, times. */
#include "fsops/operation.h"

#include <time.h>

#define SET_ID (S_ISUID | S_ISGID)

void op_getattr(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *fi)
{
	struct fsops *fsops = fsops_of(req);
	struct guard *guard = guard_begin(fsops, req, OP_GETATTR,
					  &(struct guard_target){.number = number});
	struct store_attr attr;
	struct stat st = {0};
	enum err err;

	(void)fi;
	if (!guard)
		return;
	err = store_getattr(fsops->store, number, &attr);
	if (!err)
		operation_stat(&attr, &st);
	guard_end_attr(guard, err, &st, guard_is_locked(guard) ? 0 : ATTRIBUTE_TIMEOUT);
}

static const struct {
	int fuse;
	uint32_t store;
} set_flags[] = {
	{FUSE_SET_ATTR_MODE, STORE_SET_MODE},       {FUSE_SET_ATTR_UID, STORE_SET_UID},
	{FUSE_SET_ATTR_GID, STORE_SET_GID},         {FUSE_SET_ATTR_SIZE, STORE_SET_SIZE},
	{FUSE_SET_ATTR_ATIME, STORE_SET_ATIME},     {FUSE_SET_ATTR_MTIME, STORE_SET_MTIME},
	{FUSE_SET_ATTR_ATIME_NOW, STORE_SET_ATIME}, {FUSE_SET_ATTR_MTIME_NOW, STORE_SET_MTIME},
	{FUSE_SET_ATTR_CTIME, STORE_SET_CTIME},
};

static void read_set(const struct stat *st, int to_set, struct store_setattr *set)
{
	struct timespec now;

	*set = (struct store_setattr){.mode = st->st_mode & 07777, .uid = st->st_uid,
				      .gid = st->st_gid, .size = (uint64_t)st->st_size,
				      .atime = st->st_atim, .mtime = st->st_mtim,
				      .ctime = st->st_ctim};
	for (size_t i = 0; i < sizeof(set_flags) / sizeof(set_flags[0]); i++)
		if (to_set & set_flags[i].fuse)
			set->valid |= set_flags[i].store;
	clock_gettime(CLOCK_REALTIME, &now);
	if (to_set & FUSE_SET_ATTR_ATIME_NOW)
		set->atime = now;
	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		set->mtime = now;
}

/*
 * The kernel takes the set-id bits away itself where truncate(2) and chown(2)
 * must: without FUSE_HANDLE_KILLPRIV its request then has a mode.
 */
void op_setattr(fuse_req_t req, fuse_ino_t number, struct stat *st, int to_set,
		struct fuse_file_info *fi)
{
	struct fsops *fsops = fsops_of(req);
	struct store_setattr set;
	struct store_attr attr;
	struct guard *guard;
	struct stat after = {0};
	enum err err;

	read_set(st, to_set, &set);
	guard = guard_begin(fsops, req, OP_SETATTR,
			    &(struct guard_target){.number = number, .handle = fi ? fi->fh : 0,
						   .set = set.valid, .mode = set.mode});
	if (!guard)
		return;
	err = store_setattr(fsops->store, number, &set, &attr);
	if (!err)
		operation_stat(&attr, &after);
	if (!err && set.valid & STORE_SET_SIZE)
		guard_end_attr_settled(guard, &after, ATTRIBUTE_TIMEOUT);
	else
		guard_end_attr(guard, err, &after, ATTRIBUTE_TIMEOUT);
}

enum err operation_drop_set_id(struct fsops *fsops, uint64_t number, uid_t uid)
{
	struct store_setattr set = {.valid = STORE_SET_MODE};
	struct store_attr attr;
	mode_t drop = S_ISUID;
	enum err err;

	if (uid == 0)
		return ERR_OK;
	err = store_getattr(fsops->store, number, &attr);
	if (err || !(attr.object.mode & SET_ID))
		return err;
	/* Without the group's x bit set-group-id once meant mandatory locking, and stays. */
	if (attr.object.mode & S_IXGRP)
		drop |= S_ISGID;
	set.mode = attr.object.mode & 07777 & ~drop;
	return store_setattr(fsops->store, number, &set, &attr);
}

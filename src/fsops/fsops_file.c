/* CREATE, OPEN, FLUSH, RELEASE of files. */
#include "fsops/operation.h"

#include <fcntl.h>

/*
 * Direct I/O makes every read(2) a request, which is the promise of the audit
 * trail; the channel adds FOPEN_PARALLEL_DIRECT_WRITES, which libfuse 3.14 has
 * no word for.  Old kernels refuse shared mappings then: classes with mmap =
 * yes go through the page cache there, dropped at each open (no KEEP_CACHE).
 */
void operation_open_flags(struct fsops *fsops, struct handle *handle, struct fuse_file_info *fi)
{
	fi->keep_cache = 0;
	if (fsops->config.old_kernel && handle_has_mmap(handle)) {
		fi->direct_io = 0;
		handle_set_cached(handle);
	} else {
		fi->direct_io = 1;
	}
	/* Nothing waits for a close: mapped pages are written back by the unmapping (fuse_vma_close). */
	fi->noflush = 1;
}

static enum err create_and_open(struct guard *guard, struct fsops *fsops, uint64_t dir,
				const char *name, mode_t mode, struct store_attr *attr)
{
	struct new_owner owner;
	enum err err = operation_new_owner(guard, fsops, dir, S_IFREG | (mode & 07777), &owner);

	if (!err)
		err = store_create_node(fsops->store, dir, name, owner.mode, 0, owner.uid,
					owner.gid, attr);
	if (err)
		return err;
	err = store_open_node(fsops->store, attr->number, false);
	if (err)
		store_forget(fsops->store, attr->number, 1);
	return err;
}

void op_create(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode,
	       struct fuse_file_info *fi)
{
	struct fsops *fsops = fsops_of(req);
	struct guard *guard = guard_begin(fsops, req, OP_CREATE,
					  &(struct guard_target){.dir = dir,
								 .name = name,
								 .flags = fi->flags});
	struct fuse_entry_param entry = {0};
	struct store_attr attr;
	enum err err;

	if (!guard)
		return;
	err = create_and_open(guard, fsops, dir, name, mode, &attr);
	if (!err) {
		operation_entry(&attr, false, &entry);
		operation_open_flags(fsops, guard_handle(guard), fi);
	}
	guard_end_create(guard, err, &entry, fi);
}

void op_open(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *fi)
{
	struct fsops *fsops = fsops_of(req);
	struct guard *guard = guard_begin(fsops, req, OP_OPEN,
					  &(struct guard_target){.number = number,
								 .flags = fi->flags});
	bool truncate = fi->flags & O_TRUNC;
	enum err err = ERR_OK;

	if (!guard)
		return;
	if (truncate)
		err = operation_drop_set_id(fsops, number, guard_uid(guard));
	if (!err)
		err = store_open_node(fsops->store, number, truncate);
	if (!err)
		operation_open_flags(fsops, guard_handle(guard), fi);
	if (!err && truncate)
		guard_end_open_settled(guard, fi);
	else
		guard_end_open(guard, err, fi);
}

/* close(2) promises nothing about durability: that is fsync's. */
void op_flush(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *fi)
{
	struct guard *guard = guard_begin(fsops_of(req), req, OP_FLUSH,
					  &(struct guard_target){.number = number,
								 .handle = fi->fh});

	if (guard)
		guard_end_err(guard, ERR_OK);
}

void op_release(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *fi)
{
	guard_release(fsops_of(req), req, OP_RELEASE, number, fi->fh);
}

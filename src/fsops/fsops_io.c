/* READ, WRITE, FSYNC. */
#include "fsops/operation.h"

#include <fcntl.h>

#include "fsops/reply_buffer.h"

/*
 * Decrypted into the thread's reply buffer, which the kernel copies from: no
 * copy of ours.  A page-cache fill (mmap, sendfile, splice) has no lock owner.
 */
void op_read(fuse_req_t req, fuse_ino_t number, size_t size, off_t offset,
	     struct fuse_file_info *fi)
{
	struct fsops *fsops = fsops_of(req);
	struct guard *guard = guard_begin(fsops, req, OP_READ,
					  &(struct guard_target){.number = number,
								 .handle = fi->fh,
								 .offset = (uint64_t)offset,
								 .length = size,
								 .is_fill = fi->lock_owner == 0});
	size_t got = 0;
	void *data;
	enum err err = ERR_NO_MEMORY;

	if (!guard)
		return;
	data = reply_buffer(size);
	if (data)
		err = store_read(fsops->store, number, (uint64_t)offset, data, size, &got);
	guard_end_data(guard, err, data, got);
}

/*
 * Flags are those of the request: RWF_DSYNC and RWF_SYNC arrive as O_DSYNC and
 * O_SYNC of this one write, and no FSYNC follows it.
 *
 * On direct I/O the kernel leaves set-id bits alone (measured), so they are
 * taken away here.
 */
void op_write(fuse_req_t req, fuse_ino_t number, const char *data, size_t size, off_t offset,
	      struct fuse_file_info *fi)
{
	struct fsops *fsops = fsops_of(req);
	enum op op = fi->writepage ? OP_WRITEBACK : OP_WRITE;
	bool is_durable = fi->flags & (O_DSYNC | O_SYNC);
	struct guard *guard = guard_begin(fsops, req, op,
					  &(struct guard_target){.number = number,
								 .handle = fi->fh,
								 .offset = (uint64_t)offset,
								 .length = size});
	enum err err = ERR_OK;

	if (!guard)
		return;
	if (op == OP_WRITE)
		err = operation_drop_set_id(fsops, number, guard_uid(guard));
	if (err)
		guard_done(guard, err, 0);
	else
		store_write(fsops->store, number, (uint64_t)offset, data, size, is_durable,
			    guard_done, guard);
}

static void sync_node(fuse_req_t req, enum op op, uint64_t number, uint64_t handle)
{
	struct fsops *fsops = fsops_of(req);
	struct guard *guard = guard_begin(fsops, req, op,
					  &(struct guard_target){.number = number,
								 .handle = handle});

	if (!guard)
		return;
	/* A lock commits everything: it is clean, unless that lock had to give up. */
	if (guard_is_locked(guard))
		guard_end_err(guard, session_is_committed(fsops->config.session) ? ERR_OK : ERR_IO);
	else
		store_fsync(fsops->store, number, guard_done, guard);
}

/* The attributes are in the same transaction as the data: fdatasync is no cheaper. */
void op_fsync(fuse_req_t req, fuse_ino_t number, int only_data, struct fuse_file_info *fi)
{
	(void)only_data;
	sync_node(req, OP_FSYNC, number, fi->fh);
}

void op_fsyncdir(fuse_req_t req, fuse_ino_t number, int only_data, struct fuse_file_info *fi)
{
	(void)only_data;
	sync_node(req, OP_FSYNCDIR, number, fi->fh);
}

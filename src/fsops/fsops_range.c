/* FALLOCATE, LSEEK, COPY_FILE_RANGE. */
#include "fsops/operation.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

static const struct {
	int fuse;
	uint32_t store;
} fallocate_flags[] = {
	{FALLOC_FL_KEEP_SIZE, STORE_FALLOCATE_KEEP_SIZE},
	{FALLOC_FL_PUNCH_HOLE, STORE_FALLOCATE_PUNCH},
	{FALLOC_FL_ZERO_RANGE, STORE_FALLOCATE_ZERO},
};

/* ERR_UNSUPPORTED for collapsing, inserting, unsharing. */
static enum err fallocate_mode(int mode, uint32_t *store_mode)
{
	*store_mode = 0;
	for (size_t i = 0; i < sizeof(fallocate_flags) / sizeof(fallocate_flags[0]); i++) {
		if (mode & fallocate_flags[i].fuse)
			*store_mode |= fallocate_flags[i].store;
		mode &= ~fallocate_flags[i].fuse;
	}
	return mode == 0 ? ERR_OK : ERR_UNSUPPORTED;
}

void op_fallocate(fuse_req_t req, fuse_ino_t number, int mode, off_t offset, off_t length,
		  struct fuse_file_info *fi)
{
	struct fsops *fsops = fsops_of(req);
	struct guard *guard = guard_begin(fsops, req, OP_FALLOCATE,
					  &(struct guard_target){.number = number,
								 .handle = fi->fh,
								 .offset = (uint64_t)offset,
								 .length = (uint64_t)length});
	uint32_t store_mode;
	enum err err;

	if (!guard)
		return;
	err = fallocate_mode(mode, &store_mode);
	if (!err && (offset < 0 || length <= 0))
		err = ERR_INVALID;
	if (!err)
		err = store_fallocate(fsops->store, number, store_mode, (uint64_t)offset,
				      (uint64_t)length);
	guard_end_err(guard, err);
}

/*
 * The kernel asks without writing back what was changed through a mapping: a
 * file that may have such changes has no holes to speak of.
 */
static enum err seek_mapped(struct fsops *fsops, uint64_t number, uint64_t offset, bool data,
			    uint64_t *found)
{
	struct store_attr attr;
	enum err err = store_getattr(fsops->store, number, &attr);

	if (!err && offset >= attr.object.size)
		err = ERR_NO_OFFSET;
	if (!err)
		*found = data ? offset : attr.object.size;
	return err;
}

/* The other origins are the kernel's own. */
void op_lseek(fuse_req_t req, fuse_ino_t number, off_t offset, int whence,
	      struct fuse_file_info *fi)
{
	struct fsops *fsops = fsops_of(req);
	struct guard *guard = guard_begin(fsops, req, OP_LSEEK,
					  &(struct guard_target){.number = number,
								 .handle = fi->fh,
								 .offset = (uint64_t)offset});
	uint64_t found = 0;
	enum err err;

	if (!guard)
		return;
	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		err = ERR_INVALID;
	else if (offset < 0)
		err = ERR_NO_OFFSET;
	else if (fsops_may_be_mapped(fsops, number))
		err = seek_mapped(fsops, number, (uint64_t)offset, whence == SEEK_DATA, &found);
	else
		err = store_seek(fsops->store, number, (uint64_t)offset, whence == SEEK_DATA,
				 &found);
	guard_end_lseek(guard, err, found);
}

/* Implemented so that cp(1) inside the mount is one record, and no page-cache fill. */
void op_copy_file_range(fuse_req_t req, fuse_ino_t number, off_t offset,
			struct fuse_file_info *fi, fuse_ino_t out_number, off_t out_offset,
			struct fuse_file_info *out_fi, size_t length, int flags)
{
	struct fsops *fsops = fsops_of(req);
	struct guard *guard = guard_begin(fsops, req, OP_COPY_RANGE,
					  &(struct guard_target){.number = number,
								 .handle = fi->fh,
								 .offset = (uint64_t)offset,
								 .length = length,
								 .out_number = out_number,
								 .out_handle = out_fi->fh,
								 .out_offset = (uint64_t)out_offset});

	if (!guard)
		return;
	if (flags != 0 || offset < 0 || out_offset < 0)
		guard_done(guard, ERR_INVALID, 0);
	else
		store_copy_range(fsops->store, number, (uint64_t)offset, out_number,
				 (uint64_t)out_offset, length, guard_done, guard);
}

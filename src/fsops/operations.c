/* The table of operations, and what is agreed on with the kernel. */
#include "fsops/operation.h"
#include "fsops/reply_buffer.h"

/*
 * What libfuse would ask for by itself and must not: pages that outlive a lock
 * (write-back cache, cached link targets), buffers in pipes where every byte
 * has to be touched, rights that are not the mode bits.
 */
#define UNWANTED                                                                              \
	(FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_SPLICE_READ |          \
	 FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE | FUSE_CAP_POSIX_ACL |                  \
	 FUSE_CAP_DONT_MASK | FUSE_CAP_EXPORT_SUPPORT | FUSE_CAP_HANDLE_KILLPRIV |            \
	 FUSE_CAP_EXPLICIT_INVAL_DATA | FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS)
#define WANTED                                                                                \
	(FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO | FUSE_CAP_ATOMIC_O_TRUNC |                 \
	 FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_READDIRPLUS |         \
	 FUSE_CAP_READDIRPLUS_AUTO)

/* Page-cache requests in flight, and what one page fault may disclose. */
#define BACKGROUND_MAX 64
#define READAHEAD_MAX  16384

void op_init(void *userdata, struct fuse_conn_info *connection)
{
	(void)userdata;
	connection->want &= ~(unsigned int)UNWANTED;
	connection->want |= WANTED & connection->capable;
	/* max_read is a mount option: libfuse wants to have been told of it in advance. */
	connection->max_write = REPLY_MAX;
	if (connection->max_readahead > READAHEAD_MAX)
		connection->max_readahead = READAHEAD_MAX;
	connection->max_background = BACKGROUND_MAX;
	connection->time_gran = 1;
}

/* The daemon ends the volume itself, in its own order. */
void op_destroy(void *userdata)
{
	(void)userdata;
}

/*
 * Not set: access (the mode bits are the kernel's, default_permissions),
 * write_buf (keeps libfuse from splicing), getlk, setlk, flock (one mounter:
 * locks are the kernel's), ioctl, poll, bmap.
 */
static const struct fuse_lowlevel_ops operations = {
	.init = op_init,
	.destroy = op_destroy,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.readlink = op_readlink,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.symlink = op_symlink,
	.rename = op_rename,
	.link = op_link,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.flush = op_flush,
	.release = op_release,
	.fsync = op_fsync,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.releasedir = op_releasedir,
	.fsyncdir = op_fsyncdir,
	.statfs = op_statfs,
	.setxattr = op_setxattr,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.removexattr = op_removexattr,
	.create = op_create,
	.fallocate = op_fallocate,
	.lseek = op_lseek,
	.copy_file_range = op_copy_file_range,
};

const struct fuse_lowlevel_ops *fsops_operations(void)
{
	return &operations;
}

#include "fsops/reply.h"

const struct reply_table reply_libfuse = {
	.context = fuse_req_ctx,
	.err = fuse_reply_err,
	.none = fuse_reply_none,
	.entry = fuse_reply_entry,
	.create = fuse_reply_create,
	.open = fuse_reply_open,
	.attr = fuse_reply_attr,
	.readlink = fuse_reply_readlink,
	.buf = fuse_reply_buf,
	.write = fuse_reply_write,
	.xattr = fuse_reply_xattr,
	.statfs = fuse_reply_statfs,
	.lseek = fuse_reply_lseek,
};

/*
 * libfuse as the guard calls it: a table, so that tests need no mount.  The
 * members are libfuse's functions of the same name.
 */
#ifndef PHIFS_FSOPS_REPLY_H
#define PHIFS_FSOPS_REPLY_H

#include "fsops/fsops.h"

struct reply_table {
	const struct fuse_ctx *(*context)(fuse_req_t req);
	int (*err)(fuse_req_t req, int error_number);
	void (*none)(fuse_req_t req);
	int (*entry)(fuse_req_t req, const struct fuse_entry_param *entry);
	int (*create)(fuse_req_t req, const struct fuse_entry_param *entry,
		      const struct fuse_file_info *fi);
	int (*open)(fuse_req_t req, const struct fuse_file_info *fi);
	int (*attr)(fuse_req_t req, const struct stat *st, double timeout);
	int (*readlink)(fuse_req_t req, const char *target);
	int (*buf)(fuse_req_t req, const char *data, size_t size);
	int (*write)(fuse_req_t req, size_t count);
	int (*xattr)(fuse_req_t req, size_t count);
	int (*statfs)(fuse_req_t req, const struct statvfs *st);
	int (*lseek)(fuse_req_t req, off_t offset);
};
extern const struct reply_table reply_libfuse;

#endif

/*
 * What the operations (fsops_*.c) share: each is the member of the same name
 * of struct fuse_lowlevel_ops.
 */
#ifndef PHIFS_FSOPS_OPERATION_H
#define PHIFS_FSOPS_OPERATION_H

#include "fsops/guard.h"
#include "fsops/private.h"

/*
 * How long the kernel believes names and attributes, in seconds.  All changes
 * come through this kernel, so it knows them; the limit is for what a reload
 * of the policy, or the lock, must reach.  0 while locked.
 */
#define NAME_TIMEOUT      1.0
#define ATTRIBUTE_TIMEOUT 1.0
/* What stdio applications take as the size of their requests. */
#define PREFERRED_IO_SIZE (128u << 10)

static inline struct fsops *fsops_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

void operation_stat(const struct store_attr *attr, struct stat *st);
void operation_entry(const struct store_attr *attr, bool is_locked,
		     struct fuse_entry_param *entry);

/* Owner and mode of what is made in a directory: set-group-id is inherited. */
struct new_owner {
	uid_t uid;
	gid_t gid;
	mode_t mode;
};
enum err operation_new_owner(struct guard *guard, struct fsops *fsops, uint64_t dir, mode_t mode,
			     struct new_owner *owner) MUST_CHECK;

/* Takes the set-id bits away that `uid` may not keep when it changes the content. */
enum err operation_drop_set_id(struct fsops *fsops, uint64_t number, uid_t uid) MUST_CHECK;

/* FOPEN_* of an open or create reply. */
void operation_open_flags(struct fsops *fsops, struct handle *handle, struct fuse_file_info *fi);

void op_init(void *userdata, struct fuse_conn_info *connection);
void op_destroy(void *userdata);

void op_lookup(fuse_req_t req, fuse_ino_t dir, const char *name);
void op_forget(fuse_req_t req, fuse_ino_t number, uint64_t count);
void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void op_statfs(fuse_req_t req, fuse_ino_t number);

void op_getattr(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *fi);
void op_setattr(fuse_req_t req, fuse_ino_t number, struct stat *st, int to_set,
		struct fuse_file_info *fi);

void op_mknod(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode, dev_t device);
void op_mkdir(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode);
void op_symlink(fuse_req_t req, const char *target, fuse_ino_t dir, const char *name);
void op_readlink(fuse_req_t req, fuse_ino_t number);
void op_unlink(fuse_req_t req, fuse_ino_t dir, const char *name);
void op_rmdir(fuse_req_t req, fuse_ino_t dir, const char *name);
void op_link(fuse_req_t req, fuse_ino_t number, fuse_ino_t new_dir, const char *new_name);
void op_rename(fuse_req_t req, fuse_ino_t dir, const char *name, fuse_ino_t new_dir,
	       const char *new_name, unsigned int flags);

void op_create(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode,
	       struct fuse_file_info *fi);
void op_open(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *fi);
void op_flush(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *fi);
void op_release(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *fi);

void op_read(fuse_req_t req, fuse_ino_t number, size_t size, off_t offset,
	     struct fuse_file_info *fi);
void op_write(fuse_req_t req, fuse_ino_t number, const char *data, size_t size, off_t offset,
	      struct fuse_file_info *fi);
void op_fsync(fuse_req_t req, fuse_ino_t number, int only_data, struct fuse_file_info *fi);

void op_fallocate(fuse_req_t req, fuse_ino_t number, int mode, off_t offset, off_t length,
		  struct fuse_file_info *fi);
void op_lseek(fuse_req_t req, fuse_ino_t number, off_t offset, int whence,
	      struct fuse_file_info *fi);
void op_copy_file_range(fuse_req_t req, fuse_ino_t number, off_t offset,
			struct fuse_file_info *fi, fuse_ino_t out_number, off_t out_offset,
			struct fuse_file_info *out_fi, size_t length, int flags);

void op_opendir(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *fi);
void op_readdir(fuse_req_t req, fuse_ino_t number, size_t size, off_t offset,
		struct fuse_file_info *fi);
void op_readdirplus(fuse_req_t req, fuse_ino_t number, size_t size, off_t offset,
		    struct fuse_file_info *fi);
void op_releasedir(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *fi);
void op_fsyncdir(fuse_req_t req, fuse_ino_t number, int only_data, struct fuse_file_info *fi);

void op_setxattr(fuse_req_t req, fuse_ino_t number, const char *name, const char *value,
		 size_t size, int flags);
void op_getxattr(fuse_req_t req, fuse_ino_t number, const char *name, size_t size);
void op_listxattr(fuse_req_t req, fuse_ino_t number, size_t size);
void op_removexattr(fuse_req_t req, fuse_ino_t number, const char *name);

#endif

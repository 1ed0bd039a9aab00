/*
 * The guard: the one choke point of every FUSE request.
 *
 * An operation is written as guard_begin, one store call, guard_end_*:
 *
 *	static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
 *	{
 *		struct fsops *fsops = fuse_req_userdata(req);
 *		struct guard *guard = guard_begin(fsops, req, OP_UNLINK,
 *			&(struct guard_target){.dir = parent, .name = name});
 *
 *		if (guard != NULL)
 *			guard_end_err(guard, store_unlink(fsops->store, parent, name));
 *	}
 *
 * guard_begin: lock state (the request is counted in flight), the caller's
 * identity, the class of the object, the policy's decision, and for whatever
 * changes something its record.  NULL: refused, recorded and answered; or no
 * memory, and answered.
 *
 * guard_end_*: the record of what was read or opened, a second record if a
 * change failed, the reply (an error's errno if `err` is not ERR_OK, or if the
 * record cannot be written: EIO, the access does not happen), and the request
 * is no longer in flight.  Exactly one of them is called for each guard, on any
 * thread; the guard is gone afterwards.
 *
 * Undone by the guard_end_* that is given them, when the reply cannot be
 * delivered or the record cannot be written: the lookup reference of an entry
 * (store_forget), the open of a handle (store_release_node, CLOSE record).
 *
 * Threads: any.  A guard belongs to one thread at a time.  No lock is held
 * between begin and end.
 */
#ifndef PHIFS_FSOPS_GUARD_H
#define PHIFS_FSOPS_GUARD_H

#include "fsops/fsops.h"
#include "fsops/handle.h"

enum op {
#define OP(name, member, need, action, event, when, locked, flags) OP_##name,
#include "fsops/ops.def"
#undef OP
	OP_COUNT
};

struct guard;

/* What a request is about.  Zero means "not given"; nothing is kept after the guard's end. */
struct guard_target {
	uint64_t number;      /* the node */
	uint64_t handle;      /* fi->fh; 0: no handle was given */
	uint64_t dir;         /* with `name`: the name that is made, removed, renamed */
	const char *name;
	uint64_t new_dir;     /* RENAME, LINK */
	const char *new_name;
	int flags;            /* OPEN, CREATE: fi->flags (O_*); RENAME: STORE_RENAME_* */
	uint32_t set, mode;   /* SETATTR: STORE_SET_*, the new mode's permission bits */
	const char *xattr;    /* *XATTR: the attribute's name ("user.*" is write, others attr) */
	uint64_t offset, length;
	bool is_fill;         /* READ: fi->lock_owner == 0, the kernel fills its page cache */
	/* COPY_RANGE: `number`, `handle`, `offset` are the source; these the target. */
	uint64_t out_number, out_handle, out_offset;
};

struct guard *guard_begin(struct fsops *fsops, fuse_req_t req, enum op op,
			  const struct guard_target *target);

/* --- while it runs ------------------------------------------------------------ */

/*
 * The volume is locked and this operation's row says FROZEN or CLEAN: answer
 * from what the store keeps.  LOOKUP: store_lookup_frozen.  FSYNC, FSYNCDIR:
 * ERR_OK, if the lock committed everything.  GETATTR needs no difference but timeout 0;
 * for it, too, this tells whether the volume is locked.
 */
bool guard_is_locked(const struct guard *guard);
/* The handle: looked up, or being made by OPEN, CREATE, OPENDIR.  NULL: none. */
struct handle *guard_handle(const struct guard *guard);
/* The caller's fsuid and fsgid: owner of what it creates. */
uid_t guard_uid(const struct guard *guard);
gid_t guard_gid(const struct guard *guard);

/* --- the end ------------------------------------------------------------------- */

/* The reply is err's errno, or success without a body. */
void guard_end_err(struct guard *guard, enum err err);
/* FORGET: no reply at all. */
void guard_end_none(struct guard *guard);
/* LOOKUP, MKNOD, MKDIR, SYMLINK, LINK.  entry->ino 0 with ERR_OK: a negative entry. */
void guard_end_entry(struct guard *guard, enum err err, const struct fuse_entry_param *entry);
/* CREATE, when the node is made and open (store_open_node); sets fi->fh. */
void guard_end_create(struct guard *guard, enum err err, const struct fuse_entry_param *entry,
		      struct fuse_file_info *fi);
/* OPEN after store_open_node, OPENDIR (the same); sets fi->fh. */
void guard_end_open(struct guard *guard, enum err err, struct fuse_file_info *fi);
void guard_end_attr(struct guard *guard, enum err err, const struct stat *st, double timeout);
void guard_end_readlink(struct guard *guard, enum err err, const char *target);
/* READ, READDIR, READDIRPLUS, GETXATTR, LISTXATTR: `data` is valid until the call returns. */
void guard_end_data(struct guard *guard, enum err err, const void *data, size_t size);
/* GETXATTR, LISTXATTR of size 0: how much room is needed. */
void guard_end_xattr_size(struct guard *guard, enum err err, size_t size);
void guard_end_statfs(struct guard *guard, enum err err, const struct statvfs *st);
void guard_end_lseek(struct guard *guard, enum err err, uint64_t offset);
/*
 * A truncation is done: guard_end_open, guard_end_attr when what is written next
 * can go in place (store_settle).
 */
void guard_end_open_settled(struct guard *guard, const struct fuse_file_info *fi);
void guard_end_attr_settled(struct guard *guard, const struct stat *st, double timeout);
/*
 * A store_done with the guard as its ctx, for rows with WAITS: WRITE, WRITEBACK
 * and COPY_RANGE reply `bytes`, the others err alone.
 */
void guard_done(void *guard, enum err err, size_t bytes);

/*
 * RELEASE, RELEASEDIR in one call: the CLOSE record, store_release_node, the
 * handle taken out of the table and freed, the reply.
 */
void guard_release(struct fsops *fsops, fuse_req_t req, enum op op, uint64_t number,
		   uint64_t handle);

#endif

/* Extended attributes: user.* and trusted.*; the kernel keeps the latter for root. */
#include "fsops/operation.h"

#include <string.h>

#include "fsops/reply_buffer.h"

static const char user_prefix[] = "user.", trusted_prefix[] = "trusted.";

static bool has_prefix(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/*
 * security.* and system.* (capabilities, labels, ACLs) are not kept.  Asked for
 * by every ls(1) and exec, answered alike for every file: nothing to guard.
 */
static bool is_kept(fuse_req_t req, const char *name)
{
	/* A prefix is no name. */
	if (strcmp(name, user_prefix) == 0 || strcmp(name, trusted_prefix) == 0) {
		fuse_reply_err(req, err_errno(ERR_INVALID));
		return false;
	}
	if (has_prefix(name, user_prefix) || has_prefix(name, trusted_prefix))
		return true;
	fuse_reply_err(req, err_errno(ERR_UNSUPPORTED));
	return false;
}

void op_setxattr(fuse_req_t req, fuse_ino_t number, const char *name, const char *value,
		 size_t size, int flags)
{
	struct fsops *fsops = fsops_of(req);
	struct guard *guard;

	if (!is_kept(req, name))
		return;
	guard = guard_begin(fsops, req, OP_SETXATTR,
			    &(struct guard_target){.number = number, .xattr = name});
	/* XATTR_CREATE and XATTR_REPLACE are the store's flags too. */
	if (guard)
		guard_end_err(guard, store_setxattr(fsops->store, number, name, value, size,
						    (uint32_t)flags));
}

void op_removexattr(fuse_req_t req, fuse_ino_t number, const char *name)
{
	struct fsops *fsops = fsops_of(req);
	struct guard *guard;

	if (!is_kept(req, name))
		return;
	guard = guard_begin(fsops, req, OP_REMOVEXATTR,
			    &(struct guard_target){.number = number, .xattr = name});
	if (guard)
		guard_end_err(guard, store_removexattr(fsops->store, number, name));
}

/* `room` 0 asks how much there is. */
static void end_with_room(struct guard *guard, enum err err, const void *data, size_t size,
			  size_t room)
{
	if (room == 0)
		guard_end_xattr_size(guard, err, size);
	else
		guard_end_data(guard, !err && size > room ? ERR_RANGE : err, data, size);
}

void op_getxattr(fuse_req_t req, fuse_ino_t number, const char *name, size_t size)
{
	struct fsops *fsops = fsops_of(req);
	struct guard *guard;
	size_t len = size;
	void *value;
	enum err err = ERR_NO_MEMORY;

	if (!is_kept(req, name))
		return;
	guard = guard_begin(fsops, req, OP_GETXATTR,
			    &(struct guard_target){.number = number, .xattr = name});
	if (!guard)
		return;
	value = reply_buffer(size);
	if (value)
		err = store_getxattr(fsops->store, number, name, value, &len);
	end_with_room(guard, err, value, err ? 0 : len, size);
}

/* Takes out what only root may know of, as listxattr(2) of other file systems does. */
static size_t without_trusted(char *names, size_t len)
{
	size_t kept = 0;

	for (size_t at = 0; at < len;) {
		size_t size = strlen(names + at) + 1;

		if (!has_prefix(names + at, trusted_prefix)) {
			memmove(names + kept, names + at, size);
			kept += size;
		}
		at += size;
	}
	return kept;
}

void op_listxattr(fuse_req_t req, fuse_ino_t number, size_t size)
{
	struct fsops *fsops = fsops_of(req);
	struct guard *guard = guard_begin(fsops, req, OP_LISTXATTR,
					  &(struct guard_target){.number = number});
	size_t len = STORE_XATTR_TOTAL_MAX;
	char *names;
	enum err err = ERR_NO_MEMORY;

	if (!guard)
		return;
	names = reply_buffer(len);
	if (names)
		err = store_listxattr(fsops->store, number, names, &len);
	if (err)
		len = 0;
	else if (guard_uid(guard) != 0)
		len = without_trusted(names, len);
	end_with_room(guard, err, names, len, size);
}

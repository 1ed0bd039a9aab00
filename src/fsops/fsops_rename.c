/* RENAME: parked while a replaced target waits for the source's data (R3). */
#include "fsops/operation.h"

#define KNOWN_FLAGS (STORE_RENAME_NOREPLACE | STORE_RENAME_EXCHANGE)

/* The flags are rename(2)'s and the store's alike; it knows no white-outs. */
void op_rename(fuse_req_t req, fuse_ino_t dir, const char *name, fuse_ino_t new_dir,
	       const char *new_name, unsigned int flags)
{
	struct fsops *fsops = fsops_of(req);
	struct guard *guard = guard_begin(fsops, req, OP_RENAME,
					  &(struct guard_target){.dir = dir,
								 .name = name,
								 .new_dir = new_dir,
								 .new_name = new_name,
								 .flags = (int)flags});

	if (!guard)
		return;
	if (flags & ~KNOWN_FLAGS)
		guard_end_err(guard, ERR_INVALID);
	else
		store_rename(fsops->store, dir, name, new_dir, new_name, flags, guard_done, guard);
}

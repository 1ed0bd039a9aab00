/* OPENDIR, READDIR, READDIRPLUS, RELEASEDIR. */
#include "fsops/operation.h"

#include <string.h>

#include "fsops/reply_buffer.h"

/*
 * Offsets of a directory stream: 0 stands before ".", 1 before "..", and from 2
 * on they are the store's cookies plus 2.
 */
#define OFFSET_DOTDOT 1
#define OFFSET_STORE  2

/* One reply being filled. */
struct listing {
	fuse_req_t req;
	char *data;
	size_t size, used;
	bool with_attr;
	bool is_full;
};

/* Negative answers in READDIRPLUS are entries without a node: no lookup is counted. */
static bool add_entry(struct listing *listing, const char *name,
		      const struct fuse_entry_param *entry, off_t next)
{
	char *at = listing->data + listing->used;
	size_t room = listing->size - listing->used, needed;

	if (listing->with_attr)
		needed = fuse_add_direntry_plus(listing->req, at, room, name, entry, next);
	else
		needed = fuse_add_direntry(listing->req, at, room, name, &entry->attr, next);
	if (needed > room) {
		listing->is_full = true;
		return false;
	}
	listing->used += needed;
	return true;
}

static bool add_dot(struct listing *listing, const char *name, uint64_t number, off_t next)
{
	const struct fuse_entry_param entry = {.attr = {.st_ino = number, .st_mode = S_IFDIR}};

	return add_entry(listing, name, &entry, next);
}

static bool add_stored(void *ctx, const struct store_dirent *dirent, const struct store_attr *attr)
{
	struct fuse_entry_param entry = {.attr = {.st_ino = dirent->number,
						  .st_mode = dirent->type}};

	if (attr)
		operation_entry(attr, false, &entry);
	return add_entry(ctx, dirent->name, &entry, (off_t)(dirent->next + OFFSET_STORE));
}

static enum err list(struct fsops *fsops, uint64_t number, uint64_t offset,
		     struct listing *listing)
{
	uint64_t parent;
	enum err err;

	if (offset == 0) {
		add_dot(listing, ".", number, OFFSET_DOTDOT);
		offset = OFFSET_DOTDOT;
	}
	if (offset == OFFSET_DOTDOT && !listing->is_full) {
		err = store_parent(fsops->store, number, &parent);
		if (err)
			return err;
		add_dot(listing, "..", parent, OFFSET_STORE);
		offset = OFFSET_STORE;
	}
	if (listing->is_full)
		return ERR_OK;
	err = store_readdir(fsops->store, number, offset - OFFSET_STORE, listing->with_attr,
			    add_stored, listing);
	/* What was listed has been counted as looked up: it must reach the kernel. */
	return listing->used > 0 ? ERR_OK : err;
}

static void read_directory(fuse_req_t req, enum op op, uint64_t number, size_t size, off_t offset,
			   struct fuse_file_info *fi)
{
	struct fsops *fsops = fsops_of(req);
	struct guard *guard = guard_begin(fsops, req, op,
					  &(struct guard_target){.number = number,
								 .handle = fi->fh,
								 .offset = (uint64_t)offset,
								 .length = size});
	struct listing listing = {.req = req, .size = size, .with_attr = op == OP_READDIRPLUS};
	enum err err = ERR_NO_MEMORY;

	if (!guard)
		return;
	listing.data = reply_buffer(size);
	if (offset < 0)
		err = ERR_INVALID;
	else if (listing.data)
		err = list(fsops, number, (uint64_t)offset, &listing);
	guard_end_data(guard, err, listing.data, listing.used);
}

void op_readdir(fuse_req_t req, fuse_ino_t number, size_t size, off_t offset,
		struct fuse_file_info *fi)
{
	read_directory(req, OP_READDIR, number, size, offset, fi);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t number, size_t size, off_t offset,
		    struct fuse_file_info *fi)
{
	read_directory(req, OP_READDIRPLUS, number, size, offset, fi);
}

/* Names are not kept in the page cache (no FOPEN_CACHE_DIR): they would outlive the lock. */
void op_opendir(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *fi)
{
	struct fsops *fsops = fsops_of(req);
	struct guard *guard = guard_begin(fsops, req, OP_OPENDIR,
					  &(struct guard_target){.number = number,
								 .flags = fi->flags});

	if (guard)
		guard_end_open(guard, store_open_node(fsops->store, number, false), fi);
}

void op_releasedir(fuse_req_t req, fuse_ino_t number, struct fuse_file_info *fi)
{
	guard_release(fsops_of(req), req, OP_RELEASEDIR, number, fi->fh);
}

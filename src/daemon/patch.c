#include "daemon/patch.h"

#include <linux/fuse.h>
#include <string.h>

/* fuse_init_in of protocol 7.36 and later: flags2 follows. */
#define INIT_IN_FLAGS2_END (offsetof(struct fuse_init_in, flags2) + sizeof(uint32_t))

void patch_init(struct patch *patch, uint64_t masked)
{
	patch->masked = masked;
	patch->has_ring = false;
	atomic_init(&patch->offered, 0);
	atomic_init(&patch->init_unique, 0);
	for (size_t i = 0; i < PATCH_SLOTS; i++)
		atomic_init(&patch->opens[i], 0);
}

/* The kernel numbers requests by twos. */
static _Atomic uint64_t *slot_of(struct patch *patch, uint64_t unique)
{
	return &patch->opens[(unique >> 1) % PATCH_SLOTS];
}

static void init_request(struct patch *patch, uint64_t unique, uint8_t *body, size_t len)
{
	struct fuse_init_in init = {0};
	uint64_t offered;

	if (len < offsetof(struct fuse_init_in, flags2))
		return;
	memcpy(&init, body, len < sizeof(init) ? len : sizeof(init));
	if (!(init.flags & FUSE_INIT_EXT) || len < INIT_IN_FLAGS2_END)
		init.flags2 = 0;
	offered = ((uint64_t)init.flags2 << 32 | init.flags) & ~patch->masked;
	init.flags = (uint32_t)offered;
	init.flags2 = (uint32_t)(offered >> 32);
	memcpy(body, &init, len < sizeof(init) ? len : sizeof(init));
	atomic_store(&patch->offered, offered);
	atomic_store(&patch->init_unique, unique);
}

void patch_request(struct patch *patch, void *request, size_t len)
{
	struct fuse_in_header header;

	if (len < sizeof(header))
		return;
	memcpy(&header, request, sizeof(header));
	if (header.opcode == FUSE_INIT)
		init_request(patch, header.unique, (uint8_t *)request + sizeof(header),
			     len - sizeof(header));
	else if (header.opcode == FUSE_OPEN || header.opcode == FUSE_CREATE)
		atomic_store_explicit(slot_of(patch, header.unique), header.unique,
				      memory_order_relaxed);
}

static uint32_t at_most(uint32_t value, uint32_t limit)
{
	return value < limit ? value : limit;
}

static void init_reply(struct patch *patch, const struct iovec *body)
{
	uint64_t offered = atomic_load(&patch->offered);
	uint64_t added = offered & PATCH_DIRECT_IO_ALLOW_MMAP;
	struct fuse_init_out init;

	if (patch->has_ring)
		added |= offered & PATCH_OVER_IO_URING;
	if (body->iov_len < sizeof(init))
		return;
	memcpy(&init, body->iov_base, sizeof(init));
	init.max_readahead = at_most(init.max_readahead, PATCH_READAHEAD_MAX);
	init.max_background = PATCH_BACKGROUND_MAX;
	init.congestion_threshold = PATCH_BACKGROUND_MAX * 3 / 4;
	init.max_write = at_most(init.max_write, PATCH_REQUEST_MAX);
	/* Would take the writer's identity away from every WRITE. */
	init.flags &= ~(uint32_t)FUSE_WRITEBACK_CACHE;
	init.flags |= (uint32_t)offered & FUSE_PARALLEL_DIROPS;
	if (added) {
		init.flags |= FUSE_INIT_EXT;
		init.flags2 |= (uint32_t)(added >> 32);
	}
	memcpy(body->iov_base, &init, sizeof(init));
}

/* `body` ends with a struct fuse_open_out: alone for OPEN, behind the entry for CREATE. */
static void open_reply(const struct iovec *body)
{
	struct fuse_open_out *open;
	uint32_t flags;
	uint8_t *at;

	if (body->iov_len != sizeof(*open) &&
	    body->iov_len != sizeof(struct fuse_entry_out) + sizeof(*open))
		return;
	at = (uint8_t *)body->iov_base + body->iov_len - sizeof(*open) +
	     offsetof(struct fuse_open_out, open_flags);
	memcpy(&flags, at, sizeof(flags));
	if (flags & FOPEN_DIRECT_IO)
		flags |= FOPEN_PARALLEL_DIRECT_WRITES;
	memcpy(at, &flags, sizeof(flags));
}

void patch_reply(struct patch *patch, const struct iovec *iov, int count)
{
	struct fuse_out_header header;
	uint64_t unique;

	if (count != 2 || iov[0].iov_len != sizeof(header))
		return;
	memcpy(&header, iov[0].iov_base, sizeof(header));
	unique = header.unique;
	if (unique == 0 || header.error != 0)
		return;
	if (unique == atomic_load_explicit(&patch->init_unique, memory_order_relaxed))
		init_reply(patch, &iov[1]);
	else if (atomic_compare_exchange_strong(slot_of(patch, unique), &unique, 0))
		open_reply(&iov[1]);
}

/*
 * What libfuse 3.14 cannot say on the wire, said for it: changes of raw FUSE
 * messages as they pass (linux/fuse.h).  Pure functions on buffers.
 *
 *   INIT request    flags the tests want to hide are masked (an old kernel)
 *   INIT reply      FUSE_DIRECT_IO_ALLOW_MMAP, FUSE_PARALLEL_DIROPS, our limits;
 *                   FUSE_OVER_IO_URING if it is wanted
 *   OPEN, CREATE    FOPEN_PARALLEL_DIRECT_WRITES with every FOPEN_DIRECT_IO
 *
 * All of it is only added where the kernel offers it; libfuse versions that set
 * the same bits themselves are not disturbed.  Thread-safe without locks.
 */
#ifndef PHIFS_DAEMON_PATCH_H
#define PHIFS_DAEMON_PATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* The 64 INIT flags: `flags` below, `flags2` above. Not in every linux/fuse.h. */
#define PATCH_DIRECT_IO_ALLOW_MMAP (UINT64_C(1) << 36)
#define PATCH_OVER_IO_URING        (UINT64_C(1) << 41)

#define PATCH_REQUEST_MAX    (1u << 20) /* bytes of data of one READ or WRITE */
#define PATCH_READAHEAD_MAX  16384u     /* narrows what one page fault discloses */
#define PATCH_BACKGROUND_MAX 64u        /* page-cache requests in flight */

/*
 * Requests whose reply is of interest, by their number.  A slot that a later
 * request overwrites loses one PARALLEL_DIRECT_WRITES flag, nothing else; at
 * most as many requests are in flight as this, in practice.
 */
#define PATCH_SLOTS 4096u

struct patch {
	uint64_t masked;             /* INIT flags to hide */
	bool has_ring;               /* set before the reply to INIT */
	_Atomic uint64_t offered;    /* INIT flags of the kernel, without the masked ones */
	_Atomic uint64_t init_unique;
	_Atomic uint64_t opens[PATCH_SLOTS];
};

void patch_init(struct patch *patch, uint64_t masked);

/* Looks at (and masks) a request of `len` bytes as it came from the kernel. */
void patch_request(struct patch *patch, void *request, size_t len);

/* Changes a reply in place: header in iov[0], body in iov[1]. */
void patch_reply(struct patch *patch, const struct iovec *iov, int count);

#endif

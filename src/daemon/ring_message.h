/*
 * One request as FUSE-over-io_uring carries it: the kernel's structures, and how
 * they become the contiguous message that libfuse reads.  Pure functions on
 * memory; one thread at a time for a message.
 *
 * libfuse 3.14 does not know this transport and Debian 12's linux/fuse.h has not
 * its structures: they are those of Linux 6.14, include/uapi/linux/fuse.h.
 */
#ifndef PHIFS_DAEMON_RING_MESSAGE_H
#define PHIFS_DAEMON_RING_MESSAGE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"
#include "daemon/patch.h"

/* struct fuse_uring_ent_in_out */
struct ring_in_out {
	uint64_t flags;
	uint64_t commit_id;
	uint32_t payload_len;  /* of the request; then of the reply */
	uint32_t padding;
	uint64_t reserved;
};

#define RING_OP_IN_MAX 128u

/* struct fuse_uring_req_header */
struct ring_header {
	uint8_t in_out[128];   /* fuse_in_header; then fuse_out_header */
	uint8_t op_in[RING_OP_IN_MAX];
	struct ring_in_out entry;
};

/* struct fuse_uring_cmd_req, in the 80 bytes for a command of a large SQE */
struct ring_command {
	uint64_t flags;
	uint64_t commit_id;
	uint16_t queue;
	uint8_t padding[6];
};

/* enum fuse_uring_cmd */
enum ring_command_number { RING_REGISTER = 1, RING_COMMIT_AND_FETCH = 2 };

/* The kernel's part and libfuse's copy of the headers lie in front of the payload. */
#define RING_FRONT        4096u
#define RING_PAYLOAD_MAX  PATCH_REQUEST_MAX
#define RING_MESSAGE_SIZE (RING_FRONT + RING_PAYLOAD_MAX)

struct ring_message {
	struct ring_header *header;
	uint8_t *payload;
	_Atomic size_t used;   /* bytes of the payload that held something since the last wipe */
};

/* `memory`: RING_MESSAGE_SIZE zeroed bytes on a page, which the caller frees. */
void ring_message_init(struct ring_message *message, void *memory);

/* The payload holds up to `len` bytes of somebody's data now. */
void ring_message_note(struct ring_message *message, size_t len);

/*
 * The request that the kernel put there, as read(2) of /dev/fuse would give it:
 * it lies in the message's memory, and the payload is not copied.  ERR_FORMAT:
 * lengths that do not fit together.
 */
enum err ring_message_request(struct ring_message *message, void **request,
			      size_t *len) MUST_CHECK;

/*
 * Put a reply there: a fuse_out_header in iov[0], the body behind it.  A body
 * that is where the payload begins is not copied.  ERR_FORMAT: no header,
 * or too long.
 */
enum err ring_message_reply(struct ring_message *message, const struct iovec *iov,
			    int count) MUST_CHECK;
void ring_message_reply_error(struct ring_message *message, uint64_t unique, int error_number);

/* Nothing of requests and replies is left; neither may be there still. */
void ring_message_wipe(struct ring_message *message);
/* The same beside a request that the kernel put there and nobody looked at yet: it stays. */
void ring_message_wipe_older(struct ring_message *message);

#endif

#include "daemon/ring_message.h"

#include <linux/fuse.h>
#include <string.h>

#include "base/secmem.h"

/* What libfuse sees of a request in front of its payload. */
#define HEADERS_MAX (sizeof(struct fuse_in_header) + RING_OP_IN_MAX)
/* All structures in which requests begin are multiples of it. */
#define ALIGNMENT sizeof(uint64_t)

_Static_assert(sizeof(struct ring_in_out) == 32, "the kernel's");
_Static_assert(sizeof(struct ring_header) == 288, "the kernel's");
_Static_assert(sizeof(struct ring_command) == 24, "the kernel's");
_Static_assert(sizeof(struct ring_header) + HEADERS_MAX <= RING_FRONT, "both fit in front");

void ring_message_init(struct ring_message *message, void *memory)
{
	message->header = memory;
	message->payload = (uint8_t *)memory + RING_FRONT;
	atomic_init(&message->used, 0);
}

void ring_message_note(struct ring_message *message, size_t len)
{
	if (len > atomic_load_explicit(&message->used, memory_order_relaxed))
		atomic_store_explicit(&message->used, len, memory_order_relaxed);
}

enum err ring_message_request(struct ring_message *message, void **request, size_t *len)
{
	const size_t payload_len = message->header->entry.payload_len;
	struct fuse_in_header in;
	size_t op_len;
	uint8_t *at;

	memcpy(&in, message->header->in_out, sizeof(in));
	if (payload_len > RING_PAYLOAD_MAX || in.len < sizeof(in) + payload_len)
		return ERR_FORMAT;
	op_len = in.len - sizeof(in) - payload_len;
	if (op_len > RING_OP_IN_MAX || op_len % ALIGNMENT != 0)
		return ERR_FORMAT;
	ring_message_note(message, payload_len);
	at = message->payload - op_len - sizeof(in);
	memcpy(at, &in, sizeof(in));
	memcpy(at + sizeof(in), message->header->op_in, op_len);
	*request = at;
	*len = in.len;
	return ERR_OK;
}

static size_t body_len(const struct iovec *iov, int count)
{
	size_t len = 0;

	for (int i = 1; i < count; i++)
		len += iov[i].iov_len;
	return len;
}

enum err ring_message_reply(struct ring_message *message, const struct iovec *iov, int count)
{
	const size_t len = count > 0 ? body_len(iov, count) : 0;
	uint8_t *at = message->payload;

	if (count < 1 || iov[0].iov_len != sizeof(struct fuse_out_header) || len > RING_PAYLOAD_MAX)
		return ERR_FORMAT;
	memcpy(message->header->in_out, iov[0].iov_base, iov[0].iov_len);
	for (int i = 1; i < count; i++) {
		if (iov[i].iov_len > 0 && iov[i].iov_base != at)
			memmove(at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	message->header->entry.payload_len = (uint32_t)len;
	ring_message_note(message, len);
	return ERR_OK;
}

void ring_message_reply_error(struct ring_message *message, uint64_t unique, int error_number)
{
	const struct fuse_out_header out = {
		.len = sizeof(out), .error = -error_number, .unique = unique};

	memcpy(message->header->in_out, &out, sizeof(out));
	message->header->entry.payload_len = 0;
}

void ring_message_wipe(struct ring_message *message)
{
	const size_t used = atomic_load_explicit(&message->used, memory_order_relaxed);

	secmem_wipe(message->header, sizeof(*message->header));
	secmem_wipe(message->payload - HEADERS_MAX, HEADERS_MAX + used);
	atomic_store_explicit(&message->used, 0, memory_order_relaxed);
}

void ring_message_wipe_older(struct ring_message *message)
{
	const size_t used = atomic_load_explicit(&message->used, memory_order_relaxed);
	const size_t len = message->header->entry.payload_len;

	secmem_wipe(message->payload - HEADERS_MAX, HEADERS_MAX);
	if (len >= used)
		return;
	secmem_wipe(message->payload + len, used - len);
	atomic_store_explicit(&message->used, len, memory_order_relaxed);
}

/* Messages of FUSE over io_uring, and a ring that the kernel does not take. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/ring.h"
#include "daemon/ring_message.h"

#define UNIQUE 4711u

static void *make(struct ring_message *message)
{
	void *memory = secmem_alloc(RING_MESSAGE_SIZE);

	ck_assert_ptr_nonnull(memory);
	ring_message_init(message, memory);
	return memory;
}

/* As the kernel does it: header, structure and payload apart. */
static void put(struct ring_message *message, size_t op_len, const void *payload, size_t len)
{
	const struct fuse_in_header in = {.len = (uint32_t)(sizeof(in) + op_len + len),
					  .opcode = FUSE_WRITE,
					  .unique = UNIQUE};

	memcpy(message->header->in_out, &in, sizeof(in));
	memset(message->header->op_in, 0x55, op_len < RING_OP_IN_MAX ? op_len : RING_OP_IN_MAX);
	if (len <= RING_PAYLOAD_MAX)
		memcpy(message->payload, payload, len);
	message->header->entry =
		(struct ring_in_out){.commit_id = UNIQUE, .payload_len = (uint32_t)len};
}

START_TEST(test_request_is_contiguous)
{
	const char text[] = "payload";
	struct ring_message message;
	void *memory = make(&message), *request;
	struct fuse_in_header in;
	uint8_t *bytes;
	size_t len;

	put(&message, sizeof(struct fuse_write_in), text, sizeof(text));
	ck_assert_int_eq(ring_message_request(&message, &request, &len), ERR_OK);
	ck_assert_uint_eq(len, sizeof(in) + sizeof(struct fuse_write_in) + sizeof(text));
	memcpy(&in, request, sizeof(in));
	ck_assert_uint_eq(in.unique, UNIQUE);
	bytes = request;
	for (size_t i = 0; i < sizeof(struct fuse_write_in); i++)
		ck_assert_uint_eq(bytes[sizeof(in) + i], 0x55);
	ck_assert_ptr_eq(bytes + sizeof(in) + sizeof(struct fuse_write_in), message.payload);
	ck_assert_str_eq((char *)message.payload, text);
	secmem_free(memory);
}
END_TEST

/* LOOKUP has no structure, only a name; GETATTR no payload; the largest WRITE has all. */
START_TEST(test_parts_may_be_missing)
{
	static const struct {
		size_t op_len, len;
	} cases[] = {{0, 5}, {16, 0}, {0, 0}, {RING_OP_IN_MAX, RING_PAYLOAD_MAX}};
	uint8_t *payload = calloc(1, RING_PAYLOAD_MAX);
	struct ring_message message;
	void *memory = make(&message), *request;
	size_t len;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put(&message, cases[i].op_len, payload, cases[i].len);
		ck_assert_int_eq(ring_message_request(&message, &request, &len), ERR_OK);
		ck_assert_uint_eq(len,
				  sizeof(struct fuse_in_header) + cases[i].op_len + cases[i].len);
	}
	free(payload);
	secmem_free(memory);
}
END_TEST

START_TEST(test_lengths_that_do_not_fit)
{
	struct ring_message message;
	void *memory = make(&message), *request;
	struct fuse_in_header in = {.len = sizeof(in) - 1};
	size_t len;

	put(&message, RING_OP_IN_MAX + 8, "", 0);
	ck_assert_int_eq(ring_message_request(&message, &request, &len), ERR_FORMAT);
	put(&message, 12, "", 0);
	ck_assert_int_eq(ring_message_request(&message, &request, &len), ERR_FORMAT);
	put(&message, 8, "", RING_PAYLOAD_MAX + 1);
	ck_assert_int_eq(ring_message_request(&message, &request, &len), ERR_FORMAT);
	put(&message, 8, "", 0);
	memcpy(message.header->in_out, &in, sizeof(in));
	ck_assert_int_eq(ring_message_request(&message, &request, &len), ERR_FORMAT);
	secmem_free(memory);
}
END_TEST

START_TEST(test_reply)
{
	struct fuse_out_header out = {.len = sizeof(out) + 6, .unique = UNIQUE}, seen;
	struct iovec iov[3] = {{&out, sizeof(out)}, {(char *)"abc", 3}, {(char *)"de", 3}};
	struct ring_message message;
	void *memory = make(&message);

	ck_assert_int_eq(ring_message_reply(&message, iov, 3), ERR_OK);
	memcpy(&seen, message.header->in_out, sizeof(seen));
	ck_assert_uint_eq(seen.unique, UNIQUE);
	ck_assert_uint_eq(message.header->entry.payload_len, 6);
	ck_assert_str_eq((char *)message.payload, "abcde");
	/* Built in place. */
	iov[1] = (struct iovec){message.payload, 4};
	ck_assert_int_eq(ring_message_reply(&message, iov, 2), ERR_OK);
	ck_assert_uint_eq(message.header->entry.payload_len, 4);
	ck_assert_str_eq((char *)message.payload, "abcde");
	iov[1].iov_len = RING_PAYLOAD_MAX + 1;
	ck_assert_int_eq(ring_message_reply(&message, iov, 2), ERR_FORMAT);
	ck_assert_int_eq(ring_message_reply(&message, iov, 0), ERR_FORMAT);
	ring_message_reply_error(&message, UNIQUE, EIO);
	memcpy(&seen, message.header->in_out, sizeof(seen));
	ck_assert_int_eq(seen.error, -EIO);
	ck_assert_uint_eq(message.header->entry.payload_len, 0);
	secmem_free(memory);
}
END_TEST

static size_t bytes_left(const uint8_t *memory)
{
	size_t left = 0;

	for (size_t i = 0; i < RING_MESSAGE_SIZE; i++)
		left += memory[i] != 0;
	return left;
}

START_TEST(test_nothing_is_left)
{
	const char name[] = "somebody's name";
	struct fuse_out_header out = {.len = sizeof(out) + 4, .unique = UNIQUE};
	struct iovec iov[2] = {{&out, sizeof(out)}, {(char *)"long", 4}};
	struct ring_message message;
	void *memory = make(&message), *request;
	size_t len;

	put(&message, RING_OP_IN_MAX, name, sizeof(name));
	ck_assert_int_eq(ring_message_request(&message, &request, &len), ERR_OK);
	/* A shorter reply does not make one forget the request behind it. */
	ck_assert_int_eq(ring_message_reply(&message, iov, 2), ERR_OK);
	memset(message.payload, 0x77, 1000);
	ring_message_note(&message, 1000);
	ring_message_note(&message, 1);
	ck_assert_uint_gt(bytes_left(memory), 1000);
	ring_message_wipe(&message);
	ck_assert_uint_eq(bytes_left(memory), 0);
	secmem_free(memory);
}
END_TEST

/* A small request comes just at the lock, where a large reply was. */
START_TEST(test_nothing_is_left_behind_a_request_that_came)
{
	const char name[] = "a name";
	struct ring_message message;
	void *memory = make(&message), *request;
	size_t len, whole;

	put(&message, RING_OP_IN_MAX, name, sizeof(name));
	whole = bytes_left(memory);
	ck_assert_int_eq(ring_message_request(&message, &request, &len), ERR_OK);
	memset(message.payload, 0x77, RING_PAYLOAD_MAX);
	ring_message_note(&message, RING_PAYLOAD_MAX);
	put(&message, RING_OP_IN_MAX, name, sizeof(name));
	ring_message_wipe_older(&message);
	ck_assert_uint_eq(bytes_left(memory), whole);
	ck_assert_int_eq(ring_message_request(&message, &request, &len), ERR_OK);
	ck_assert_uint_eq(len, sizeof(struct fuse_in_header) + RING_OP_IN_MAX + sizeof(name));
	ck_assert_str_eq((const char *)message.payload, name);
	ring_message_wipe(&message);
	ck_assert_uint_eq(bytes_left(memory), 0);
	secmem_free(memory);
}
END_TEST

static void no_request(void *ctx, void *request, size_t len)
{
	(void)request;
	(void)len;
	(*(unsigned int *)ctx)++;
}

static bool come_around(struct ring *ring, uint64_t generation)
{
	int64_t end = clock_boot_ns() + 10000 * NS_PER_MS;

	while (ring_kick(ring, generation) > 0) {
		if (clock_boot_ns() > end)
			return false;
		clock_sleep_ns(NS_PER_MS);
	}
	return true;
}

/* A descriptor that has no such requests stands for a kernel that refuses. */
START_TEST(test_ring_that_is_not_taken)
{
	unsigned int requests = 0;
	const struct ring_calls calls = {.ctx = &requests, .request = no_request};
	struct fuse_out_header out = {.len = sizeof(out), .unique = UNIQUE};
	const struct iovec iov = {&out, sizeof(out)};
	int fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	struct ring *ring = NULL;
	enum err err = ring_new(fd, &calls, &ring);

	if (!ring_is_built())
		ck_assert_int_eq(err, ERR_UNSUPPORTED);
	/* A container may forbid io_uring. */
	if (err == ERR_OK) {
		ck_assert(!ring_reply(ring, &iov, 1));
		ck_assert_int_eq(ring_start(ring), ERR_UNSUPPORTED);
		ck_assert(!ring_reply(ring, &iov, 1));
		ring_wipe(ring, 1);
		ck_assert(come_around(ring, 1));
		ring_stop(ring);
		ck_assert(come_around(ring, UINT64_MAX));
		ring_free(ring);
		ck_assert_uint_eq(requests, 0);
	}
	ring_free(NULL);
	close(fd);
}
END_TEST

/* Ended before it began. */
START_TEST(test_ring_that_never_starts)
{
	const struct ring_calls calls = {.request = no_request};
	int fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	struct ring *ring;

	if (ring_new(fd, &calls, &ring) == ERR_OK)
		ring_free(ring);
	close(fd);
}
END_TEST

UNIT_MAIN("ring", test_request_is_contiguous, test_parts_may_be_missing,
	  test_lengths_that_do_not_fit, test_reply, test_nothing_is_left,
	  test_nothing_is_left_behind_a_request_that_came, test_ring_that_is_not_taken,
	  test_ring_that_never_starts)

/* Raw FUSE messages (linux/fuse.h, protocol 7.38) as libfuse and the kernel exchange them. */
#include "unit.h"

#include <linux/fuse.h>
#include <string.h>

#include "daemon/patch.h"

struct init_request {
	struct fuse_in_header header;
	struct fuse_init_in init;
};

static void make_init(struct init_request *request, uint64_t flags)
{
	memset(request, 0, sizeof(*request));
	request->header.len = sizeof(*request);
	request->header.opcode = FUSE_INIT;
	request->header.unique = 2;
	request->init.major = 7;
	request->init.minor = 38;
	request->init.flags = (uint32_t)flags;
	request->init.flags2 = (uint32_t)(flags >> 32);
}

static void reply(struct patch *patch, uint64_t unique, int error, void *body, size_t len)
{
	struct fuse_out_header header = {
		.len = (uint32_t)(sizeof(header) + len), .unique = unique, .error = error};
	const struct iovec iov[2] = {{&header, sizeof(header)}, {body, len}};

	patch_reply(patch, iov, 2);
}

static void open_request(struct patch *patch, uint32_t opcode, uint64_t unique)
{
	struct fuse_in_header header = {
		.len = sizeof(header), .opcode = opcode, .unique = unique, .nodeid = 1};

	patch_request(patch, &header, sizeof(header));
}

#define MODERN (FUSE_INIT_EXT | FUSE_PARALLEL_DIROPS | PATCH_DIRECT_IO_ALLOW_MMAP)

START_TEST(test_init_of_a_modern_kernel)
{
	struct fuse_init_out out = {.max_readahead = 131072,
				    .flags = FUSE_ASYNC_READ | FUSE_WRITEBACK_CACHE,
				    .max_write = 1u << 20};
	static struct patch patch;
	struct init_request request;

	make_init(&request, MODERN);
	patch_init(&patch, 0);
	patch_request(&patch, &request, sizeof(request));
	ck_assert_uint_eq(atomic_load(&patch.offered), MODERN);
	ck_assert_uint_eq(request.init.flags, (uint32_t)MODERN);
	reply(&patch, 2, 0, &out, sizeof(out));
	ck_assert_uint_eq(out.flags, FUSE_ASYNC_READ | FUSE_PARALLEL_DIROPS | FUSE_INIT_EXT);
	ck_assert_uint_eq(out.flags2, 1u << 4);
	ck_assert_uint_eq(out.max_readahead, 16384);
	ck_assert_uint_eq(out.max_background, 64);
	ck_assert_uint_eq(out.congestion_threshold, 48);
	ck_assert_uint_eq(out.max_write, 1u << 20);
}
END_TEST

/* The ring is offered and wanted, or it is not in the reply. */
START_TEST(test_init_of_a_ring)
{
	static const struct {
		uint64_t offered, masked;
		bool has_ring;
		uint32_t flags2;
	} cases[] = {
		{FUSE_INIT_EXT | PATCH_OVER_IO_URING, 0, true, 1u << 9},
		{FUSE_INIT_EXT | PATCH_OVER_IO_URING, 0, false, 0},
		{FUSE_INIT_EXT | PATCH_OVER_IO_URING, PATCH_OVER_IO_URING, true, 0},
		{FUSE_INIT_EXT, 0, true, 0},
		{MODERN | PATCH_OVER_IO_URING, 0, true, 1u << 9 | 1u << 4},
	};
	static struct patch patch;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fuse_init_out out = {0};
		struct init_request request;

		make_init(&request, cases[i].offered);
		patch_init(&patch, cases[i].masked);
		patch_request(&patch, &request, sizeof(request));
		patch.has_ring = cases[i].has_ring;
		reply(&patch, 2, 0, &out, sizeof(out));
		ck_assert_uint_eq(out.flags2, cases[i].flags2);
	}
}
END_TEST

/* The mask hides a feature from libfuse and from the patch. */
START_TEST(test_init_masked)
{
	struct fuse_init_out out = {0};
	static struct patch patch;
	struct init_request request;

	make_init(&request, MODERN);
	patch_init(&patch, PATCH_DIRECT_IO_ALLOW_MMAP | FUSE_PARALLEL_DIROPS);
	patch_request(&patch, &request, sizeof(request));
	ck_assert_uint_eq(request.init.flags2, 0);
	reply(&patch, 2, 0, &out, sizeof(out));
	ck_assert_uint_eq(out.flags & FUSE_PARALLEL_DIROPS, 0);
	ck_assert_uint_eq(out.flags2, 0);
}
END_TEST

/* Debian 12's own kernel is 6.1: no ALLOW_MMAP; older ones send 16 bytes of INIT. */
START_TEST(test_init_of_old_kernels)
{
	struct fuse_init_out out = {0};
	static struct patch patch;
	struct init_request request;

	make_init(&request, FUSE_PARALLEL_DIROPS);
	request.init.flags2 = 0xffffffff; /* without INIT_EXT these are no flags */
	patch_init(&patch, 0);
	patch_request(&patch, &request, sizeof(request));
	ck_assert_uint_eq(atomic_load(&patch.offered), FUSE_PARALLEL_DIROPS);
	reply(&patch, 2, 0, &out, sizeof(out));
	ck_assert_uint_eq(out.flags2, 0);

	make_init(&request, MODERN);
	patch_init(&patch, 0);
	patch_request(&patch, &request, sizeof(request.header) + 16);
	ck_assert_uint_eq(atomic_load(&patch.offered), (uint32_t)MODERN);
}
END_TEST

START_TEST(test_open)
{
	struct fuse_open_out out = {.fh = 7, .open_flags = FOPEN_DIRECT_IO | FOPEN_NOFLUSH};
	static struct patch patch;

	patch_init(&patch, 0);
	open_request(&patch, FUSE_OPEN, 10);
	reply(&patch, 10, 0, &out, sizeof(out));
	ck_assert_uint_eq(out.open_flags,
			  FOPEN_DIRECT_IO | FOPEN_NOFLUSH | FOPEN_PARALLEL_DIRECT_WRITES);
	ck_assert_uint_eq(out.fh, 7);
}
END_TEST

START_TEST(test_create)
{
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} out;
	static struct patch patch;

	memset(&out, 0x11, sizeof(out));
	out.open.open_flags = FOPEN_DIRECT_IO;
	patch_init(&patch, 0);
	open_request(&patch, FUSE_CREATE, 12);
	reply(&patch, 12, 0, &out, sizeof(out));
	ck_assert_uint_eq(out.open.open_flags, FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES);
	ck_assert_uint_eq(out.entry.nodeid, 0x1111111111111111);
}
END_TEST

/* READ data of just that size, cached opens, errors, notifications: untouched. */
START_TEST(test_others_are_left_alone)
{
	struct fuse_open_out out = {.open_flags = FOPEN_DIRECT_IO};
	static struct patch patch;
	uint8_t data[16];

	patch_init(&patch, 0);
	open_request(&patch, FUSE_READ, 20);
	memset(data, 0xff, sizeof(data));
	reply(&patch, 20, 0, data, sizeof(data));
	for (size_t i = 0; i < sizeof(data); i++)
		ck_assert_uint_eq(data[i], 0xff);
	open_request(&patch, FUSE_OPENDIR, 22);
	reply(&patch, 22, 0, &out, sizeof(out));
	ck_assert_uint_eq(out.open_flags, FOPEN_DIRECT_IO);
	open_request(&patch, FUSE_OPEN, 24);
	reply(&patch, 24, -13, &out, sizeof(out));
	reply(&patch, 0, 0, &out, sizeof(out));
	ck_assert_uint_eq(out.open_flags, FOPEN_DIRECT_IO);
	out.open_flags = 0;
	reply(&patch, 24, 0, &out, sizeof(out));
	ck_assert_uint_eq(out.open_flags, 0);
	/* A number is used once. */
	out.open_flags = FOPEN_DIRECT_IO;
	reply(&patch, 24, 0, &out, sizeof(out));
	ck_assert_uint_eq(out.open_flags, FOPEN_DIRECT_IO);
}
END_TEST

START_TEST(test_many_in_flight)
{
	static struct patch patch;

	patch_init(&patch, 0);
	for (uint64_t i = 1; i <= 1000; i++)
		open_request(&patch, FUSE_OPEN, 2 * i);
	for (uint64_t i = 1000; i >= 1; i--) {
		struct fuse_open_out out = {.open_flags = FOPEN_DIRECT_IO};

		reply(&patch, 2 * i, 0, &out, sizeof(out));
		ck_assert_uint_ne(out.open_flags & FOPEN_PARALLEL_DIRECT_WRITES, 0);
	}
}
END_TEST

/* Cut requests and replies of every length: nothing outside is touched (sanitizers watch). */
START_TEST(test_truncated)
{
	static struct patch patch;
	struct init_request request;

	for (size_t len = 0; len <= sizeof(request); len++) {
		uint8_t *copy = malloc(len + 1);

		make_init(&request, MODERN);
		memcpy(copy, &request, len);
		patch_init(&patch, 0);
		patch_request(&patch, copy, len);
		free(copy);
	}
	make_init(&request, MODERN);
	patch_request(&patch, &request, sizeof(request));
	for (size_t len = 0; len <= sizeof(struct fuse_init_out); len++) {
		uint8_t *body = calloc(1, len + 1);

		reply(&patch, 2, 0, body, len);
		free(body);
	}
}
END_TEST

UNIT_MAIN("daemon_patch", test_init_of_a_modern_kernel, test_init_of_a_ring, test_init_masked,
	  test_init_of_old_kernels, test_open, test_create, test_others_are_left_alone,
	  test_many_in_flight, test_truncated)

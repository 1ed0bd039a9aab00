/* What the operations share below the guard: reply buffers, attributes, what is agreed on. */
#include <pthread.h>
#include <semaphore.h>
#include <string.h>

#include "fsops/operation.h"
#include "fsops/reply_buffer.h"
#include "tests/unit/unit.h"

START_TEST(test_buffer_is_kept_and_bounded)
{
	char *first = reply_buffer(10);

	ck_assert_ptr_nonnull(first);
	ck_assert_ptr_eq(reply_buffer(REPLY_MAX), first);
	ck_assert_ptr_null(reply_buffer(REPLY_MAX + 1));
	memset(first, 'x', REPLY_MAX);
}
END_TEST

struct holder {
	sem_t filled, looked;
	char *data;
};

static void *fill_and_wait(void *arg)
{
	struct holder *holder = arg;

	holder->data = reply_buffer(5000);
	memset(holder->data, 's', 5000);
	sem_post(&holder->filled);
	sem_wait(&holder->looked);
	return NULL;
}

static bool is_wiped(const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (data[i] != 0)
			return false;
	return true;
}

START_TEST(test_lock_wipes_every_thread)
{
	struct holder holder;
	char *mine = reply_buffer(100);
	pthread_t thread;

	memset(mine, 's', 100);
	sem_init(&holder.filled, 0, 0);
	sem_init(&holder.looked, 0, 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, fill_and_wait, &holder), 0);
	sem_wait(&holder.filled);
	ck_assert_ptr_ne(holder.data, mine);
	ck_assert(!is_wiped(holder.data, 5000) && !is_wiped(mine, 100));
	reply_buffers_wipe();
	ck_assert(is_wiped(holder.data, 5000) && is_wiped(mine, 100));
	/* After it is gone the registry must not know it any more. */
	sem_post(&holder.looked);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	reply_buffers_wipe();
}
END_TEST

START_TEST(test_stat)
{
	const struct store_attr attr = {
		.number = 77,
		.object = {.mode = S_IFREG | 0640, .nlink = 2, .uid = 3, .gid = 4, .rdev = 5,
			   .size = 10000, .blocks = 3, .atime = {1, 2}, .mtime = {3, 4},
			   .ctime = {5, 999999999}}};
	struct fuse_entry_param entry;

	operation_entry(&attr, false, &entry);
	ck_assert_uint_eq(entry.ino, 77);
	ck_assert_uint_eq(entry.generation, 0);
	ck_assert(entry.attr_timeout > 0 && entry.entry_timeout > 0);
	ck_assert_uint_eq(entry.attr.st_ino, 77);
	ck_assert_uint_eq(entry.attr.st_mode, S_IFREG | 0640);
	ck_assert_uint_eq(entry.attr.st_nlink, 2);
	ck_assert_uint_eq(entry.attr.st_rdev, 5);
	ck_assert_int_eq(entry.attr.st_size, 10000);
	ck_assert_int_eq(entry.attr.st_blocks, 3 * 8);
	ck_assert_int_eq(entry.attr.st_blksize, 128 << 10);
	ck_assert_int_eq(entry.attr.st_ctim.tv_nsec, 999999999);
	/* Nothing may outlive a lock in the kernel's caches. */
	operation_entry(&attr, true, &entry);
	ck_assert(entry.attr_timeout == 0 && entry.entry_timeout == 0);
}
END_TEST

START_TEST(test_agreed_with_the_kernel)
{
	struct fuse_conn_info connection = {
		.capable = UINT32_MAX, .want = UINT32_MAX, .max_readahead = 1 << 20};

	op_init(NULL, &connection);
	ck_assert_uint_eq(connection.max_write, 1 << 20);
	ck_assert_uint_le(connection.max_readahead, 16384);
	ck_assert_uint_eq(connection.want & (FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_CACHE_SYMLINKS |
					     FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
					     FUSE_CAP_POSIX_ACL | FUSE_CAP_DONT_MASK |
					     FUSE_CAP_EXPORT_SUPPORT),
			  0);
	ck_assert_uint_ne(connection.want & FUSE_CAP_ATOMIC_O_TRUNC, 0);
	/* What the kernel cannot do is not asked for. */
	connection = (struct fuse_conn_info){.capable = FUSE_CAP_ASYNC_READ, .max_readahead = 4096};
	op_init(NULL, &connection);
	ck_assert_uint_eq(connection.want, FUSE_CAP_ASYNC_READ);
	ck_assert_uint_eq(connection.max_readahead, 4096);
}
END_TEST

UNIT_MAIN("fsops operations", test_buffer_is_kept_and_bounded, test_lock_wipes_every_thread,
	  test_stat, test_agreed_with_the_kernel)

#define FUSE_USE_VERSION 314
#include "block_server.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char name[] = "/disk";

struct server {
	struct block_shared *shared;
	int socket;
};

static struct server *this_server(void)
{
	return fuse_get_context()->private_data;
}

/* --- the log ------------------------------------------------------------------------ */

static void *share(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		abort();
	return memory;
}

struct block_shared *block_shared_new(struct block_disk *disk)
{
	struct block_shared *shared = share(sizeof(*shared));

	shared->disk = disk;
	shared->data = share(BLOCK_DATA_MAX);
	return shared;
}

void block_shared_free(struct block_shared *shared)
{
	munmap(shared->data, BLOCK_DATA_MAX);
	munmap(shared, sizeof(*shared));
}

void block_shared_clear(struct block_shared *shared)
{
	madvise(shared->data, BLOCK_DATA_MAX, MADV_REMOVE);
	shared->data_len = 0;
	atomic_store(&shared->is_full, false);
	atomic_store(&shared->count, 0);
}

static void record(struct block_shared *shared, enum block_entry_kind kind, uint64_t offset,
		   uint64_t len, const void *data)
{
	size_t count = atomic_load(&shared->count);
	uint64_t data_len = data == NULL ? 0 : len;

	if (!atomic_load(&shared->is_recording))
		return;
	if (count == BLOCK_ENTRIES_MAX || shared->data_len + data_len > BLOCK_DATA_MAX) {
		atomic_store(&shared->is_full, true);
		return;
	}
	shared->entries[count] = (struct block_logged){kind, offset, len, shared->data_len};
	if (data != NULL)
		memcpy(shared->data + shared->data_len, data, (size_t)data_len);
	shared->data_len += (size_t)data_len;
	atomic_store(&shared->count, count + 1);
}

/* --- requests -------------------------------------------------------------------------- */

static int do_getattr(const char *path, struct stat *st, struct fuse_file_info *file)
{
	bool is_disk = strcmp(path, name) == 0;

	(void)file;
	memset(st, 0, sizeof(*st));
	if (!is_disk && strcmp(path, "/") != 0)
		return -ENOENT;
	st->st_mode = is_disk ? S_IFREG | 0600 : S_IFDIR | 0700;
	st->st_nlink = is_disk ? 1 : 2;
	st->st_size = is_disk ? (off_t)block_disk_size(this_server()->shared->disk) : 0;
	return 0;
}

static int do_open(const char *path, struct fuse_file_info *file)
{
	(void)path;
	file->direct_io = 1; /* no cache between the block layer and the log */
	return 0;
}

/* What of a range lies within the disk. */
static uint64_t within(const struct block_disk *disk, off_t offset, uint64_t len)
{
	uint64_t size = block_disk_size(disk);

	if (offset < 0 || (uint64_t)offset >= size)
		return 0;
	return len < size - (uint64_t)offset ? len : size - (uint64_t)offset;
}

static int do_read(const char *path, char *data, size_t len, off_t offset,
		   struct fuse_file_info *file)
{
	const struct block_disk *disk = this_server()->shared->disk;
	size_t there = (size_t)within(disk, offset, len);

	(void)path;
	(void)file;
	block_disk_read(disk, (uint64_t)offset, data, there);
	return (int)there;
}

static int do_write(const char *path, const char *data, size_t len, off_t offset,
		    struct fuse_file_info *file)
{
	struct block_shared *shared = this_server()->shared;

	(void)path;
	(void)file;
	if (within(shared->disk, offset, len) != len)
		return -ENOSPC;
	block_disk_write(shared->disk, (uint64_t)offset, data, len);
	record(shared, BLOCK_WRITE, (uint64_t)offset, len, data);
	return (int)len;
}

/* Discards and ranges of zeroes: both read as zeroes here. */
static int do_fallocate(const char *path, int mode, off_t offset, off_t len,
			struct fuse_file_info *file)
{
	struct block_shared *shared = this_server()->shared;

	(void)path;
	(void)file;
	if (!(mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)))
		return -EOPNOTSUPP;
	if (within(shared->disk, offset, (uint64_t)len) != (uint64_t)len)
		return -ENOSPC;
	block_disk_zero(shared->disk, (uint64_t)offset, (uint64_t)len);
	record(shared, BLOCK_ZERO, (uint64_t)offset, (uint64_t)len, NULL);
	return 0;
}

static int do_fsync(const char *path, int data_only, struct fuse_file_info *file)
{
	struct server *server = this_server();
	char word = 'f';

	(void)path;
	(void)data_only;
	(void)file;
	if (atomic_load(&server->shared->is_heard) &&
	    (write(server->socket, &word, 1) != 1 || read(server->socket, &word, 1) != 1))
		return -EIO;
	record(server->shared, BLOCK_FLUSH, 0, 0, NULL);
	return 0;
}

static void *do_init(struct fuse_conn_info *connection, struct fuse_config *config)
{
	struct server *server = this_server();

	(void)connection;
	config->kernel_cache = 0;
	if (write(server->socket, "m", 1) != 1)
		exit(EXIT_FAILURE);
	return server;
}

static const struct fuse_operations operations = {
	.init = do_init,
	.getattr = do_getattr,
	.open = do_open,
	.read = do_read,
	.write = do_write,
	.fsync = do_fsync,
	.fallocate = do_fallocate,
};

int block_serve(struct block_shared *shared, const char *mountpoint, int socket)
{
	char *arguments[] = {(char *)"block-server", NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, arguments);
	struct server server = {shared, socket};
	struct fuse *fuse = fuse_new(&args, &operations, sizeof(operations), &server);

	if (fuse == NULL || fuse_mount(fuse, mountpoint) != 0)
		return EXIT_FAILURE;
	return fuse_loop(fuse) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

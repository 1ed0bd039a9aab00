/* Durable writes by one and by many, and a file that is nearly all hole. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "bench-growth.h"

/* --- writers -------------------------------------------------------------------------------- */

#define FILE_BLOCKS 256u /* of a file that is overwritten, for each of its writers */
#define WARM_UP_NS  (NS_PER_SECOND / 2)

static atomic_bool has_ended;

/* SIGTERM: enough. */
static void end_all(int number)
{
	(void)number;
	atomic_store(&has_ended, true);
}

struct writer {
	const struct growth *growth;
	unsigned int number;
	int fd;
	uint64_t first_block;
	int64_t begin_ns, end_ns;
	struct growth_latencies latencies;
	int failed; /* errno */
	pthread_t thread;
};

/* Its blocks are made and durable: what follows only overwrites. */
static enum err writer_open(struct writer *writer)
{
	const struct growth *growth = writer->growth;
	unsigned int file = growth->is_one_file ? 0 : writer->number;
	char name[32];

	snprintf(name, sizeof(name), "writer-%u", file);
	writer->first_block = growth->is_one_file ? writer->number * FILE_BLOCKS : 0;
	writer->fd = openat(growth->dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (writer->fd < 0)
		return growth_failed(growth, name);
	for (uint64_t i = 0; i < FILE_BLOCKS; i++)
		if (pwrite(writer->fd, growth->block, GROWTH_BLOCK,
			   (off_t)((writer->first_block + i) * GROWTH_BLOCK)) < 0)
			return growth_failed(growth, name);
	return fsync(writer->fd) < 0 ? growth_failed(growth, name) : ERR_OK;
}

static void *writer_run(void *arg)
{
	struct writer *writer = arg;
	uint64_t random = 88172645463325252u + writer->number;
	int64_t now;

	while (writer->failed == 0 && !atomic_load(&has_ended) &&
	       (now = clock_boot_ns()) < writer->end_ns) {
		uint64_t block = writer->first_block + growth_random(&random) % FILE_BLOCKS;

		if (pwrite(writer->fd, writer->growth->block, GROWTH_BLOCK,
			   (off_t)(block * GROWTH_BLOCK)) < 0 ||
		    fsync(writer->fd) < 0)
			writer->failed = errno;
		if (now >= writer->begin_ns)
			growth_took(&writer->latencies, now);
	}
	return NULL;
}

static enum err run_all(const struct growth *growth, struct writer *writers, double *seconds)
{
	int64_t begin = clock_boot_ns() + WARM_UP_NS;
	enum err err = ERR_OK;

	signal(SIGTERM, end_all);
	for (unsigned int i = 0; i < growth->writers; i++) {
		writers[i].begin_ns = begin;
		writers[i].end_ns = begin + growth->seconds * NS_PER_SECOND;
		if (pthread_create(&writers[i].thread, NULL, writer_run, &writers[i]) != 0)
			abort();
	}
	for (unsigned int i = 0; i < growth->writers; i++)
		pthread_join(writers[i].thread, NULL);
	*seconds = (double)(clock_boot_ns() - begin) / NS_PER_SECOND;
	for (unsigned int i = 0; i < growth->writers; i++) {
		errno = writers[i].failed;
		if (errno != 0)
			err = growth_failed(growth, "writers");
	}
	return err;
}

enum err growth_writers(struct growth *growth)
{
	static struct writer writers[GROWTH_WRITERS_MAX];
	struct growth_latencies all = {.ns = NULL};
	double seconds = 0;
	enum err err = ERR_OK;

	for (unsigned int i = 0; i < growth->writers; i++) {
		writers[i] = (struct writer){.growth = growth, .number = i, .fd = -1};
		if (err == ERR_OK)
			err = writer_open(&writers[i]);
	}
	if (err == ERR_OK)
		err = run_all(growth, writers, &seconds);
	for (unsigned int i = 0; i < growth->writers; i++) {
		growth_merge(&all, &writers[i].latencies);
		if (writers[i].fd >= 0)
			close(writers[i].fd);
	}
	growth_print("write-fsync-4k", &all, seconds);
	return err;
}

/* --- sparse ---------------------------------------------------------------------------------- */

#define SPARSE_FILE "sparse"
#define SYNC_EVERY  64u

/* What is in a block tells which it is. */
static void fill_block(struct growth *growth, uint64_t block)
{
	memcpy(growth->block, &block, sizeof(block));
}

static uint64_t block_at(const struct growth *growth, uint64_t *random)
{
	return growth_random(random) % (growth->size / GROWTH_BLOCK);
}

static enum err write_scattered(struct growth *growth, int fd)
{
	struct growth_latencies writes = {.ns = NULL}, syncs = {.ns = NULL};
	uint64_t random = 88172645463325252u;
	enum err err = ERR_OK;

	for (uint64_t i = 0; err == ERR_OK && i < growth->count; i++) {
		uint64_t block = block_at(growth, &random);
		int64_t begin = clock_boot_ns();

		fill_block(growth, block);
		if (pwrite(fd, growth->block, GROWTH_BLOCK, (off_t)(block * GROWTH_BLOCK)) < 0)
			err = growth_failed(growth, "write");
		growth_took(&writes, begin);
		if ((i + 1) % SYNC_EVERY != 0)
			continue;
		begin = clock_boot_ns();
		if (fsync(fd) < 0)
			err = growth_failed(growth, "fsync");
		growth_took(&syncs, begin);
	}
	growth_print("sparse-write", &writes, 0);
	growth_print("sparse-fsync-of-64", &syncs, 0);
	return err;
}

static enum err read_scattered(struct growth *growth, int fd)
{
	struct growth_latencies reads = {.ns = NULL};
	uint64_t random = 88172645463325252u;
	enum err err = ERR_OK;

	for (uint64_t i = 0; err == ERR_OK && i < growth->count; i++) {
		uint64_t block = block_at(growth, &random), seen = 0;
		int64_t begin = clock_boot_ns();
		char data[GROWTH_BLOCK];
		ssize_t len = pread(fd, data, sizeof(data), (off_t)(block * GROWTH_BLOCK));

		growth_took(&reads, begin);
		if (len != GROWTH_BLOCK) {
			err = growth_failed(growth, "read");
			break;
		}
		memcpy(&seen, data, sizeof(seen));
		if (seen != block) {
			log_error("block %llu has other content", (unsigned long long)block);
			err = ERR_TAMPERED;
		}
	}
	growth_print("sparse-read", &reads, 0);
	return err;
}

static enum err with_file(struct growth *growth, int flags,
			  enum err (*work)(struct growth *growth, int fd))
{
	int fd = openat(growth->dir_fd, SPARSE_FILE, flags | O_CLOEXEC, 0644);
	enum err err;

	if (growth->size < GROWTH_BLOCK)
		return ERR_USAGE;
	if (fd < 0)
		return growth_failed(growth, SPARSE_FILE);
	if ((flags & O_CREAT) != 0 && ftruncate(fd, (off_t)growth->size) < 0)
		err = growth_failed(growth, "truncate");
	else
		err = work(growth, fd);
	close(fd);
	return err;
}

enum err growth_sparse(struct growth *growth)
{
	enum err err = with_file(growth, O_RDWR | O_CREAT, write_scattered);

	return err != ERR_OK ? err : growth_verify(growth);
}

enum err growth_verify(struct growth *growth)
{
	return with_file(growth, O_RDONLY, read_scattered);
}

/* What bench-fs measures. */
#include "bench-fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define DATA_FILE   "data"
#define BUFFER_LEN  (1u << 20)
#define MIB	    (1 << 20)
#define RANDOM_PART 4 /* random requests touch a quarter of the file */

static enum err failed(const struct bench_place *place, const char *what)
{
	log_error("%s: %s: %s", place->path, what, strerror(errno));
	return ERR_SYSTEM;
}

static double per_second(double units, int64_t since_ns)
{
	int64_t took = clock_boot_ns() - since_ns;

	return units * NS_PER_SECOND / (double)(took > 0 ? took : 1);
}

/* xorshift64 (Marsaglia 2003): both places see the same offsets. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* --- data ------------------------------------------------------------------------------ */

typedef ssize_t request(int fd, char *buffer, size_t len, off_t offset);

static ssize_t write_request(int fd, char *buffer, size_t len, off_t offset)
{
	return pwrite(fd, buffer, len, offset);
}

static ssize_t read_request(int fd, char *buffer, size_t len, off_t offset)
{
	return pread(fd, buffer, len, offset);
}

/* `requests` of the workload's block size, one after another or anywhere. */
static enum err requests(struct bench_place *place, const struct bench_workload *workload, int fd,
			 request *one, uint64_t count)
{
	uint64_t blocks = place->size / workload->block, state = 88172645463325252u;

	for (uint64_t i = 0; i < count; i++) {
		uint64_t block = workload->flags & BENCH_RANDOM ? next_random(&state) % blocks : i;
		ssize_t done = one(fd, place->buffer, workload->block,
				   (off_t)(block * workload->block));

		if (done != (ssize_t)workload->block) {
			if (done >= 0)
				errno = EIO;
			return failed(place, workload->name);
		}
	}
	return ERR_OK;
}

static uint64_t count_of(const struct bench_place *place, const struct bench_workload *workload)
{
	uint64_t blocks = place->size / workload->block;

	if (!(workload->flags & BENCH_RANDOM) || blocks < RANDOM_PART)
		return blocks;
	return blocks / RANDOM_PART;
}

static enum err measure(struct bench_place *place, const struct bench_workload *workload, int fd,
			request *one, double *rate)
{
	uint64_t count = count_of(place, workload);
	int64_t begin = clock_boot_ns();
	enum err err = requests(place, workload, fd, one, count);

	if (err == ERR_OK && workload->flags & BENCH_SYNCED && fdatasync(fd) < 0)
		err = failed(place, "fdatasync");
	*rate = per_second((double)(count * workload->block) / MIB, begin);
	return err;
}

/* Sequential writes make the file anew, random ones change what is there. */
static enum err run_write(struct bench_place *place, const struct bench_workload *workload,
			  double *rate)
{
	int fresh = workload->flags & BENCH_RANDOM ? 0 : O_TRUNC;
	int fd = openat(place->dir_fd, DATA_FILE, O_RDWR | O_CREAT | O_CLOEXEC | fresh, 0600);
	enum err err;

	if (fd < 0)
		return failed(place, "open");
	err = measure(place, workload, fd, write_request, rate);
	/* The next measurement starts with nothing to be written. */
	if (err == ERR_OK && fdatasync(fd) < 0)
		err = failed(place, "fdatasync");
	close(fd);
	return err;
}

/* What the kernel has cached of this file is dropped first; what lies below keeps its cache. */
static enum err run_read(struct bench_place *place, const struct bench_workload *workload,
			 double *rate)
{
	int fd = openat(place->dir_fd, DATA_FILE, O_RDONLY | O_CLOEXEC);
	enum err err;

	if (fd < 0)
		return failed(place, "open");
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	err = measure(place, workload, fd, read_request, rate);
	close(fd);
	return err;
}

/* Small durable writes, one after another. */
static enum err run_fsync(struct bench_place *place, const struct bench_workload *workload,
			  double *rate)
{
	int fd = openat(place->dir_fd, "synced", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int64_t begin = clock_boot_ns();
	enum err err = ERR_OK;

	if (fd < 0)
		return failed(place, "open");
	for (unsigned int i = 0; err == ERR_OK && i < place->syncs; i++)
		if (pwrite(fd, place->buffer, workload->block, (off_t)(i * workload->block)) < 0 ||
		    fsync(fd) < 0)
			err = failed(place, "fsync");
	*rate = per_second(place->syncs, begin);
	close(fd);
	return err;
}

/* --- names ----------------------------------------------------------------------------- */

typedef int name_call(int dir_fd, const char *name);

static int create_name(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return fd < 0 ? fd : close(fd);
}

static int stat_name(int dir_fd, const char *name)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW);
}

static int unlink_name(int dir_fd, const char *name)
{
	return unlinkat(dir_fd, name, 0);
}

static enum err each_name(struct bench_place *place, const char *what, name_call *call,
			  double *rate)
{
	int64_t begin = clock_boot_ns();
	char name[32];

	for (unsigned int i = 0; i < place->files; i++) {
		snprintf(name, sizeof(name), "file-%u", i);
		if (call(place->dir_fd, name) < 0)
			return failed(place, what);
	}
	*rate = per_second(place->files, begin);
	return ERR_OK;
}

static enum err run_create(struct bench_place *place, const struct bench_workload *workload,
			   double *rate)
{
	return each_name(place, workload->name, create_name, rate);
}

static enum err run_stat(struct bench_place *place, const struct bench_workload *workload,
			 double *rate)
{
	return each_name(place, workload->name, stat_name, rate);
}

static enum err run_unlink(struct bench_place *place, const struct bench_workload *workload,
			   double *rate)
{
	return each_name(place, workload->name, unlink_name, rate);
}

/* In this order: what one makes the next ones use; the last leaves nothing. */
const struct bench_workload bench_workloads[] = {
	{"write-sequential-4k", "MiB/s", 4096, 0, run_write},
	{"write-sequential-128k", "MiB/s", 128 << 10, 0, run_write},
	{"write-sequential-1M", "MiB/s", 1 << 20, 0, run_write},
	{"write-sequential-1M-synced", "MiB/s", 1 << 20, BENCH_SYNCED, run_write},
	{"read-sequential-4k", "MiB/s", 4096, 0, run_read},
	{"read-sequential-128k", "MiB/s", 128 << 10, 0, run_read},
	{"read-sequential-1M", "MiB/s", 1 << 20, 0, run_read},
	{"read-random-4k", "MiB/s", 4096, BENCH_RANDOM, run_read},
	{"read-random-128k", "MiB/s", 128 << 10, BENCH_RANDOM, run_read},
	{"read-random-1M", "MiB/s", 1 << 20, BENCH_RANDOM, run_read},
	{"write-random-4k", "MiB/s", 4096, BENCH_RANDOM, run_write},
	{"write-random-128k", "MiB/s", 128 << 10, BENCH_RANDOM, run_write},
	{"write-random-1M", "MiB/s", 1 << 20, BENCH_RANDOM, run_write},
	{"fsync-4k", "/s", 4096, 0, run_fsync},
	{"create", "/s", 0, 0, run_create},
	{"stat", "/s", 0, 0, run_stat},
	{"unlink", "/s", 0, 0, run_unlink},
};
const size_t bench_workload_count = sizeof(bench_workloads) / sizeof(bench_workloads[0]);

/* --- places ------------------------------------------------------------------------------ */

enum err bench_place_open(struct bench_place *place)
{
	place->dir_fd = -1;
	if (asprintf(&place->work, "%s/bench-fs.XXXXXX", place->path) < 0) {
		place->work = NULL;
		return ERR_NO_MEMORY;
	}
	place->buffer = malloc(BUFFER_LEN);
	if (place->buffer == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < BUFFER_LEN; i++)
		place->buffer[i] = (char)(i * 2654435761u >> 13);
	if (mkdtemp(place->work) == NULL) {
		enum err err = failed(place, "mkdir");

		free(place->work);
		place->work = NULL;
		return err;
	}
	place->dir_fd = open(place->work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return place->dir_fd < 0 ? failed(place, "open") : ERR_OK;
}

void bench_place_close(struct bench_place *place)
{
	char name[32];

	if (place->dir_fd >= 0) {
		(void)unlinkat(place->dir_fd, DATA_FILE, 0);
		(void)unlinkat(place->dir_fd, "synced", 0);
		for (unsigned int i = 0; i < place->files; i++) {
			snprintf(name, sizeof(name), "file-%u", i);
			if (unlinkat(place->dir_fd, name, 0) < 0 && errno == ENOENT)
				break;
		}
		close(place->dir_fd);
	}
	if (place->work != NULL)
		(void)rmdir(place->work);
	free(place->work);
	free(place->buffer);
}

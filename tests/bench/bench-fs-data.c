/* Reading and writing one large file. */
#include <errno.h>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench-fs.h"

#define MIB	    (1 << 20)
#define RANDOM_PART 4 /* random requests touch a quarter of the file */

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
		uint64_t block = workload->flags & BENCH_RANDOM ? bench_random(&state) % blocks : i;
		ssize_t done = one(fd, place->buffer, workload->block,
				   (off_t)(block * workload->block));

		if (done != (ssize_t)workload->block) {
			if (done >= 0)
				errno = EIO;
			return bench_failed(place, workload->name);
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
		err = bench_failed(place, "fdatasync");
	*rate = bench_per_second((double)(count * workload->block) / MIB, begin);
	return err;
}

enum err bench_write(struct bench_place *place, const struct bench_workload *workload, double *rate)
{
	int fresh = workload->flags & BENCH_RANDOM ? 0 : O_TRUNC;
	int fd = openat(place->dir_fd, BENCH_DATA_FILE, O_RDWR | O_CREAT | O_CLOEXEC | fresh, 0600);
	enum err err;

	if (fd < 0)
		return bench_failed(place, "open");
	err = measure(place, workload, fd, write_request, rate);
	/* The next measurement starts with nothing to be written. */
	if (err == ERR_OK && fdatasync(fd) < 0)
		err = bench_failed(place, "fdatasync");
	close(fd);
	return err;
}

/* What the kernel has cached of this file is dropped first; what lies below keeps its cache. */
enum err bench_read(struct bench_place *place, const struct bench_workload *workload, double *rate)
{
	int fd = openat(place->dir_fd, BENCH_DATA_FILE, O_RDONLY | O_CLOEXEC);
	enum err err;

	if (fd < 0)
		return bench_failed(place, "open");
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	err = measure(place, workload, fd, read_request, rate);
	close(fd);
	return err;
}

/* What bench-fs measures, and where. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "bench-fs.h"

#define BUFFER_LEN (1u << 20)
#define BENCH_PAGE 4096

enum err bench_failed(const struct bench_place *place, const char *what)
{
	log_error("%s: %s: %s", place->path, what, strerror(errno));
	return ERR_SYSTEM;
}

double bench_per_second(double units, int64_t since_ns)
{
	int64_t took = clock_boot_ns() - since_ns;

	return units * NS_PER_SECOND / (double)(took > 0 ? took : 1);
}

uint64_t bench_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* In this order: what one makes the next ones use; the last leaves nothing. */
const struct bench_workload bench_workloads[] = {
	{"write-sequential-4k", "MiB/s", BENCH_BLOCK, 0, bench_write},
	{"write-sequential-128k", "MiB/s", 128 << 10, 0, bench_write},
	{"write-sequential-1M", "MiB/s", 1 << 20, 0, bench_write},
	{"write-sequential-1M-synced", "MiB/s", 1 << 20, BENCH_SYNCED, bench_write},
	{"read-sequential-4k", "MiB/s", BENCH_BLOCK, 0, bench_read},
	{"read-sequential-128k", "MiB/s", 128 << 10, 0, bench_read},
	{"read-sequential-1M", "MiB/s", 1 << 20, 0, bench_read},
	{"read-random-4k", "MiB/s", BENCH_BLOCK, BENCH_RANDOM, bench_read},
	{"read-random-128k", "MiB/s", 128 << 10, BENCH_RANDOM, bench_read},
	{"read-random-1M", "MiB/s", 1 << 20, BENCH_RANDOM, bench_read},
	{"write-random-4k", "MiB/s", BENCH_BLOCK, BENCH_RANDOM, bench_write},
	{"write-random-128k", "MiB/s", 128 << 10, BENCH_RANDOM, bench_write},
	{"write-random-1M", "MiB/s", 1 << 20, BENCH_RANDOM, bench_write},
	{"overwrite-fsync-4k", "/s", BENCH_BLOCK, 0, bench_fsync},
	{"overwrite-fsync-4k-16-writers", "/s", BENCH_BLOCK, 0, bench_fsync_many},
	{"read-beside-them-p99", "us", BENCH_BLOCK, BENCH_TIME, bench_read_beside},
	{"create", "/s", 0, 0, bench_create},
	{"stat", "/s", 0, 0, bench_stat},
	{"unlink", "/s", 0, 0, bench_unlink},
	{"create-1k", "/s", 1024, 0, bench_create_small},
	{"open-read-1k", "/s", 1024, 0, bench_read_small},
	{"list-stat", "/s", 0, 0, bench_list},
	{"unlink-1k", "/s", 0, 0, bench_unlink_small},
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
	/* As cp, dd and cat do: else the kernel makes two requests of one MiB. */
	place->buffer = aligned_alloc(BENCH_PAGE, BUFFER_LEN);
	if (place->buffer == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < BUFFER_LEN; i++)
		place->buffer[i] = (char)(i * 2654435761u >> 13);
	if (mkdtemp(place->work) == NULL) {
		enum err err = bench_failed(place, "mkdir");

		free(place->work);
		place->work = NULL;
		return err;
	}
	place->dir_fd = open(place->work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return place->dir_fd < 0 ? bench_failed(place, "open") : ERR_OK;
}

/* Whatever a workload that failed has left: there are no directories in it. */
static void empty(int dir_fd)
{
	DIR *directory = fdopendir(dup(dir_fd));
	struct dirent *entry;

	if (directory == NULL)
		return;
	rewinddir(directory);
	while ((entry = readdir(directory)) != NULL)
		(void)unlinkat(dir_fd, entry->d_name, 0);
	closedir(directory);
}

void bench_place_close(struct bench_place *place)
{
	if (place->dir_fd >= 0) {
		empty(place->dir_fd);
		close(place->dir_fd);
	}
	if (place->work != NULL)
		(void)rmdir(place->work);
	free(place->work);
	free(place->buffer);
}

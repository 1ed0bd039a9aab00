/* Many files: making them, and what a call costs when they are there. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench-growth.h"

#define NAME_LEN 64

static void name_of(const struct growth *growth, uint64_t number, char name[NAME_LEN])
{
	snprintf(name, NAME_LEN, "d%06llu/f%08llu",
		 (unsigned long long)(number / growth->per_directory), (unsigned long long)number);
}

/* --- filling -------------------------------------------------------------------------------- */

struct filler {
	const struct growth *growth;
	unsigned int number;
	struct growth_latencies latencies;
	int failed; /* errno */
	pthread_t thread;
};

static int make_file(const struct growth *growth, uint64_t number)
{
	char name[NAME_LEN];
	size_t len = growth->size < sizeof(growth->block) ? growth->size : sizeof(growth->block);
	int fd, failed = 0;

	name_of(growth, number, name);
	fd = openat(growth->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return errno;
	if (len > 0 && write(fd, growth->block, len) != (ssize_t)len)
		failed = errno;
	close(fd);
	return failed;
}

/* Directory by directory, every writers-th of them; in one directory, file by file. */
static void *filler_run(void *arg)
{
	struct filler *filler = arg;
	const struct growth *growth = filler->growth;
	bool is_one = growth->files <= growth->per_directory;

	for (uint64_t i = growth->first; i < growth->files && filler->failed == 0; i++) {
		uint64_t turn = is_one ? i : i / growth->per_directory;
		int64_t begin = clock_boot_ns();

		if (turn % growth->writers != filler->number)
			continue;
		filler->failed = make_file(growth, i);
		growth_took(&filler->latencies, begin);
	}
	return NULL;
}

static enum err make_directories(const struct growth *growth)
{
	for (uint64_t i = growth->first / growth->per_directory;
	     i * growth->per_directory < growth->files; i++) {
		char name[NAME_LEN];

		snprintf(name, sizeof(name), "d%06llu", (unsigned long long)i);
		if (mkdirat(growth->dir_fd, name, 0755) < 0 && errno != EEXIST)
			return growth_failed(growth, name);
	}
	return ERR_OK;
}

enum err growth_fill(struct growth *growth)
{
	static struct filler fillers[GROWTH_WRITERS_MAX];
	struct growth_latencies all = {.ns = NULL};
	enum err err = make_directories(growth);
	int64_t begin = clock_boot_ns();

	for (unsigned int i = 0; err == ERR_OK && i < growth->writers; i++) {
		fillers[i] = (struct filler){.growth = growth, .number = i};
		if (pthread_create(&fillers[i].thread, NULL, filler_run, &fillers[i]) != 0)
			abort();
	}
	for (unsigned int i = 0; err == ERR_OK && i < growth->writers; i++) {
		pthread_join(fillers[i].thread, NULL);
		growth_merge(&all, &fillers[i].latencies);
	}
	for (unsigned int i = 0; err == ERR_OK && i < growth->writers; i++) {
		errno = fillers[i].failed;
		if (errno != 0)
			err = growth_failed(growth, "fill");
	}
	growth_print("fill", &all, (double)(clock_boot_ns() - begin) / NS_PER_SECOND);
	return err;
}

/* --- sampling -------------------------------------------------------------------------------- */

/* One call on one file; negative: it failed. */
typedef int sample_call(const struct growth *growth, const char *name, int *fd);

static int call_stat(const struct growth *growth, const char *name, int *fd)
{
	struct stat st;

	(void)fd;
	return fstatat(growth->dir_fd, name, &st, 0);
}

static int call_open(const struct growth *growth, const char *name, int *fd)
{
	*fd = openat(growth->dir_fd, name, O_RDONLY | O_CLOEXEC);
	return *fd;
}

static int call_read(const struct growth *growth, const char *name, int *fd)
{
	char block[GROWTH_BLOCK];

	*fd = openat(growth->dir_fd, name, O_RDONLY | O_CLOEXEC);
	return *fd < 0 ? -1 : (int)pread(*fd, block, sizeof(block), 0);
}

static int call_create(const struct growth *growth, const char *name, int *fd)
{
	*fd = openat(growth->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return *fd;
}

static int call_commit(const struct growth *growth, const char *name, int *fd)
{
	*fd = openat(growth->dir_fd, name, O_WRONLY | O_CLOEXEC);
	if (*fd < 0 || pwrite(*fd, growth->block, GROWTH_BLOCK, 0) < 0)
		return -1;
	return fsync(*fd);
}

static int call_unlink(const struct growth *growth, const char *name, int *fd)
{
	(void)fd;
	return unlinkat(growth->dir_fd, name, 0);
}

static const struct sample {
	const char *what;
	sample_call *call;
	bool is_new;            /* of files of its own, beside the others */
	unsigned int share;     /* of --count: flushes are slow */
} samples[] = {
	{"stat", call_stat, false, 1},     {"open", call_open, false, 1},
	{"open-read", call_read, false, 1}, {"create", call_create, true, 1},
	{"commit", call_commit, true, 4},  {"unlink", call_unlink, true, 1},
};

static enum err take(const struct growth *growth, const struct sample *sample)
{
	struct growth_latencies latencies = {.ns = NULL};
	uint64_t random = 88172645463325252u;
	enum err err = ERR_OK;

	for (uint64_t i = 0; err == ERR_OK && i < growth->count / sample->share; i++) {
		uint64_t number = growth_random(&random) % growth->files;
		char name[NAME_LEN];
		int64_t begin;
		int fd = -1;

		name_of(growth, number, name);
		if (sample->is_new) /* in a directory that is there, as full as they are */
			snprintf(name, sizeof(name), "d000000/sample-%llu", (unsigned long long)i);
		begin = clock_boot_ns();
		if (sample->call(growth, name, &fd) < 0)
			err = growth_failed(growth, sample->what);
		growth_took(&latencies, begin);
		if (fd >= 0)
			close(fd);
	}
	growth_print(sample->what, &latencies, 0);
	return err;
}

enum err growth_sample(struct growth *growth)
{
	enum err err = growth->files == 0 ? ERR_USAGE : ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < sizeof(samples) / sizeof(samples[0]); i++)
		err = take(growth, &samples[i]);
	return err;
}

/* Names, attributes and small files. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench-fs.h"

#define SMALL_LEN 1024u

/* One file; negative: errno says why. */
typedef int name_call(const struct bench_place *place, const char *name);

static int create_name(const struct bench_place *place, const char *name)
{
	int fd = openat(place->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return fd < 0 ? fd : close(fd);
}

static int stat_name(const struct bench_place *place, const char *name)
{
	struct stat st;

	return fstatat(place->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW);
}

static int unlink_name(const struct bench_place *place, const char *name)
{
	return unlinkat(place->dir_fd, name, 0);
}

static int create_small(const struct bench_place *place, const char *name)
{
	int fd = openat(place->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ssize_t done;

	if (fd < 0)
		return fd;
	done = write(fd, place->buffer, SMALL_LEN);
	return close(fd) == 0 && done == SMALL_LEN ? 0 : -1;
}

static int read_small(const struct bench_place *place, const char *name)
{
	char content[SMALL_LEN];
	int fd = openat(place->dir_fd, name, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return fd;
	got = read(fd, content, sizeof(content));
	return close(fd) == 0 && got == SMALL_LEN ? 0 : -1;
}

static enum err each_name(struct bench_place *place, const char *what, name_call *call,
			  double *rate)
{
	int64_t begin = clock_boot_ns();
	char name[32];

	for (unsigned int i = 0; i < place->files; i++) {
		snprintf(name, sizeof(name), "file-%u", i);
		if (call(place, name) < 0)
			return bench_failed(place, what);
	}
	*rate = bench_per_second(place->files, begin);
	return ERR_OK;
}

enum err bench_create(struct bench_place *place, const struct bench_workload *workload, double *rate)
{
	return each_name(place, workload->name, create_name, rate);
}

enum err bench_stat(struct bench_place *place, const struct bench_workload *workload, double *rate)
{
	return each_name(place, workload->name, stat_name, rate);
}

enum err bench_unlink(struct bench_place *place, const struct bench_workload *workload, double *rate)
{
	return each_name(place, workload->name, unlink_name, rate);
}

enum err bench_create_small(struct bench_place *place, const struct bench_workload *workload,
			    double *rate)
{
	return each_name(place, workload->name, create_small, rate);
}

enum err bench_read_small(struct bench_place *place, const struct bench_workload *workload,
			  double *rate)
{
	return each_name(place, workload->name, read_small, rate);
}

enum err bench_unlink_small(struct bench_place *place, const struct bench_workload *workload,
			    double *rate)
{
	return each_name(place, workload->name, unlink_name, rate);
}

/* As "ls -l" does. */
enum err bench_list(struct bench_place *place, const struct bench_workload *workload, double *rate)
{
	int64_t begin = clock_boot_ns();
	int fd = openat(place->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	unsigned int count = 0;
	int failed = 0;

	if (directory == NULL)
		return bench_failed(place, workload->name);
	for (; failed == 0 && (entry = readdir(directory)) != NULL; count++)
		failed = stat_name(place, entry->d_name);
	*rate = bench_per_second(count, begin);
	closedir(directory);
	return failed == 0 ? ERR_OK : bench_failed(place, workload->name);
}

/* Steps of a case as lines of text. */
#include "suite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TEXT_MAX  512
#define MARKS     16
#define NAMES_MAX 4096

static int record_fd = -1;

void record_to(int fd)
{
	record_fd = fd;
}

static void put_line(const char *text, const char *result)
{
	char line[2 * TEXT_MAX + 8];
	int len = snprintf(line, sizeof(line), "%s = %s\n", text, result);

	for (int i = 0; i < len - 1; i++)
		if (line[i] == '\n')
			line[i] = ' ';
	/* One write: children of a case may write, too. */
	if (write(record_fd, line, (size_t)len) != len)
		_exit(3);
}

static long put_step(long result, int number, const char *format, va_list arguments)
{
	char text[TEXT_MAX], value[32];
	const char *name = strerrorname_np(number);

	vsnprintf(text, sizeof(text), format, arguments);
	snprintf(value, sizeof(value), "%ld", result);
	put_line(text, result < 0 && name ? name : value);
	errno = number;
	return result;
}

long step(long result, const char *format, ...)
{
	int number = errno;
	va_list arguments;

	va_start(arguments, format);
	put_step(result, number, format, arguments);
	va_end(arguments);
	return result;
}

int step_open(int fd, const char *format, ...)
{
	int number = errno;
	va_list arguments;

	va_start(arguments, format);
	put_step(fd < 0 ? fd : 0, number, format, arguments);
	va_end(arguments);
	return fd;
}

void note(const char *text, const char *format, ...)
{
	char value[TEXT_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(value, sizeof(value), format, arguments);
	va_end(arguments);
	put_line(text, value);
}

/* --- what is there -------------------------------------------------------------- */

static char type_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG: return 'f';
	case S_IFDIR: return 'd';
	case S_IFLNK: return 'l';
	case S_IFIFO: return 'p';
	case S_IFSOCK: return 's';
	case S_IFCHR: return 'c';
	case S_IFBLK: return 'b';
	default: return '?';
	}
}

/* Sizes of directories are the file system's own affair. */
static void note_stat(const char *text, const struct stat *st)
{
	note(text, "%c %04o links %lu owner %u:%u size %lld device %llx", type_of(st->st_mode),
	     st->st_mode & 07777, (unsigned long)st->st_nlink, st->st_uid, st->st_gid,
	     S_ISDIR(st->st_mode) ? 0 : (long long)st->st_size, (unsigned long long)st->st_rdev);
}

void look(const char *name)
{
	char text[TEXT_MAX];
	struct stat st;

	snprintf(text, sizeof(text), "look at %s", name);
	if (lstat(name, &st) == 0)
		note_stat(text, &st);
	else
		note(text, "%s", strerrorname_np(errno));
}

void look_at(int fd, const char *text)
{
	struct stat st;

	if (fstat(fd, &st) == 0)
		note_stat(text, &st);
	else
		note(text, "%s", strerrorname_np(errno));
}

void look_into(const char *name)
{
	char text[TEXT_MAX], buffer[65536];
	uint64_t hash = 0xcbf29ce484222325u;
	long long size = 0;
	ssize_t got = 0;
	int fd = open(name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);

	snprintf(text, sizeof(text), "content of %s", name);
	while (fd >= 0 && (got = read(fd, buffer, sizeof(buffer))) > 0) {
		for (ssize_t i = 0; i < got; i++)
			hash = (hash ^ (uint8_t)buffer[i]) * 0x100000001b3u;
		size += got;
	}
	if (fd < 0 || got < 0)
		note(text, "%s", strerrorname_np(errno));
	else
		note(text, "%lld bytes, hash %016llx", size, (unsigned long long)hash);
	if (fd >= 0)
		close(fd);
}

static char *found_names[NAMES_MAX];
static size_t found_count;

static int find_name(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	if (found_count < NAMES_MAX)
		found_names[found_count++] = strdup(path);
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void look_around(void)
{
	found_count = 0;
	DO(nftw(".", find_name, 16, FTW_PHYS));
	qsort(found_names, found_count, sizeof(found_names[0]), compare_names);
	for (size_t i = 0; i < found_count; i++) {
		struct stat st;

		look(found_names[i]);
		if (lstat(found_names[i], &st) == 0 && S_ISREG(st.st_mode))
			look_into(found_names[i]);
		free(found_names[i]);
	}
}

/* --- times ---------------------------------------------------------------------- */

static struct stat marks[MARKS];
static size_t mark_count;

static struct timespec coarse_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return now;
}

static bool is_same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* The clock that file systems take their times from stands still for milliseconds. */
static void wait_for_tick(void)
{
	struct timespec start = coarse_now();

	while (is_same_time(coarse_now(), start))
		sched_yield();
}

void mark(const char *name)
{
	struct stat st;
	size_t i = 0;

	if (lstat(name, &st) != 0) {
		note("mark", "%s: %s", name, strerrorname_np(errno));
		return;
	}
	while (i < mark_count && marks[i].st_ino != st.st_ino)
		i++;
	if (i == MARKS)
		_exit(3);
	marks[i] = st;
	if (i == mark_count)
		mark_count++;
	wait_for_tick();
}

void effect(const char *name, const char *text)
{
	char line[TEXT_MAX];
	const struct stat *old = NULL;
	struct stat st;

	snprintf(line, sizeof(line), "%s: times of %s", text, name);
	if (lstat(name, &st) != 0) {
		note(line, "%s", strerrorname_np(errno));
		return;
	}
	for (size_t i = 0; i < mark_count; i++)
		if (marks[i].st_ino == st.st_ino)
			old = &marks[i];
	if (old)
		note(line, "atime %s mtime %s ctime %s",
		     is_same_time(old->st_atim, st.st_atim) ? "stays" : "moves",
		     is_same_time(old->st_mtim, st.st_mtim) ? "stays" : "moves",
		     is_same_time(old->st_ctim, st.st_ctim) ? "stays" : "moves");
	else
		note(line, "not marked");
}

/* --- users ----------------------------------------------------------------------- */

void act_as(uid_t uid, gid_t gid, size_t count, const gid_t *groups)
{
	if (seteuid(0) != 0 || setgroups(count, groups) != 0 || setegid(gid) != 0 || seteuid(uid) != 0)
		_exit(3);
}

void act_as_root(void)
{
	if (seteuid(0) != 0 || setegid(0) != 0 || setgroups(0, NULL) != 0)
		_exit(3);
}

/* What checks with an opinion of their own use. */
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void check_fail(const char *file, int line, const char *what)
{
	const char *why = strerror(errno), *base = strrchr(file, '/');

	note("failed", "%s:%d: %s (errno: %s)", base ? base + 1 : file, line, what, why);
	_exit(EXIT_FAILURE);
}

void check_skip(const char *why)
{
	note("skipped", "%s", why);
	_exit(EXIT_SUCCESS);
}

int make_file(const char *name, const void *data, size_t len)
{
	int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0644);

	MUST(fd >= 0);
	write_at(fd, data, len, 0);
	return fd;
}

static uint8_t pattern_at(uint64_t seed, uint64_t position)
{
	uint64_t x = (position / 8 + 1) * 0x9e3779b97f4a7c15u + seed * 0xbf58476d1ce4e5b9u;

	x ^= x >> 29;
	x *= 0x94d049bb133111ebu;
	return (uint8_t)(x >> (position % 8 * 8));
}

void fill_pattern(uint8_t *data, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len; i++)
		data[i] = pattern_at(seed, i);
}

bool is_pattern(const uint8_t *data, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len; i++)
		if (data[i] != pattern_at(seed, i))
			return false;
	return true;
}

bool is_zero(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (data[i] != 0)
			return false;
	return true;
}

void write_at(int fd, const void *data, size_t len, off_t offset)
{
	for (size_t done = 0; done < len;) {
		ssize_t put = pwrite(fd, (const char *)data + done, len - done, offset + (off_t)done);

		MUST(put > 0);
		done += (size_t)put;
	}
}

void read_at(int fd, void *data, size_t len, off_t offset)
{
	for (size_t done = 0; done < len;) {
		ssize_t got = pread(fd, (char *)data + done, len - done, offset + (off_t)done);

		MUST(got > 0);
		done += (size_t)got;
	}
}

struct stat stat_of(const char *name)
{
	struct stat st;

	MUST(lstat(name, &st) == 0);
	return st;
}

void as_user(uid_t uid, gid_t gid, void (*run)(void))
{
	int status;
	pid_t pid = fork();

	MUST(pid >= 0);
	if (pid == 0) {
		MUST(setgroups(0, NULL) == 0 && setgid(gid) == 0 && setuid(uid) == 0);
		run();
		_exit(EXIT_SUCCESS);
	}
	MUST(waitpid(pid, &status, 0) == pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
}

static int remove_below(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	return ftw->level == 0 ? 0 : remove(path);
}

void remove_all(void)
{
	MUST(nftw(".", remove_below, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

bool is_chosen(unsigned int index)
{
	uint32_t x = (index + 1) * 0x9e3779b9u ^ suite_options.seed * 0x85ebca6bu;

	x ^= x >> 15;
	x *= 0x2c1b3c6du;
	x ^= x >> 13;
	return x % (uint32_t)suite_options.one_in == 0;
}

/* posix LABEL=DIR ...: all checks against each directory, as TAP. */
#include "posix.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK_SECONDS 60
#define EXIT_SKIP     77

static const struct check *const groups[] = {content_checks, range_checks,   name_checks,
					     rename_checks,  attribute_checks, special_checks,
					     sync_checks,    mapping_checks};
#define GROUPS (sizeof(groups) / sizeof(groups[0]))

static int checks_done, checks_failed;

void check_fail(const char *file, int line, const char *what)
{
	printf("# %s:%d: %s (errno: %s)\n", file, line, what, strerror(errno));
	fflush(stdout);
	_exit(EXIT_FAILURE);
}

void check_skip(const char *why)
{
	printf("# %s\n", why);
	fflush(stdout);
	_exit(EXIT_SKIP);
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
		fflush(stdout);
		_exit(EXIT_SUCCESS);
	}
	MUST(waitpid(pid, &status, 0) == pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
}

/* --- running ------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void run_in_child(const struct check *check, const char *dir)
{
	alarm(CHECK_SECONDS);
	umask(022);
	MUST(mkdir(dir, 0755) == 0 && chdir(dir) == 0);
	check->run();
	fflush(stdout);
	_exit(EXIT_SUCCESS);
}

static void report(const struct check *check, const char *label, int status, bool is_removed)
{
	bool is_skipped = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIP;
	bool is_good = WIFEXITED(status) && (WEXITSTATUS(status) == 0 || is_skipped);

	if (WIFSIGNALED(status))
		printf("# ended by signal %d\n", WTERMSIG(status));
	if (!is_removed)
		printf("# what it made cannot be removed: %s\n", strerror(errno));
	is_good = is_good && is_removed;
	checks_failed += !is_good;
	printf("%s %d - %s: %s%s\n", is_good ? "ok" : "not ok", ++checks_done, label, check->name,
	       is_skipped ? " # SKIP" : "");
	fflush(stdout);
}

static void run_check(const struct check *check, const char *label, const char *base)
{
	char dir[4096];
	int status = -1;
	pid_t pid;

	snprintf(dir, sizeof(dir), "%s/check", base);
	pid = fork();
	if (pid == 0)
		run_in_child(check, dir);
	if (pid > 0)
		waitpid(pid, &status, 0);
	report(check, label, status, nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

static int count_checks(void)
{
	int count = 0;

	for (size_t i = 0; i < GROUPS; i++)
		for (const struct check *check = groups[i]; check->name; check++)
			count++;
	return count;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%d\n", count_checks() * (argc - 1));
	fflush(stdout);
	for (int arg = 1; arg < argc; arg++) {
		char *dir = strchr(argv[arg], '=');

		if (!dir) {
			fprintf(stderr, "usage: posix LABEL=DIR ...\n");
			return 2;
		}
		*dir++ = '\0';
		for (size_t i = 0; i < GROUPS; i++)
			for (const struct check *check = groups[i]; check->name; check++)
				run_check(check, argv[arg], dir);
	}
	return checks_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

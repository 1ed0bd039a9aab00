/* What the parts of tests/fs/locked share: descriptors that are open over a lock. */
#ifndef PHIFS_TESTS_FS_LOCKED_H
#define PHIFS_TESTS_FS_LOCKED_H

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Made before the first lock, in the working directory; used while locked and afterwards. */
struct held {
	int file;        /* "file", open for reading and writing */
	int reader;      /* the same, for reading */
	int other;       /* "other" */
	int dir_fd;      /* "dir" */
	DIR *dir;        /* "dir", not read yet */
	char *map;       /* of "mapped", shared; its first page dirty */
	char cwd[4096];
};

void report(bool is_good, const char *name);
#define CHECK(condition, name)                                            \
	do {                                                              \
		bool is_good = (condition);                               \
		if (!is_good)                                             \
			printf("# %s: %s\n", #condition, strerror(errno)); \
		report(is_good, name);                                    \
	} while (0)

/* locked_answers.c: every request, on a locked volume. */
void check_locked_answers(struct held *held);

#endif

#include "temp_dir.h"

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define BUFFERS		 8
#define DIRECTORIES_OPEN 16

char *temp_dir_new(void)
{
	const char *base = getenv("TMPDIR");
	char *path;

	if (asprintf(&path, "%s/phifs-test-XXXXXX", base != NULL ? base : "/tmp") < 0 ||
	    mkdtemp(path) == NULL)
		abort();
	return path;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

void temp_dir_free(char *path)
{
	if (path == NULL)
		return;
	nftw(path, remove_one, DIRECTORIES_OPEN, FTW_DEPTH | FTW_PHYS);
	free(path);
}

const char *temp_path(const char *dir, const char *name)
{
	static char buffers[BUFFERS][PATH_MAX];
	static unsigned int next;
	char *path = buffers[next++ % BUFFERS];

	snprintf(path, PATH_MAX, "%s/%s", dir, name);
	return path;
}

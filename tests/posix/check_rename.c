/* rename(2), with all its flags. */
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void must_contain(const char *name, const char *text)
{
	char back[64];
	int fd = open(name, O_RDONLY);

	MUST(fd >= 0 && stat_of(name).st_size == (off_t)strlen(text));
	read_at(fd, back, strlen(text), 0);
	MUST(memcmp(back, text, strlen(text)) == 0);
	close(fd);
}

static void check_simple(void)
{
	close(make_file("a", "one", 3));
	MUST(mkdir("d", 0755) == 0 && rename("a", "b") == 0);
	MUST_FAIL(access("a", F_OK), ENOENT);
	must_contain("b", "one");
	MUST(rename("b", "d/c") == 0 && rename("d", "e") == 0);
	must_contain("e/c", "one");
	MUST_FAIL(rename("missing", "x"), ENOENT);
	MUST(rename("e/c", "e/c") == 0);
	must_contain("e/c", "one");
}

static void check_over(void)
{
	char text[8];
	struct stat st;
	int old;

	close(make_file("new", "new", 3));
	old = make_file("old", "old", 3);
	MUST(rename("new", "old") == 0);
	must_contain("old", "new");
	read_at(old, text, 3, 0);
	MUST(memcmp(text, "old", 3) == 0);
	MUST(fstat(old, &st) == 0 && st.st_nlink == 0);
}

/* Write, fsync, rename over: how editors save. */
static void check_save(void)
{
	char text[16];

	close(make_file("doc", "version 0", 9));
	for (int i = 1; i < 30; i++) {
		int fd;

		snprintf(text, sizeof(text), "version %d", i);
		fd = make_file("doc.tmp", text, strlen(text));
		if (i % 2)
			MUST(fsync(fd) == 0);
		close(fd);
		MUST(rename("doc.tmp", "doc") == 0);
		must_contain("doc", text);
	}
	MUST_FAIL(access("doc.tmp", F_OK), ENOENT);
}

static void check_directories(void)
{
	MUST(mkdir("a", 0755) == 0 && mkdir("a/b", 0755) == 0 && mkdir("empty", 0755) == 0);
	MUST(mkdir("full", 0755) == 0 && mkdir("full/x", 0755) == 0);
	close(make_file("f", "f", 1));
	MUST_FAIL(rename("a", "a/b/c"), EINVAL);
	MUST_FAIL(rename("a", "f"), ENOTDIR);
	MUST_FAIL(rename("f", "a"), EISDIR);
	MUST(rename("a", "full") == -1 && (errno == ENOTEMPTY || errno == EEXIST));
	MUST(rename("a", "empty") == 0 && S_ISDIR(stat_of("empty/b").st_mode));
	MUST_FAIL(access("a", F_OK), ENOENT);
	MUST(rename("empty", "full/x") == 0 && S_ISDIR(stat_of("full/x/b").st_mode));
}

/* Two names of one file: rename(2) does nothing and succeeds. */
static void check_links(void)
{
	close(make_file("a", "one", 3));
	MUST(link("a", "b") == 0 && rename("a", "b") == 0);
	MUST(stat_of("a").st_ino == stat_of("b").st_ino && stat_of("a").st_nlink == 2);
}

static void check_noreplace(void)
{
	close(make_file("a", "a", 1));
	close(make_file("b", "b", 1));
	MUST_FAIL(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE), EEXIST);
	must_contain("b", "b");
	MUST(renameat2(AT_FDCWD, "a", AT_FDCWD, "c", RENAME_NOREPLACE) == 0);
	must_contain("c", "a");
}

static void check_exchange(void)
{
	ino_t a, d;

	close(make_file("a", "a", 1));
	MUST(mkdir("d", 0755) == 0 && mkdir("d/e", 0755) == 0 && mkdir("p", 0755) == 0);
	close(make_file("p/b", "b", 1));
	MUST(renameat2(AT_FDCWD, "a", AT_FDCWD, "p/b", RENAME_EXCHANGE) == 0);
	must_contain("a", "b");
	must_contain("p/b", "a");
	a = stat_of("a").st_ino;
	d = stat_of("d").st_ino;
	MUST(renameat2(AT_FDCWD, "a", AT_FDCWD, "d", RENAME_EXCHANGE) == 0);
	MUST(stat_of("a").st_ino == d && stat_of("d").st_ino == a);
	MUST(S_ISDIR(stat_of("a/e").st_mode));
	MUST_FAIL(renameat2(AT_FDCWD, "a", AT_FDCWD, "missing", RENAME_EXCHANGE), ENOENT);
	MUST_FAIL(renameat2(AT_FDCWD, "a", AT_FDCWD, "a/e", RENAME_EXCHANGE), EINVAL);
	MUST_FAIL(renameat2(AT_FDCWD, "a", AT_FDCWD, "d", RENAME_EXCHANGE | RENAME_NOREPLACE),
		  EINVAL);
}

static void check_deep(void)
{
	char path[400] = "";

	for (int i = 0; i < 60; i++) {
		strcat(path, i ? "/sub" : "sub");
		MUST(mkdir(path, 0755) == 0);
	}
	strcat(path, "/f");
	close(make_file(path, "deep", 4));
	MUST(rename("sub/sub/sub", "moved") == 0);
	memcpy(path + 12 - 6, "moved/", 6);
	must_contain(path + 6, "deep");
}

const struct check rename_checks[] = {
	{"rename", check_simple},
	{"rename over a file that is open", check_over},
	{"write, rename over, again and again", check_save},
	{"rename of directories", check_directories},
	{"rename of a file onto its own second name", check_links},
	{"RENAME_NOREPLACE", check_noreplace},
	{"RENAME_EXCHANGE", check_exchange},
	{"rename of a deep tree", check_deep},
	{NULL, NULL},
};

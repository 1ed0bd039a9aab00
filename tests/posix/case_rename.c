/* renameat2(2) and link(2): every kind of source with every kind of target. */
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef RENAME_WHITEOUT
#define RENAME_WHITEOUT (1 << 2)
#endif

static const char *const places[] = {
	"file",     "other-file", "same-file",     "empty",	   "full",	 "full/file",
	"full/sub", "empty/new",  "full/sub/deep", "to-file",      "to-missing", "to-directory",
	"fifo",     "missing",    "file/",	   "empty/",       "full/",      "missing/",
	".",	"..",	 "empty/.",       "to-directory/", "file/below"};
#define PLACES (sizeof(places) / sizeof(places[0]))

static const struct {
	const char *name;
	unsigned int value;
} ways[] = {
	{"0", 0},
	{"NOREPLACE", RENAME_NOREPLACE},
	{"EXCHANGE", RENAME_EXCHANGE},
	{"NOREPLACE EXCHANGE", RENAME_NOREPLACE | RENAME_EXCHANGE},
	{"64", 64},
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

static void put(const char *name, const char *text)
{
	int fd = open(name, O_CREAT | O_WRONLY, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		step(-1, "put %s", name);
	close(fd);
}

static void make_places(void)
{
	if (mkdir("in", 0755) || mkdir("in/here", 0755) || chdir("in/here") || mkdir("empty", 0755) ||
	    mkdir("full", 0755) || mkdir("full/sub", 0755) || mkdir("full/sub/deep", 0755) ||
	    symlink("file", "to-file") || symlink("nowhere", "to-missing") ||
	    symlink("full", "to-directory") || mkfifo("fifo", 0644))
		step(-1, "make_places");
	put("file", "the file");
	put("other-file", "another");
	put("full/file", "below");
	if (link("file", "same-file"))
		step(-1, "link");
}

static void remove_places(int base)
{
	if (fchdir(base))
		step(-1, "remove_places");
	remove_all();
}

static void rename_matrix(void)
{
	unsigned int index = 0;
	int base = open(".", O_RDONLY);

	for (size_t from = 0; from < PLACES; from++)
		for (size_t to = 0; to < PLACES; to++)
			for (size_t way = 0; way < WAYS; way++) {
				if (!is_chosen(index++))
					continue;
				make_places();
				step(renameat2(AT_FDCWD, places[from], AT_FDCWD, places[to],
					       ways[way].value),
				     "rename('%s', '%s', %s)", places[from], places[to], ways[way].name);
				/* Only what became of it: there may be no way back to here. */
				if (fchdir(base) == 0)
					look_around();
				remove_places(base);
			}
}

static void link_matrix(void)
{
	static const int flags[] = {0, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH, 0x800000};
	unsigned int index = 0;
	int base = open(".", O_RDONLY);

	for (size_t from = 0; from < PLACES; from++)
		for (size_t to = 0; to < PLACES; to++)
			for (size_t flag = 0; flag < 4; flag++) {
				if (!is_chosen(index++))
					continue;
				make_places();
				step(linkat(AT_FDCWD, places[from], AT_FDCWD, places[to], flags[flag]),
				     "link('%s', '%s', %#x)", places[from], places[to], flags[flag]);
				if (fchdir(base) == 0)
					look_around();
				remove_places(base);
			}
}

static void rename_whiteout(void)
{
	put("f", "x");
	DO(renameat2(AT_FDCWD, "f", AT_FDCWD, "g", RENAME_WHITEOUT));
	look("f");
	look("g");
}

/* Whoever has the old file open keeps it. */
static void rename_over_open(void)
{
	char buffer[16] = "";
	int old, new;

	put("old", "the old one");
	put("new", "the new one");
	old = OPEN(open("old", O_RDWR));
	new = OPEN(open("new", O_RDWR));
	DO(rename("new", "old"));
	DO(pread(old, buffer, 11, 0));
	note("old", "%s", buffer);
	DO(pwrite(old, "THE", 3, 0));
	DO(pwrite(new, "ONE", 3, 0));
	look_at(old, "the old one");
	look_at(new, "the new one");
	look_into("old");
	DO(pread(old, buffer, 11, 0));
	note("old", "%s", buffer);
	DO(linkat(old, "", AT_FDCWD, "back", AT_EMPTY_PATH));
	DO(rename("old", "older"));
	DO(ftruncate(new, 3));
	look_into("older");
}

/* Open directories follow, whatever becomes of their names. */
static void rename_open_directory(void)
{
	int a, b;

	DO(mkdir("a", 0755));
	DO(mkdir("b", 0755));
	DO(mkdir("a/c", 0755));
	put("a/f", "in a");
	put("b/f", "in b");
	a = OPEN(open("a", O_RDONLY));
	b = OPEN(open("b", O_RDONLY));
	DO(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE));
	DO(faccessat(a, "c", F_OK, 0));
	DO(faccessat(b, "c", F_OK, 0));
	DO(renameat(a, "c", b, "d"));
	DO(renameat(b, "f", a, "f"));
	look_around();
	DO(renameat(a, ".", b, "x"));
	DO(rename("a", "b/d"));
	DO(rename("b/d", "a"));
	DO(renameat(b, "f", a, "f"));
	look_around();
	look_at(a, "a");
	look_at(b, "b");
}

static void link_counts(void)
{
	char name[16];

	DO(mkdir("d", 0755));
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "d/%d", i);
		DO(mkdir(name, 0755));
		look("d");
	}
	DO(rename("d/3", "d/2"));
	look("d");
	DO(rename("d/2", "other"));
	look("d");
	DO(mkdir("d/1/sub", 0755));
	DO(rename("d/1/sub", "d/0/sub"));
	look("d/1");
	look("d/0");
	put("f", "x");
	DO(renameat2(AT_FDCWD, "f", AT_FDCWD, "d/0/sub", RENAME_EXCHANGE));
	look("d/0");
	look("f");
	DO(link("d/0/sub", "g"));
	look("g");
	DO(rename("g", "d/0/sub"));
	look("g");
	DO(unlink("g"));
	look("d/0/sub");
	DO(rmdir("d/1"));
	look("d");
}

/* A file system has a maximum; a thousand is below every one of them. */
static void link_often(void)
{
	char name[16];

	put("f", "x");
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "link-%d", i);
		step(link("f", name), "link %d", i);
	}
	look("f");
	DO(unlink("f"));
	DO(rename("link-7", "link-8"));
	DO(unlink("link-7"));
	look("link-999");
	for (int i = 0; i < 999; i++) {
		snprintf(name, sizeof(name), "link-%d", i);
		unlink(name);
	}
	look("link-999");
	look_into("link-999");
}

const struct check rename_cases[] = {
	{"rename: every source with every target", rename_matrix},
	{"link: every source with every target", link_matrix},
	{"rename: RENAME_WHITEOUT", rename_whiteout},
	{"rename: over what is open", rename_over_open},
	{"rename: of open directories", rename_open_directory},
	{"link: counts of directories and files", link_counts},
	{"link: a thousand names", link_often},
	{NULL, NULL},
};

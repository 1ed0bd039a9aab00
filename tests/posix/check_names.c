/* Names: creating, listing, links, symbolic links, directories. */
#include "suite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check_create(void)
{
	int fd = open("f", O_RDWR | O_CREAT | O_EXCL, 0640);

	MUST(fd >= 0 && (stat_of("f").st_mode & 07777) == 0640);
	MUST(S_ISREG(stat_of("f").st_mode) && stat_of("f").st_nlink == 1);
	MUST_FAIL(open("f", O_RDWR | O_CREAT | O_EXCL, 0640), EEXIST);
	MUST(open("f", O_RDWR | O_CREAT, 0600) >= 0);
	MUST((stat_of("f").st_mode & 07777) == 0640);
	MUST_FAIL(open("missing", O_RDONLY), ENOENT);
	MUST_FAIL(open("f/x", O_RDONLY), ENOTDIR);
	MUST_FAIL(open("missing/x", O_CREAT | O_RDWR, 0600), ENOENT);
	umask(077);
	MUST(mknod("node", S_IFREG | 0666, 0) == 0);
	MUST((stat_of("node").st_mode & 07777) == 0600);
}

static void check_long_names(void)
{
	char name[300];

	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	close(make_file(name, "x", 1));
	MUST(stat_of(name).st_size == 1);
	MUST(mkdir("d", 0755) == 0 && chdir("d") == 0 && mkdir(name, 0755) == 0);
	MUST(rmdir(name) == 0 && chdir("..") == 0);
	name[255] = 'n';
	name[256] = '\0';
	MUST_FAIL(open(name, O_RDWR | O_CREAT, 0644), ENAMETOOLONG);
	MUST_FAIL(open(name, O_RDONLY), ENAMETOOLONG);
	MUST_FAIL(mkdir(name, 0755), ENAMETOOLONG);
	MUST_FAIL(symlink("x", name), ENAMETOOLONG);
	MUST_FAIL(unlink(name), ENAMETOOLONG);
}

/* Names are bytes. */
static void check_odd_names(void)
{
	static const char *const names[] = {" ", "\n", "a\tb", "\xff\xfe", "..x", "...", "*",
					    "\xc3\xa4", "a\xcc\x88", "-rf", "\\", "%s%n"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		close(make_file(names[i], &i, sizeof(i)));
		MUST(stat_of(names[i]).st_size == sizeof(i));
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		MUST(unlink(names[i]) == 0);
}

/* Lists the working directory; fails on a name twice or out of `count` x0000 names. */
static int list_numbered(DIR *dir, uint8_t *seen, int count)
{
	struct dirent *entry;
	int found = 0, dots = 0;

	while ((entry = readdir(dir)) != NULL) {
		int number;

		if (entry->d_name[0] == '.') {
			dots++;
			MUST(entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN);
			continue;
		}
		number = atoi(entry->d_name + 1);
		MUST(number >= 0 && number < count && !seen[number]);
		MUST(entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN);
		MUST(entry->d_ino == stat_of(entry->d_name).st_ino);
		seen[number] = 1;
		found++;
	}
	MUST(dots == 2);
	return found;
}

static void check_large_directory(void)
{
	enum { COUNT = 3000 };
	static uint8_t seen[COUNT];
	char name[32];
	DIR *dir;

	for (int i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "x%04d-with-some-length", i);
		close(make_file(name, "", 0));
	}
	dir = opendir(".");
	MUST(dir && list_numbered(dir, seen, COUNT) == COUNT);
	memset(seen, 0, sizeof(seen));
	rewinddir(dir);
	MUST(list_numbered(dir, seen, COUNT) == COUNT);
	closedir(dir);
	for (int i = 0; i < COUNT; i += 2) {
		snprintf(name, sizeof(name), "x%04d-with-some-length", i);
		MUST(unlink(name) == 0);
	}
	memset(seen, 0, sizeof(seen));
	dir = opendir(".");
	MUST(dir && list_numbered(dir, seen, COUNT) == COUNT / 2);
}

/* telldir and seekdir come back to the same entry, whatever is removed meanwhile. */
static void check_seekdir(void)
{
	char name[32], at[256];
	long place = 0;
	DIR *dir;

	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "x%03d", i);
		close(make_file(name, "", 0));
	}
	dir = opendir(".");
	MUST(dir);
	for (int i = 0; i < 100; i++)
		MUST(readdir(dir));
	place = telldir(dir);
	snprintf(at, sizeof(at), "%s", readdir(dir)->d_name);
	while (readdir(dir))
		;
	seekdir(dir, place);
	MUST(strcmp(readdir(dir)->d_name, at) == 0);
}

/* rm -r: removing while listing leaves nothing. */
static void check_remove_while_listing(void)
{
	char name[32];
	struct dirent *entry;
	int removed = 0;
	DIR *dir;

	MUST(mkdir("d", 0755) == 0);
	for (int i = 0; i < 1500; i++) {
		snprintf(name, sizeof(name), "d/file-%d", i);
		close(make_file(name, "", 0));
	}
	dir = opendir("d");
	MUST(dir);
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.') {
			MUST(unlinkat(dirfd(dir), entry->d_name, 0) == 0);
			removed++;
		}
	MUST(removed == 1500 && rmdir("d") == 0);
}

static void check_directories(void)
{
	nlink_t links = stat_of(".").st_nlink;

	MUST(mkdir("d", 0750) == 0);
	MUST(S_ISDIR(stat_of("d").st_mode) && (stat_of("d").st_mode & 07777) == 0750);
	MUST(links == 1 || stat_of(".").st_nlink == links + 1);
	MUST(links == 1 || stat_of("d").st_nlink == 2);
	MUST_FAIL(mkdir("d", 0755), EEXIST);
	MUST(mkdir("d/e", 0755) == 0);
	MUST_FAIL(rmdir("d"), ENOTEMPTY);
	MUST_FAIL(unlink("d"), EISDIR);
	close(make_file("f", "", 0));
	MUST_FAIL(rmdir("f"), ENOTDIR);
	MUST_FAIL(rmdir("missing"), ENOENT);
	MUST(rmdir("d/e") == 0 && rmdir("d") == 0);
	MUST(stat_of(".").st_nlink == links);
	MUST(stat_of("..").st_ino == stat_of("./..").st_ino);
}

static void check_parent(void)
{
	struct stat here = stat_of(".");
	char path[4096];

	MUST(mkdir("a", 0755) == 0 && mkdir("a/b", 0755) == 0 && mkdir("c", 0755) == 0);
	MUST(stat_of("a/b/../..").st_ino == here.st_ino);
	MUST(chdir("a/b") == 0 && getcwd(path, sizeof(path)));
	MUST(strcmp(path + strlen(path) - 4, "/a/b") == 0);
	MUST(rename("../../a/b", "../../c/b") == 0 && getcwd(path, sizeof(path)));
	MUST(strcmp(path + strlen(path) - 4, "/c/b") == 0);
	MUST(chdir("..") == 0 && stat_of(".").st_ino == stat_of("../c").st_ino);
}

/* A working directory that is gone. */
static void check_removed_directory(void)
{
	char path[4096];

	MUST(mkdir("d", 0755) == 0 && chdir("d") == 0 && rmdir("../d") == 0);
	MUST(getcwd(path, sizeof(path)) == NULL && errno == ENOENT);
	MUST_FAIL(open("f", O_CREAT | O_RDWR, 0644), ENOENT);
	MUST(stat_of(".").st_nlink == 0);
}

static void check_links(void)
{
	char text[16];
	int fd = make_file("a", "shared", 6);

	MUST(link("a", "b") == 0 && mkdir("d", 0755) == 0 && link("b", "d/c") == 0);
	MUST(stat_of("a").st_nlink == 3 && stat_of("d/c").st_ino == stat_of("a").st_ino);
	write_at(fd, "SHARED", 6, 0);
	close(fd);
	fd = open("d/c", O_RDONLY);
	read_at(fd, text, 6, 0);
	MUST(memcmp(text, "SHARED", 6) == 0);
	MUST(unlink("a") == 0 && stat_of("b").st_nlink == 2);
	MUST_FAIL(link("b", "d/c"), EEXIST);
	MUST_FAIL(link("d", "e"), EPERM);
	MUST_FAIL(link("missing", "e"), ENOENT);
	MUST(unlink("b") == 0 && stat_of("d/c").st_nlink == 1 && unlink("d/c") == 0);
}

static void check_symlinks(void)
{
	char target[4097], back[5000];

	MUST(symlink("f", "s") == 0 && S_ISLNK(stat_of("s").st_mode));
	MUST(readlink("s", back, sizeof(back)) == 1 && back[0] == 'f');
	MUST(stat_of("s").st_size == 1);
	MUST_FAIL(open("s", O_RDONLY), ENOENT);
	close(make_file("f", "through", 7));
	MUST(open("s", O_RDONLY) >= 0);
	MUST_FAIL(open("s", O_RDONLY | O_NOFOLLOW), ELOOP);
	memset(target, 't', sizeof(target));
	target[4095] = '\0';
	MUST(symlink(target, "long") == 0);
	MUST(readlink("long", back, sizeof(back)) == 4095 && memcmp(back, target, 4095) == 0);
	target[4095] = 't';
	target[4096] = '\0';
	MUST_FAIL(symlink(target, "longer"), ENAMETOOLONG);
	MUST_FAIL(symlink("", "none"), ENOENT);
	MUST_FAIL(symlink("x", "s"), EEXIST);
	MUST_FAIL(readlink("f", back, sizeof(back)), EINVAL);
	MUST(unlink("s") == 0 && stat_of("f").st_size == 7);
}

const struct check name_checks[] = {
	{"creating", check_create},
	{"names of 255 and 256 bytes", check_long_names},
	{"names of any bytes", check_odd_names},
	{"a directory of 3000 names", check_large_directory},
	{"telldir and seekdir", check_seekdir},
	{"removing while listing", check_remove_while_listing},
	{"mkdir and rmdir", check_directories},
	{"parents and getcwd follow a rename", check_parent},
	{"a working directory that is gone", check_removed_directory},
	{"hard links", check_links},
	{"symbolic links", check_symlinks},
	{NULL, NULL},
};

/* Large directories, long names, deep trees. */
#include "suite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void name_of(char name[64], int number)
{
	/* Lengths of all kinds: slots of all sizes. */
	snprintf(name, 64, "%0*d", 6 + number % 50, number);
}

static void make_names(int dir, int count)
{
	char name[64];
	int failed = 0;

	for (int i = 0; i < count; i++) {
		name_of(name, i);
		failed += mknodat(dir, name, S_IFREG | 0644, 0) != 0;
	}
	note("names that could not be made", "%d", failed);
}

/* Each of `count` names exactly once; *others counts the rest. */
static void count_names(DIR *dir, int count, int *missing, int *twice, int *others)
{
	uint8_t *seen = calloc((size_t)count, 1);
	struct dirent *entry;

	*missing = count;
	*twice = *others = 0;
	while ((entry = readdir(dir))) {
		int number = atoi(entry->d_name);

		if (entry->d_name[0] < '0' || entry->d_name[0] > '9' || number >= count) {
			(*others)++;
			continue;
		}
		*missing -= seen[number] == 0;
		*twice += seen[number] == 1;
		seen[number]++;
	}
	free(seen);
}

/* Adds, renames and removes names beside those that are counted, until it is ended. */
static _Noreturn void disturb(int dir)
{
	char name[64], other[64];

	for (unsigned int i = 0;; i++) {
		snprintf(name, sizeof(name), "beside-%u", i);
		snprintf(other, sizeof(other), "beside-renamed-to-something-longer-%u", i);
		if (mknodat(dir, name, S_IFREG | 0644, 0) != 0)
			_exit(1);
		if (renameat(dir, name, dir, other) != 0)
			_exit(2);
		if (i >= 64) {
			snprintf(other, sizeof(other), "beside-renamed-to-something-longer-%u", i - 64);
			if (unlinkat(dir, other, 0) != 0)
				_exit(3);
		}
	}
}

static void large_directory(void)
{
	int fd, missing, twice, others, status, rounds = 4;
	const int count = suite_options.entries;
	DIR *dir;
	pid_t pid;

	DO(mkdir("d", 0755));
	fd = OPEN(open("d", O_RDONLY | O_DIRECTORY));
	make_names(fd, count);
	dir = fdopendir(dup(fd));
	count_names(dir, count, &missing, &twice, &others);
	note("listed", "missing %d twice %d others %d", missing, twice, others);
	pid = fork();
	if (pid == 0)
		disturb(fd);
	for (int i = 0; i < rounds; i++) {
		rewinddir(dir);
		count_names(dir, count, &missing, &twice, &others);
		note("listed while others come and go", "missing %d twice %d", missing, twice);
	}
	kill(pid, SIGKILL);
	DO(waitpid(pid, &status, 0) == pid);
	note("the other process", "%d", WIFSIGNALED(status) ? 0 : WEXITSTATUS(status));
	closedir(dir);
}

/* Removing while reading leaves nothing behind. */
static void remove_while_reading(void)
{
	const int count = suite_options.entries / 4;
	struct dirent *entry;
	int fd, removed = 0;
	DIR *dir;

	DO(mkdir("d", 0755));
	fd = OPEN(open("d", O_RDONLY | O_DIRECTORY));
	make_names(fd, count);
	dir = fdopendir(dup(fd));
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			removed += unlinkat(fd, entry->d_name, 0) == 0;
	note("removed all", "%d", removed == count);
	closedir(dir);
	DO(rmdir("d"));
}

static void positions(void)
{
	enum { SAMPLES = 20 };
	const int count = suite_options.entries / 4;
	char names[SAMPLES][NAME_MAX + 1];
	long where[SAMPLES];
	struct dirent *entry;
	int same = 0;
	DIR *dir;

	DO(mkdir("d", 0755));
	make_names(OPEN(open("d", O_RDONLY | O_DIRECTORY)), count);
	dir = opendir("d");
	for (int i = 0, sample = 0; i < count && sample < SAMPLES; i++) {
		long at = telldir(dir);

		entry = readdir(dir);
		if (!entry || i % (count / SAMPLES) != 0)
			continue;
		where[sample] = at;
		snprintf(names[sample++], NAME_MAX + 1, "%s", entry->d_name);
	}
	for (int i = SAMPLES - 1; i >= 0; i--) {
		seekdir(dir, where[i]);
		entry = readdir(dir);
		same += entry && strcmp(entry->d_name, names[i]) == 0;
	}
	note("the same names at the same places", "%d", same);
	seekdir(dir, where[3]);
	rewinddir(dir);
	entry = readdir(dir);
	note("the first after rewinddir", "%d", entry && strcmp(entry->d_name, names[0]) == 0);
	closedir(dir);
}

/* Types and numbers that readdir gives are those of stat. */
static void entry_types(void)
{
	struct dirent *entry;
	struct stat st;
	DIR *dir;

	DO(mkdir("d", 0755));
	close(OPEN(open("f", O_CREAT | O_RDWR, 0644)));
	DO(symlink("f", "s"));
	DO(mkfifo("p", 0644));
	DO(mknod("u", S_IFSOCK | 0644, 0));
	DO(mknod("c", S_IFCHR | 0644, 259));
	dir = opendir(".");
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && lstat(entry->d_name, &st) == 0)
			MUST(st.st_ino == entry->d_ino && IFTODT(st.st_mode) == entry->d_type);
	closedir(dir);
}

static void long_names(void)
{
	char name[300], other[300];

	for (int len = 250; len <= 257; len++) {
		memset(name, 'n', sizeof(name));
		name[len] = '\0';
		step(mkdir(name, 0755), "mkdir of %d", len);
		step(rmdir(name), "rmdir of %d", len);
		TRY(open(name, O_CREAT | O_RDWR, 0644));
		/* One that differs in the last byte only. */
		memcpy(other, name, sizeof(other));
		other[len - 1] = 'o';
		step(link(name, other), "link of %d", len);
		step(rename(name, other), "rename of %d", len);
		step(unlink(name), "unlink of %d", len);
		step(unlink(other), "unlink the other of %d", len);
		step(symlink(name, "s"), "symlink to %d", len);
		step(unlink("s"), "unlink");
	}
	for (int c = 1; c < 256; c++) {
		snprintf(name, sizeof(name), "%c", c);
		step(mknod(name, S_IFREG | 0644, 0), "name of byte %d", c);
		snprintf(name, sizeof(name), "x%cy", c);
		step(mknod(name, S_IFREG | 0644, 0), "name with byte %d", c);
	}
	remove_all();
}

/* --- deeper than a path can say --------------------------------------------------------- */

#define COMPONENT "a-name-of-forty-bytes-in-each-directory-"
#define DEPTH     150 /* 6150 bytes */

/* False at the first that fails. */
static bool go_down(void)
{
	for (int i = 0; i < DEPTH; i++)
		if (mkdir(COMPONENT, 0755) != 0 || chdir(COMPONENT) != 0) {
			step(-1, "level %d", i);
			return false;
		}
	return true;
}

static void deep_paths(void)
{
	char path[PATH_MAX * 2] = ".", buffer[16];
	int top = OPEN(open(".", O_RDONLY)), fd;

	if (!go_down())
		return;
	fd = OPEN(open("f", O_CREAT | O_RDWR, 0644));
	DO(write(fd, "deep", 4));
	note("getcwd", "%s", getcwd(path, PATH_MAX) ? "yes" : strerrorname_np(errno));
	note("syscall", "%s", syscall(SYS_getcwd, path, sizeof(path)) > 0 ? "yes" : strerrorname_np(errno));
	DO(rename("f", "g"));
	DO(link("g", "../h"));
	DO(fchdir(top));
	DO(rename(COMPONENT "/" COMPONENT, "moved"));
	DO(rename("moved", COMPONENT "/moved/" COMPONENT));
	DO(rename("moved", COMPONENT "/back"));
	DO(rename(COMPONENT "/back", COMPONENT "/" COMPONENT));
	strcpy(path, ".");
	for (int i = 0; i < DEPTH; i++) {
		strcat(path, "/" COMPONENT);
		if (strlen(path) > 4000 && strlen(path) < 4200)
			step(access(path, F_OK), "a path of %zu bytes", strlen(path));
	}
	/* Down and up again by descriptors. */
	for (int i = 0; i < DEPTH; i++)
		if (chdir(COMPONENT) != 0)
			step(-1, "down %d", i);
	DO(access("g", F_OK));
	DO(pread(fd, buffer, 4, 0));
	DO(unlink("g"));
	DO(unlink("../h"));
	for (int i = 0; i < DEPTH; i++)
		if (chdir("..") != 0 || rmdir(COMPONENT) != 0)
			step(-1, "up %d", i);
	look_around();
}

const struct check large_cases[] = {
	{"large: a directory, listed while others come and go", large_directory},
	{"large: removed while it is read", remove_while_reading},
	{"large: telldir and seekdir", positions},
	{"large: types in directories", entry_types},
	{"large: long and odd names", long_names},
	{"large: deeper than PATH_MAX", deep_paths},
	{NULL, NULL},
};

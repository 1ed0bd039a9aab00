/*
 * Several processes at the same names.  Who wins is chance; what must hold
 * afterwards is recorded.
 */
#include "suite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES 4
#define NAMES     16

/* What all of them have done, in memory that they share. */
static struct tally {
	int done[PROCESSES], undone[PROCESSES], wrong[PROCESSES];
} *tally;

static unsigned int pick(unsigned int *state, unsigned int below)
{
	*state = *state * 1103515245u + 12345u;
	return (*state >> 16) % below;
}

/* Runs `work` in each process; errors that do not belong count as wrong. */
static void storm(void (*work)(int process, unsigned int *state))
{
	int wrong = 0, status;

	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tally == MAP_FAILED)
		_exit(3);
	for (int process = 0; process < PROCESSES; process++)
		if (fork() == 0) {
			unsigned int state = suite_options.seed * 31u + (unsigned int)process * 977u;

			for (int i = 0; i < suite_options.storm; i++)
				work(process, &state);
			_exit(0);
		}
	while (wait(&status) > 0)
		wrong += status != 0;
	for (int process = 0; process < PROCESSES; process++)
		wrong += tally->wrong[process];
	note("processes and calls that went wrong", "%d", wrong);
}

static int total(const int *counts)
{
	int sum = 0;

	for (int process = 0; process < PROCESSES; process++)
		sum += counts[process];
	return sum;
}

/* 1 if it was done; otherwise the error must be one of those two. */
static int did(int result, int process, int allowed, int also_allowed)
{
	if (result >= 0)
		return 1;
	if (errno != allowed && errno != also_allowed) {
		note("went wrong", "%s", strerrorname_np(errno));
		tally->wrong[process]++;
	}
	return 0;
}

static int entries_of(const char *name)
{
	struct dirent *entry;
	int count = 0;
	DIR *dir = opendir(name);

	while (dir && (entry = readdir(dir)))
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	if (dir)
		closedir(dir);
	return count;
}

/* --- create and unlink: exactly one wins -------------------------------------------------- */

static void create_or_unlink(int process, unsigned int *state)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "d/%u", pick(state, NAMES));
	if (pick(state, 2)) {
		fd = open(name, O_CREAT | O_EXCL | O_RDWR, 0644);
		tally->done[process] += did(fd, process, EEXIST, EEXIST);
		if (fd >= 0)
			close(fd);
	} else {
		tally->undone[process] += did(unlink(name), process, ENOENT, ENOENT);
	}
}

static void create_storm(void)
{
	DO(mkdir("d", 0755));
	storm(create_or_unlink);
	note("names less those made and not removed", "%d",
	     entries_of("d") - total(tally->done) + total(tally->undone));
}

/* --- rename: nothing is lost, nothing is twice ------------------------------------------- */

static void move(int process, unsigned int *state)
{
	static const unsigned int flags[] = {RENAME_NOREPLACE, RENAME_NOREPLACE, RENAME_EXCHANGE};
	char from[32], to[32];

	snprintf(from, sizeof(from), "%c/%u", "de"[pick(state, 2)], pick(state, NAMES * 2));
	snprintf(to, sizeof(to), "%c/%u", "de"[pick(state, 2)], pick(state, NAMES * 2));
	tally->done[process] +=
		did(renameat2(AT_FDCWD, from, AT_FDCWD, to, flags[pick(state, 3)]), process, EEXIST, ENOENT);
}

/* How often each number stands in a file of the two directories. */
static void count_contents(int counts[NAMES])
{
	char name[32];
	int number, fd;

	memset(counts, 0, NAMES * sizeof(counts[0]));
	for (int dir = 0; dir < 2; dir++)
		for (int i = 0; i < NAMES * 2; i++) {
			snprintf(name, sizeof(name), "%c/%d", "de"[dir], i);
			fd = open(name, O_RDONLY);
			if (fd >= 0 && read(fd, &number, sizeof(number)) == sizeof(number))
				counts[number % NAMES]++;
			if (fd >= 0)
				close(fd);
		}
}

static void rename_storm(void)
{
	int counts[NAMES], once = 0;
	char name[32];

	DO(mkdir("d", 0755));
	DO(mkdir("e", 0755));
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "d/%d", i);
		close(make_file(name, &i, sizeof(i)));
	}
	storm(move);
	count_contents(counts);
	for (int i = 0; i < NAMES; i++)
		once += counts[i] == 1;
	note("files that are there once", "%d", once);
	note("names", "%d", entries_of("d") + entries_of("e"));
	note("something was done", "%d", total(tally->done) > 0);
}

/* --- links: the count is right ------------------------------------------------------------- */

static void link_or_unlink(int process, unsigned int *state)
{
	char from[32], to[32];

	snprintf(from, sizeof(from), "d/%u", pick(state, NAMES));
	snprintf(to, sizeof(to), "d/%u", pick(state, NAMES));
	switch (pick(state, 4)) {
	case 0: did(unlink(to), process, ENOENT, ENOENT); break;
	case 1: did(link("f", to), process, EEXIST, EEXIST); break;
	case 2: did(rename(from, to), process, ENOENT, ENOENT); break;
	default: did(link(from, to), process, ENOENT, EEXIST); break;
	}
}

static void link_storm(void)
{
	int fd = make_file("f", "linked", 6);
	struct stat st;

	DO(mkdir("d", 0755));
	storm(link_or_unlink);
	MUST(fstat(fd, &st) == 0);
	note("links less names", "%d", (int)st.st_nlink - 1 - entries_of("d"));
	look_into("f");
}

/* --- directories: no loop, nothing unreachable, counts right ---------------------------------- */

static void path_of(unsigned int *state, char path[64])
{
	size_t len = 0;

	for (unsigned int depth = 1 + pick(state, 3), i = 0; i < depth; i++)
		len += (size_t)snprintf(path + len, 64 - len, "%s%c", i ? "/" : "", 'a' + pick(state, 4));
}

static void move_directory(int process, unsigned int *state)
{
	char from[64], to[64];
	int result;

	path_of(state, from);
	path_of(state, to);
	switch (pick(state, 5)) {
	case 0: result = mkdir(to, 0755); break;
	case 1: result = rmdir(to); break;
	case 2: result = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE); break;
	default: result = rename(from, to); break;
	}
	/* EINVAL: into itself. */
	if (result != 0 && errno != EINVAL && errno != EEXIST)
		did(-1, process, ENOENT, ENOTEMPTY);
	tally->done[process] += result == 0;
}

/*
 * Directories without the right number of links, or that lie in themselves.  A long storm
 * piles up hundreds of them in each other, so that fts(3) goes from one to the next.
 */
static int count_wrong(void)
{
	char top[] = ".", *const paths[] = {top, NULL};
	FTS *tree = fts_open(paths, FTS_PHYSICAL, NULL);
	FTSENT *entry;
	int wrong = tree == NULL;

	while (tree && (entry = fts_read(tree))) {
		if (entry->fts_info == FTS_D)
			entry->fts_parent->fts_number++;
		else if (entry->fts_info != FTS_DP ||
			 (long)entry->fts_statp->st_nlink != 2 + entry->fts_number)
			wrong++;
	}
	if (tree)
		fts_close(tree);
	return wrong;
}

static void directory_storm(void)
{
	storm(move_directory);
	note("directories whose count of links is wrong", "%d", count_wrong());
	note("something was done", "%d", total(tally->done) > 0);
}

/* --- saving: a reader sees a whole version ---------------------------------------------------- */

#define DOCUMENT 20000

static void save_or_read(int process, unsigned int *state)
{
	static char text[DOCUMENT];
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "saving-%d", process);
	if (process % 2 == 0) {
		memset(text, 'a' + (int)pick(state, 26), sizeof(text));
		fd = open(name, O_CREAT | O_TRUNC | O_WRONLY, 0644);
		tally->wrong[process] += write(fd, text, sizeof(text)) != (ssize_t)sizeof(text);
		tally->wrong[process] += close(fd) != 0 || rename(name, "document") != 0;
		return;
	}
	/* What a name led to can be opened, even if it was replaced meanwhile. */
	fd = open("document", O_RDONLY);
	tally->undone[process] += fd < 0;
	tally->wrong[process] += read(fd, text, sizeof(text)) != (ssize_t)sizeof(text);
	for (size_t i = 1; i < sizeof(text); i++)
		tally->wrong[process] += text[i] != text[0];
	close(fd);
}

static void save_storm(void)
{
	static char text[DOCUMENT];

	memset(text, '0', sizeof(text));
	close(make_file("document", text, sizeof(text)));
	storm(save_or_read);
	look("document");
	note("files that could not be opened", "%d", total(tally->undone));
}

const struct check storm_cases[] = {
	{"storm: create and unlink", create_storm},
	{"storm: rename", rename_storm},
	{"storm: link, rename, unlink", link_storm},
	{"storm: directories into each other", directory_storm},
	{"storm: save and read", save_storm},
	{NULL, NULL},
};

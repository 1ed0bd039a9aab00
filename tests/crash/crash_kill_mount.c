/*
 * Load on a mounted volume whose daemon is killed, and the comparison after the
 * next mount; crash-kill-mount.sh starts, kills and mounts.
 *
 *     crash-kill-mount work DIR LOG SEED      until the mount is gone
 *     crash-kill-mount check DIR LOG
 *
 * LOG, outside of the mount, has for each file the number of the last content
 * that was asked for and of the last one that was answered, in memory that
 * both share.  A content is its number over and over: "check" finds one of
 * them, whole, none older than answered and none newer than asked for.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES	 12
#define WORDS	 20000 /* of a content, at most */
#define PATH_LEN 4096

struct log {
	uint64_t asked[FILES], answered[FILES];
	uint64_t answers; /* all together */
};

static struct log *map_log(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct log *log;

	if (fd < 0 || ftruncate(fd, sizeof(*log)) < 0) {
		perror(path);
		exit(2);
	}
	log = mmap(NULL, sizeof(*log), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (log == MAP_FAILED)
		exit(2);
	return log;
}

/* Each content has a length of its own, so that parts of two never fit. */
static size_t words_of(uint64_t number)
{
	return 1 + (size_t)(number * 2654435761u % WORDS);
}

static bool write_all(int fd, uint64_t number)
{
	static uint64_t words[WORDS];
	size_t len = words_of(number) * sizeof(words[0]);

	for (size_t i = 0; i < words_of(number); i++)
		words[i] = number;
	return write(fd, words, len) == (ssize_t)len;
}

/* A new file in the old one's place, as editors and databases do. */
static bool replace(const char *directory, unsigned int file, uint64_t number)
{
	char path[PATH_LEN], fresh[PATH_LEN + 8];
	bool is_done;
	int fd;

	snprintf(path, sizeof(path), "%s/f%u", directory, file);
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	is_done = fd >= 0 && write_all(fd, number) && fsync(fd) == 0 && rename(fresh, path) == 0 &&
		  fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return is_done;
}

static int work(const char *directory, struct log *log, unsigned int seed)
{
	for (;;) {
		unsigned int file = (unsigned int)rand_r(&seed) % FILES;
		uint64_t number = ++log->asked[file];

		if (!replace(directory, file, number))
			return 0;
		log->answered[file] = number;
		log->answers++;
	}
}

/* The number of a whole content; 0: there is none, UINT64_MAX: it is not whole. */
static uint64_t content_of(const char *directory, unsigned int file)
{
	static uint64_t words[WORDS + 1];
	char path[PATH_LEN];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "%s/f%u", directory, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	got = read(fd, words, sizeof(words));
	close(fd);
	if (got <= 0 || (size_t)got != words_of(words[0]) * sizeof(words[0]))
		return UINT64_MAX;
	for (size_t i = 1; i < words_of(words[0]); i++)
		if (words[i] != words[0])
			return UINT64_MAX;
	return words[0];
}

static int check(const char *directory, struct log *log)
{
	int violations = 0;

	for (unsigned int file = 0; file < FILES; file++) {
		uint64_t found = content_of(directory, file);

		if (found < log->answered[file] || found > log->asked[file]) {
			printf("violation: f%u has content %" PRIu64 ", answered %" PRIu64
			       ", asked for %" PRIu64 "\n",
			       file, found, log->answered[file], log->asked[file]);
			violations++;
		}
		/* From here on that is what there is. */
		log->asked[file] = log->answered[file] = found;
	}
	printf("%" PRIu64 " answers, %d violations\n", log->answers, violations);
	return violations == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "work") == 0)
		return work(argv[2], map_log(argv[3]), (unsigned int)strtoul(argv[4], NULL, 10));
	if (argc == 4 && strcmp(argv[1], "check") == 0)
		return check(argv[2], map_log(argv[3]));
	fputs("usage: crash-kill-mount work DIR LOG SEED | check DIR LOG\n", stderr);
	return 2;
}

/* Durability calls: that they succeed and what was written is there; crashes are another test's. */
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static void check_fsync(void)
{
	char text[8];
	int fd = make_file("f", "one", 3), dir = open(".", O_RDONLY | O_DIRECTORY);

	MUST(fsync(fd) == 0 && fdatasync(fd) == 0 && fsync(dir) == 0);
	write_at(fd, "two", 3, 0);
	MUST(fsync(fd) == 0 && unlink("f") == 0 && fsync(fd) == 0);
	read_at(fd, text, 3, 0);
	MUST(memcmp(text, "two", 3) == 0 && syncfs(dir) == 0);
	MUST(fsync(open("g", O_RDONLY | O_CREAT, 0644)) == 0);
}

static void write_through(int flags)
{
	enum { LEN = 300000 };
	uint8_t *data = malloc(LEN), *back = malloc(LEN);
	int fd = open("f", O_RDWR | O_CREAT | flags, 0644);

	MUST(fd >= 0 && data && back);
	fill_pattern(data, LEN, 5);
	MUST(write(fd, data, 10) == 10);
	write_at(fd, data, LEN, 0);
	write_at(fd, data, 4096, 4096);
	read_at(fd, back, LEN, 0);
	MUST(memcmp(back, data, 4096) == 0 && memcmp(back + 4096, data, 4096) == 0);
	MUST(memcmp(back + 8192, data + 8192, LEN - 8192) == 0);
}

static void check_o_sync(void)
{
	write_through(O_SYNC);
}

static void check_o_dsync(void)
{
	write_through(O_DSYNC);
}

static void write_with(int flags)
{
	char text[16] = "durable";
	const struct iovec iov = {text, 7};
	int fd = make_file("f", "", 0);

	if (pwritev2(fd, &iov, 1, 100, flags) != 7 && errno == EOPNOTSUPP)
		check_skip("not supported here");
	MUST(stat_of("f").st_size == 107);
	read_at(fd, text, 7, 100);
	MUST(memcmp(text, "durable", 7) == 0);
}

static void check_rwf_dsync(void)
{
	write_with(RWF_DSYNC);
}

static void check_rwf_sync(void)
{
	write_with(RWF_SYNC);
}

#define SYNCERS 16
#define ROUNDS  20

static void *write_and_sync(void *arg)
{
	char name[2] = {(char)('a' + *(int *)arg), '\0'};
	int fd = open(name, O_RDWR | O_CREAT, 0644);

	for (int i = 0; i < ROUNDS; i++)
		if (pwrite(fd, &i, sizeof(i), i * (off_t)sizeof(i)) != sizeof(i) || fsync(fd) != 0)
			return NULL;
	close(fd);
	return arg;
}

/* More waiting writers than the daemon has threads. */
static void check_many_fsyncs(void)
{
	pthread_t threads[SYNCERS];
	int numbers[SYNCERS];

	for (int i = 0; i < SYNCERS; i++) {
		numbers[i] = i;
		MUST(pthread_create(&threads[i], NULL, write_and_sync, &numbers[i]) == 0);
	}
	for (int i = 0; i < SYNCERS; i++) {
		char name[2] = {(char)('a' + i), '\0'};
		void *result;

		MUST(pthread_join(threads[i], &result) == 0 && result != NULL);
		MUST(stat_of(name).st_size == ROUNDS * (off_t)sizeof(int));
	}
}

const struct check sync_checks[] = {
	{"fsync, fdatasync, syncfs", check_fsync},
	{"O_SYNC", check_o_sync},
	{"O_DSYNC", check_o_dsync},
	{"RWF_DSYNC", check_rwf_dsync},
	{"RWF_SYNC", check_rwf_sync},
	{"sixteen threads that fsync", check_many_fsyncs},
	{NULL, NULL},
};

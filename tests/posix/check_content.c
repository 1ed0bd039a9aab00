/* Reading and writing: sizes, holes, overwriting, appending, truncating. */
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define MIB (1u << 20)
#define TIB ((off_t)1 << 40)

static void check_empty(void)
{
	uint8_t byte;
	int fd = make_file("f", "", 0);

	MUST(read(fd, &byte, 1) == 0);
	MUST(pread(fd, &byte, 1, 1000) == 0);
	MUST(stat_of("f").st_size == 0 && stat_of("f").st_blocks == 0);
}

/* Around every border of the format: inline files, blocks, requests. */
static void check_sizes(void)
{
	static const size_t sizes[] = {1,     2,     15,      511,         3555,    3556,
				       3557,  4095,  4096,    4097,        8192,    65537,
				       MIB - 1, MIB, MIB + 1, 3 * MIB + 17};
	uint8_t *data = malloc(4 * MIB), *back = malloc(4 * MIB);

	MUST(data && back);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int fd;

		fill_pattern(data, sizes[i], i);
		fd = make_file("f", data, sizes[i]);
		MUST(stat_of("f").st_size == (off_t)sizes[i]);
		close(fd);
		fd = open("f", O_RDONLY);
		MUST(fd >= 0);
		read_at(fd, back, sizes[i], 0);
		MUST(memcmp(back, data, sizes[i]) == 0);
		MUST(pread(fd, back, 10, (off_t)sizes[i]) == 0);
		MUST(pread(fd, back, 10, (off_t)sizes[i] - 1) == 1);
		close(fd);
		MUST(unlink("f") == 0);
	}
}

/* A model in memory, the same operations on the file. */
static void check_random_overwrite(void)
{
	enum { LEN = 700001, ROUNDS = 400, PIECE = 70000 };
	uint8_t *model = calloc(1, LEN), *back = malloc(LEN);
	int fd;

	MUST(model && back);
	srandom(7);
	fd = make_file("f", model, LEN);
	for (int i = 0; i < ROUNDS; i++) {
		size_t at = (size_t)random() % (LEN - 1);
		size_t len = 1 + (size_t)random() % (random() % 2 ? 100 : PIECE);

		if (len > LEN - at)
			len = LEN - at;
		fill_pattern(model + at, len, (uint64_t)i);
		write_at(fd, model + at, len, (off_t)at);
		at = (size_t)random() % (LEN - 1);
		len = LEN - at < 5000 ? LEN - at : 5000;
		read_at(fd, back, len, (off_t)at);
		MUST(memcmp(back, model + at, len) == 0);
	}
	close(fd);
	fd = open("f", O_RDONLY);
	read_at(fd, back, LEN, 0);
	MUST(memcmp(back, model, LEN) == 0);
}

static void check_append(void)
{
	char text[64];
	int one = open("f", O_WRONLY | O_CREAT | O_APPEND, 0644);
	int two = open("f", O_RDWR | O_APPEND);

	MUST(one >= 0 && two >= 0);
	MUST(write(one, "one ", 4) == 4 && write(two, "two ", 4) == 4);
	MUST(lseek(one, 0, SEEK_SET) == 0 && write(one, "three", 5) == 5);
	MUST(pread(two, text, sizeof(text), 0) == 13 && memcmp(text, "one two three", 13) == 0);
	MUST(lseek(one, 0, SEEK_CUR) == 13);
}

#define APPENDERS 4
#define APPENDS   200
#define APPENDED  64

static void *append_lines(void *letter)
{
	char line[APPENDED];
	int fd = open("f", O_WRONLY | O_APPEND);

	memset(line, *(char *)letter, sizeof(line));
	for (int i = 0; i < APPENDS; i++)
		if (write(fd, line, sizeof(line)) != sizeof(line))
			return NULL;
	close(fd);
	return letter;
}

/* No appended line is lost, torn or overwritten. */
static void check_append_together(void)
{
	pthread_t threads[APPENDERS];
	char letters[APPENDERS] = {'a', 'b', 'c', 'd'}, line[APPENDED];
	int counts[APPENDERS] = {0}, fd = make_file("f", "", 0);

	for (int i = 0; i < APPENDERS; i++)
		MUST(pthread_create(&threads[i], NULL, append_lines, &letters[i]) == 0);
	for (int i = 0; i < APPENDERS; i++) {
		void *result;

		MUST(pthread_join(threads[i], &result) == 0 && result != NULL);
	}
	for (int i = 0; i < APPENDERS * APPENDS; i++) {
		read_at(fd, line, sizeof(line), (off_t)i * APPENDED);
		for (int k = 1; k < APPENDED; k++)
			MUST(line[k] == line[0]);
		counts[line[0] - 'a']++;
	}
	for (int i = 0; i < APPENDERS; i++)
		MUST(counts[i] == APPENDS);
}

/* Writers of one file that do not touch each other's parts. */
static void *write_stripes(void *arg)
{
	enum { STRIPE = 5003, COUNT = 100 };
	uint8_t data[STRIPE];
	size_t mine = *(size_t *)arg;
	int fd = open("f", O_WRONLY);

	for (size_t i = 0; i < COUNT; i++) {
		size_t at = (i * APPENDERS + mine) * STRIPE;

		fill_pattern(data, STRIPE, at);
		if (pwrite(fd, data, STRIPE, (off_t)at) != STRIPE)
			return NULL;
	}
	close(fd);
	return arg;
}

static void check_parallel_writers(void)
{
	enum { STRIPE = 5003, COUNT = 100 };
	pthread_t threads[APPENDERS];
	size_t numbers[APPENDERS] = {0, 1, 2, 3};
	uint8_t data[STRIPE];
	int fd = make_file("f", "", 0);

	MUST(ftruncate(fd, (off_t)STRIPE * COUNT * APPENDERS) == 0);
	for (int i = 0; i < APPENDERS; i++)
		MUST(pthread_create(&threads[i], NULL, write_stripes, &numbers[i]) == 0);
	for (int i = 0; i < APPENDERS; i++) {
		void *result;

		MUST(pthread_join(threads[i], &result) == 0 && result != NULL);
	}
	for (size_t i = 0; i < COUNT * APPENDERS; i++) {
		read_at(fd, data, STRIPE, (off_t)(i * STRIPE));
		MUST(is_pattern(data, STRIPE, i * STRIPE));
	}
}

static void check_truncate(void)
{
	static uint8_t data[100000], back[100000];
	int fd;

	fill_pattern(data, sizeof(data), 3);
	fd = make_file("f", data, sizeof(data));
	MUST(ftruncate(fd, 50001) == 0 && stat_of("f").st_size == 50001);
	MUST(truncate("f", 90000) == 0 && stat_of("f").st_size == 90000);
	read_at(fd, back, 90000, 0);
	MUST(memcmp(back, data, 50001) == 0);
	MUST(is_zero(back + 50001, 90000 - 50001));
	MUST(ftruncate(fd, 10) == 0 && ftruncate(fd, 4000) == 0);
	read_at(fd, back, 4000, 0);
	MUST(memcmp(back, data, 10) == 0 && is_zero(back + 10, 3990));
	MUST(ftruncate(fd, 0) == 0 && pread(fd, back, 1, 0) == 0);
	MUST(stat_of("f").st_blocks == 0);
	MUST_FAIL(ftruncate(fd, -1), EINVAL);
	close(fd);
	fd = open("f", O_RDONLY);
	MUST_FAIL(ftruncate(fd, 0), EINVAL);
}

static void check_open_truncates(void)
{
	int fd = make_file("f", "old content", 11), other;
	struct stat before = stat_of("f");

	other = open("f", O_WRONLY | O_TRUNC);
	MUST(other >= 0 && stat_of("f").st_size == 0);
	MUST(stat_of("f").st_ino == before.st_ino);
	MUST(write(other, "new", 3) == 3);
	MUST(lseek(fd, 0, SEEK_END) == 3);
}

static void check_holes(void)
{
	uint8_t back[8192];
	int fd = make_file("f", "", 0);

	write_at(fd, "x", 1, 10000);
	write_at(fd, "y", 1, 5000000);
	MUST(stat_of("f").st_size == 5000001);
	MUST(stat_of("f").st_blocks * 512 < 1000000);
	read_at(fd, back, 8192, 0);
	MUST(is_zero(back, 8192));
	read_at(fd, back, 2, 9999);
	MUST(back[0] == 0 && back[1] == 'x');
	read_at(fd, back, 8192, 3000000);
	MUST(is_zero(back, 8192));
	read_at(fd, back, 1, 5000000);
	MUST(back[0] == 'y');
}

static void check_terabyte(void)
{
	uint8_t back[4096];
	int fd = make_file("f", "start", 5);

	MUST(ftruncate(fd, TIB) == 0 && stat_of("f").st_size == TIB);
	write_at(fd, "end", 3, TIB - 3);
	MUST(stat_of("f").st_size == TIB && stat_of("f").st_blocks * 512 < 1000000);
	read_at(fd, back, 3, TIB - 3);
	MUST(memcmp(back, "end", 3) == 0);
	read_at(fd, back, sizeof(back), TIB / 2);
	MUST(is_zero(back, sizeof(back)));
	write_at(fd, "middle", 6, TIB / 3);
	read_at(fd, back, 6, TIB / 3);
	MUST(memcmp(back, "middle", 6) == 0);
	MUST(ftruncate(fd, 5) == 0);
	MUST(ftruncate(fd, TIB) == 0);
	read_at(fd, back, 6, TIB / 3);
	MUST(is_zero(back, 6));
	read_at(fd, back, 3, TIB - 3);
	MUST(is_zero(back, 3));
}

static void check_vectors(void)
{
	char first[] = "abc", second[] = "defgh", third[] = "ij", a[3], b[5], c[100];
	struct iovec out[3] = {{first, 3}, {second, 5}, {third, 2}};
	struct iovec in[3] = {{a, 3}, {b, 5}, {c, 100}};
	int fd = make_file("f", "", 0);

	MUST(pwritev(fd, out, 3, 7) == 10);
	MUST(preadv(fd, in, 3, 7) == 10);
	MUST(memcmp(a, "abc", 3) == 0 && memcmp(b, "defgh", 5) == 0 && memcmp(c, "ij", 2) == 0);
}

static void check_wrong_direction(void)
{
	char byte = 0;
	int fd = make_file("f", "abc", 3), reader = open("f", O_RDONLY);
	int writer = open("f", O_WRONLY);

	MUST(fd >= 0 && reader >= 0 && writer >= 0);
	MUST_FAIL(write(reader, &byte, 1), EBADF);
	MUST_FAIL(read(writer, &byte, 1), EBADF);
	MUST_FAIL(open(".", O_WRONLY), EISDIR);
	MUST_FAIL(read(open(".", O_RDONLY), &byte, 1), EISDIR);
}

static void check_direct(void)
{
	uint8_t *data = NULL, *back = NULL;
	int fd = open("f", O_RDWR | O_CREAT | O_DIRECT, 0644);

	if (fd < 0 && errno == EINVAL)
		check_skip("no O_DIRECT here");
	MUST(posix_memalign((void **)&data, 4096, MIB) == 0);
	MUST(posix_memalign((void **)&back, 4096, MIB) == 0);
	fill_pattern(data, MIB, 11);
	write_at(fd, data, MIB, 4096);
	read_at(fd, back, MIB, 4096);
	MUST(memcmp(data, back, MIB) == 0);
}

/* A descriptor outlives its file's name. */
static void check_unlinked(void)
{
	char text[16];
	struct stat st;
	int fd = make_file("f", "before", 6);

	MUST(unlink("f") == 0);
	MUST_FAIL(access("f", F_OK), ENOENT);
	write_at(fd, "after", 5, 6);
	read_at(fd, text, 11, 0);
	MUST(memcmp(text, "beforeafter", 11) == 0);
	MUST(fstat(fd, &st) == 0 && st.st_nlink == 0 && st.st_size == 11);
	MUST(fchmod(fd, 0600) == 0 && ftruncate(fd, 3) == 0);
	MUST(fstat(fd, &st) == 0 && st.st_size == 3 && (st.st_mode & 07777) == 0600);
}

const struct check content_checks[] = {
	{"a file of 0 bytes", check_empty},
	{"files around every border of size", check_sizes},
	{"random overwriting", check_random_overwrite},
	{"appending", check_append},
	{"four appenders together", check_append_together},
	{"four writers of one file", check_parallel_writers},
	{"truncating down and up", check_truncate},
	{"O_TRUNC", check_open_truncates},
	{"holes read as zeroes and take no space", check_holes},
	{"a sparse file of one terabyte", check_terabyte},
	{"readv and writev", check_vectors},
	{"descriptors of one direction, directories", check_wrong_direction},
	{"O_DIRECT", check_direct},
	{"an unlinked file lives while it is open", check_unlinked},
	{NULL, NULL},
};

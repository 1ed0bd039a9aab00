/* fallocate, SEEK_HOLE and SEEK_DATA, copy_file_range, statfs. */
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MIB (1u << 20)

static void check_fallocate(void)
{
	static uint8_t data[50000], back[50000];
	int fd;

	fill_pattern(data, sizeof(data), 1);
	fd = make_file("f", data, sizeof(data));
	MUST(fallocate(fd, 0, 0, 100000) == 0 && stat_of("f").st_size == 100000);
	MUST(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 200000) == 0);
	MUST(stat_of("f").st_size == 100000);
	read_at(fd, back, sizeof(back), 0);
	MUST(memcmp(back, data, sizeof(data)) == 0);
	read_at(fd, back, sizeof(back), 50000);
	MUST(is_zero(back, sizeof(back)));
	MUST_FAIL(fallocate(fd, 0, 0, 0), EINVAL);
	MUST_FAIL(fallocate(fd, 0, -1, 10), EINVAL);
	MUST(posix_fallocate(fd, 0, 150000) == 0 && stat_of("f").st_size == 150000);
}

static void punch(int mode)
{
	static uint8_t data[50000], back[50000];
	int fd;

	fill_pattern(data, sizeof(data), 2);
	fd = make_file("f", data, sizeof(data));
	if (fallocate(fd, mode | FALLOC_FL_KEEP_SIZE, 5001, 20000) != 0 && errno == EOPNOTSUPP)
		check_skip("not supported here");
	MUST(stat_of("f").st_size == 50000);
	read_at(fd, back, sizeof(back), 0);
	MUST(memcmp(back, data, 5001) == 0 && is_zero(back + 5001, 20000));
	MUST(memcmp(back + 25001, data + 25001, 50000 - 25001) == 0);
}

static void check_punch(void)
{
	punch(FALLOC_FL_PUNCH_HOLE);
}

static void check_zero_range(void)
{
	punch(FALLOC_FL_ZERO_RANGE);
}

static void check_seek(void)
{
	off_t hole, data;
	int fd = make_file("f", "x", 1);

	write_at(fd, "y", 1, 8 * MIB);
	MUST(lseek(fd, 0, SEEK_DATA) == 0);
	hole = lseek(fd, 0, SEEK_HOLE);
	MUST(hole >= 1 && hole <= (off_t)MIB);
	data = lseek(fd, hole, SEEK_DATA);
	MUST(data > 7 * (off_t)MIB && data <= 8 * (off_t)MIB);
	MUST(lseek(fd, data, SEEK_HOLE) == 8 * (off_t)MIB + 1);
	MUST_FAIL(lseek(fd, 8 * MIB + 1, SEEK_DATA), ENXIO);
	MUST_FAIL(lseek(fd, 9 * MIB, SEEK_HOLE), ENXIO);
	MUST(ftruncate(fd, 16 * MIB) == 0);
	MUST_FAIL(lseek(fd, 9 * MIB, SEEK_DATA), ENXIO);
	MUST(lseek(fd, 9 * MIB, SEEK_HOLE) == 9 * (off_t)MIB);
	MUST(lseek(fd, 0, SEEK_END) == 16 * (off_t)MIB);
	MUST_FAIL(lseek(fd, -1, SEEK_SET), EINVAL);
}

static void copy_all(int from, int to, size_t len)
{
	loff_t in = 0, out = 0;

	while ((size_t)in < len) {
		ssize_t got = copy_file_range(from, &in, to, &out, len - (size_t)in, 0);

		MUST(got > 0);
	}
	MUST(out == in);
	MUST(copy_file_range(from, &in, to, &out, 100, 0) == 0);
}

static void check_copy_range(void)
{
	enum { LEN = 3 * MIB + 333 };
	uint8_t *data = malloc(LEN), *back = malloc(LEN);
	loff_t in = 1000, out = 77;
	int from, to;

	MUST(data && back);
	fill_pattern(data, LEN, 4);
	from = make_file("from", data, LEN);
	to = make_file("to", "", 0);
	copy_all(from, to, LEN);
	read_at(to, back, LEN, 0);
	MUST(memcmp(back, data, LEN) == 0 && stat_of("to").st_size == LEN);
	MUST(copy_file_range(from, &in, to, &out, 5000, 0) == 5000);
	read_at(to, back, 5000, 77);
	MUST(memcmp(back, data + 1000, 5000) == 0);
	in = 0;
	out = 10000;
	MUST(copy_file_range(to, &in, to, &out, 10000, 0) == 10000);
	out = 9999;
	in = 0;
	MUST_FAIL(copy_file_range(to, &in, to, &out, 10000, 0), EINVAL);
}

/* A sparse file of more than one call's worth. */
static void check_copy_large(void)
{
	enum { LEN = 20 * MIB };
	uint8_t back[100];
	int from = make_file("from", "start", 5), to = make_file("to", "", 0);

	write_at(from, "end", 3, LEN - 3);
	copy_all(from, to, LEN);
	read_at(to, back, 5, 0);
	MUST(memcmp(back, "start", 5) == 0);
	read_at(to, back, 3, LEN - 3);
	MUST(memcmp(back, "end", 3) == 0);
	read_at(to, back, 100, 9 * MIB);
	MUST(is_zero(back, 100));
}

static void check_statfs(void)
{
	struct statvfs st;

	MUST(statvfs(".", &st) == 0);
	MUST(st.f_bsize >= 512 && st.f_frsize >= 512 && st.f_namemax == 255);
	MUST(st.f_blocks > 0 && st.f_bfree <= st.f_blocks && st.f_bavail <= st.f_bfree);
}

const struct check range_checks[] = {
	{"fallocate", check_fallocate},
	{"fallocate punches holes", check_punch},
	{"fallocate zeroes ranges", check_zero_range},
	{"SEEK_HOLE and SEEK_DATA", check_seek},
	{"copy_file_range", check_copy_range},
	{"copy_file_range of 20 MiB", check_copy_large},
	{"statvfs", check_statfs},
	{NULL, NULL},
};

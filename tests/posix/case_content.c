/* What is in a file: every way to change and to copy it. */
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static int make_pattern(const char *name, size_t len)
{
	uint8_t *data = malloc(len + 1);
	int fd = open(name, O_CREAT | O_TRUNC | O_RDWR, 0644);

	if (!data || fd < 0)
		_exit(3);
	fill_pattern(data, len, 5);
	write_at(fd, data, len, 0);
	free(data);
	return fd;
}

static void sizes(void)
{
	static const long long lengths[] = {0,    1,     511,   512,    4095,	4096,    4097,    65535,
					    65536, 65537, 262143, 262144, 262145, 1048576, 1048577, 3000000};
	const size_t count = sizeof(lengths) / sizeof(lengths[0]);

	for (size_t from = 0; from < count; from++)
		for (size_t to = 0; to < count; to++) {
			int fd;

			if (!is_chosen((unsigned int)(from * count + to)))
				continue;
			fd = make_pattern("f", (size_t)lengths[from]);
			step(ftruncate(fd, lengths[to]), "from %lld to %lld", lengths[from], lengths[to]);
			look_into("f");
			step(ftruncate(fd, lengths[from]), "and back");
			look_into("f");
			DO(pwrite(fd, "end", 3, lengths[from]));
			look_into("f");
			close(fd);
		}
}

static const struct {
	const char *name;
	int value;
} modes[] = {
	{"0", 0},
	{"KEEP_SIZE", FALLOC_FL_KEEP_SIZE},
	{"PUNCH", FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE},
	{"PUNCH alone", FALLOC_FL_PUNCH_HOLE},
	{"ZERO", FALLOC_FL_ZERO_RANGE},
	{"ZERO KEEP_SIZE", FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE},
	{"COLLAPSE", FALLOC_FL_COLLAPSE_RANGE},
	{"INSERT", FALLOC_FL_INSERT_RANGE},
	{"UNSHARE", FALLOC_FL_UNSHARE_RANGE},
	{"unknown", 0x1000},
};

static void ranges(void)
{
	static const long long places[][2] = {{0, 0},	    {0, 4096},     {0, 10000},  {5, 100},
					      {4096, 4096}, {4000, 200},   {9999, 1},   {9999, 2},
					      {10000, 1},   {20000, 5000}, {-1, 5},     {5, -1},
					      {3, 300000},  {0, 1 << 20}};
	for (size_t mode = 0; mode < sizeof(modes) / sizeof(modes[0]); mode++)
		for (size_t place = 0; place < sizeof(places) / sizeof(places[0]); place++) {
			int fd;

			fd = make_pattern("f", 10000);
			step(fallocate(fd, modes[mode].value, places[place][0], places[place][1]),
			     "fallocate %s %lld %lld", modes[mode].name, places[place][0],
			     places[place][1]);
			look_into("f");
			look("f");
			close(fd);
		}
	DO(mkfifo("p", 0644));
	DO(fallocate(open("p", O_RDWR), 0, 0, 10));
}

/* Data and holes of files whose blocks are 4096 bytes on both sides. */
static void seek_holes(void)
{
	int fd = OPEN(open("f", O_CREAT | O_RDWR, 0644));

	DO(lseek(fd, 0, SEEK_DATA));
	DO(lseek(fd, 0, SEEK_HOLE));
	DO(pwrite(fd, "x", 1, 0));
	DO(lseek(fd, 0, SEEK_DATA));
	DO(lseek(fd, 0, SEEK_HOLE));
	DO(lseek(fd, 1, SEEK_HOLE));
	DO(lseek(fd, 1, SEEK_DATA));
	DO(lseek(fd, -1, SEEK_DATA));
	DO(ftruncate(fd, 10 << 20));
	DO(pwrite(fd, "x", 1, 5 << 20));
	DO(fsync(fd));
	for (off_t at = 0; at < 11 << 20; at += 524288) {
		step(lseek(fd, at, SEEK_DATA), "data from %lld", (long long)at);
		step(lseek(fd, at, SEEK_HOLE), "hole from %lld", (long long)at);
	}
	DO(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 5 << 20, 4096));
	DO(lseek(fd, 4096, SEEK_DATA));
	DO(lseek(fd, 0, SEEK_HOLE));
	DO(lseek(fd, 0, SEEK_END));
}

static void copies(void)
{
	static const long long places[][3] = {{0, 0, 10000},   {0, 0, 20000},  {5000, 0, 100},
					      {0, 5000, 9000}, {9990, 0, 100}, {10000, 0, 5},
					      {0, 30000, 10},  {0, 0, 0},      {4096, 8192, 4096},
					      {-1, 0, 5},      {0, -1, 5},     {3, 5, 7777}};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		off_t from = places[i][0], to = places[i][1];
		int source = make_pattern("f", 10000), target = make_pattern("g", 2000);

		step(copy_file_range(source, &from, target, &to, (size_t)places[i][2], 0),
		     "copy %lld %lld %lld", places[i][0], places[i][1], places[i][2]);
		note("offsets", "%lld %lld", (long long)from, (long long)to);
		look_into("g");
		from = places[i][0], to = places[i][1] + 5000;
		step(copy_file_range(source, &from, source, &to, (size_t)places[i][2] / 2, 0),
		     "within %lld %lld %lld", places[i][0], places[i][1] + 5000, places[i][2] / 2);
		look_into("f");
		from = places[i][0], to = places[i][1] + 1;
		step(copy_file_range(source, &from, source, &to, (size_t)places[i][2], 0), "overlapping");
		look_into("f");
		close(source);
		close(target);
	}
	DO(copy_file_range(open("f", O_RDONLY), NULL, open("g", O_WRONLY), NULL, 100, 1));
	DO(copy_file_range(open("f", O_RDONLY), NULL, open("g", O_WRONLY | O_APPEND), NULL, 100, 0));
	DO(lseek(open("f", O_RDONLY), 0, SEEK_END));
	DO(sendfile(open("g", O_WRONLY), open("f", O_RDONLY), NULL, 5000));
	look_into("g");
}

static void vectors(void)
{
	char a[10] = "aaaaaaaaa", b[5000], c[3] = "cc";
	struct iovec parts[4] = {{a, 9}, {b, 5000}, {NULL, 0}, {c, 2}};
	int fd = OPEN(open("f", O_CREAT | O_RDWR, 0644));

	memset(b, 'b', sizeof(b));
	DO(writev(fd, parts, 4));
	DO(writev(fd, parts, 0));
	DO(pwritev(fd, parts, 4, 100));
	DO(pwritev2(fd, parts, 1, 0, RWF_APPEND));
	DO(pwritev2(fd, parts, 1, 20, RWF_DSYNC));
	DO(pwritev2(fd, parts, 1, 30, RWF_SYNC));
	DO(pwritev2(fd, parts, 1, 30, 0x4000000));
	look_into("f");
	DO(preadv(fd, parts, 4, 3000));
	DO(preadv(fd, parts, 4, 100000));
	note("read", "%.9s", a);
}

static void direct(void)
{
	char *buffer;
	int fd = OPEN(open("f", O_CREAT | O_RDWR | O_DIRECT, 0644)), beside;

	if (posix_memalign((void **)&buffer, 4096, 65536) != 0)
		_exit(3);
	memset(buffer, 'd', 65536);
	DO(pwrite(fd, buffer, 65536, 0));
	DO(pread(fd, buffer, 4096, 61440));
	DO(pread(fd, buffer, 65536, 61440));
	beside = OPEN(open("f", O_RDWR));
	DO(pwrite(beside, "buffered", 8, 4096));
	DO(pread(fd, buffer, 4096, 4096));
	note("sees", "%.8s", buffer);
	DO(pwrite(fd, buffer, 4096, 8192));
	DO(pread(beside, buffer, 100, 8192));
	note("sees", "%.8s", buffer);
	DO(ftruncate(beside, 5000));
	DO(pread(fd, buffer, 8192, 0));
	look_into("f");
}

static void unlinked(void)
{
	char buffer[16] = "";
	int fd = make_pattern("f", 100000), other = OPEN(open("f", O_RDWR));

	DO(unlink("f"));
	DO(pwrite(fd, "written", 7, 0));
	DO(pread(other, buffer, 7, 0));
	note("sees", "%s", buffer);
	look_at(fd, "without a name");
	DO(fchmod(fd, 0600));
	DO(fchown(fd, 7, 7));
	DO(ftruncate(fd, 50));
	DO(fsync(other));
	DO(linkat(other, "", AT_FDCWD, "back", AT_EMPTY_PATH));
	OPEN(open("f", O_CREAT | O_EXCL | O_RDWR, 0644));
	look("f");
	look_at(other, "still");
	DO(close(fd));
	DO(pread(other, buffer, 7, 0));
	note("sees", "%s", buffer);
}

static sigjmp_buf back;

static void on_bus_error(int number)
{
	siglongjmp(back, number);
}

/* What a mapping shows of a file that shrinks and grows. */
static void touch(volatile char *map, size_t at)
{
	int number = sigsetjmp(back, 1);

	if (number == 0)
		note("byte", "%zu: %d", at, map[at]);
	else
		note("byte", "%zu: signal %d", at, number);
}

static void truncated_mapping(void)
{
	const struct sigaction action = {.sa_handler = on_bus_error};
	int fd = make_pattern("f", 20000);
	char *map;

	sigaction(SIGBUS, &action, NULL);
	map = mmap(NULL, 32768, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	note("mmap", "%s", map == MAP_FAILED ? strerrorname_np(errno) : "yes");
	if (map == MAP_FAILED)
		return;
	touch(map, 19999);
	touch(map, 20001);
	touch(map, 24576);
	map[100] = 'x';
	map[15000] = 'y';
	DO(ftruncate(fd, 5000));
	touch(map, 100);
	touch(map, 4999);
	touch(map, 5001);
	touch(map, 8192);
	touch(map, 15000);
	DO(ftruncate(fd, 20000));
	touch(map, 15000);
	touch(map, 5001);
	map[6000] = 'z';
	DO(msync(map, 20000, MS_SYNC));
	look_into("f");
	DO(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 8192));
	touch(map, 100);
	touch(map, 6000);
	DO(munmap(map, 32768));
	look_into("f");
}

/* What is only in a mapping yet is no hole: a copy that skips holes would lose it. */
static void mapped_hole(void)
{
	int fd = OPEN(open("f", O_CREAT | O_RDWR, 0644));
	char *map;

	DO(ftruncate(fd, 4096));
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	note("mmap", "%s", map == MAP_FAILED ? strerrorname_np(errno) : "yes");
	if (map == MAP_FAILED)
		return;
	memcpy(map + 1000, "mapped", 6);
	DO(lseek(fd, 0, SEEK_DATA));
	DO(lseek(fd, 0, SEEK_HOLE));
	DO(lseek(fd, 4096, SEEK_HOLE));
	look_into("f");
	DO(munmap(map, 4096));
	look_into("f");
}

static void appenders(void)
{
	static const int count = 4, each = 200;
	int fd, seen[4] = {0}, wrong = 0;
	char record[100];

	for (int child = 0; child < count; child++)
		if (fork() == 0) {
			fd = open("f", O_CREAT | O_WRONLY | O_APPEND, 0644);
			memset(record, 'a' + child, sizeof(record));
			for (int i = 0; i < each; i++)
				if (write(fd, record, sizeof(record)) != sizeof(record))
					_exit(1);
			_exit(0);
		}
	for (int status; wait(&status) > 0;)
		wrong += status != 0;
	fd = OPEN(open("f", O_RDONLY));
	while (read(fd, record, sizeof(record)) == sizeof(record)) {
		for (size_t i = 1; i < sizeof(record); i++)
			wrong += record[i] != record[0];
		if (record[0] >= 'a' && record[0] < 'a' + count)
			seen[record[0] - 'a']++;
	}
	note("records", "%d %d %d %d, wrong %d", seen[0], seen[1], seen[2], seen[3], wrong);
	look("f");
}

const struct check content_cases[] = {
	{"content: truncate from every size to every size", sizes},
	{"content: fallocate", ranges},
	{"content: SEEK_DATA and SEEK_HOLE", seek_holes},
	{"content: copy_file_range and sendfile", copies},
	{"content: vectors and RWF flags", vectors},
	{"content: O_DIRECT beside buffered", direct},
	{"content: unlinked while open", unlinked},
	{"content: truncated while mapped", truncated_mapping},
	{"content: a hole that is mapped and written", mapped_hole},
	{"content: four processes append", appenders},
	{NULL, NULL},
};

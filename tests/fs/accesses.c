/*
 * accesses FILE: a known sequence of reads and writes of a file of 1 MiB or
 * more on the mount, and on standard output the records they must give:
 *
 *	PID N                            the process that did it
 *	READ|WRITE OFFSET LENGTH BYTES   one direct request, in this order
 *	FILL POSITION N                  at least N page-cache fills that hold it
 *	WRITEBACK POSITION               at least one page write-back that holds it
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MIB (1u << 20)
#define PAGE 4096
#define DROP_SECONDS 10

static char *buffer; /* 2 MiB, aligned */

#define MUST(condition)                                                              \
	do {                                                                         \
		if (!(condition)) {                                                  \
			fprintf(stderr, "accesses.c:%d: %s: %s\n", __LINE__, #condition, \
				strerror(errno));                                    \
			exit(EXIT_FAILURE);                                          \
		}                                                                    \
	} while (0)

static void do_read(int fd, off_t offset, size_t len, ssize_t want)
{
	MUST(pread(fd, buffer, len, offset) == want);
	printf("READ %lld %zu %zd\n", (long long)offset, len, want);
}

static void do_write(int fd, off_t offset, size_t len)
{
	MUST(pwrite(fd, buffer, len, offset) == (ssize_t)len);
	printf("WRITE %lld %zu %zu\n", (long long)offset, len, len);
}

static void read_directly(const char *path)
{
	struct iovec parts[2] = {{buffer, 100}, {buffer + 200, 300}};
	int fd = open(path, O_RDONLY);
	struct stat st;

	MUST(fd >= 0 && fstat(fd, &st) == 0);
	for (int i = 0; i < 3; i++) {
		MUST(read(fd, buffer, PAGE) == PAGE);
		printf("READ %d %d %d\n", i * PAGE, PAGE, PAGE);
	}
	do_read(fd, 5000, 1, 1);
	do_read(fd, 5000, 1, 1);
	do_read(fd, 123, 100000, 100000);
	do_read(fd, 0, MIB, MIB);
	do_read(fd, st.st_size - 10, 100, 10);
	do_read(fd, st.st_size, 100, 0);
	MUST(preadv(fd, parts, 2, 77) == 400);
	printf("READ 77 400 400\n");
	MUST(close(fd) == 0);
}

static void write_directly(const char *path)
{
	int fd = open(path, O_RDWR), durable = open(path, O_WRONLY | O_DSYNC);

	MUST(fd >= 0 && durable >= 0);
	memset(buffer, 'w', MIB);
	do_write(fd, 10, 1);
	do_write(fd, 4000, 200);
	do_write(fd, 0, MIB);
	do_write(durable, 8192, 4096);
	do_read(fd, 8192, 4096, 4096);
	MUST(close(fd) == 0 && close(durable) == 0);
}

/* Until the page is out of the page cache: the daemon drops what it filled. */
static void wait_dropped(void *page)
{
	const struct timespec moment = {.tv_nsec = 1000000};
	unsigned char resident = 1;

	for (int i = 0; i < DROP_SECONDS * 1000 && resident & 1; i++) {
		nanosleep(&moment, NULL);
		MUST(mincore(page, PAGE, &resident) == 0);
	}
	MUST(!(resident & 1));
}

static void touch_mapping(const char *path)
{
	int fd = open(path, O_RDONLY);
	char *map = mmap(NULL, MIB, PROT_READ, MAP_SHARED, fd, 0);
	volatile char byte;

	MUST(fd >= 0 && map != MAP_FAILED);
	for (int i = 0; i < 3; i++) {
		byte = map[10 * PAGE];
		wait_dropped(map + 10 * PAGE);
	}
	(void)byte;
	printf("FILL %d 3\n", 10 * PAGE);
	MUST(munmap(map, MIB) == 0 && close(fd) == 0);
}

static void send_file(const char *path)
{
	int fd = open(path, O_RDONLY), null = open("/dev/null", O_WRONLY);
	char *map = mmap(NULL, MIB, PROT_READ, MAP_SHARED, fd, 0);

	MUST(fd >= 0 && null >= 0 && map != MAP_FAILED);
	for (int i = 0; i < 2; i++) {
		off_t at = 50 * PAGE;

		MUST(sendfile(null, fd, &at, PAGE) == PAGE);
		wait_dropped(map + 50 * PAGE);
	}
	printf("FILL %d 2\n", 50 * PAGE);
	MUST(munmap(map, MIB) == 0 && close(fd) == 0);
}

static void write_mapping(const char *path)
{
	int fd = open(path, O_RDWR);
	char *map = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	MUST(fd >= 0 && map != MAP_FAILED);
	map[100 * PAGE] = 'm';
	MUST(msync(map, MIB, MS_SYNC) == 0);
	printf("WRITEBACK %d\n", 100 * PAGE);
	MUST(munmap(map, MIB) == 0 && close(fd) == 0);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	MUST(posix_memalign((void **)&buffer, PAGE, 2 * MIB) == 0);
	printf("PID %d\n", (int)getpid());
	read_directly(argv[1]);
	write_directly(argv[1]);
	touch_mapping(argv[1]);
	send_file(argv[1]);
	write_mapping(argv[1]);
	return EXIT_SUCCESS;
}

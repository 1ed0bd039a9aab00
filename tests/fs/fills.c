/*
 * fills FILE: reads the same page of a file through a mapping and through
 * sendfile(2) again and again, each time after the daemon has dropped it from
 * the page cache.  Prints how often; each time must be a record.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <time.h>
#include <unistd.h>

#define PAGE  4096
#define LEN   (64 * PAGE)
#define PLACE (20 * PAGE)
#define TIMES 6
#define DROP_SECONDS 10

#define MUST(condition)                                                              \
	do {                                                                         \
		if (!(condition)) {                                                  \
			fprintf(stderr, "fills.c:%d: %s: %s\n", __LINE__, #condition, \
				strerror(errno));                                    \
			exit(EXIT_FAILURE);                                          \
		}                                                                    \
	} while (0)

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

static void touch(int fd, char *map)
{
	volatile char byte;

	(void)fd;
	byte = map[PLACE];
	(void)byte;
}

static void send_page(int fd, char *map)
{
	int null = open("/dev/null", O_WRONLY);
	off_t at = PLACE;

	(void)map;
	MUST(null >= 0 && sendfile(null, fd, &at, PAGE) == PAGE);
	close(null);
}

int main(int argc, char **argv)
{
	int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;
	char *map = mmap(NULL, LEN, PROT_READ, MAP_SHARED, fd, 0);

	MUST(fd >= 0 && map != MAP_FAILED);
	for (int i = 0; i < TIMES; i++) {
		(i % 2 ? touch : send_page)(fd, map);
		wait_dropped(map + PLACE);
	}
	printf("%d\n", TIMES);
	return EXIT_SUCCESS;
}

/*
 * Writes "durable" into a new FILE, so that it is when this returns, and no fsync.
 *
 *	durable o_sync|o_dsync|rwf_dsync|rwf_sync FILE
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static const struct {
	const char *word;
	int open_flag, write_flag;
} ways[] = {
	{"o_sync", O_SYNC, 0},
	{"o_dsync", O_DSYNC, 0},
	{"rwf_dsync", 0, RWF_DSYNC},
	{"rwf_sync", 0, RWF_SYNC},
};

int main(int argc, char **argv)
{
	char text[] = "durable";
	const struct iovec iov = {text, strlen(text)};

	for (size_t i = 0; argc == 3 && i < sizeof(ways) / sizeof(ways[0]); i++) {
		int fd;

		if (strcmp(argv[1], ways[i].word) != 0)
			continue;
		fd = open(argv[2], O_WRONLY | O_CREAT | O_EXCL | ways[i].open_flag, 0644);
		if (fd >= 0 && pwritev2(fd, &iov, 1, 0, ways[i].write_flag) == (ssize_t)iov.iov_len)
			return 0;
		perror(argv[2]);
		return 1;
	}
	return 2;
}

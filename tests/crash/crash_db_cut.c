/*
 * crash-db-cut DIRECTORY FLAGS: shuts down the file system that holds the
 * directory, as a power cut would: 0 writes everything first, 1 its log, 2
 * nothing.  What is not on its disk by then never comes.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FS_SHUTDOWN _IOR('X', 125, uint32_t)

int main(int argc, char **argv)
{
	uint32_t flags;
	int fd;

	if (argc != 3) {
		fprintf(stderr, "usage: crash-db-cut DIRECTORY FLAGS\n");
		return 2;
	}
	flags = (uint32_t)strtoul(argv[2], NULL, 10);
	fd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, FS_SHUTDOWN, &flags) != 0) {
		perror(argv[1]);
		return EXIT_FAILURE;
	}
	close(fd);
	return EXIT_SUCCESS;
}

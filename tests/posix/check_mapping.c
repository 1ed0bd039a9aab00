/* What goes through the page cache: mappings, sendfile, splice, exec. */
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEN 300001

static uint8_t *map_file(int fd, int protection, int flags)
{
	void *map = mmap(NULL, LEN, protection, flags, fd, 0);

	MUST(map != MAP_FAILED);
	return map;
}

static int make_pattern_file(uint64_t seed)
{
	uint8_t *data = malloc(LEN);
	int fd;

	MUST(data);
	fill_pattern(data, LEN, seed);
	fd = make_file("f", data, LEN);
	free(data);
	return fd;
}

static void check_map_read(void)
{
	int fd = make_pattern_file(1);
	uint8_t *map = map_file(fd, PROT_READ, MAP_SHARED);

	MUST(is_pattern(map, LEN, 1) && is_zero(map + LEN, 4096 - LEN % 4096));
	MUST(munmap(map, LEN) == 0);
	map = map_file(fd, PROT_READ, MAP_PRIVATE);
	MUST(is_pattern(map, LEN, 1));
}

static void check_map_shared_write(void)
{
	uint8_t back[16];
	int fd = make_pattern_file(2);
	uint8_t *map = map_file(fd, PROT_READ | PROT_WRITE, MAP_SHARED);

	memcpy(map + 5000, "through", 7);
	MUST(msync(map, LEN, MS_SYNC) == 0);
	read_at(fd, back, 7, 5000);
	MUST(memcmp(back, "through", 7) == 0);
	memcpy(map + 200000, "the map", 7);
	MUST(munmap(map, LEN) == 0 && close(fd) == 0);
	fd = open("f", O_RDONLY);
	read_at(fd, back, 7, 200000);
	MUST(memcmp(back, "the map", 7) == 0 && stat_of("f").st_size == LEN);
}

/* read(2) and a shared mapping see the same bytes at once. */
static void check_map_coherent(void)
{
	uint8_t back[8];
	int fd = make_pattern_file(3);
	uint8_t *map = map_file(fd, PROT_READ | PROT_WRITE, MAP_SHARED);

	for (off_t at = 10; at < LEN - 8; at += 70001) {
		memcpy(map + at, "mapped", 6);
		read_at(fd, back, 6, at);
		MUST(memcmp(back, "mapped", 6) == 0);
		write_at(fd, "called", 6, at);
		MUST(memcmp(map + at, "called", 6) == 0);
	}
}

static void check_map_private_write(void)
{
	uint8_t back[8];
	int fd = make_pattern_file(4);
	uint8_t *map = map_file(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	memcpy(map, "hidden", 6);
	MUST(msync(map, LEN, MS_SYNC) == 0);
	read_at(fd, back, 6, 0);
	MUST(is_pattern(back, 6, 4) && memcmp(map, "hidden", 6) == 0);
}

/* Another process sees what this one wrote into its mapping. */
static void check_map_between_processes(void)
{
	int status, fd = make_pattern_file(5);
	uint8_t *map = map_file(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	pid_t pid = fork();

	MUST(pid >= 0);
	if (pid == 0) {
		int other = open("f", O_RDWR);
		uint8_t *theirs = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0);

		if (other < 0 || theirs == MAP_FAILED)
			_exit(1);
		memcpy(theirs + 100000, "child", 5);
		_exit(0);
	}
	MUST(waitpid(pid, &status, 0) == pid && status == 0);
	MUST(memcmp(map + 100000, "child", 5) == 0);
}

static void check_sendfile(void)
{
	uint8_t *back = malloc(LEN);
	off_t at = 0;
	int fd = make_pattern_file(6), out = memfd_create("out", 0);

	MUST(back && out >= 0);
	for (int round = 0; round < 2; round++) {
		at = 0;
		while (at < LEN)
			MUST(sendfile(out, fd, &at, LEN - (size_t)at) > 0);
		MUST(sendfile(out, fd, &at, 100) == 0);
	}
	read_at(out, back, LEN, LEN);
	MUST(is_pattern(back, LEN, 6));
	write_at(fd, "changed", 7, 0);
	at = 0;
	MUST(ftruncate(out, 0) == 0 && lseek(out, 0, SEEK_SET) == 0);
	MUST(sendfile(out, fd, &at, 100) == 100);
	read_at(out, back, 7, 0);
	MUST(memcmp(back, "changed", 7) == 0);
}

static void check_splice(void)
{
	uint8_t back[4096];
	loff_t at = 4096;
	int ends[2], fd = make_pattern_file(7), copy = make_file("copy", "", 0);
	uint8_t want[8192];

	fill_pattern(want, sizeof(want), 7);
	MUST(pipe(ends) == 0 && splice(fd, &at, ends[1], NULL, 4096, 0) == 4096);
	at = 0;
	MUST(splice(ends[0], NULL, copy, &at, 4096, 0) == 4096);
	read_at(copy, back, 4096, 0);
	MUST(memcmp(back, want + 4096, 4096) == 0);
}

/* A page that was cut off is not there any more. */
static void check_map_truncate(void)
{
	int status, fd = make_pattern_file(8);
	pid_t pid = fork();

	MUST(pid >= 0);
	if (pid == 0) {
		uint8_t *map = map_file(fd, PROT_READ, MAP_SHARED);
		volatile uint8_t byte = map[200000];

		signal(SIGBUS, SIG_DFL); /* a sanitizer has one of its own */
		if (ftruncate(fd, 100) != 0)
			_exit(1);
		byte = map[200000];
		_exit(byte ? 2 : 3);
	}
	MUST(waitpid(pid, &status, 0) == pid);
	MUST(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

static void check_exec(void)
{
	int status, to = open("true", O_WRONLY | O_CREAT, 0755), from = open("/bin/true", O_RDONLY);
	char buffer[65536];
	ssize_t got;
	pid_t pid;

	MUST(from >= 0 && to >= 0);
	while ((got = read(from, buffer, sizeof(buffer))) > 0)
		MUST(write(to, buffer, (size_t)got) == got);
	MUST(close(to) == 0);
	pid = fork();
	if (pid == 0) {
		execl("./true", "true", NULL);
		_exit(errno == EACCES ? 77 : 1); /* a plain directory may be mounted noexec */
	}
	MUST(waitpid(pid, &status, 0) == pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		check_skip("not possible here");
	MUST(status == 0);
}

const struct check mapping_checks[] = {
	{"reading mappings", check_map_read},
	{"writing a shared mapping", check_map_shared_write},
	{"mappings and read(2) agree", check_map_coherent},
	{"writing a private mapping", check_map_private_write},
	{"a mapping of two processes", check_map_between_processes},
	{"sendfile", check_sendfile},
	{"splice in and out", check_splice},
	{"a mapping of what was cut off", check_map_truncate},
	{"running a program", check_exec},
	{NULL, NULL},
};

/*
 * Requests whose records are known: does them and says what must be recorded.
 *
 *	requests fill FILE       make FILE, SIZE bytes
 *	requests direct FILE     reads and writes of every size and place
 *	requests mapped FILE     the same data through mappings, sendfile and splice
 *	requests handles FILE OPENER STRANGER OTHER   three uids, see below
 *
 * Lines: "READ offset length bytes", "WRITE offset length" in order and exactly;
 * "FILL offset length", "WRITEBACK offset length" for what the page cache must
 * have asked for, in whatever pieces.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE    (3u << 20)
#define LARGEST (1u << 20)
#define PAGE    4096u

static uint8_t *buffer; /* aligned: a request's data lies in 256 pages, not in 257 */

static void must(int condition, const char *what)
{
	if (condition)
		return;
	printf("FAILED %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static uint8_t content(uint64_t at)
{
	return (uint8_t)(at % 251 + 1);
}

static void fill(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);

	must(fd >= 0, path);
	for (uint64_t at = 0; at < SIZE; at += LARGEST) {
		for (uint64_t i = 0; i < LARGEST; i++)
			buffer[i] = content(at + i);
		must(pwrite(fd, buffer, LARGEST, (off_t)at) == (ssize_t)LARGEST, "filling");
	}
	must(close(fd) == 0, "close");
}

/* --- direct ------------------------------------------------------------------- */

static void check_content(uint64_t offset, ssize_t len)
{
	for (ssize_t i = 0; i < len; i++)
		must(buffer[i] == content(offset + (uint64_t)i), "content");
}

static void read_at(int fd, uint64_t offset, size_t len, ssize_t expected)
{
	must(pread(fd, buffer, len, (off_t)offset) == expected, "pread");
	check_content(offset, expected);
	printf("READ %llu %zu %zd\n", (unsigned long long)offset, len, expected);
}

static void read_on(int fd, uint64_t offset, size_t len)
{
	must(read(fd, buffer, len) == (ssize_t)len, "read");
	check_content(offset, (ssize_t)len);
	printf("READ %llu %zu %zu\n", (unsigned long long)offset, len, len);
}

static void write_at(int fd, uint64_t offset, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buffer[i] = content(offset + i);
	must(pwrite(fd, buffer, len, (off_t)offset) == (ssize_t)len, "pwrite");
	printf("WRITE %llu %zu\n", (unsigned long long)offset, len);
}

static void direct(const char *path)
{
	int fd = open(path, O_RDWR), copy;

	must(fd >= 0, path);
	read_on(fd, 0, 100);
	read_on(fd, 100, PAGE);
	copy = dup(fd);
	read_on(copy, 100 + PAGE, 1);
	read_at(fd, LARGEST, LARGEST, LARGEST);
	/* Twice is two. */
	read_at(fd, 4 * PAGE, PAGE, PAGE);
	read_at(fd, 4 * PAGE, PAGE, PAGE);
	read_at(fd, 12345, 54321, 54321);
	read_at(fd, SIZE - 4, 10, 4);
	read_at(fd, SIZE, 10, 0);
	write_at(fd, 0, 5000);
	write_at(fd, 16 * PAGE, LARGEST);
	write_at(fd, SIZE - 1, 300);
	read_at(copy, SIZE - 1, 300, 300);
	close(copy);
	close(fd);
}

/* --- through the page cache ------------------------------------------------------ */

static void touch(const uint8_t *map, uint64_t offset)
{
	must(map[offset] == content(offset), "content of the mapping");
	printf("FILL %llu 1\n", (unsigned long long)offset);
}

static void send_part(int fd, uint64_t offset, size_t len)
{
	int out = open("/dev/null", O_WRONLY);
	off_t at = (off_t)offset;
	size_t sent = 0;

	must(out >= 0, "/dev/null");
	while (sent < len) {
		ssize_t now = sendfile(out, fd, &at, len - sent);

		must(now > 0, "sendfile");
		sent += (size_t)now;
	}
	printf("FILL %llu %zu\n", (unsigned long long)offset, len);
	close(out);
}

static void splice_part(int fd, uint64_t offset, size_t len)
{
	loff_t at = (loff_t)offset;
	int ends[2];

	must(pipe(ends) == 0, "pipe");
	must(splice(fd, &at, ends[1], NULL, len, 0) == (ssize_t)len, "splice");
	must(read(ends[0], buffer, len) == (ssize_t)len, "read from the pipe");
	check_content(offset, (ssize_t)len);
	printf("FILL %llu %zu\n", (unsigned long long)offset, len);
	close(ends[0]);
	close(ends[1]);
}

static void mapped(const char *path)
{
	int fd = open(path, O_RDWR);
	uint8_t *map;

	must(fd >= 0, path);
	map = mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE, fd, 0);
	must(map != MAP_FAILED, "private mmap");
	touch(map, 20 * PAGE + 7);
	touch(map, SIZE - 1);
	must(munmap(map, SIZE) == 0, "munmap");
	send_part(fd, 100 * PAGE + 1, 10000);
	splice_part(fd, 200 * PAGE, 2 * PAGE);
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(map != MAP_FAILED, "shared mmap");
	touch(map, 300 * PAGE);
	map[400 * PAGE + 9] = content(400 * PAGE + 9);
	must(msync(map, SIZE, MS_SYNC) == 0, "msync");
	printf("WRITEBACK %u 1\n", 400 * PAGE + 9);
	must(munmap(map, SIZE) == 0, "munmap");
	close(fd);
}

/* --- whose handle ------------------------------------------------------------------ */

struct pool_thread {
	const char *path;
	int fd;
	uid_t uid;
};

/* A server's pool thread under another's uid: setfsuid is a thread's own. */
static void *serve(void *arg)
{
	const struct pool_thread *thread = arg;

	syscall(SYS_setfsuid, thread->uid);
	must(pread(thread->fd, buffer, 100, 1000) == 100, "read on the pool thread");
	printf("READ 1000 100 100\n");
	/* What it opens itself is its own affair. */
	must(open(thread->path, O_RDONLY) == -1 && errno == EACCES, "open of the stranger");
	return NULL;
}

static void in_child(int fd, uid_t uid, off_t offset, int expected)
{
	pid_t pid = fork();
	int status;

	must(pid >= 0, "fork");
	if (pid == 0) {
		ssize_t got;

		must(setresuid(uid, uid, uid) == 0, "setresuid");
		got = pread(fd, buffer, 100, offset);
		_exit(expected == 0 ? got != 100 : got != -1 || errno != expected);
	}
	must(waitpid(pid, &status, 0) == pid, "waitpid");
	must(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child's read");
}

static uid_t parse_uid(const char *text)
{
	return (uid_t)strtoul(text, NULL, 10);
}

static void handles(char **words)
{
	struct pool_thread thread = {.path = words[0], .uid = parse_uid(words[2])};
	pthread_t id;

	syscall(SYS_setfsuid, parse_uid(words[1]));
	thread.fd = open(words[0], O_RDONLY);
	must(thread.fd >= 0, words[0]);
	syscall(SYS_setfsuid, 0);
	must(pthread_create(&id, NULL, serve, &thread) == 0, "pthread_create");
	must(pthread_join(id, NULL) == 0, "pthread_join");
	in_child(thread.fd, parse_uid(words[2]), 2000, EACCES);
	in_child(thread.fd, parse_uid(words[3]), 3000, 0);
	must(pread(thread.fd, buffer, 100, 4000) == 100, "read of the opener");
	close(thread.fd);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	must(posix_memalign((void **)&buffer, PAGE, LARGEST) == 0, "posix_memalign");
	if (argc == 3 && strcmp(argv[1], "fill") == 0)
		fill(argv[2]);
	else if (argc == 3 && strcmp(argv[1], "direct") == 0)
		direct(argv[2]);
	else if (argc == 3 && strcmp(argv[1], "mapped") == 0)
		mapped(argv[2]);
	else if (argc == 6 && strcmp(argv[1], "handles") == 0)
		handles(argv + 2);
	else
		return 2;
	return EXIT_SUCCESS;
}

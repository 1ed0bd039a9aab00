/*
 * locked DIR LOCK UNLOCK: what a lock does to a program that goes on, as TAP.
 * LOCK and UNLOCK are commands that return when the volume of DIR is so.
 */
#include "locked.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PAGE    4096
#define WRITERS 100

static int checks, failures;

void report(bool is_good, const char *name)
{
	failures += !is_good;
	printf("%s %d - %s\n", is_good ? "ok" : "not ok", ++checks, name);
}

static void run(const char *command, const char *name)
{
	CHECK(system(command) == 0, name);
}

static int make(const char *name, const char *text)
{
	int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0644);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), name);
	return fd;
}

static char *map_dirty(const char *name)
{
	int fd = make(name, "clean");
	char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(ftruncate(fd, PAGE) == 0 && map != MAP_FAILED, "a shared mapping");
	close(fd);
	if (map == MAP_FAILED)
		exit(EXIT_FAILURE);
	memcpy(map, "dirty", 5);
	return map;
}

static void hold(struct held *held)
{
	held->file = make("file", "text");
	held->other = make("other", "other");
	held->reader = open("file", O_RDONLY);
	CHECK(fsetxattr(held->file, "user.x", "value", 5, 0) == 0, "an attribute");
	CHECK(symlink("file", "symlink") == 0 && mkdir("dir", 0755) == 0, "names");
	close(make("dir/inside", "inside"));
	held->dir = opendir("dir");
	held->dir_fd = open("dir", O_RDONLY);
	CHECK(held->reader >= 0 && held->dir && held->dir_fd >= 0, "open for reading");
	held->map = map_dirty("mapped");
	CHECK(getcwd(held->cwd, sizeof(held->cwd)), "getcwd");
}

static void check_same_descriptors(struct held *held)
{
	char text[16] = "";
	int found = 0;

	CHECK(pread(held->reader, text, 16, 0) == 4 && memcmp(text, "text", 4) == 0,
	      "what was not synced is there, through the old descriptor");
	CHECK(pwrite(held->file, "TEXT", 4, 0) == 4 && pread(held->reader, text, 4, 0) == 4 &&
		      memcmp(text, "TEXT", 4) == 0,
	      "and it writes");
	while (readdir(held->dir))
		found++;
	CHECK(found == 3, "the open directory lists");
	CHECK(memcmp(held->map, "dirty", 5) == 0, "the mapping has what was written into it");
	held->map[1] = 'D';
	CHECK(msync(held->map, PAGE, MS_SYNC) == 0, "and takes more");
	CHECK(open("file", O_RDONLY) >= 0, "open");
	CHECK(fgetxattr(held->file, "user.x", text, sizeof(text)) == 5, "getxattr");
}

static void check_dirty_page(void)
{
	char text[8] = "";
	int fd = open("mapped", O_RDONLY);

	CHECK(fd >= 0 && pread(fd, text, 5, 0) == 5 && memcmp(text, "dirty", 5) == 0,
	      "a dirty page of a mapping was written back");
	close(fd);
}

/* --- writers that wait for the disk when the lock comes ------------------------------ */

static atomic_bool writers_go = true;
static _Atomic int writers_busy;

struct writer {
	pthread_t thread;
	char name[16];
	uint64_t acknowledged; /* records of 8 bytes that were durable */
	int error;
};

static void *write_durably(void *arg)
{
	struct writer *writer = arg;
	int fd = open(writer->name, O_WRONLY | O_CREAT | O_DSYNC, 0644);

	while (atomic_load(&writers_go)) {
		uint64_t next = writer->acknowledged + 1;

		if (pwrite(fd, &next, sizeof(next), (off_t)((next - 1) * sizeof(next))) < 0) {
			writer->error = errno;
			break;
		}
		writer->acknowledged = next;
		if (next == 1)
			atomic_fetch_add(&writers_busy, 1);
	}
	close(fd);
	return NULL;
}

static bool has_all(const struct writer *writer)
{
	int fd = open(writer->name, O_RDONLY);
	uint64_t value;
	bool is_good = fd >= 0;

	for (uint64_t i = 0; is_good && i < writer->acknowledged; i++)
		is_good = pread(fd, &value, sizeof(value), (off_t)(i * sizeof(value))) ==
				  sizeof(value) &&
			  value == i + 1;
	close(fd);
	return is_good;
}

static void check_writers(const char *lock, const char *unlock)
{
	static struct writer writers[WRITERS];
	int refused = 0, whole = 0;

	for (int i = 0; i < WRITERS; i++) {
		snprintf(writers[i].name, sizeof(writers[i].name), "writer-%d", i);
		if (pthread_create(&writers[i].thread, NULL, write_durably, &writers[i]))
			exit(EXIT_FAILURE);
	}
	while (atomic_load(&writers_busy) < WRITERS)
		usleep(1000);
	run(lock, "lock while a hundred threads wait for their writes");
	for (int i = 0; i < WRITERS; i++)
		pthread_join(writers[i].thread, NULL);
	run(unlock, "unlock");
	for (int i = 0; i < WRITERS; i++) {
		refused += writers[i].error == ENOKEY;
		whole += has_all(&writers[i]);
	}
	CHECK(refused == WRITERS, "each was refused in the end");
	CHECK(whole == WRITERS, "and everything they were told is durable is there");
}

int main(int argc, char **argv)
{
	static struct held held;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 4 || chdir(argv[1]) != 0)
		return 2;
	alarm(120);
	CHECK(mkdir("work", 0755) == 0 && chdir("work") == 0, "a working directory");
	hold(&held);
	run(argv[2], "lock");
	check_locked_answers(&held);
	run(argv[3], "unlock");
	check_dirty_page();
	check_same_descriptors(&held);
	check_writers(argv[2], argv[3]);
	printf("1..%d\n", checks);
	return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

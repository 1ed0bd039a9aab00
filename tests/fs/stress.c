/*
 * stress DIR OPERATIONS SEED: four threads change files of their own, compare
 * each with a model in memory, and fight over names in a directory they share.
 * The volume may be locked and unlocked meanwhile: what is refused with ENOKEY
 * must then not have happened.  Prints what is wrong; the exit status tells.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define THREADS  4
#define FILES    6
#define SIZE_MAX_OF_FILE 300000
#define PIECE    40000
#define SHARED_NAMES 12

struct file {
	char name[32];     /* "": does not exist */
	uint8_t *content;  /* SIZE_MAX_OF_FILE bytes; zero behind size */
	size_t size;
};

struct worker {
	pthread_t thread;
	unsigned int seed;
	int number, operations;
	int renames;
	struct file files[FILES];
	bool is_bad;
};

static unsigned int pick(struct worker *w, unsigned int below)
{
	return (unsigned int)rand_r(&w->seed) % below;
}

static void bad(struct worker *w, const char *what, const struct file *file)
{
	fprintf(stderr, "thread %d: %s of %s: %s\n", w->number, what, file->name, strerror(errno));
	w->is_bad = true;
}

/* True if it was done; a locked volume does nothing, anything else is wrong. */
static bool did(struct worker *w, bool is_done, const char *what, const struct file *file)
{
	if (!is_done && errno != ENOKEY)
		bad(w, what, file);
	return is_done;
}

static int open_file(struct worker *w, const struct file *file, int flags)
{
	int fd = open(file->name, flags, 0644);

	did(w, fd >= 0, "open", file);
	return fd;
}

static void make(struct worker *w, struct file *file)
{
	int fd;

	snprintf(file->name, sizeof(file->name), "own-%d/f%d", w->number, w->renames++);
	fd = open_file(w, file, O_RDWR | O_CREAT | O_EXCL);
	if (fd < 0) {
		file->name[0] = '\0';
		return;
	}
	close(fd);
	memset(file->content, 0, SIZE_MAX_OF_FILE);
	file->size = 0;
}

static void write_some(struct worker *w, struct file *file)
{
	size_t offset = pick(w, SIZE_MAX_OF_FILE - PIECE), len = 1 + pick(w, PIECE);
	int fd = open_file(w, file, O_WRONLY | (pick(w, 20) ? 0 : O_DSYNC));
	uint8_t data[PIECE];

	if (fd < 0)
		return;
	memset(data, (int)pick(w, 256), len);
	if (did(w, pwrite(fd, data, len, (off_t)offset) == (ssize_t)len, "write", file)) {
		memcpy(file->content + offset, data, len);
		if (offset + len > file->size)
			file->size = offset + len;
	}
	if (pick(w, 30) == 0)
		did(w, fsync(fd) == 0, "fsync", file);
	close(fd);
}

static void cut(struct worker *w, struct file *file)
{
	size_t size = pick(w, SIZE_MAX_OF_FILE);

	if (!did(w, truncate(file->name, (off_t)size) == 0, "truncate", file))
		return;
	if (size < file->size)
		memset(file->content + size, 0, file->size - size);
	file->size = size;
}

static void move(struct worker *w, struct file *file)
{
	char name[32];

	snprintf(name, sizeof(name), "own-%d/%s%d", w->number, pick(w, 2) ? "f" : "sub/f",
		 w->renames++);
	if (did(w, rename(file->name, name) == 0, "rename", file))
		memcpy(file->name, name, sizeof(name));
}

/* One of our files over another. */
static void replace(struct worker *w, struct file *file)
{
	struct file *target = &w->files[pick(w, FILES)];

	if (target == file || target->name[0] == '\0')
		return;
	if (!did(w, rename(file->name, target->name) == 0, "rename over", file))
		return;
	memcpy(target->content, file->content, SIZE_MAX_OF_FILE);
	target->size = file->size;
	file->name[0] = '\0';
}

static void drop(struct worker *w, struct file *file)
{
	if (did(w, unlink(file->name) == 0, "unlink", file))
		file->name[0] = '\0';
}

static void compare(struct worker *w, struct file *file)
{
	static _Thread_local uint8_t data[SIZE_MAX_OF_FILE + 1];
	struct stat st;
	ssize_t got;
	int fd = open_file(w, file, O_RDONLY);

	if (fd < 0)
		return;
	got = pread(fd, data, sizeof(data), 0);
	if (did(w, got >= 0, "read", file) &&
	    ((size_t)got != file->size || memcmp(data, file->content, file->size) != 0))
		bad(w, "content", file);
	if (did(w, fstat(fd, &st) == 0, "fstat", file) && (size_t)st.st_size != file->size)
		bad(w, "size", file);
	close(fd);
}

/* Everybody does everything to the same names: no call may fail in an odd way. */
static void fight(struct worker *w)
{
	static const int expected[] = {ENOENT, EEXIST, ENOTDIR, EISDIR, ENOTEMPTY, ENOKEY, EINVAL,
				       EPERM,  ESTALE, 0};
	char one[32], two[32];
	struct file file = {.name = "shared"};
	int result = 0, i = 0;

	snprintf(one, sizeof(one), "shared/%u", pick(w, SHARED_NAMES));
	snprintf(two, sizeof(two), "shared/%u", pick(w, SHARED_NAMES));
	errno = 0;
	switch (pick(w, 6)) {
	case 0: result = open(one, O_RDWR | O_CREAT | O_TRUNC, 0644); break;
	case 1: result = unlink(one); break;
	case 2: result = rename(one, two); break;
	case 3: result = link(one, two); break;
	case 4: result = mkdir(one, 0755); break;
	default: result = rmdir(one); break;
	}
	if (result > 0)
		close(result);
	while (result == -1 && errno != expected[i] && expected[i] != 0)
		i++;
	if (result == -1 && expected[i] == 0)
		bad(w, "a shared name", &file);
}

static void (*const changes[])(struct worker *, struct file *) = {
	write_some, write_some, write_some, write_some, cut, move, replace, drop, compare, compare};

static void *work(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < w->operations && !w->is_bad; i++) {
		struct file *file = &w->files[pick(w, FILES)];

		if (pick(w, 3) == 0)
			fight(w);
		else if (file->name[0] == '\0')
			make(w, file);
		else
			changes[pick(w, sizeof(changes) / sizeof(changes[0]))](w, file);
	}
	for (int i = 0; i < FILES && !w->is_bad; i++)
		if (w->files[i].name[0] != '\0')
			compare(w, &w->files[i]);
	return NULL;
}

/* Waits for a volume that is just locked. */
static bool make_directory(const char *name)
{
	while (mkdir(name, 0755) != 0) {
		if (errno != ENOKEY)
			return false;
		usleep(1000);
	}
	return true;
}

static bool start(struct worker *w, int number, int operations, unsigned int seed)
{
	char name[32];

	*w = (struct worker){.number = number, .operations = operations,
			     .seed = seed * THREADS + (unsigned int)number};
	snprintf(name, sizeof(name), "own-%d", number);
	if (!make_directory(name))
		return false;
	strcat(name, "/sub");
	if (!make_directory(name))
		return false;
	for (int i = 0; i < FILES; i++)
		if (!(w->files[i].content = calloc(1, SIZE_MAX_OF_FILE)))
			return false;
	return true;
}

int main(int argc, char **argv)
{
	static struct worker workers[THREADS];
	bool is_bad = false;

	if (argc != 4 || chdir(argv[1]) != 0)
		return 2;
	if (!make_directory("shared")) {
		perror("shared");
		return EXIT_FAILURE;
	}
	for (int i = 0; i < THREADS; i++)
		if (!start(&workers[i], i, atoi(argv[2]), (unsigned int)atoi(argv[3]))) {
			perror("start");
			return EXIT_FAILURE;
		}
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			return EXIT_FAILURE;
	for (int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		is_bad = is_bad || workers[i].is_bad;
	}
	return is_bad ? EXIT_FAILURE : EXIT_SUCCESS;
}

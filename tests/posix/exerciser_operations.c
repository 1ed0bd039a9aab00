/* What is done to a file, and to the model with it. */
#include "exerciser.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

void name_of_file(int file, char name[32])
{
	snprintf(name, 32, "exerciser-%d", file);
}

/*
 * The volume is locked: wait until it is not, and try again.  What is answered
 * with ENOKEY must not have happened.
 */
static bool must_wait(struct worker *w, bool has_failed)
{
	if (!has_failed || errno != ENOKEY)
		return false;
	pthread_rwlock_rdlock(&w->model->gate);
	pthread_rwlock_unlock(&w->model->gate);
	return true;
}

static struct model_file *model_of(struct worker *w, int file)
{
	return &w->model->files[file];
}

bool reopen(struct worker *w, int file)
{
	static const int flags[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, O_SYNC, O_DSYNC, O_DIRECT, O_DIRECT, O_DIRECT};
	int value = O_RDWR | O_CREAT | flags[pick(w, w->has_direct ? 15 : 12)];
	char name[32];

	name_of_file(file, name);
	if (w->fds[file] >= 0)
		close(w->fds[file]);
	do
		w->fds[file] = open(name, value, 0644);
	while (must_wait(w, w->fds[file] < 0));
	if (w->fds[file] < 0)
		violation(w, file, 0, 0, "open");
	return w->fds[file] >= 0;
}

/* --- reading ---------------------------------------------------------------------------- */

static void read_at(struct worker *w, int file, off_t offset, size_t len)
{
	struct model_file *model = model_of(w, file);
	size_t due = offset >= model->size ? 0 : (size_t)(model->size - offset);
	ssize_t got;

	if (due > len)
		due = len;
	do
		got = pread(w->fds[file], w->buffer, len, offset);
	while (must_wait(w, got < 0));
	log_done(w, file, offset, len, got);
	if (got < 0)
		violation(w, file, offset, len, "pread");
	else if ((size_t)got > due || (got == 0 && due > 0))
		violation(w, file, offset, len, "pread gives the wrong number of bytes");
	else
		compare(w, file, offset, w->buffer, (size_t)got);
}

static void do_read(struct worker *w, int file)
{
	size_t len;
	off_t offset;

	pick_range(w, file, 0, &offset, &len);
	read_at(w, file, offset, len);
}

void check_file(struct worker *w, int file)
{
	struct model_file *model = model_of(w, file);
	off_t from = file == DIVIDED ? (off_t)w->process * REGION : 0;
	off_t end = file == DIVIDED ? from + REGION : model->size;
	struct stat st;
	ssize_t got;

	if (fstat(w->fds[file], &st) != 0 || st.st_size != model->size) {
		errno = 0;
		violation(w, file, st.st_size, 0, "the size is wrong");
	}
	for (off_t at = from; at < end; at += got) {
		do
			got = pread(w->fds[file], w->buffer, (size_t)(end - at), at);
		while (must_wait(w, got < 0));
		if (got <= 0) {
			violation(w, file, at, (size_t)(end - at), "pread");
			return;
		}
		compare(w, file, at, w->buffer, (size_t)got);
	}
}

/* Through a pipe: the page cache, where pread goes past it. */
static void do_send(struct worker *w, int file)
{
	struct model_file *model = model_of(w, file);
	size_t len = 1 + pick(w, 60000);
	off_t offset = file == DIVIDED ? (off_t)w->process * REGION : pick(w, FILE_SIZE_MAX), from = offset;
	int ends[2];
	ssize_t got, had;

	if (len > REGION)
		len = REGION;
	if (offset >= model->size || pipe(ends) != 0)
		return;
	do
		got = sendfile(ends[1], w->fds[file], &from, len);
	while (must_wait(w, got < 0));
	log_done(w, file, offset, len, got);
	if (got <= 0)
		violation(w, file, offset, len, "sendfile");
	for (ssize_t at = 0; at < got; at += had) {
		had = read(ends[0], w->buffer + at, (size_t)(got - at));
		if (had <= 0)
			abort();
	}
	if (got > 0)
		compare(w, file, offset, w->buffer, (size_t)got);
	close(ends[0]);
	close(ends[1]);
}

/* What is said to be a hole is zero. */
static void do_holes(struct worker *w, int file)
{
	struct model_file *model = model_of(w, file);
	off_t end = file == DIVIDED ? (off_t)(w->process + 1) * REGION : model->size;
	off_t at = file == DIVIDED ? (off_t)w->process * REGION : 0;

	memset(w->buffer, 0, FILE_SIZE_MAX);
	while (at < end) {
		off_t hole, data;

		do
			hole = lseek(w->fds[file], at, SEEK_HOLE);
		while (must_wait(w, hole < 0));
		if (hole < at) {
			violation(w, file, at, 0, "SEEK_HOLE");
			return;
		}
		if (hole >= end)
			return;
		do
			data = lseek(w->fds[file], hole, SEEK_DATA);
		while (must_wait(w, data < 0));
		if (data < 0 && errno == ENXIO)
			data = end;
		data = data > end ? end : data;
		if (data <= hole)
			return; /* filled in between, by another process beside the region */
		compare(w, file, hole, w->buffer, (size_t)(data - hole));
		at = data;
	}
}

/* --- changing ---------------------------------------------------------------------------- */

static void has_grown(struct model_file *model, off_t end)
{
	if (end > model->size)
		model->size = end;
}

static void take(struct worker *w, int file, off_t offset, const uint8_t *data, size_t len)
{
	memcpy(model_of(w, file)->content + offset, data, len);
	has_grown(model_of(w, file), offset + (off_t)len);
}

static void write_with(struct worker *w, int file, int flags)
{
	size_t len;
	off_t offset;
	ssize_t put;
	struct iovec part;

	pick_range(w, file, 0, &offset, &len);
	fill(w, w->buffer, offset, len);
	part = (struct iovec){w->buffer, len};
	do
		put = pwritev2(w->fds[file], &part, 1, offset, flags);
	while (must_wait(w, put < 0));
	log_done(w, file, offset, len, put);
	if (put <= 0)
		violation(w, file, offset, len, "pwritev2");
	else
		take(w, file, offset, w->buffer, (size_t)put);
}

static void do_write(struct worker *w, int file)
{
	write_with(w, file, 0);
}

static void do_durable_write(struct worker *w, int file)
{
	write_with(w, file, pick(w, 2) ? RWF_DSYNC : RWF_SYNC);
}

static void do_append(struct worker *w, int file)
{
	struct model_file *model = model_of(w, file);
	size_t len = 1 + pick(w, 3000);
	off_t offset = model->size;
	struct iovec part = {w->buffer, len};
	ssize_t put;

	if (file == DIVIDED || offset + (off_t)len > FILE_SIZE_MAX)
		return;
	fill(w, w->buffer, offset, len);
	do
		put = pwritev2(w->fds[file], &part, 1, 0, RWF_APPEND);
	while (must_wait(w, put < 0));
	log_done(w, file, offset, len, put);
	if (put <= 0)
		violation(w, file, offset, len, "append");
	else
		take(w, file, offset, w->buffer, (size_t)put);
}

static void do_truncate(struct worker *w, int file)
{
	struct model_file *model = model_of(w, file);
	off_t size = pick(w, FILE_SIZE_MAX);
	int result;

	if (file == DIVIDED)
		return;
	if (pick(w, 4) == 0)
		size = model->size > 0 ? pick(w, (unsigned int)model->size) : 0;
	if (pick(w, 8) == 0)
		size = 0;
	do
		result = ftruncate(w->fds[file], size);
	while (must_wait(w, result != 0));
	log_done(w, file, size, FILE_SIZE_MAX, result);
	if (result != 0) {
		violation(w, file, size, 0, "ftruncate");
		return;
	}
	memset(model->content + size, 0, (size_t)(FILE_SIZE_MAX - size));
	model->size = size;
}

static void allocate_with(struct worker *w, int file, int mode, bool is_zeroing)
{
	struct model_file *model = model_of(w, file);
	size_t len;
	off_t offset;
	int result;

	pick_range(w, file, 0, &offset, &len);
	do
		result = fallocate(w->fds[file], mode, offset, (off_t)len);
	while (must_wait(w, result != 0));
	log_done(w, file, offset, len, result);
	if (result != 0) {
		violation(w, file, offset, len, "fallocate");
		return;
	}
	if (is_zeroing)
		memset(model->content + offset, 0, len);
	if (!(mode & FALLOC_FL_KEEP_SIZE))
		has_grown(model, offset + (off_t)len);
}

static void do_punch(struct worker *w, int file)
{
	allocate_with(w, file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, true);
}

static void do_zero(struct worker *w, int file)
{
	allocate_with(w, file, FALLOC_FL_ZERO_RANGE | (pick(w, 2) ? FALLOC_FL_KEEP_SIZE : 0), true);
}

static void do_allocate(struct worker *w, int file)
{
	allocate_with(w, file, pick(w, 2) ? FALLOC_FL_KEEP_SIZE : 0, false);
}

/* Within a file, and not overlapping: what that gives is not promised. */
static void do_copy(struct worker *w, int file)
{
	struct model_file *model = model_of(w, file);
	off_t from, to, in, out;
	size_t len, len_to;
	ssize_t put;

	pick_range(w, file, model->size, &from, &len);
	pick_range(w, file, 0, &to, &len_to);
	len = len < len_to ? len : len_to;
	if (from >= model->size || (from < to + (off_t)len && to < from + (off_t)len))
		return;
	in = from;
	out = to;
	do
		put = copy_file_range(w->fds[file], &in, w->fds[file], &out, len, 0);
	while (must_wait(w, put < 0));
	log_done(w, file, to, len, put);
	if (put <= 0) {
		violation(w, file, to, len, "copy_file_range");
		return;
	}
	memcpy(w->other, model->content + from, (size_t)put);
	take(w, file, to, w->other, (size_t)put);
}

static void do_sync(struct worker *w, int file)
{
	int result = pick(w, 2) ? fsync(w->fds[file]) : fdatasync(w->fds[file]);

	log_done(w, file, 0, 0, result);
	if (result != 0)
		violation(w, file, 0, 0, "fsync");
}

static void do_reopen(struct worker *w, int file)
{
	log_done(w, file, 0, 0, 0);
	reopen(w, file);
}

static void do_drop(struct worker *w, int file)
{
	posix_fadvise(w->fds[file], 0, 0, pick(w, 2) ? POSIX_FADV_DONTNEED : POSIX_FADV_WILLNEED);
	log_done(w, file, 0, 0, 0);
}

static void do_check(struct worker *w, int file)
{
	check_file(w, file);
}

/* --- mappings ------------------------------------------------------------------------------ */

/* Whole pages around a range of what is there; NULL if nothing is. */
static uint8_t *map_range(struct worker *w, int file, int protection, off_t *offset, size_t *len,
			  uint8_t **start)
{
	struct model_file *model = model_of(w, file);
	size_t before;
	uint8_t *map;

	if (model->size == 0)
		return NULL;
	pick_range(w, file, model->size, offset, len);
	before = (size_t)*offset % 4096;
	map = mmap(NULL, *len + before, protection, MAP_SHARED, w->fds[file], *offset - (off_t)before);
	if (map == MAP_FAILED) {
		violation(w, file, *offset, *len, "mmap");
		return NULL;
	}
	*start = map;
	return map + before;
}

static void do_map_read(struct worker *w, int file)
{
	off_t offset;
	size_t len;
	uint8_t *start, *map;

	pthread_rwlock_rdlock(&w->model->gate);
	map = map_range(w, file, PROT_READ, &offset, &len, &start);
	if (map) {
		log_done(w, file, offset, len, 0);
		compare(w, file, offset, map, len);
		munmap(start, len + (size_t)(map - start));
	}
	pthread_rwlock_unlock(&w->model->gate);
}

static void do_map_write(struct worker *w, int file)
{
	off_t offset;
	size_t len;
	uint8_t *start, *map;
	int result = 0;

	pthread_rwlock_rdlock(&w->model->gate);
	map = map_range(w, file, PROT_READ | PROT_WRITE, &offset, &len, &start);
	if (map) {
		fill(w, map, offset, len);
		take(w, file, offset, map, len);
		if (pick(w, 2))
			result = msync(start, len + (size_t)(map - start), pick(w, 2) ? MS_SYNC : MS_ASYNC);
		log_done(w, file, offset, len, result);
		if (result != 0)
			violation(w, file, offset, len, "msync");
		munmap(start, len + (size_t)(map - start));
	}
	pthread_rwlock_unlock(&w->model->gate);
}

/* A mapping that outlives truncation, locks, and the descriptor it was made from. */
static void do_map_kept(struct worker *w, int file)
{
	struct model_file *model = model_of(w, file);
	size_t len;
	off_t offset;

	if (model->size == 0)
		return;
	pthread_rwlock_rdlock(&w->model->gate);
	if (!w->maps[file]) {
		void *map = mmap(NULL, FILE_SIZE_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, w->fds[file], 0);

		w->maps[file] = map == MAP_FAILED ? NULL : map;
	}
	pick_range(w, file, model->size, &offset, &len);
	if (w->maps[file]) {
		log_done(w, file, offset, len, 0);
		compare(w, file, offset, w->maps[file] + offset, len);
		if (pick(w, 2)) {
			fill(w, w->maps[file] + offset, offset, len);
			take(w, file, offset, w->maps[file] + offset, len);
		}
	}
	if (w->maps[file] && pick(w, 20) == 0) {
		munmap(w->maps[file], FILE_SIZE_MAX);
		w->maps[file] = NULL;
	}
	pthread_rwlock_unlock(&w->model->gate);
}

/* --- choosing -------------------------------------------------------------------------------- */

/* From one end to the other, which is read ahead of; now and then something changes behind it. */
static void do_row(struct worker *w, int file)
{
	size_t len = (size_t)32768 << pick(w, 3);

	if (file == DIVIDED)
		return;
	for (off_t at = 0; at < model_of(w, file)->size; at += (off_t)len) {
		if (pick(w, 8) == 0)
			do_write(w, file);
		read_at(w, file, at, len);
	}
}

static const struct operation {
	const char *name;
	void (*run)(struct worker *w, int file);
	unsigned int weight;
} operations[] = {
	{"read", do_read, 22},	     {"write", do_write, 20},	{"map read", do_map_read, 7},
	{"map write", do_map_write, 8}, {"kept map", do_map_kept, 6}, {"truncate", do_truncate, 6},
	{"punch", do_punch, 4},      {"zero", do_zero, 3},	{"allocate", do_allocate, 3},
	{"copy", do_copy, 5},	     {"append", do_append, 4},	{"sync", do_sync, 1},
	{"durable write", do_durable_write, 1}, {"reopen", do_reopen, 6}, {"send", do_send, 2},
	{"holes", do_holes, 1},      {"drop", do_drop, 1},	{"check", do_check, 1},
	{"row", do_row, 3},
};
#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))
#define WEIGHTS    104u

static _Atomic uint64_t *counts;

void counts_shared(void)
{
	counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (counts == MAP_FAILED)
		abort();
}

void print_counts(void)
{
	printf("#");
	for (size_t i = 0; i < OPERATIONS; i++)
		printf(" %s %llu%s", operations[i].name, (unsigned long long)counts[i],
		       i + 1 < OPERATIONS ? "," : "\n");
}

/* Whoever ended in a violation may have held it: the others are to end too, not to wait. */
static void lock_file(struct worker *w, int file)
{
	pthread_mutex_t *mutex = &model_of(w, file)->mutex;

	if (pthread_mutex_lock(mutex) == EOWNERDEAD)
		pthread_mutex_consistent(mutex);
}

void operate(struct worker *w)
{
	int file = (int)pick(w, FILES);
	unsigned int chosen = pick(w, WEIGHTS);
	size_t i = 0;

	while (chosen >= operations[i].weight)
		chosen -= operations[i++].weight;
	if (file != DIVIDED)
		lock_file(w, file);
	w->number = atomic_fetch_add(&w->model->next_number, 1);
	w->what = operations[i].name;
	if (w->fds[file] >= 0 || reopen(w, file))
		operations[i].run(w, file);
	if (file != DIVIDED)
		pthread_mutex_unlock(&model_of(w, file)->mutex);
	counts[i]++;
	atomic_fetch_add(&w->model->done, 1);
}

void sabotage(struct worker *w)
{
	int file = 0, fd;
	char name[32];
	off_t offset;
	uint8_t byte;

	while (file < DIVIDED && model_of(w, file)->size == 0)
		file++;
	offset = file == DIVIDED ? (off_t)w->process * REGION : pick(w, (unsigned int)model_of(w, file)->size);
	name_of_file(file, name);
	fd = open(name, O_RDWR);
	byte = (uint8_t)(model_of(w, file)->content[offset] ^ 1);
	if (fd < 0 || pwrite(fd, &byte, 1, offset) != 1)
		abort();
	close(fd);
	printf("# sabotage: file %d at %lld\n", file, (long long)offset);
}

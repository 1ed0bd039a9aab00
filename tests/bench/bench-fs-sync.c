/* Small durable writes: one writer, many, and who reads beside them. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench-fs.h"

#define FILE_BLOCKS 256u      /* of a file that is overwritten */
#define READS_MAX   (1u << 20) /* of the bystander; later ones are not counted */
#define PERCENTILE  99u

/* --- one writer -------------------------------------------------------------------------- */

struct writer {
	const struct bench_place *place;
	unsigned int number;
	int fd;
	int failed; /* errno */
	pthread_t thread;
};

/* A file with all its blocks durable: what follows only overwrites. */
static enum err writer_open(struct writer *writer)
{
	const struct bench_place *place = writer->place;
	char name[32];

	snprintf(name, sizeof(name), "synced-%u", writer->number);
	writer->fd = openat(place->dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (writer->fd < 0 ||
	    pwrite(writer->fd, place->buffer, FILE_BLOCKS * BENCH_BLOCK, 0) !=
		    (ssize_t)(FILE_BLOCKS * BENCH_BLOCK) ||
	    fsync(writer->fd) < 0)
		return bench_failed(place, name);
	return ERR_OK;
}

static void *writer_run(void *arg)
{
	struct writer *writer = arg;
	uint64_t random = 88172645463325252u + writer->number;

	for (unsigned int i = 0; i < writer->place->syncs && writer->failed == 0; i++) {
		off_t offset = (off_t)(bench_random(&random) % FILE_BLOCKS * BENCH_BLOCK);

		if (pwrite(writer->fd, writer->place->buffer, BENCH_BLOCK, offset) < 0 ||
		    fsync(writer->fd) < 0)
			writer->failed = errno;
	}
	return NULL;
}

enum err bench_fsync(struct bench_place *place, const struct bench_workload *workload, double *rate)
{
	struct writer writer = {.place = place};
	enum err err = writer_open(&writer);
	int64_t begin = clock_boot_ns();

	if (err == ERR_OK) {
		writer_run(&writer);
		*rate = bench_per_second(place->syncs, begin);
		errno = writer.failed;
		err = errno != 0 ? bench_failed(place, workload->name) : ERR_OK;
	}
	if (writer.fd >= 0)
		close(writer.fd);
	return err;
}

/* --- many ---------------------------------------------------------------------------------- */

struct crowd {
	struct writer writers[BENCH_WRITERS];
	unsigned int count; /* opened */
};

static void crowd_close(struct crowd *crowd)
{
	while (crowd->count > 0)
		close(crowd->writers[--crowd->count].fd);
}

static enum err crowd_open(struct crowd *crowd, const struct bench_place *place)
{
	enum err err = ERR_OK;

	for (crowd->count = 0; err == ERR_OK && crowd->count < BENCH_WRITERS;) {
		struct writer *writer = &crowd->writers[crowd->count];

		*writer = (struct writer){.place = place, .number = crowd->count};
		err = writer_open(writer);
		if (writer->fd >= 0)
			crowd->count++;
	}
	if (err != ERR_OK)
		crowd_close(crowd);
	return err;
}

static void crowd_start(struct crowd *crowd)
{
	for (unsigned int i = 0; i < crowd->count; i++)
		if (pthread_create(&crowd->writers[i].thread, NULL, writer_run,
				   &crowd->writers[i]) != 0)
			abort();
}

static enum err crowd_join(struct crowd *crowd, const char *what)
{
	enum err err = ERR_OK;

	for (unsigned int i = 0; i < crowd->count; i++) {
		pthread_join(crowd->writers[i].thread, NULL);
		errno = crowd->writers[i].failed;
		if (errno != 0)
			err = bench_failed(crowd->writers[i].place, what);
	}
	return err;
}

enum err bench_fsync_many(struct bench_place *place, const struct bench_workload *workload,
			  double *rate)
{
	struct crowd crowd;
	enum err err = crowd_open(&crowd, place);
	int64_t begin = clock_boot_ns();

	if (err != ERR_OK)
		return err;
	crowd_start(&crowd);
	err = crowd_join(&crowd, workload->name);
	*rate = bench_per_second((double)place->syncs * BENCH_WRITERS, begin);
	crowd_close(&crowd);
	return err;
}

/* --- the bystander -------------------------------------------------------------------------- */

struct bystander {
	const struct bench_place *place;
	atomic_bool ends;
	int64_t *took_ns;
	size_t count;
	int failed;
};

static void *bystander_run(void *arg)
{
	struct bystander *self = arg;
	int fd = openat(self->place->dir_fd, BENCH_DATA_FILE, O_RDONLY | O_CLOEXEC);
	uint64_t random = 1442695040888963407u, blocks = self->place->size / BENCH_BLOCK;
	char block[BENCH_BLOCK];

	while (fd >= 0 && self->failed == 0 && !atomic_load(&self->ends)) {
		off_t offset = (off_t)(bench_random(&random) % blocks * BENCH_BLOCK);
		int64_t begin = clock_boot_ns();

		if (pread(fd, block, sizeof(block), offset) < 0)
			self->failed = errno;
		if (self->count < READS_MAX)
			self->took_ns[self->count++] = clock_boot_ns() - begin;
	}
	if (fd < 0)
		self->failed = errno;
	else
		close(fd);
	return NULL;
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static double percentile_us(struct bystander *self)
{
	if (self->count == 0)
		return 0;
	qsort(self->took_ns, self->count, sizeof(*self->took_ns), by_time);
	return (double)self->took_ns[self->count * PERCENTILE / 100] / 1000;
}

enum err bench_read_beside(struct bench_place *place, const struct bench_workload *workload,
			   double *rate)
{
	struct bystander bystander = {.place = place,
				      .took_ns = malloc(READS_MAX * sizeof(int64_t))};
	struct crowd crowd;
	pthread_t thread;
	enum err err = bystander.took_ns == NULL ? ERR_NO_MEMORY : crowd_open(&crowd, place);

	if (err == ERR_OK) {
		if (pthread_create(&thread, NULL, bystander_run, &bystander) != 0)
			abort();
		crowd_start(&crowd);
		err = crowd_join(&crowd, workload->name);
		atomic_store(&bystander.ends, true);
		pthread_join(thread, NULL);
		errno = bystander.failed;
		if (err == ERR_OK && errno != 0)
			err = bench_failed(place, workload->name);
		*rate = percentile_us(&bystander);
		crowd_close(&crowd);
	}
	free(bystander.took_ns);
	return err;
}

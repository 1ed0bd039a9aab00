/* A workload is run in a directory and gives a rate; the table is bench-fs-work.c. */
#ifndef PHIFS_TESTS_BENCH_FS_H
#define PHIFS_TESTS_BENCH_FS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define BENCH_SIZE_MAX	(64ull << 30)
#define BENCH_FILES_MAX 1000000u

struct bench_place {
	const char *path;  /* as given */
	char *work;        /* a directory of our own below it */
	int dir_fd;        /* of `work` */
	uint64_t size;     /* bytes of the data file */
	unsigned int files; /* for create, stat, unlink */
	unsigned int syncs; /* for fsync */
	char *buffer;      /* 1 MiB of noise */
};

struct bench_workload {
	const char *name;
	const char *unit;   /* "MiB/s" or "/s" */
	uint64_t block;     /* bytes of each request; 0: not about data */
	int flags;          /* BENCH_* */
	/* Units per second.  Errors of system calls are messages already. */
	enum err (*run)(struct bench_place *place, const struct bench_workload *workload,
			double *rate);
};

#define BENCH_RANDOM 0x1
#define BENCH_SYNCED 0x2 /* the time of the fdatasync at the end counts */

extern const struct bench_workload bench_workloads[];
extern const size_t bench_workload_count;

/* Makes the directory of our own; ERR_SYSTEM after a message. */
enum err bench_place_open(struct bench_place *place) MUST_CHECK;
/* Removes it with what is in it. */
void bench_place_close(struct bench_place *place);

#endif

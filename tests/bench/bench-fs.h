/* A workload is run in a directory and gives a rate; the table is bench-fs-work.c. */
#ifndef PHIFS_TESTS_BENCH_FS_H
#define PHIFS_TESTS_BENCH_FS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define BENCH_SIZE_MAX	(64ull << 30)
#define BENCH_FILES_MAX 1000000u
#define BENCH_WRITERS	16u /* of the workload of that name */
#define BENCH_BLOCK	4096u
#define BENCH_DATA_FILE "data"

struct bench_place {
	const char *label;   /* what the table calls it */
	const char *path;    /* as given */
	char *work;          /* a directory of our own below it */
	int dir_fd;          /* of `work` */
	uint64_t size;       /* bytes of the data file */
	unsigned int files;  /* for names and small files */
	unsigned int syncs;  /* for each writer that makes durable */
	char *buffer;        /* 1 MiB of noise */
};

struct bench_workload {
	const char *name;
	const char *unit;    /* "MiB/s", "/s", or "us" */
	uint64_t block;      /* bytes of each request; 0: not about data */
	int flags;           /* BENCH_* */
	/* Units per second, or microseconds.  Errors of system calls are messages already. */
	enum err (*run)(struct bench_place *place, const struct bench_workload *workload,
			double *rate);
};

#define BENCH_RANDOM 0x1
#define BENCH_SYNCED 0x2 /* the time of the fdatasync at the end counts */
#define BENCH_TIME   0x4 /* less is better */

extern const struct bench_workload bench_workloads[];
extern const size_t bench_workload_count;

/* Makes the directory of our own; ERR_SYSTEM after a message. */
enum err bench_place_open(struct bench_place *place) MUST_CHECK;
/* Removes it with what is in it. */
void bench_place_close(struct bench_place *place);

/* --- what workloads have in common ------------------------------------------------------ */

/* Says errno; ERR_SYSTEM. */
enum err bench_failed(const struct bench_place *place, const char *what);
double bench_per_second(double units, int64_t since_ns);
/* xorshift64 (Marsaglia 2003): all places see the same offsets. */
uint64_t bench_random(uint64_t *state);

/* --- workloads ---------------------------------------------------------------------------- */

typedef enum err bench_run(struct bench_place *place, const struct bench_workload *workload,
			   double *rate);
/* The data file: sequential writes make it anew, random ones change what is there. */
bench_run bench_write, bench_read;
/* 4 KiB overwritten and made durable, by one writer and by BENCH_WRITERS, each in its file ... */
bench_run bench_fsync, bench_fsync_many;
/* ... and what a read of 4 KiB of another file takes meanwhile: the 99th of a hundred. */
bench_run bench_read_beside;
bench_run bench_create, bench_stat, bench_unlink;
/* Files of 1 KiB: made, opened and read, listed with attributes, removed. */
bench_run bench_create_small, bench_read_small, bench_list, bench_unlink_small;

#endif

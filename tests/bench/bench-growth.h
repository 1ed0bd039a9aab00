/* What the parts of bench-growth share: arguments, and latencies as lines of JSON. */
#ifndef PHIFS_TESTS_BENCH_GROWTH_H
#define PHIFS_TESTS_BENCH_GROWTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define GROWTH_BLOCK	   4096u
#define GROWTH_WRITERS_MAX 256u
#define GROWTH_FILES_MAX   100000000u

struct growth {
	const char *path;
	int dir_fd;
	uint64_t files;         /* that are or shall be there */
	uint64_t first;         /* fill: number of the first new one */
	uint64_t per_directory;
	uint64_t size;          /* bytes of a file */
	uint64_t count;         /* of samples, of blocks */
	unsigned int writers;
	unsigned int seconds;
	bool is_one_file;
	char block[GROWTH_BLOCK];
};

/* One subcommand; errors of system calls are messages already. */
typedef enum err growth_run(struct growth *growth);
/* Makes files first to files - 1, in directories of per_directory. */
growth_run growth_fill;
/* Latency of each kind of call on `count` of them. */
growth_run growth_sample;
/* A file of `size` with `count` blocks scattered in it; `verify` reads them again. */
growth_run growth_sparse, growth_verify;
/* 4 KiB written and made durable, by `writers` for `seconds`. */
growth_run growth_writers;

/* Says errno; ERR_SYSTEM. */
enum err growth_failed(const struct growth *growth, const char *what);
uint64_t growth_random(uint64_t *state);

/* --- latencies ---------------------------------------------------------------------------- */

#define GROWTH_LATENCIES_MAX (1u << 22) /* of one list; more are counted, not kept */

struct growth_latencies {
	int64_t *ns;
	size_t count, room;
	uint64_t total;         /* those that are not kept, too */
	int64_t max_ns;
};

/* No memory ends the program. */
void growth_took(struct growth_latencies *latencies, int64_t begin_ns);
/* `from` is emptied into `into`. */
void growth_merge(struct growth_latencies *into, struct growth_latencies *from);
/*
 * {"what":...,"count":...,"per_second":...,"p50_us":...,"p99_us":...,"max_us":...};
 * frees them.  `seconds` is what the rate is of; 0: the sum of the latencies.
 */
void growth_print(const char *what, struct growth_latencies *latencies, double seconds);

#endif

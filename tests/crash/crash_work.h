/*
 * The random workload of a crash run: one driver thread that changes the model
 * and asks the store for the same, and requests that are answered later.
 */
#ifndef PHIFS_TESTS_CRASH_WORK_H
#define PHIFS_TESTS_CRASH_WORK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "crash_model.h"

#define WORKLOAD_KNOWN 6

struct workload {
	uint64_t random;
	struct model *model;
	struct store *store;   /* set before the first step */
	bool is_verbose;
	atomic_size_t op;      /* steps made; looked at by the store's threads */
	pthread_mutex_t mutex; /* guards the rest */
	pthread_cond_t answered;
	unsigned int waiting;  /* requests not answered yet */
	char why[256];         /* the first thing that was wrong; "": nothing */
	/* The kernel's part: the newest nodes are not forgotten yet, and outlive their names. */
	uint64_t known[WORKLOAD_KNOWN];
	size_t known_next;
};

void workload_init(struct workload *work, struct model *model, uint64_t seed);
void workload_destroy(struct workload *work);

/* Numbers from the seed; the driver's thread, or while it is held. */
uint64_t workload_draw(struct workload *work);
uint64_t workload_below(struct workload *work, uint64_t limit);
/* Notes an error that must not be. */
void workload_expect(struct workload *work, enum err err, const char *what);

/*
 * A request about `node` that workload_answered (a store_done with it as its
 * ctx) answers; with `is_durable` the model is told then.
 */
struct request;
struct request *workload_request(struct workload *work, size_t node, bool is_durable);
void workload_answered(void *ctx, enum err err, size_t bytes);
/* Until every request is answered. */
void workload_wait(struct workload *work);

/* One random operation. */
void workload_step(struct workload *work);

#endif

#include "daemon/invalidate.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

/* How far back a new range looks for one of the same inode to join. */
#define MERGE_WINDOW 8
#define WAIT_PIECE_NS (50 * NS_PER_MS)

struct range {
	uint64_t number;
	uint64_t offset;
	uint64_t length; /* 0: to the end */
};

struct queue {
	struct range *ranges;
	size_t count;
	size_t size;
};

struct invalidate {
	struct invalidate_calls calls;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t added, done;
	/* Protected by the mutex: */
	struct queue queue;   /* filled by invalidate_add */
	bool is_overflown;    /* ranges of fills were not queued: add_all makes up for them */
	bool is_lost;         /* ranges of add_all were not queued: no pass is complete any more */
	bool is_stopping;
	uint64_t tickets;     /* passes asked for */
	uint64_t served;      /* passes done */
	/* The thread's own: */
	struct queue batch;
	/* Start of the drop that runs, 0 if none. */
	_Atomic int64_t drop_started_ns;
};

static uint64_t range_end(const struct range *range)
{
	return range->length == 0 || range->offset + range->length < range->offset
		       ? UINT64_MAX
		       : range->offset + range->length;
}

/* The smallest range that holds both. */
static void merge(struct range *into, const struct range *other)
{
	uint64_t end = range_end(into) > range_end(other) ? range_end(into) : range_end(other);

	if (other->offset < into->offset)
		into->offset = other->offset;
	into->length = end == UINT64_MAX ? 0 : end - into->offset;
}

static bool merge_into_recent(struct queue *queue, const struct range *range)
{
	size_t oldest = queue->count > MERGE_WINDOW ? queue->count - MERGE_WINDOW : 0;

	for (size_t i = queue->count; i > oldest; i--) {
		if (queue->ranges[i - 1].number == range->number) {
			merge(&queue->ranges[i - 1], range);
			return true;
		}
	}
	return false;
}

static bool append(struct queue *queue, const struct range *range, size_t max)
{
	if (queue->count == queue->size) {
		size_t size = queue->size ? 2 * queue->size : 256;
		struct range *ranges = queue->size < max
					       ? reallocarray(queue->ranges, size, sizeof(*range))
					       : NULL;

		if (!ranges)
			return false;
		queue->ranges = ranges;
		queue->size = size;
	}
	queue->ranges[queue->count++] = *range;
	return true;
}

void invalidate_add(struct invalidate *invalidate, uint64_t number, uint64_t offset,
		    uint64_t length)
{
	const struct range range = {number, offset, length};
	/* What add_all hands out is not handed out again: it must not be refused. */
	bool is_add_all = pthread_equal(pthread_self(), invalidate->thread);

	pthread_mutex_lock(&invalidate->mutex);
	if (!merge_into_recent(&invalidate->queue, &range) &&
	    !append(&invalidate->queue, &range, is_add_all ? SIZE_MAX : INVALIDATE_QUEUE_MAX)) {
		if (is_add_all)
			invalidate->is_lost = true;
		else
			invalidate->is_overflown = true;
	}
	pthread_cond_signal(&invalidate->added);
	pthread_mutex_unlock(&invalidate->mutex);
}

static void drop(struct invalidate *invalidate, const struct range *range)
{
	atomic_store(&invalidate->drop_started_ns, clock_boot_ns());
	invalidate->calls.drop(invalidate->calls.ctx, range->number, range->offset, range->length);
	atomic_store(&invalidate->drop_started_ns, 0);
}

/* Called with the mutex, which is let go meanwhile. */
static void drop_batch(struct invalidate *invalidate, bool is_urgent)
{
	struct queue batch = invalidate->queue;

	invalidate->queue = invalidate->batch;
	invalidate->queue.count = 0;
	invalidate->batch = batch;
	pthread_mutex_unlock(&invalidate->mutex);
	if (!is_urgent)
		clock_sleep_ns(INVALIDATE_DELAY_MS * NS_PER_MS);
	for (size_t i = 0; i < batch.count; i++)
		drop(invalidate, &batch.ranges[i]);
	pthread_mutex_lock(&invalidate->mutex);
}

/* add_all until nothing was left out, then all drops.  Called with the mutex. */
static void serve_all(struct invalidate *invalidate)
{
	do {
		invalidate->is_overflown = false;
		pthread_mutex_unlock(&invalidate->mutex);
		invalidate->calls.add_all(invalidate->calls.ctx);
		pthread_mutex_lock(&invalidate->mutex);
		drop_batch(invalidate, true);
	} while (invalidate->is_overflown && !invalidate->is_stopping);
}

static void *run(void *arg)
{
	struct invalidate *invalidate = arg;

	pthread_mutex_lock(&invalidate->mutex);
	while (!invalidate->is_stopping) {
		uint64_t ticket = invalidate->tickets;

		if (ticket != invalidate->served || invalidate->is_overflown) {
			serve_all(invalidate);
			invalidate->served = ticket;
			pthread_cond_broadcast(&invalidate->done);
		} else if (invalidate->queue.count > 0) {
			drop_batch(invalidate, false);
		} else {
			pthread_cond_wait(&invalidate->added, &invalidate->mutex);
		}
	}
	invalidate->served = UINT64_MAX;
	pthread_cond_broadcast(&invalidate->done);
	pthread_mutex_unlock(&invalidate->mutex);
	return NULL;
}

static void release(struct invalidate *invalidate)
{
	pthread_cond_destroy(&invalidate->added);
	pthread_cond_destroy(&invalidate->done);
	pthread_mutex_destroy(&invalidate->mutex);
	free(invalidate->queue.ranges);
	free(invalidate->batch.ranges);
	free(invalidate);
}

enum err invalidate_new(const struct invalidate_calls *calls, struct invalidate **invalidate)
{
	struct invalidate *inv = calloc(1, sizeof(*inv));
	pthread_condattr_t attr;

	if (!inv)
		return ERR_NO_MEMORY;
	inv->calls = *calls;
	pthread_mutex_init(&inv->mutex, NULL);
	pthread_cond_init(&inv->added, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&inv->done, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&inv->thread, NULL, run, inv)) {
		release(inv);
		return ERR_NO_MEMORY;
	}
	*invalidate = inv;
	return ERR_OK;
}

void invalidate_free(struct invalidate *invalidate)
{
	if (!invalidate)
		return;
	pthread_mutex_lock(&invalidate->mutex);
	invalidate->is_stopping = true;
	pthread_cond_signal(&invalidate->added);
	pthread_mutex_unlock(&invalidate->mutex);
	pthread_join(invalidate->thread, NULL);
	release(invalidate);
}

/* At most a piece of the time that is left, so that suspend is noticed.  With the mutex. */
static void wait_piece(struct invalidate *invalidate)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += WAIT_PIECE_NS;
	until.tv_sec += until.tv_nsec / NS_PER_SECOND;
	until.tv_nsec %= NS_PER_SECOND;
	pthread_cond_timedwait(&invalidate->done, &invalidate->mutex, &until);
}

enum err invalidate_pass(struct invalidate *invalidate, int64_t deadline_boot_ns)
{
	uint64_t ticket;
	bool is_done, is_lost;

	pthread_mutex_lock(&invalidate->mutex);
	ticket = ++invalidate->tickets;
	pthread_cond_signal(&invalidate->added);
	while (!(is_done = invalidate->served >= ticket) && clock_boot_ns() < deadline_boot_ns)
		wait_piece(invalidate);
	is_lost = invalidate->is_lost;
	pthread_mutex_unlock(&invalidate->mutex);
	if (is_lost)
		return ERR_NO_MEMORY;
	return is_done ? ERR_OK : ERR_AGAIN;
}

int64_t invalidate_stuck_ns(const struct invalidate *invalidate)
{
	int64_t started = atomic_load(&invalidate->drop_started_ns);

	return started == 0 ? 0 : clock_boot_ns() - started;
}

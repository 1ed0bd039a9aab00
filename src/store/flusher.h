/*
 * The thread that makes streamed data durable (R1, R6): it cuts an object when
 * its fdatasync starts, and the cut is ready when that returned.  So nobody's
 * fsync waits for another's streamed data.
 */
#ifndef PHIFS_STORE_FLUSHER_H
#define PHIFS_STORE_FLUSHER_H

#include "store/volume.h"

struct flusher;

enum err flusher_start(struct store *store, struct flusher **flusher) MUST_CHECK;
/*
 * Flush this content; a cut is made after the call.  Called with node->mutex
 * held; does nothing if it is queued already and not begun.
 */
void flusher_request(struct flusher *flusher, struct content *content);
/*
 * The same, and call `then` on the flusher's thread when the flush that began
 * after the request is over (R3).  node->mutex is not held.  False: no memory,
 * nothing is called.
 */
typedef void flusher_then(void *ctx);
bool flusher_request_then(struct flusher *flusher, struct content *content, flusher_then *then,
			  void *ctx) MUST_CHECK;
/* Every dirty node that has unflushed streamed blocks: the timer. */
void flusher_request_all(struct store *store);
/* Wait until the queue is empty; false: deadline or frozen. */
bool flusher_drain(struct flusher *flusher, int64_t deadline_ns);
void flusher_stop(struct flusher *flusher);

#endif

/*
 * Putting flushed transactions in place (I4), and the thread that does it.
 *
 * The applier is the only one that writes tree pages, headers and journaled
 * blocks, truncates, moves objects to their shard and unlinks them (R8), and
 * the only one that check-points (R7).
 */
#ifndef PHIFS_STORE_APPLY_H
#define PHIFS_STORE_APPLY_H

#include "store/part.h"

struct applier;

enum err applier_start(struct store *store, struct applier **applier) MUST_CHECK;
/*
 * Hand over a flushed transaction; owned by the applier from then on.  It sleeps on, if it
 * does, until it is woken: whoever waits for the transaction is to be answered first.
 */
void applier_push(struct applier *applier, struct txn *txn);
void applier_wake(struct applier *applier);
/* The last seq that is applied completely, and all before it. */
uint64_t applier_seq(struct applier *applier);
/*
 * The one that is under way or next, else the last: an object of which no part waits is in
 * place up to it.  0 without an applier: nothing is appended.
 */
uint64_t applier_seq_under_way(struct applier *applier);
/* Ask for a checkpoint: the committer waits for a free half, or the store is locked. */
void applier_request_checkpoint(struct applier *applier);
/* Block until seq is applied (and, if asked, checked-pointed); false: frozen or deadline. */
bool applier_wait(struct applier *applier, uint64_t seq, bool checkpoint, int64_t deadline_ns);
/* Stop and join; what is queued stays in the journal. */
void applier_stop(struct applier *applier);

/* --- checkpoint.c ------------------------------------------------------------------ */

/* What a checkpoint of a half must make durable. */
#define TOUCHED_MAX 64
struct touched {
	uint64_t numbers[TOUCHED_MAX];
	struct object_id ids[TOUCHED_MAX];
	bool deleted[TOUCHED_MAX];
	size_t count;
	bool too_many;       /* then everything is synced */
};
void touched_add(struct touched *touched, const struct node *node, bool is_delete);
/* R7, for the half that is full; ERR_NOT_FOUND if there is none. */
enum err checkpoint(struct store *store, struct touched *touched, uint64_t applied_seq) MUST_CHECK;

#endif

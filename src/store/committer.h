/*
 * The commit thread: gather, seal, append, flush, anchor, wake.  It writes no
 * object.  One flush serves every fsync that waits when it starts.
 */
#ifndef PHIFS_STORE_COMMITTER_H
#define PHIFS_STORE_COMMITTER_H

#include "store/volume.h"

struct committer;

enum err committer_start(struct store *store, struct committer **committer) MUST_CHECK;
/*
 * After everything is committed: ends the thread; whoever still waits gets
 * ERR_LOCKED.  The applier may still poke it: committer_free comes after that
 * has stopped.  NULL is harmless to both.
 */
void committer_stop(struct committer *committer);
void committer_free(struct committer *committer);

/*
 * Call `done` when `node` is flushed at least as of operation `op`, and the
 * namespace as of now.  Takes a reference of its own.  `bytes` goes to `done`.
 */
void committer_wait_node(struct committer *committer, struct node *node, uint64_t op,
			 size_t bytes, store_done *done, void *ctx);
/* The same, and until its truncations are applied; `done` gets ERR_OK in any case. */
void committer_wait_settled(struct committer *committer, struct node *node, uint64_t op,
			    store_done *done, void *ctx);
/* The same for everything that is dirty now. */
void committer_wait_all(struct committer *committer, store_done *done, void *ctx);

/* Call `done` when dirty memory is below its limit: at once if it is now. */
void committer_wait_memory(struct committer *committer, size_t bytes, store_done *done, void *ctx);

/* Somebody asked for something to be durable within the last second. */
bool committer_was_asked(const struct committer *committer);

/* Ask for a commit of everything and wait for one to end, or a tenth of a second. */
void committer_press(struct committer *committer);

/* Look again: memory was freed, a checkpoint is done. */
void committer_poke(struct committer *committer);
/* A cut is ready. */
void committer_cut_ready(struct committer *committer);
/* Commit everything, switch halves, ask for a checkpoint; does not wait. */
void committer_checkpoint(struct committer *committer);

/* Names and data committed up to now; for the lock.  False: deadline or frozen. */
bool committer_drain(struct committer *committer, int64_t deadline_ns);

#endif

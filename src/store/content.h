/*
 * The content of one node: key, backing file, overlay and tree in memory.
 *
 * Loading verifies the header against the ledger (I17).  A content is pinned
 * (content_get, content_put) while it is used; unpinned, clean ones stay on
 * the idle list until their number or the lock drops them.
 */
#ifndef PHIFS_STORE_CONTENT_H
#define PHIFS_STORE_CONTENT_H

#include "store/volume.h"

/*
 * Load if necessary and pin.  The node is pinned by the caller.  ERR_TAMPERED,
 * ERR_ROLLBACK, ERR_LEDGER_OLD, ERR_DELETED after a report; ERR_IO ...
 */
enum err content_get(struct store *store, struct node *node, struct content **content) MUST_CHECK;
/* For the removal of a damaged object: nothing but its key and path; it is refused otherwise. */
enum err content_get_empty(struct store *store, struct node *node,
			   struct content **content) MUST_CHECK;
/* Remove the backing file of an object that was never in a transaction. */
void content_remove_file(struct store *store, struct content *content);
void content_put(struct store *store, struct content *content);
/* One more pin; node->mutex held. */
void content_pin(struct content *content);

/* Give it to the idle list if nothing needs it any more; node->mutex held. */
void content_settle(struct store *store, struct content *content);
/* Drop idle contents until at most `keep` are left. */
void content_trim(struct store *store, uint32_t keep);
/*
 * Drop the content of a node that is clean, or (`force`) whatever it holds:
 * for the lock and for objects that never became durable.  No pins.
 */
void content_drop(struct store *store, struct node *node, bool force);

/*
 * The backing file, opened; made if it does not exist yet: in objects/new for
 * data that streams before its transaction, in its shard by the applier, which
 * puts in place only what is in the journal (R8).  ERR_NOT_FOUND.
 */
enum content_create { CONTENT_EXISTING, CONTENT_CREATE_NEW, CONTENT_CREATE_SHARD };
enum err content_open_file(struct store *store, struct content *content,
			   enum content_create create, int *file) MUST_CHECK;
/* Move the file from objects/new to its shard; applier only (R8). */
enum err content_move_to_shard(struct store *store, struct content *content) MUST_CHECK;
void content_path(const struct content *content, char path[OBJECT_PATH_LEN]);

/* --- tree pages (content_tree.c) --------------------------------------------------- */

/*
 * Bring tree page (level, index), and those above it, into memory, verified.
 * node->mutex is held on entry and on return but released meanwhile: whoever
 * calls looks again.  ERR_TAMPERED after a report.
 */
enum err content_load_page(struct store *store, struct content *content, int level,
			   uint64_t index) MUST_CHECK;

/*
 * The state of one block: which extent has it (borrowed), or its tree entry.
 * node->mutex held; may release it for loading (`*reloaded` is set: what was
 * looked up before may have changed).
 */
struct block_state {
	struct extent *extent;
	uint8_t entry[ENTRY_LEN]; /* if extent is NULL; all-zero: hole */
};
enum err content_block(struct store *store, struct content *content, uint64_t block,
		       struct block_state *state, bool *reloaded) MUST_CHECK;

/*
 * If the whole tree page that has `block` is absent and the overlay has nothing
 * there: the first block behind that emptiness, else `block`.  node->mutex
 * held, released for loading.  What makes a terabyte of nothing quick to pass.
 */
enum err content_skip_holes(struct store *store, struct content *content, uint64_t block,
			    uint64_t *next) MUST_CHECK;

/*
 * Has an apply failed half-way (the store is frozen)?  Then the file is neither
 * at its old nor its new state, and what does not verify is no damage.
 * node->mutex held.
 */
bool content_is_stuck(struct store *store, const struct content *content);

/* --- ranges in flight (R5) ----------------------------------------------------------- */

/* Wait until no range overlaps, then add `range`.  node->mutex held; released while waiting. */
void content_begin_range(struct store *store, struct content *content, struct range *range);
/* node->mutex held; the caller calls store_announce_change after unlocking. */
void content_end_range(struct content *content, struct range *range);

/* --- reading ------------------------------------------------------------------------------ */

/*
 * `len` bytes at `offset`, all below the size the caller saw; holes and bytes
 * behind the content are zeroes.  Called without locks, content pinned.
 */
enum err content_read(struct store *store, struct content *content, uint64_t offset, void *data,
		      size_t len) MUST_CHECK;
/* One whole block, zero-padded. */
enum err content_read_block(struct store *store, struct content *content, uint64_t block,
			    uint8_t data[BLOCK_SIZE]) MUST_CHECK;

/* --- changing ------------------------------------------------------------------------------- */

/*
 * Write; grows the object.  `may_stream` is false for directories and
 * attributes, whose changes must all be in the next transaction.
 */
enum err content_write(struct store *store, struct content *content, uint64_t offset,
		       const void *data, size_t len, bool may_stream) MUST_CHECK;
/* Set the size, both ways. */
enum err content_truncate(struct store *store, struct content *content, uint64_t size) MUST_CHECK;
/* Make a range a hole; the size stays. */
enum err content_punch(struct store *store, struct content *content, uint64_t offset,
		       uint64_t len) MUST_CHECK;

/* Is the position free in every state that a crash could leave (R4)?  node->mutex held. */
enum err content_streamable(struct store *store, struct content *content, uint64_t block,
			    bool *streamable) MUST_CHECK;
/*
 * Blocks from here on that are in no overlay are holes, whatever the tree
 * says: the smallest size of all shrinks the tree does not have yet.
 */
uint64_t content_hole_from(const struct content *content);
/* R4: nothing streams at or above: the smallest of all shrinks not applied yet. */
uint64_t content_floor(const struct content *content);
/* Enough was cut off, and is not applied, that new content had better wait.  node->mutex held. */
bool content_is_unsettled(const struct content *content);
/* Streamed blocks that no flush has covered?  node->mutex held. */
bool content_has_unflushed(const struct content *content);

/* --- cuts ---------------------------------------------------------------------------------------- */

/*
 * A snapshot of the live state; node->mutex held.  The shrinks since the last
 * one go with it.
 */
enum err cut_take(struct content *content, struct cut **cut) MUST_CHECK;
void cut_free(struct cut *cut);

/*
 * A cut whose streamed blocks are all flushed becomes the ready one: the newest
 * wins and takes over the other's shrinks.  node->mutex held; owns `cut`.
 */
void content_set_ready(struct content *content, struct cut *cut);
/*
 * R2, R3: somebody waits for the state as it is now.  With nothing streamed
 * that state is ready at once, and kept: what is streamed after this must not
 * hold it back.  node->mutex held.
 */
enum err content_cut_now(struct content *content) MUST_CHECK;

#endif

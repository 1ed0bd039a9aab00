/*
 * The hash tree of one object, in memory: the pages that were needed so far.
 *
 * What is here is the *appended* state: everything that transactions built so
 * far have changed, flushed or not.  For a block that is not in the overlay
 * that equals the applied state on disk, so readers use it too.  A page that a
 * transaction changed is shared with it until it is applied: a later change
 * copies it (I4: the applier writes each transaction's own version).
 *
 * An all-zero page has a zero entry in its parent: it is "absent", never read
 * from disk, and starts from zeroes when it is first used.
 *
 * Pure memory; the node's mutex protects it.  Loading and verifying pages is
 * content's job (content_tree.c).  FORMAT.md "Tree".
 */
#ifndef PHIFS_STORE_TREE_H
#define PHIFS_STORE_TREE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <uthash.h>

#include "base/err.h"
#include "format/layout.h"
#include "format/object_header.h"

struct tree_page {
	atomic_uint refs;
	bool changed;         /* since the last tree_collect */
	bool fresh;           /* started from zeroes since the last tree_collect */
	uint8_t level;        /* 1: leaf */
	uint64_t index;
	uint64_t key;         /* level and index, for the hash table */
	uint8_t body[NODE_BODY_LEN];
	UT_hash_handle hh;
};

void tree_page_put(struct tree_page *page);

struct tree {
	struct object_id id;
	uint32_t epoch;
	int levels;
	uint8_t root[OBJECT_ROOT_LEN];
	struct tree_page *pages; /* uthash, oldest first */
	uint32_t count;
	atomic_uint *total;      /* pages of all trees of the store */
};

/* An empty object's tree: one level, nothing but holes. */
void tree_init(struct tree *tree, const struct object_id *id, uint32_t epoch, atomic_uint *total);
void tree_clear(struct tree *tree);

/* The page if it is in memory. */
struct tree_page *tree_find(struct tree *tree, int level, uint64_t index);

/*
 * Add a page whose body was verified, or NULL for an absent (zero) one.
 */
enum err tree_add(struct tree *tree, int level, uint64_t index, const uint8_t *body,
		  struct tree_page **page) MUST_CHECK;

/*
 * What the page's parent (which must be in memory) says about it: the first
 * `len` bytes of its hash (28, or 32 for the top page: the root).
 */
enum tree_expect { TREE_ABSENT, TREE_PRESENT, TREE_NEED_PARENT };
enum tree_expect tree_expected(struct tree *tree, int level, uint64_t index,
			       uint8_t hash[OBJECT_ROOT_LEN], size_t *len);

/* The highest page on the way to (level, index) that is not in memory; false: all are. */
bool tree_missing(struct tree *tree, int level, uint64_t index, int *missing_level,
		  uint64_t *missing_index);

/* The entry of `block`; false if the leaf is not in memory. */
bool tree_entry(struct tree *tree, uint64_t block, uint8_t entry[ENTRY_LEN]);

/* --- changing: all needed pages must be in memory ------------------------------ */

/* The tree shrinks to `size` bytes: later entries become holes. */
enum err tree_shrink(struct tree *tree, uint64_t size) MUST_CHECK;
/* Pages that tree_shrink needs; as tree_missing. */
bool tree_shrink_missing(struct tree *tree, uint64_t size, int *level, uint64_t *index);

/* The tree covers `size` bytes from now on; never fewer levels. */
enum err tree_grow(struct tree *tree, uint64_t size) MUST_CHECK;
enum err tree_set_entry(struct tree *tree, uint64_t block,
			const uint8_t entry[ENTRY_LEN]) MUST_CHECK;
/*
 * Replace the whole body of leaf 0: inline content, or (NULL) away from it: it
 * starts from zeroes, marked fresh.
 */
enum err tree_set_leaf0(struct tree *tree, const uint8_t *body) MUST_CHECK;

/*
 * Hash all changed pages, bottom up; `tree->root` is then right.  Gives every
 * changed page to `each` (which takes a reference if it keeps it) and marks it
 * unchanged.
 */
typedef enum err tree_each_page(void *ctx, struct tree_page *page);
enum err tree_collect(struct tree *tree, tree_each_page *each, void *ctx) MUST_CHECK;

/* Drop the oldest pages that nobody shares until `keep` are left; leaf 0 stays. */
void tree_evict(struct tree *tree, uint32_t keep);

#endif

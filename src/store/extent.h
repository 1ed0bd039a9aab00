/*
 * Pieces of an object's live content that its applied tree does not have yet.
 *
 * An extent is immutable once it is in an overlay, and counted by reference:
 * the live state, cuts and transactions share it.  A write never changes an
 * extent, it puts a new one in its place; so "is this still the same content?"
 * is a comparison of pointers.
 *
 * The plaintext of dirty extents lies in locked pages (struct pages), wiped
 * when the last reference goes.
 */
#ifndef PHIFS_STORE_EXTENT_H
#define PHIFS_STORE_EXTENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secmem.h"
#include "format/layout.h"

/* Locked memory for plaintext blocks, and how much of it is in use. */
struct pages {
	struct slab *slab;
	atomic_uint_fast64_t bytes;
};

enum err pages_init(struct pages *pages) MUST_CHECK;
void pages_clear(struct pages *pages);
uint64_t pages_bytes(struct pages *pages);

enum extent_kind {
	EXTENT_DIRTY,  /* one block, plaintext in memory */
	EXTENT_STREAM, /* blocks already in place on the backing, never durable before */
	EXTENT_HOLE    /* blocks that were punched out */
};

struct extent {
	atomic_uint refs;
	enum extent_kind kind;
	uint32_t count;       /* blocks */
	uint64_t first;       /* block */
	uint64_t seq;         /* transaction that carries it; 0: none yet (committer only) */
	uint8_t *page;        /* DIRTY: BLOCK_SIZE bytes */
	struct pages *pages;  /* DIRTY: where page came from */
	uint8_t entries[][ENTRY_LEN]; /* count of them; DIRTY: set when it is sealed */
};

/* One block of zeroed plaintext to be filled before it is shared.  NULL: no memory. */
struct extent *extent_new_dirty(struct pages *pages, uint64_t block);
/* `count` blocks whose entries the caller fills. */
struct extent *extent_new_stream(uint64_t first, uint32_t count);
struct extent *extent_new_hole(uint64_t first, uint32_t count);

struct extent *extent_get(struct extent *extent);
/* Frees with the last reference; NULL is harmless. */
void extent_put(struct extent *extent);

/* The tree entry of one of its blocks; zeroes for holes. */
const uint8_t *extent_entry(const struct extent *extent, uint64_t block);

extern const uint8_t entry_hole[ENTRY_LEN];
bool entry_is_hole(const uint8_t entry[ENTRY_LEN]);

#endif

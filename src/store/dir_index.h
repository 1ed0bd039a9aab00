/*
 * A directory in memory: 8 bytes for each entry, {keyed hash of the name 32
 * bits -> block 22 bits, slot 10 bits}.  Names stay in the sealed blocks.
 * Not locked: the directory's own lock protects it.
 */
#ifndef PHIFS_STORE_DIR_INDEX_H
#define PHIFS_STORE_DIR_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define DIR_BLOCKS_MAX (1u << 22) /* 16 GiB of directory blocks */
#define DIR_SLOTS_MAX  1023u	  /* of a block */

struct dir_index;

struct dir_place {
	uint32_t block;
	uint16_t slot;
};

enum err dir_index_new(struct dir_index **index) MUST_CHECK;
/* Wipe and free; NULL is harmless. */
void dir_index_free(struct dir_index *index);
/*
 * The same pair may not be there already.  ERR_INVALID: block or slot too
 * large; ERR_NO_MEMORY leaves the index as it was.
 */
enum err dir_index_add(struct dir_index *index, uint32_t hash, struct dir_place place) MUST_CHECK;
/* Exactly this pair; if it is not there, nothing happens. */
void dir_index_remove(struct dir_index *index, uint32_t hash, struct dir_place place);
/*
 * The next place whose hash fits: start with *cursor = 0, call until false.
 * The caller compares the name in the block.  A change of the index makes the
 * cursor worthless.
 */
bool dir_index_find(const struct dir_index *index, uint32_t hash, size_t *cursor,
		    struct dir_place *place);
size_t dir_index_count(const struct dir_index *index);
/* Bytes it takes: 10 to 20 for each entry of a directory that only grew. */
size_t dir_index_memory(const struct dir_index *index);

#endif

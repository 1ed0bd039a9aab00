/*
 * Where things lie in an object file: closed-form positions, no table.
 *
 * An object is a sequence of 4 KiB pages.  Page 0 is the header and tree leaf
 * 0; then data blocks at aligned offsets, interleaved with the pages of a
 * fan-out-128 tree, so that growth never moves anything and 128 data blocks
 * (512 KiB) are always contiguous.  FORMAT.md, "Objects".  Pure functions.
 */
#ifndef PHIFS_FORMAT_LAYOUT_H
#define PHIFS_FORMAT_LAYOUT_H

#include <stdint.h>

#define BLOCK_SIZE       4096u
#define BLOCK_SIZE_LOG2  12u
#define TREE_FANOUT      128u
#define TREE_FANOUT_LOG2 7u
#define TREE_LEVELS_MAX  5
#define ENTRY_LEN        28u                        /* {nonce 12, tag 16} or 28 bytes of a hash */
#define NODE_BODY_LEN    (TREE_FANOUT * ENTRY_LEN)  /* 3584 */
#define NODE_HEADER_LEN  512u                       /* object header or node header */
#define INLINE_MAX       (NODE_BODY_LEN - ENTRY_LEN) /* 3556: such files live in page 0 */
#define FILE_SIZE_MAX    (1ull << 47)               /* 128 TiB: five levels */

/* Blocks that hold `size` bytes. */
uint64_t layout_blocks(uint64_t size);

/* Levels of the tree of an object of `size` bytes: 1 (leaf 0 alone) to 5. */
int layout_levels(uint64_t size);

/* Page number of data block `block` (block 0 is page 1). */
uint64_t layout_page_of_block(uint64_t block);

/* Page number of tree page `index` at `level`; level 1 is a leaf, leaf 0 is page 0. */
uint64_t layout_page_of_node(int level, uint64_t index);

/* Pages an object of `size` bytes needs at most: its length in the backing file. */
uint64_t layout_pages(uint64_t size);

#endif

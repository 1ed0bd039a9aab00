/*
 * Positions in closed form against a slow model that writes a file from its
 * beginning and puts a tree page wherever the layout's two sentences say:
 * node (level, 0) just before its second child, all others before their first.
 */
#include "unit.h"

#include <stdint.h>

#include "format/layout.h"

#define MIB (1ull << 20)
#define TIB (1ull << 40)

/* Blocks below one node of a level; level 0 is a block. */
static uint64_t below(int level)
{
	uint64_t blocks = 1;

	while (level-- > 0)
		blocks *= TREE_FANOUT;
	return blocks;
}

/* Does tree page (level, index) lie directly before block `block`?  Its index if so. */
static bool lies_before(int level, uint64_t block, uint64_t *index)
{
	*index = block / below(level);
	if (block == below(level - 1) && level > 1) {
		*index = 0;
		return true;
	}
	return block > 0 && block % below(level) == 0;
}

/* Walks `count` blocks from `block`, which is at `page` if no tree page precedes it. */
static uint64_t walk(uint64_t block, uint64_t count, uint64_t page)
{
	for (uint64_t end = block + count; block < end; block++) {
		for (int level = TREE_LEVELS_MAX; level >= 1; level--) {
			uint64_t index;

			if (!lies_before(level, block, &index))
				continue;
			ck_assert_uint_eq(layout_page_of_node(level, index), page);
			page++;
		}
		ck_assert_uint_eq(layout_page_of_block(block), page);
		page++;
	}
	return page;
}

START_TEST(test_from_the_beginning)
{
	ck_assert_uint_eq(layout_page_of_node(1, 0), 0);
	/* Beyond the first page of level 4 and the second of level 3. */
	walk(0, below(3) + 2 * below(2), 1);
}
END_TEST

/* Around the first and the second page of each level, and at the very end. */
START_TEST(test_far_out)
{
	const uint64_t last = FILE_SIZE_MAX / BLOCK_SIZE;

	for (int level = 1; level <= TREE_LEVELS_MAX; level++)
		for (uint64_t times = 1; times <= 3; times++) {
			uint64_t from = times * below(level) - 300 % below(level);

			if (from + 600 < last)
				walk(from + 1, 600, layout_page_of_block(from) + 1);
		}
	walk(last - 600, 600, layout_page_of_block(last - 601) + 1);
}
END_TEST

/* 128 data blocks are always contiguous. */
START_TEST(test_contiguous)
{
	for (uint64_t leaf = 0; leaf < below(4); leaf = leaf * 3 + 1) {
		uint64_t first = leaf * TREE_FANOUT;

		ck_assert_uint_eq(layout_page_of_block(first + TREE_FANOUT - 1),
				  layout_page_of_block(first) + TREE_FANOUT - 1);
		ck_assert_uint_eq(layout_page_of_node(1, leaf), leaf == 0
				  ? 0 : layout_page_of_block(first) - 1);
	}
}
END_TEST

START_TEST(test_blocks)
{
	ck_assert_uint_eq(layout_blocks(0), 0);
	ck_assert_uint_eq(layout_blocks(1), 1);
	ck_assert_uint_eq(layout_blocks(4096), 1);
	ck_assert_uint_eq(layout_blocks(4097), 2);
	ck_assert_uint_eq(layout_blocks(FILE_SIZE_MAX), 1ull << 35);
	ck_assert_uint_eq(layout_blocks(UINT64_MAX), 1ull << 52);
}
END_TEST

START_TEST(test_levels)
{
	ck_assert_int_eq(layout_levels(0), 1);
	ck_assert_int_eq(layout_levels(1), 1);
	for (int level = 1; level < TREE_LEVELS_MAX; level++) {
		ck_assert_int_eq(layout_levels(below(level) * BLOCK_SIZE), level);
		ck_assert_int_eq(layout_levels(below(level) * BLOCK_SIZE + 1), level + 1);
	}
	ck_assert_int_eq(layout_levels(FILE_SIZE_MAX), TREE_LEVELS_MAX);
}
END_TEST

/* The file is as long as its last block says, and every tree page it needs lies inside. */
START_TEST(test_pages)
{
	ck_assert_uint_eq(layout_pages(0), 1);
	ck_assert_uint_eq(layout_pages(1), 2);
	for (uint64_t size = 1; size <= FILE_SIZE_MAX; size += 1 + size / 7) {
		uint64_t blocks = layout_blocks(size), pages = layout_pages(size);

		ck_assert_uint_eq(pages, layout_page_of_block(blocks - 1) + 1);
		for (int level = 1; level <= layout_levels(size); level++) {
			ck_assert_uint_lt(layout_page_of_node(level, 0), pages);
			ck_assert_uint_lt(layout_page_of_node(level, (blocks - 1) / below(level)),
					  pages);
		}
	}
	/* What the tree costs: one page in 127. */
	ck_assert_uint_lt(layout_pages(128 * TIB), 128 * TIB / BLOCK_SIZE * 128 / 127 + 8);
}
END_TEST

/* The constants fit each other. */
START_TEST(test_constants)
{
	ck_assert_uint_eq(1u << BLOCK_SIZE_LOG2, BLOCK_SIZE);
	ck_assert_uint_eq(1u << TREE_FANOUT_LOG2, TREE_FANOUT);
	ck_assert_uint_eq(NODE_HEADER_LEN + NODE_BODY_LEN, BLOCK_SIZE);
	ck_assert_uint_eq(INLINE_MAX, 3556);
	ck_assert_uint_eq(below(TREE_LEVELS_MAX) * BLOCK_SIZE, FILE_SIZE_MAX);
	ck_assert_uint_eq(TREE_FANOUT * BLOCK_SIZE, MIB / 2);
}
END_TEST

UNIT_MAIN("layout", test_from_the_beginning, test_far_out, test_contiguous, test_blocks,
	  test_levels, test_pages, test_constants)

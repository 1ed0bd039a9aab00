#include "format/layout.h"

/* The closed form of FORMAT.md "Tree". */
static const uint64_t span[] = {1, 1ull << 7, 1ull << 14, 1ull << 21, 1ull << 28, 1ull << 35};

uint64_t layout_blocks(uint64_t size)
{
	return size / BLOCK_SIZE + (size % BLOCK_SIZE != 0);
}

int layout_levels(uint64_t size)
{
	uint64_t blocks = layout_blocks(size);
	int levels = 1;

	while (levels < TREE_LEVELS_MAX && blocks > span[levels])
		levels++;
	return levels;
}

uint64_t layout_page_of_block(uint64_t block)
{
	uint64_t leaf = block >> TREE_FANOUT_LOG2;
	uint64_t page = 1 + block + leaf;

	/* Node (k, 0) lies just before its second child, the others before their first. */
	for (int k = 2; k <= TREE_LEVELS_MAX; k++)
		page += (leaf >= span[k - 2]) + leaf / span[k - 1];
	return page;
}

static uint64_t page_of_leaf(uint64_t leaf)
{
	return leaf == 0 ? 0 : layout_page_of_block(leaf << TREE_FANOUT_LOG2) - 1;
}

uint64_t layout_page_of_node(int level, uint64_t index)
{
	if (level == 1)
		return page_of_leaf(index);
	return page_of_leaf(index != 0 ? index * span[level - 1] : span[level - 2]) -
	       (uint64_t)(level - 1);
}

uint64_t layout_pages(uint64_t size)
{
	uint64_t blocks = layout_blocks(size);

	return blocks == 0 ? 1 : layout_page_of_block(blocks - 1) + 1;
}

/* Hash pages: leaf 0, leaf 1 and, if there are two leaves, a top above them. */
#include <string.h>

#include "commit_model.h"

static uint64_t mix(uint64_t a, uint64_t b)
{
	a ^= b + 0x9e3779b97f4a7c15u + (a << 6) + (a >> 2);
	a *= 0xff51afd7ed558ccdu;
	a ^= a >> 33;
	a *= 0xc4ceb9fe1a85ec53u;
	return a ^ (a >> 29);
}

uint64_t tree_hash(int page, const uint64_t body[FANOUT])
{
	return mix(mix((uint64_t)page + 77, body[0]), body[1]) | 1;
}

static bool is_zero(const uint64_t body[FANOUT])
{
	return body[0] == 0 && body[1] == 0;
}

int tree_top(const struct tree *tree)
{
	return tree->levels == 1 ? PAGE_LEAF0 : PAGE_TOP;
}

void tree_begin(struct tree *tree, int levels)
{
	memset(tree, 0, sizeof(*tree));
	tree->levels = levels;
}

/* What changes from zeroes starts anew, unless it was changed before. */
static uint64_t *writable(struct tree *tree, int page)
{
	if (!tree->changed[page] && is_zero(tree->body[page]))
		tree->fresh[page] = true;
	tree->has[page] = tree->changed[page] = true;
	return tree->body[page];
}

static void drop(struct tree *tree, int page)
{
	memset(tree->body[page], 0, sizeof(tree->body[page]));
	tree->has[page] = tree->changed[page] = tree->fresh[page] = false;
}

/* The page that the boundary goes through; PAGES: it is between two. */
static int boundary_page(int blocks)
{
	return blocks == 0 ? PAGE_LEAF0 : blocks % FANOUT == 0 ? (int)PAGES : blocks / FANOUT;
}

unsigned int tree_shrink_needs(const struct tree *tree, int size)
{
	int page = boundary_page(blocks_of(size));
	unsigned int needs = page == PAGES ? 0 : 1u << page;

	if (levels_of(size) > tree->levels)
		return 0;
	if (levels_of(size) == 2)
		needs |= 1u << PAGE_TOP;
	return levels_of(size) < tree->levels ? needs | 1u << PAGE_LEAF0 : needs;
}

void tree_shrink(struct tree *tree, int size)
{
	int blocks = blocks_of(size), page = boundary_page(blocks);

	/* It grew and shrank since its last transaction. */
	if (levels_of(size) > tree->levels)
		return;
	if (page != PAGES)
		for (int i = blocks % FANOUT; i < FANOUT; i++)
			writable(tree, page)[i] = 0;
	if (levels_of(size) < tree->levels)
		(void)writable(tree, PAGE_LEAF0);
	if (levels_of(size) == 1) {
		drop(tree, PAGE_LEAF1);
		drop(tree, PAGE_TOP);
	}
	tree->levels = levels_of(size);
}

void tree_grow(struct tree *tree, int size)
{
	if (levels_of(size) <= tree->levels)
		return;
	(void)writable(tree, PAGE_LEAF0);
	drop(tree, PAGE_TOP);
	tree->has[PAGE_TOP] = tree->changed[PAGE_TOP] = tree->fresh[PAGE_TOP] = true;
	tree->levels = 2;
}

void tree_set_entry(struct tree *tree, int block, uint64_t entry)
{
	writable(tree, block / FANOUT)[block % FANOUT] = entry;
}

void tree_set_leaf0(struct tree *tree, uint64_t body)
{
	uint64_t *leaf = writable(tree, PAGE_LEAF0);

	leaf[0] = body;
	leaf[1] = 0;
	tree->fresh[PAGE_LEAF0] = body == 0;
}

void tree_collect(struct tree *tree)
{
	for (int page = PAGE_LEAF0; page <= PAGE_LEAF1 && tree->levels == 2; page++)
		if (tree->changed[page])
			writable(tree, PAGE_TOP)[page] =
				is_zero(tree->body[page]) ? 0 : tree_hash(page, tree->body[page]);
	tree->root = tree_hash(tree_top(tree), tree->body[tree_top(tree)]);
}

void tree_build(struct tree *tree, int size, bool is_inline, const uint16_t content[BLOCKS])
{
	tree_begin(tree, levels_of(size));
	for (int block = 0; block < blocks_of(size); block++)
		tree->body[block / FANOUT][block % FANOUT] = content[block];
	if (is_inline && size > 0)
		tree->body[PAGE_LEAF0][0] |= ENTRY_IS_INLINE;
	for (int page = PAGE_LEAF0; page <= PAGE_LEAF1; page++)
		tree->changed[page] = true;
	tree_collect(tree);
	memset(tree->changed, 0, sizeof(tree->changed));
	memset(tree->fresh, 0, sizeof(tree->fresh));
	memset(tree->has, true, sizeof(tree->has));
}

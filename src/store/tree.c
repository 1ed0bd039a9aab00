#include "store/tree.h"
#include "store/break.h"

#include <stdlib.h>
#include <string.h>

static uint64_t page_key(int level, uint64_t index)
{
	return (uint64_t)level << 56 | index;
}

static bool body_is_zero(const uint8_t body[NODE_BODY_LEN])
{
	return body[0] == 0 && memcmp(body, body + 1, NODE_BODY_LEN - 1) == 0;
}

void tree_page_put(struct tree_page *page)
{
	if (page != NULL && atomic_fetch_sub(&page->refs, 1) == 1)
		free(page);
}

void tree_init(struct tree *tree, const struct object_id *id, uint32_t epoch, atomic_uint *total)
{
	static const uint8_t zeroes[NODE_BODY_LEN];

	*tree = (struct tree){.id = *id, .epoch = epoch, .levels = 1, .total = total};
	node_hash(id, epoch, 1, 0, zeroes, tree->root);
}

static void remove_page(struct tree *tree, struct tree_page *page)
{
	HASH_DEL(tree->pages, page);
	tree->count--;
	atomic_fetch_sub(tree->total, 1);
	tree_page_put(page);
}

void tree_clear(struct tree *tree)
{
	struct tree_page *page, *next;

	HASH_ITER(hh, tree->pages, page, next)
		remove_page(tree, page);
}

struct tree_page *tree_find(struct tree *tree, int level, uint64_t index)
{
	uint64_t key = page_key(level, index);
	struct tree_page *page;

	HASH_FIND(hh, tree->pages, &key, sizeof(key), page);
	return page;
}

enum err tree_add(struct tree *tree, int level, uint64_t index, const uint8_t *body,
		  struct tree_page **out)
{
	struct tree_page *page = calloc(1, sizeof(*page));

	if (page == NULL)
		return ERR_NO_MEMORY;
	atomic_init(&page->refs, 1);
	page->level = (uint8_t)level;
	page->index = index;
	page->key = page_key(level, index);
	if (body != NULL)
		memcpy(page->body, body, NODE_BODY_LEN);
	HASH_ADD(hh, tree->pages, key, sizeof(page->key), page);
	tree->count++;
	atomic_fetch_add(tree->total, 1);
	if (out != NULL)
		*out = page;
	return ERR_OK;
}

enum tree_expect tree_expected(struct tree *tree, int level, uint64_t index,
			       uint8_t hash[OBJECT_ROOT_LEN], size_t *len)
{
	struct tree_page *parent;
	const uint8_t *entry;

	if (level == tree->levels) {
		memcpy(hash, tree->root, OBJECT_ROOT_LEN);
		*len = OBJECT_ROOT_LEN;
		return TREE_PRESENT;
	}
	parent = tree_find(tree, level + 1, index >> TREE_FANOUT_LOG2);
	if (parent == NULL)
		return TREE_NEED_PARENT;
	entry = parent->body + (index % TREE_FANOUT) * ENTRY_LEN;
	memcpy(hash, entry, ENTRY_LEN);
	*len = ENTRY_LEN;
	for (size_t i = 0; i < ENTRY_LEN; i++)
		if (entry[i] != 0)
			return TREE_PRESENT;
	return TREE_ABSENT;
}

bool tree_missing(struct tree *tree, int level, uint64_t index, int *missing_level,
		  uint64_t *missing_index)
{
	for (int k = tree->levels; k >= level; k--) {
		uint64_t at = index >> (TREE_FANOUT_LOG2 * (unsigned)(k - level));

		if (tree_find(tree, k, at) == NULL) {
			*missing_level = k;
			*missing_index = at;
			return true;
		}
	}
	return false;
}

/* Does the tree, as high as it is now, cover this leaf at all? */
static bool is_covered(const struct tree *tree, uint64_t leaf)
{
	return leaf >> (TREE_FANOUT_LOG2 * (unsigned)(tree->levels - 1)) == 0;
}

bool tree_entry(struct tree *tree, uint64_t block, uint8_t entry[ENTRY_LEN])
{
	uint64_t leaf = block / TREE_FANOUT;
	struct tree_page *page;

	if (!is_covered(tree, leaf)) {
		memset(entry, 0, ENTRY_LEN);
		return true;
	}
	page = tree_find(tree, 1, leaf);
	if (page == NULL)
		return false;
	memcpy(entry, page->body + (block % TREE_FANOUT) * ENTRY_LEN, ENTRY_LEN);
	return true;
}

/*
 * A page that may be changed: a copy takes its place if a transaction shares it.
 */
static enum err writable(struct tree *tree, int level, uint64_t index, struct tree_page **out)
{
	struct tree_page *page = tree_find(tree, level, index);
	enum err err;

	if (page == NULL)
		return ERR_AGAIN;
	if (atomic_load(&page->refs) > 1 && !STORE_BREAK(I4_SHARED_PAGES)) {
		struct tree_page *copy;

		atomic_fetch_add(&page->refs, 1);
		remove_page(tree, page);
		err = tree_add(tree, level, index, page->body, &copy);
		if (err == ERR_OK) {
			copy->changed = page->changed;
			copy->fresh = page->fresh;
		}
		tree_page_put(page);
		if (err != ERR_OK)
			return err;
		page = copy;
	}
	if (!page->changed && body_is_zero(page->body))
		page->fresh = true;
	page->changed = true;
	*out = page;
	return ERR_OK;
}

/* Children at `level` - 1 that are kept when the object shrinks to `blocks` blocks. */
static uint64_t children_kept(uint64_t blocks, int level)
{
	for (int k = 1; k < level; k++)
		blocks = (blocks + TREE_FANOUT - 1) / TREE_FANOUT;
	return blocks;
}

bool tree_shrink_missing(struct tree *tree, uint64_t size, int *level, uint64_t *index)
{
	uint64_t blocks = layout_blocks(size);
	int levels = layout_levels(size);

	/* It grew and shrank since its last transaction, and was never that large in the tree. */
	if (levels > tree->levels)
		return false;
	/* The boundary page of each level that stays; those above it are dropped. */
	for (int k = 1; k <= levels; k++) {
		uint64_t kept = children_kept(blocks, k);

		if (kept % TREE_FANOUT == 0 && kept != 0)
			continue;
		if (tree_missing(tree, k, kept / TREE_FANOUT, level, index))
			return true;
	}
	/* If the tree loses its top, the new top's hash must be found again: it must be here. */
	return levels < tree->levels && tree_missing(tree, levels, 0, level, index);
}

static void drop_pages(struct tree *tree, uint64_t blocks, int levels)
{
	struct tree_page *page, *next;

	HASH_ITER(hh, tree->pages, page, next) {
		uint64_t pages_kept = children_kept(blocks, page->level + 1);

		if (page->level > levels || (page->index >= pages_kept && page->index > 0))
			remove_page(tree, page);
	}
}

enum err tree_shrink(struct tree *tree, uint64_t size)
{
	uint64_t blocks = layout_blocks(size);
	int levels = layout_levels(size);

	if (levels > tree->levels)
		return ERR_OK;
	for (int k = 1; k <= levels; k++) {
		uint64_t kept = children_kept(blocks, k);
		struct tree_page *page;
		enum err err;

		if (kept % TREE_FANOUT == 0 && kept != 0)
			continue;
		err = writable(tree, k, kept / TREE_FANOUT, &page);
		if (err != ERR_OK)
			return err;
		memset(page->body + (kept % TREE_FANOUT) * ENTRY_LEN, 0,
		       (TREE_FANOUT - kept % TREE_FANOUT) * ENTRY_LEN);
	}
	if (levels < tree->levels) {
		struct tree_page *top;
		enum err err = writable(tree, levels, 0, &top);

		if (err != ERR_OK)
			return err;
	}
	drop_pages(tree, blocks, levels);
	tree->levels = levels;
	return ERR_OK;
}

enum err tree_grow(struct tree *tree, uint64_t size)
{
	int levels = layout_levels(size);

	while (tree->levels < levels) {
		struct tree_page *old_top, *new_top;
		enum err err = writable(tree, tree->levels, 0, &old_top);

		/* The old top becomes a child: hashing it again fills its new parent's entry. */
		if (err == ERR_OK)
			err = tree_add(tree, tree->levels + 1, 0, NULL, &new_top);
		if (err != ERR_OK)
			return err;
		new_top->changed = new_top->fresh = true;
		tree->levels++;
	}
	return ERR_OK;
}

enum err tree_set_entry(struct tree *tree, uint64_t block, const uint8_t entry[ENTRY_LEN])
{
	struct tree_page *page;
	enum err err = writable(tree, 1, block / TREE_FANOUT, &page);

	if (err == ERR_OK)
		memcpy(page->body + (block % TREE_FANOUT) * ENTRY_LEN, entry, ENTRY_LEN);
	return err;
}

enum err tree_set_leaf0(struct tree *tree, const uint8_t *body)
{
	struct tree_page *page;
	enum err err = writable(tree, 1, 0, &page);

	if (err != ERR_OK)
		return err;
	if (body != NULL)
		memcpy(page->body, body, NODE_BODY_LEN);
	else
		memset(page->body, 0, NODE_BODY_LEN);
	page->fresh = body == NULL;
	return ERR_OK;
}

/* Put a changed page's hash into its parent, or into the root. */
static enum err hash_into_parent(struct tree *tree, struct tree_page *page)
{
	uint8_t hash[OBJECT_ROOT_LEN];
	struct tree_page *parent;
	enum err err;

	node_hash(&tree->id, tree->epoch, page->level, page->index, page->body, hash);
	if (page->level == tree->levels) {
		memcpy(tree->root, hash, OBJECT_ROOT_LEN);
		return ERR_OK;
	}
	if (body_is_zero(page->body))
		memset(hash, 0, sizeof(hash));
	err = writable(tree, page->level + 1, page->index >> TREE_FANOUT_LOG2, &parent);
	if (err == ERR_OK)
		memcpy(parent->body + (page->index % TREE_FANOUT) * ENTRY_LEN, hash, ENTRY_LEN);
	return err;
}

/*
 * The changed pages of one level (0: of all levels).  Hashing replaces shared
 * parents in the table, so it must not be walked meanwhile.
 */
static size_t list_changed(struct tree *tree, int level, struct tree_page **list)
{
	struct tree_page *page, *next;
	size_t count = 0;

	HASH_ITER(hh, tree->pages, page, next)
		if (page->changed && (level == 0 || page->level == level))
			list[count++] = page;
	return count;
}

enum err tree_collect(struct tree *tree, tree_each_page *each, void *ctx)
{
	/* Parents that become changed on the way are in the table already. */
	struct tree_page **list = malloc((tree->count + 1) * sizeof(*list));
	enum err err = list == NULL ? ERR_NO_MEMORY : ERR_OK;
	size_t count;

	for (int level = 1; level <= tree->levels && err == ERR_OK; level++) {
		count = list_changed(tree, level, list);
		for (size_t i = 0; i < count && err == ERR_OK; i++)
			err = hash_into_parent(tree, list[i]);
	}
	count = err == ERR_OK ? list_changed(tree, 0, list) : 0;
	for (size_t i = 0; i < count && err == ERR_OK; i++) {
		err = each(ctx, list[i]);
		list[i]->changed = list[i]->fresh = false;
	}
	free(list);
	return err;
}

void tree_evict(struct tree *tree, uint32_t keep)
{
	struct tree_page *page, *next;

	HASH_ITER(hh, tree->pages, page, next) {
		if (tree->count <= keep)
			return;
		if (!page->changed && page->key != page_key(1, 0) && atomic_load(&page->refs) == 1)
			remove_page(tree, page);
	}
}

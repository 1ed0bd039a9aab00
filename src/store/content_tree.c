#include <string.h>

#include "store/break.h"
#include "store/content.h"
#include "store/part.h"

/* Read one tree page as it is on the backing; no lock held. */
static enum err read_body(struct store *store, struct content *content, int level,
			  uint64_t index, uint8_t body[NODE_BODY_LEN])
{
	uint8_t page[BLOCK_SIZE];
	uint64_t offset = layout_page_of_node(level, index) * BLOCK_SIZE;
	int file;
	enum err err = content_open_file(store, content, CONTENT_EXISTING, &file);

	if (err == ERR_NOT_FOUND)
		return ERR_DELETED;
	if (err == ERR_OK)
		err = store->ciphertext->ops->pread(store->ciphertext, file, page, sizeof(page),
						    offset);
	if (err == ERR_OK)
		memcpy(body, page + NODE_HEADER_LEN, NODE_BODY_LEN);
	return err;
}

bool content_is_stuck(struct store *store, const struct content *content)
{
	return content->apply_count % 2 != 0 && atomic_load(&store->frozen) != ERR_OK;
}

/* Add a body that was read if it is what the parent expects; node locked. */
static enum err verify_and_add(struct content *content, int level, uint64_t index,
			       const uint8_t body[NODE_BODY_LEN])
{
	struct tree *tree = &content->tree;
	uint8_t expected[OBJECT_ROOT_LEN], hash[OBJECT_ROOT_LEN];
	size_t len;

	switch (tree_expected(tree, level, index, expected, &len)) {
	case TREE_NEED_PARENT:
		return ERR_AGAIN;
	case TREE_ABSENT:
		return tree_add(tree, level, index, NULL, NULL);
	case TREE_PRESENT:
		break;
	}
	/* I16: from the private copy that was read. */
	node_hash(&tree->id, tree->epoch, level, index, body, hash);
	if (memcmp(hash, expected, len) != 0 && !STORE_BREAK(I16_TREE))
		return ERR_TAMPERED;
	return tree_add(tree, level, index, body, NULL);
}

/*
 * Load the one page, whose parents are in memory.  A page that does not fit
 * while or since an apply changed the file is read again: the applier had
 * written it, or its parent, meanwhile.
 */
static enum err load_one(struct store *store, struct content *content, int level, uint64_t index)
{
	struct node *node = content->node;
	uint8_t body[NODE_BODY_LEN];
	uint8_t expected[OBJECT_ROOT_LEN];
	size_t len;

	for (;;) {
		uint64_t applied = content->apply_count;
		uint64_t seen = store_change_count(store);
		enum err err;

		if (tree_find(&content->tree, level, index) != NULL)
			return ERR_OK;
		if (tree_expected(&content->tree, level, index, expected, &len) == TREE_ABSENT)
			return tree_add(&content->tree, level, index, NULL, NULL);
		pthread_mutex_unlock(&node->mutex);
		err = read_body(store, content, level, index, body);
		pthread_mutex_lock(&node->mutex);
		if (err != ERR_OK)
			return err;
		if (tree_find(&content->tree, level, index) != NULL)
			return ERR_OK;
		err = verify_and_add(content, level, index, body);
		if (err != ERR_TAMPERED)
			return err;
		if (content->apply_count == applied && applied % 2 == 0)
			return ERR_TAMPERED;
		if (content_is_stuck(store, content))
			return ERR_FROZEN;
		if (content->apply_count % 2 != 0 && content->apply_count == applied) {
			pthread_mutex_unlock(&node->mutex);
			store_wait_change(store, seen);
			pthread_mutex_lock(&node->mutex);
		}
	}
}

enum err content_load_page(struct store *store, struct content *content, int level,
			   uint64_t index)
{
	int missing_level;
	uint64_t missing_index;

	if (atomic_load(&store->tree_pages) > TREE_PAGES_MAX && !content->is_sealing)
		tree_evict(&content->tree, TREE_PAGES_KEPT);
	while (level <= content->tree.levels &&
	       tree_missing(&content->tree, level, index, &missing_level, &missing_index)) {
		enum err err = load_one(store, content, missing_level, missing_index);

		if (err == ERR_AGAIN)
			continue;
		if (err != ERR_OK) {
			if (err == ERR_TAMPERED || err == ERR_DELETED)
				store_report(store, content->node, err, index * TREE_FANOUT);
			return err;
		}
	}
	return ERR_OK;
}

enum err content_block(struct store *store, struct content *content, uint64_t block,
		       struct block_state *state, bool *reloaded)
{
	for (;;) {
		enum err err;

		state->extent = overlay_find(&content->live, block);
		if (state->extent != NULL)
			return ERR_OK;
		memset(state->entry, 0, ENTRY_LEN);
		/* What was truncated away reads as zeroes though the tree may still have it. */
		if (block >= content_hole_from(content) || block >= layout_blocks(content->tree_size))
			return ERR_OK;
		if (tree_entry(&content->tree, block, state->entry))
			return ERR_OK;
		err = content_load_page(store, content, 1, block / TREE_FANOUT);
		if (err != ERR_OK)
			return err;
		*reloaded = true;
	}
}

/* The first block behind the highest absent page on the way to `block`. */
static enum err skip_absent(struct store *store, struct content *content, uint64_t block,
			    uint64_t *next)
{
	struct tree *tree = &content->tree;
	uint8_t expected[OBJECT_ROOT_LEN];
	size_t len;

	*next = block;
	for (int level = tree->levels - 1; level >= 1; level--) {
		uint64_t index = block >> (TREE_FANOUT_LOG2 * (unsigned)level);
		enum err err = content_load_page(store, content, level + 1,
						 index >> TREE_FANOUT_LOG2);

		if (err != ERR_OK)
			return err;
		if (tree_expected(tree, level, index, expected, &len) == TREE_ABSENT) {
			*next = (index + 1) << (TREE_FANOUT_LOG2 * (unsigned)level);
			return ERR_OK;
		}
	}
	return ERR_OK;
}

enum err content_skip_holes(struct store *store, struct content *content, uint64_t block,
			    uint64_t *next)
{
	uint64_t in_overlay = overlay_next(&content->live, block);
	enum err err = ERR_OK;

	if (block >= content_hole_from(content) || block >= layout_blocks(content->tree_size))
		*next = UINT64_MAX;
	else
		err = skip_absent(store, content, block, next);
	if (err == ERR_OK && in_overlay < *next)
		*next = in_overlay;
	return err;
}

/* R4: a cut that was not taken yet, with something at that block. */
static bool cuts_have_block(const struct content *content, uint64_t block)
{
	return (content->flushing != NULL &&
		overlay_find(&content->flushing->overlay, block) != NULL) ||
	       (content->ready != NULL &&
		overlay_find(&content->ready->overlay, block) != NULL);
}

/* I2, I9, R4. */
enum err content_streamable(struct store *store, struct content *content, uint64_t block,
			    bool *streamable)
{
	struct block_state state;
	bool reloaded = false;
	enum err err;

	*streamable = STORE_BREAK(I1_IN_PLACE);
	if (block >= content_floor(content) || *streamable)
		return ERR_OK;
	/* Fast: nothing anywhere ever had data here. */
	if (block >= content->high_block) {
		*streamable = true;
		return ERR_OK;
	}
	err = content_block(store, content, block, &state, &reloaded);
	if (err != ERR_OK || state.extent != NULL || !entry_is_hole(state.entry))
		return err;
	if (content->is_inline && block == 0)
		return ERR_OK;
	*streamable = !cuts_have_block(content, block) &&
		      (STORE_BREAK(I2_UNAPPLIED) || !parts_have_block(content, block));
	return ERR_OK;
}

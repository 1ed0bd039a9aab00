#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/break.h"
#include "store/commit.h"
#include "store/content.h"
#include "store/node.h"

/* Where a part's content state comes from (R1). */
enum state_source { TAKE_NOTHING, TAKE_LIVE, TAKE_CUT, TAKE_EMPTY, TAKE_HEADER, TAKE_DELETE };

/* A transaction that fills up. */
struct filling {
	struct txn *txn;
	bool everything;
	size_t used;
};

/* What still fits: any change, or only what somebody waits for. */
struct fit {
	bool any, wanted;
};

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Its content goes into this transaction if it is ready (R3, I22: in any case). */
static bool is_taken(const struct node *node, struct fit fit)
{
	return fit.any || (fit.wanted && node->wanted_op > node->appended_op) ||
	       node->must_op > node->appended_op;
}

/* node->mutex held. */
static enum state_source choose(const struct node *node, struct fit fit)
{
	const struct content *content = node->content;
	bool wanted = is_taken(node, fit);

	if (!node->is_dirty || node->is_gone || content == NULL)
		return TAKE_NOTHING;
	/* Never in a transaction, and nobody can reach it: who let go of it discards it. */
	if (node->attr.nlink == 0 && (!node_is_held(node) || STORE_BREAK(I23_EARLY)))
		return node->is_new ? TAKE_NOTHING : TAKE_DELETE;
	/* All of the namespace, always (I21); it never streams. */
	if (!S_ISREG(node->type) || node->is_metadata)
		return STORE_BREAK(I21_NAMES_LATER) && node->number != STORE_ROOT ? TAKE_NOTHING
										   : TAKE_LIVE;
	if (wanted && !content_has_unflushed(content))
		return TAKE_LIVE;
	if ((wanted || node->is_new) && content->ready != NULL &&
	    content->ready->op > node->appended_op)
		return TAKE_CUT;
	/* R8: a new name comes with its object. */
	if (node->is_new)
		return STORE_BREAK(R8_NO_INODE) ? TAKE_NOTHING : TAKE_EMPTY;
	/* Its links and attributes are namespace (I21); its content stays as it was. */
	return node->named_op > node->appended_named_op && !STORE_BREAK(I21_NO_HEADER)
		       ? TAKE_HEADER
		       : TAKE_NOTHING;
}

/* All shrinks the tree does not have yet go with a live part. */
static void take_shrinks(struct content *content, struct part *part)
{
	part->shrink = content->shrink;
	content->shrink = NO_SHRINK;
	if (content->flushing != NULL) {
		part->shrink = smaller(part->shrink, content->flushing->shrink);
		content->flushing->shrink = NO_SHRINK;
	}
	if (content->ready != NULL)
		part->shrink = smaller(part->shrink, content->ready->shrink);
	cut_free(content->ready);
	content->ready = NULL;
}

static void lighten(struct load *load, struct load taken)
{
	load->dirty -= smaller(load->dirty, taken.dirty);
	load->streamed -= smaller(load->streamed, taken.streamed);
}

/* The transaction has what cost that much. */
static void unload(struct content *content, struct load taken)
{
	lighten(&content->load, taken);
	if (content->flushing != NULL)
		lighten(&content->flushing->load, taken);
}

static enum err take_state(struct content *content, struct part *part, enum state_source source)
{
	struct node *node = content->node;
	enum err err = ERR_OK;

	part->attr = node->attr;
	part->shrink = NO_SHRINK;
	part->op = node->op;
	switch (source) {
	case TAKE_LIVE:
		err = overlay_snapshot(&content->live, &part->overlay);
		if (err == ERR_OK)
			take_shrinks(content, part);
		content->fresh_bytes = 0;
		unload(content, content->load);
		break;
	case TAKE_CUT:
		part->op = content->ready->op;
		if (!STORE_BREAK(R1_LIVE_SIZE))
			part->attr.size = content->ready->size;
		part->attr.blocks = content->ready->blocks;
		part->shrink = content->ready->shrink;
		unload(content, content->ready->load);
		part->overlay = content->ready->overlay;
		overlay_init(&content->ready->overlay);
		cut_free(content->ready);
		content->ready = NULL;
		break;
	case TAKE_EMPTY:
		part->op = 0;
		part->attr.size = part->attr.blocks = 0;
		break;
	case TAKE_HEADER:
		part->op = node->appended_op;
		part->attr.size = content->tree_size;
		part->attr.blocks = content->tree_blocks;
		break;
	case TAKE_DELETE:
		part->is_delete = true;
		break;
	case TAKE_NOTHING:
		break;
	}
	return err;
}

/* The transaction's number goes into what it carries for the first time. */
static enum err mark(void *ctx, uint64_t block, struct extent *extent)
{
	struct part *part = ctx;

	(void)block;
	if (extent->seq == 0)
		extent->seq = part->seq;
	return ERR_OK;
}

static void link_part(struct txn *txn, struct part *part)
{
	struct content *content = part->content;

	if (txn->parts_last != NULL)
		txn->parts_last->next = part;
	else
		txn->parts_first = part;
	txn->parts_last = part;
	txn->part_count++;
	if (content->parts_last != NULL)
		content->parts_last->content_next = part;
	else
		content->parts_first = part;
	content->parts_last = part;
}

/* The node's own bookkeeping once a part has its state; node->mutex held. */
static void settle_node(struct store *store, struct node *node, const struct part *part)
{
	node->is_new = false;
	node->is_gone = part->is_delete;
	node->appended_named_op = node->named_op;
	if (part->op > node->appended_op)
		node->appended_op = part->op;
	if (part->op >= node->must_op)
		node->must_op = 0;
	if (part->op == node->op)
		node_clean(store, node);
}

static enum err take(struct store *store, struct txn *txn, struct node *node,
		     enum state_source source)
{
	struct content *content = node->content;
	struct part *part = calloc(1, sizeof(*part));
	enum err err;

	if (part == NULL)
		return ERR_NO_MEMORY;
	overlay_init(&part->overlay);
	part->seq = txn->seq;
	part->node = node;
	part->content = content;
	part->is_create = node->is_new;
	part->base = content->base;
	part->levels_before = node->is_new ? 0 : content->tree.levels;
	part->parent = node->parent;
	part->attributes = node->attributes;
	if (node->name != NULL && node->attr.nlink > 0)
		strncpy(part->name, node->name, sizeof(part->name) - 1);
	err = take_state(content, part, source);
	if (err != ERR_OK) {
		free(part);
		return err;
	}
	node_ref(store, node, 1);
	err = overlay_walk(&part->overlay, mark, part);
	content->sealing_shrink = part->shrink;
	link_part(txn, part);
	settle_node(store, node, part);
	return err;
}

/*
 * Journal bytes that a node costs at most.  A block that was changed often
 * counts often, but no file has more than what is in memory of all.
 */
static size_t cost(struct store *store, const struct node *node)
{
	uint64_t in_memory = pages_bytes(&store->pages) / BLOCK_SIZE * BLOCK_COST;

	if (node->content == NULL)
		return INODE_RECORD_COST;
	return INODE_RECORD_COST + node->content->load.streamed +
	       smaller(node->content->load.dirty, in_memory);
}

static struct fit fit_of(const struct filling *filling, size_t its_cost)
{
	struct fit fit = {.wanted = filling->used + its_cost <= TXN_WANTED_MAX};

	fit.any = fit.wanted && filling->used < TXN_TARGET_LEN &&
		  (filling->everything || its_cost < STREAM_REQUEST_MIN);
	return fit;
}

/* node->mutex held. */
static enum err gather_node(struct store *store, struct filling *filling, struct node *node)
{
	size_t its_cost = cost(store, node);
	struct fit fit = fit_of(filling, its_cost);
	struct fit unlimited = {.any = filling->everything, .wanted = true};
	enum state_source source = choose(node, fit);

	if (source != choose(node, unlimited) && filling->used > 0)
		filling->txn->has_left_over = true;
	if (source == TAKE_NOTHING)
		return ERR_OK;
	filling->used += source == TAKE_LIVE || source == TAKE_CUT ? its_cost : INODE_RECORD_COST;
	return take(store, filling->txn, node, source);
}

enum err gather(struct store *store, struct txn *txn, bool everything)
{
	struct filling filling = {.txn = txn, .everything = everything};
	struct node **list = NULL;
	size_t count = 0;
	enum err err;

	pthread_rwlock_wrlock(&store->names);
	txn->names_op = atomic_load(&store->names_op);
	atomic_store(&store->pending_bytes, 0);
	err = node_list_dirty(store, &list, &count);
	for (size_t i = 0; i < count; i++) {
		struct node *node = list[i];

		pthread_mutex_lock(&node->mutex);
		if (err == ERR_OK)
			err = gather_node(store, &filling, node);
		pthread_mutex_unlock(&node->mutex);
		node_put(store, node);
	}
	free(list);
	pthread_rwlock_unlock(&store->names);
	return err;
}

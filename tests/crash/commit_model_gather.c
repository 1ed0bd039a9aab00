/* What goes into a transaction, and the hash trees of what does. */
#include <string.h>

#include "commit_model.h"

enum source { TAKE_NOTHING, TAKE_LIVE, TAKE_CUT, TAKE_EMPTY, TAKE_HEADER, TAKE_DELETE };

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

/* --- gather ----------------------------------------- */

/* Data blocks that an object would have in the transaction at most. */
static int cost(const struct model *m, const struct node *node)
{
	int count = 0;

	for (int block = 0; block < BLOCKS; block++) {
		uint16_t extent = node->live.extent[block];

		count += extent != 0 && m->extent[extent].kind == EXTENT_DIRTY &&
			 m->extent[extent].seq == 0;
	}
	return count;
}

static bool is_taken(const struct node *node, bool any)
{
	return any || node->wanted_op > node->appended_op || node->must_op > node->appended_op;
}

static enum source choose(const struct model *m, int object, bool any)
{
	const struct node *node = &m->node[object];
	bool is_wanted = is_taken(node, any);

	if (!node->is_dirty || node->is_gone)
		return TAKE_NOTHING;
	/* Never in a transaction, and nobody can reach it: release discards it. */
	if (node->nlink == 0 && (node->opens == 0 || IS_BROKEN(m, I23_EARLY)))
		return node->is_new ? TAKE_NOTHING : TAKE_DELETE;
	/* All of the namespace, always (I21); it never streams. */
	if (node->kind != KIND_FILE)
		return IS_BROKEN(m, I21_NAMES_LATER) && object != 0 && !any ? TAKE_NOTHING
									     : TAKE_LIVE;
	if (is_wanted && !content_has_unflushed(m, node))
		return TAKE_LIVE;
	if ((is_wanted || node->is_new) && node->ready.is_set &&
	    node->ready.op > node->appended_op)
		return TAKE_CUT;
	/* R8: a new name comes with its object. */
	if (node->is_new)
		return IS_BROKEN(m, R8_NO_INODE) ? TAKE_NOTHING : TAKE_EMPTY;
	return node->named_op > node->appended_named_op && !IS_BROKEN(m, I21_NO_HEADER)
		       ? TAKE_HEADER
		       : TAKE_NOTHING;
}

/* All shrinks the tree does not have yet go with a live part. */
static void take_live(struct node *node, struct part *part)
{
	part->overlay = node->live;
	part->shrink = node->shrink;
	node->shrink = NO_SHRINK;
	if (node->flushing.is_set) {
		part->shrink = smaller(part->shrink, node->flushing.shrink);
		node->flushing.shrink = NO_SHRINK;
	}
	if (node->ready.is_set)
		part->shrink = smaller(part->shrink, node->ready.shrink);
	node->ready.is_set = false;
}

static void take_state(struct model *m, struct node *node, struct part *part, enum source source)
{
	part->size = node->size;
	part->shrink = NO_SHRINK;
	part->op = node->op;
	switch (source) {
	case TAKE_LIVE:
		take_live(node, part);
		break;
	case TAKE_CUT:
		part->op = node->ready.op;
		if (!IS_BROKEN(m, R1_LIVE_SIZE))
			part->size = node->ready.size;
		part->shrink = node->ready.shrink;
		part->overlay = node->ready.overlay;
		node->ready.is_set = false;
		break;
	case TAKE_EMPTY:
		part->op = 0;
		part->size = 0;
		break;
	case TAKE_HEADER:
		part->op = node->appended_op;
		part->size = node->tree_size;
		break;
	case TAKE_DELETE:
		part->is_delete = true;
		break;
	case TAKE_NOTHING:
		break;
	}
}

/* The node's own bookkeeping once a part has its state. */
static void settle_node(struct node *node, const struct part *part)
{
	node->is_new = false;
	node->is_gone = part->is_delete;
	node->appended_named_op = node->named_op;
	if (part->op > node->appended_op)
		node->appended_op = part->op;
	if (part->op >= node->must_op)
		node->must_op = 0;
	if (part->op == node->op)
		node->is_dirty = false;
}

/* The header that the transaction gives the object, as far as it is known yet. */
static uint16_t header_new(struct model *m, int object, const struct part *part)
{
	const struct node *node = &m->node[object];

	if (m->header_count == HEADERS) {
		m->is_over = true;
		m->header_count--;
	}
	m->header[m->header_count] = (struct header){
		.object = (uint8_t)object, .size = (uint8_t)part->size, .op = part->op,
		.nlink = (uint8_t)node->nlink, .attributes = node->attributes,
		.primary = node->primary, .epoch = node->epoch};
	return (uint16_t)m->header_count++;
}

static void take(struct model *m, struct txn *txn, int object, enum source source)
{
	struct node *node = &m->node[object];
	struct part *part = &txn->part[txn->part_count];

	memset(part, 0, sizeof(*part));
	part->object = (uint8_t)object;
	part->is_create = node->is_new;
	part->base = node->base;
	part->levels_before = node->is_new ? 0 : node->tree.levels;
	take_state(m, node, part, source);
	if (!part->is_delete)
		part->header = header_new(m, object, part);
	for (int block = 0; block < BLOCKS; block++) {
		struct extent *extent = &m->extent[part->overlay.extent[block]];

		if (part->overlay.extent[block] != 0 && extent->seq == 0)
			extent->seq = txn->seq;
	}
	node->sealing_shrink = part->shrink;
	txn->part_of[object] = (int8_t)txn->part_count++;
	settle_node(node, part);
}

void gather(struct model *m, struct txn *txn, bool everything)
{
	int used = 0;

	txn->names_op = m->names_op;
	for (int object = 0; object < m->object_count; object++) {
		int its_cost = cost(m, &m->node[object]);
		bool fits = used + its_cost <= TXN_PAGES;
		enum source source = choose(m, object, everything && fits);

		if (source != choose(m, object, everything) && used > 0)
			txn->has_left_over = true;
		if (source == TAKE_NOTHING)
			continue;
		used += its_cost;
		take(m, txn, object, source);
	}
	/* I23 */
	for (int object = 0; object < m->object_count; object++)
		if (m->node[object].was_nameless && !m->node[object].is_gone)
			violate(m, "an object without a name stays");
}

/* --- seal ----------------------------------------- */

static void decide_inline(const struct model *m, struct part *part)
{
	const struct node *node = &m->node[part->object];
	uint16_t block0 = part->overlay.extent[0];
	bool was_inline = node->is_inline && !part->is_create;
	bool has_plain = block0 != 0 && m->extent[block0].kind == EXTENT_DIRTY;
	bool is_unchanged = was_inline && node->tree_size == part->size &&
			    (block0 == 0 || m->extent[block0].seq != m->seq + 1) &&
			    part->shrink == NO_SHRINK;

	if (node->kind == KIND_DIRECTORY)
		return;
	part->is_inline = part->size == 0 ||
			  (part->size <= INLINE_MAX && (has_plain || is_unchanged));
	part->emits_inline = part->is_inline && !is_unchanged;
}

/* Which entries change; the data of what is in memory goes into the journal. */
static bool collect_changes(struct model *m, struct txn *txn, struct part *part,
			    bool leaves_inline)
{
	for (int block = 0; block < BLOCKS && !part->is_inline; block++) {
		uint16_t number = part->overlay.extent[block];
		const struct extent *extent = &m->extent[number];

		if (number == 0 || (extent->seq != txn->seq && !(block == 0 && leaves_inline)))
			continue;
		part->changes |= (uint8_t)(1u << block);
		part->entry[block] = extent->kind == EXTENT_HOLE ? 0 : number;
		if (extent->kind != EXTENT_DIRTY)
			continue;
		if (txn->page_count == TXN_PAGES) {
			m->is_over = true;
			return false;
		}
		part->pages |= (uint8_t)(1u << block);
		part->page_at[block] = (uint8_t)txn->page_count;
		txn->page_extent[txn->page_count++] = number;
	}
	return true;
}

static uint64_t inline_body(const struct part *part)
{
	return part->size == 0 ? 0 : ENTRY_IS_INLINE | part->overlay.extent[0];
}

static void update_tree(struct model *m, struct part *part, bool leaves_inline)
{
	struct node *node = &m->node[part->object];
	struct tree *tree = &node->tree;

	memset(tree->changed, 0, sizeof(tree->changed));
	memset(tree->fresh, 0, sizeof(tree->fresh));
	if (part->shrink != NO_SHRINK && !part->is_create)
		tree_shrink(tree, part->shrink);
	if (leaves_inline && !IS_BROKEN(m, INLINE_KEPT))
		tree_set_leaf0(tree, 0);
	if (part->emits_inline)
		tree_set_leaf0(tree, inline_body(part));
	tree_grow(tree, part->size);
	for (int block = 0; block < BLOCKS; block++)
		if (part->changes >> block & 1 &&
		    !(block == 0 && leaves_inline && IS_BROKEN(m, INLINE_KEPT)))
			tree_set_entry(tree, block, part->entry[block]);
	tree_collect(tree);
	part->tree = *tree;
}

/* The tree is at the part's state: what the rest of the store sees of it. */
static void publish(struct model *m, struct part *part)
{
	struct node *node = &m->node[part->object];
	struct header *header = &m->header[part->header];

	node->tree_size = part->size;
	node->is_inline = part->is_inline;
	node->sealing_shrink = NO_SHRINK;
	header->version = ++node->version;
	header->is_inline = part->is_inline;
	header->levels = (uint8_t)node->tree.levels;
	header->root = node->tree.root;
	for (int block = 0; block < BLOCKS; block++)
		header->content[block] =
			(uint16_t)node->tree.body[block / FANOUT][block % FANOUT];
}

bool seal(struct model *m, struct txn *txn)
{
	for (int i = 0; i < txn->part_count; i++) {
		struct part *part = &txn->part[i];
		struct node *node = &m->node[part->object];
		bool leaves_inline;

		step(m); /* It is encrypted without a lock. */
		if (part->is_delete) {
			node->sealing_shrink = NO_SHRINK;
			continue;
		}
		decide_inline(m, part);
		leaves_inline = node->is_inline && !part->is_create && !part->is_inline;
		if (!collect_changes(m, txn, part, leaves_inline))
			return false;
		step(m);
		update_tree(m, part, leaves_inline);
		publish(m, part);
	}
	return true;
}

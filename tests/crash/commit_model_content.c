/* The content of one object in memory: overlay, cuts, and what changes it. */
#include <string.h>

#include "commit_model.h"

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

static int larger(int a, int b)
{
	return a > b ? a : b;
}

int node_new(struct model *m, enum kind kind)
{
	int object = m->object_count++;
	struct node *node = &m->node[object];

	memset(node, 0, offsetof(struct node, states));
	node->kind = kind;
	node->is_used = node->is_new = true;
	node->epoch = m->epoch;
	node->shrink = node->sealing_shrink = NO_SHRINK;
	node->state_count = 1;
	memset(&node->states[0], 0, sizeof(node->states[0]));
	tree_build(&node->tree, 0, false, node->states[0].content);
	return object;
}

void node_changed(struct model *m, int object)
{
	m->node[object].op = ++m->clock;
	if (!m->node[object].is_gone)
		m->node[object].is_dirty = true;
}

void node_names_changed(struct model *m, int object)
{
	node_changed(m, object);
	m->node[object].named_op = m->names_op = m->node[object].op;
}

uint16_t extent_new(struct model *m, enum extent_kind kind, uint32_t meaning)
{
	if (m->extent_count == EXTENTS) {
		m->is_over = true;
		m->extent_count--;
	}
	m->extent[m->extent_count] = (struct extent){kind, 0, meaning};
	return (uint16_t)m->extent_count++;
}

/* --- what it should be ----------------------------------------- */

const struct state *state_at(const struct node *node, uint32_t op)
{
	int i = node->state_count - 1;

	while (i > 0 && node->states[i].op > op)
		i--;
	return &node->states[i];
}

void state_now(struct model *m, int object, const struct state *state)
{
	struct node *node = &m->node[object];

	if (node->state_count == STATES) {
		m->is_over = true;
		return;
	}
	node->states[node->state_count] = *state;
	node->states[node->state_count++].op = node->op;
}

static struct state latest(const struct node *node)
{
	return node->states[node->state_count - 1];
}

/* --- where a block is ----------------------------------------- */

static int shrink_blocks(int size)
{
	return size == NO_SHRINK ? NO_SHRINK : blocks_of(size);
}

static int hole_from(const struct node *node)
{
	int size = smaller(node->shrink, node->sealing_shrink);

	if (node->flushing.is_set)
		size = smaller(size, node->flushing.shrink);
	if (node->ready.is_set)
		size = smaller(size, node->ready.shrink);
	return shrink_blocks(size);
}

uint32_t content_applied_seq(const struct model *m, int object)
{
	uint32_t retired_seq = m->node[object].retired_seq;

	return retired_seq > m->applied_seq ? retired_seq : m->applied_seq;
}

/* Goes through the parts of an object that are not applied. */
static const struct part *next_part(const struct model *m, int object, uint32_t *seq)
{
	while (++*seq <= m->gathered_seq) {
		const struct txn *txn = &m->txn[m->by_seq[*seq]];

		if (txn->part_of[object] >= 0)
			return &txn->part[txn->part_of[object]];
	}
	return NULL;
}

/* R4, I9 */
static int floor_of(const struct model *m, int object)
{
	const struct node *node = &m->node[object];
	uint32_t seq = content_applied_seq(m, object);
	const struct part *part;
	int floor = IS_BROKEN(m, R4_NO_SHRINK)    ? NO_SHRINK
		    : IS_BROKEN(m, R4_CUT_SHRINK) ? shrink_blocks(node->shrink)
						  : hole_from(node);

	if (IS_BROKEN(m, I9_NO_SHRINK) || IS_BROKEN(m, I2_UNAPPLIED))
		return floor;
	while ((part = next_part(m, object, &seq)) != NULL)
		floor = smaller(floor, shrink_blocks(part->shrink));
	return floor;
}

bool content_is_unsettled(const struct model *m, int object)
{
	return floor_of(m, object) < m->node[object].high_block;
}

/* The extent that a block has, from the overlay, else the tree: there `*entry` is set. */
static uint16_t block_of(const struct node *node, int block, uint64_t *entry)
{
	*entry = 0;
	if (node->live.extent[block] != 0)
		return node->live.extent[block];
	if (block < hole_from(node) && block < blocks_of(node->tree_size))
		*entry = node->tree.body[block / FANOUT][block % FANOUT];
	return 0;
}

static bool is_hole(const struct model *m, const struct node *node, int block)
{
	uint64_t entry;
	uint16_t extent = block_of(node, block, &entry);

	return extent != 0 ? m->extent[extent].kind == EXTENT_HOLE : entry == 0;
}

static bool cuts_have_block(const struct node *node, int block)
{
	return (node->flushing.is_set && node->flushing.overlay.extent[block] != 0) ||
	       (node->ready.is_set && node->ready.overlay.extent[block] != 0);
}

static bool parts_have_block(const struct model *m, int object, int block)
{
	uint32_t seq = content_applied_seq(m, object);
	const struct part *part;

	while ((part = next_part(m, object, &seq)) != NULL)
		if (part->overlay.extent[block] != 0)
			return true;
	return false;
}

/* R4: is the position free in every state that a cut could leave? */
static bool is_streamable(const struct model *m, int object, int block)
{
	const struct node *node = &m->node[object];
	uint64_t entry;
	uint16_t extent;

	if (IS_BROKEN(m, I1_IN_PLACE))
		return true;
	if (block >= floor_of(m, object))
		return false;
	if (block >= node->high_block)
		return true;
	extent = block_of(node, block, &entry);
	if (IS_BROKEN(m, R4_RESTREAM) && extent != 0 && m->extent[extent].kind == EXTENT_STREAM &&
	    m->extent[extent].seq == 0)
		return true;
	if (extent != 0 || entry != 0)
		return false;
	return (IS_BROKEN(m, R4_CUTS) || !cuts_have_block(node, block)) &&
	       (IS_BROKEN(m, I2_UNAPPLIED) || !parts_have_block(m, object, block));
}

/* --- the file behind it ----------------------------------------- */

static bool is_file_free(struct model *m, int object)
{
	return !m->node[object].is_opening;
}

bool content_open_file(struct model *m, int object, enum entry create)
{
	struct node *node = &m->node[object];

	wait_for(m, is_file_free, object);
	if (node->exists)
		return true;
	node->is_opening = true;
	node->in_new = create == ENTRY_NEW && !IS_BROKEN(m, R8_MOVE_EARLY);
	node->exists = disk_set(m, AT_ENTRIES + object, node->in_new ? ENTRY_NEW : ENTRY_SHARD);
	node->is_opening = false;
	return node->exists;
}

/* --- ranges in flight (R5) ---------------------------------------------------------------------- */

static bool is_unclaimed(struct model *m, int arg)
{
	return !(m->node[arg >> 8].claimed & arg & 0xff) || IS_BROKEN(m, R5_NO_WAIT);
}

static uint8_t claim(struct model *m, int object, unsigned int blocks)
{
	wait_for(m, is_unclaimed, object << 8 | (int)blocks);
	blocks &= ~(unsigned int)m->node[object].claimed;
	m->node[object].claimed |= (uint8_t)blocks;
	return (uint8_t)blocks;
}

static void end_claim(struct model *m, int object, uint8_t blocks)
{
	m->node[object].claimed &= (uint8_t)~blocks;
}

/* --- writing ----------------------------------------- */

struct batch {
	int object, first, end, new_size;  /* blocks; units */
	bool rewrites_block0;
	unsigned int streams;              /* blocks that go in place at once */
	uint16_t extent[BLOCKS];
	uint16_t block0;
};

static void choose_streams(struct model *m, struct batch *batch, int offset, int end)
{
	const struct node *node = &m->node[batch->object];

	for (int block = batch->first; block < batch->end; block++) {
		bool is_whole = offset <= block * UNITS && end >= (block + 1) * UNITS;
		bool was_hole = is_hole(m, node, block) || IS_BROKEN(m, I1_IN_PLACE) ||
				IS_BROKEN(m, R4_RESTREAM) || block >= node->high_block;

		if (is_whole && was_hole && is_streamable(m, batch->object, block))
			batch->streams |= 1u << block;
	}
}

static void publish(struct model *m, const struct batch *batch)
{
	struct node *node = &m->node[batch->object];
	struct state state = latest(node);

	if (batch->block0 != 0)
		node->live.extent[0] = state.content[0] = batch->block0;
	for (int block = batch->first; block < batch->end; block++)
		node->live.extent[block] = state.content[block] = batch->extent[block];
	node->high_block = larger(node->high_block, batch->end);
	node->size = larger(node->size, batch->new_size);
	state.size = (uint8_t)node->size;
	node_changed(m, batch->object);
	if (batch->streams != 0)
		node->streamed_op = node->op;
	state_now(m, batch->object, &state);
}

static bool write_stream(struct model *m, struct batch *batch, int block)
{
	uint64_t values[PAGE_SECTORS];
	uint64_t early[FANOUT];

	for (int i = 0; i < PAGE_SECTORS; i++)
		values[i] = sector_value(SECTOR_IS_DATA, batch->extent[block], (uint64_t)i);
	if (!content_open_file(m, batch->object, ENTRY_NEW) ||
	    !disk_write(m, at_block(batch->object, block), values, PAGE_SECTORS))
		return false;
	if (!IS_BROKEN(m, I4_LEAF_EARLY))
		return true;
	memcpy(early, m->node[batch->object].tree.body[block / FANOUT], sizeof(early));
	early[block % FANOUT] = batch->extent[block];
	return disk_write(m, at_page(batch->object, block / FANOUT), early, FANOUT);
}

/* Reads what it overwrites partly, and writes in place what streams: without any lock. */
static bool prepare(struct model *m, struct batch *batch, uint32_t meaning)
{
	bool succeeds = true;

	if (batch->rewrites_block0)
		batch->block0 = extent_new(m, EXTENT_DIRTY, 0);
	for (int block = batch->first; block < batch->end; block++) {
		bool streams = batch->streams >> block & 1;

		batch->extent[block] = extent_new(m, streams ? EXTENT_STREAM : EXTENT_DIRTY, meaning);
	}
	if (IS_BROKEN(m, R5_EARLY_ENTRY))
		publish(m, batch);
	for (int block = batch->first; block < batch->end && succeeds; block++)
		if (batch->streams >> block & 1)
			succeeds = write_stream(m, batch, block);
	return succeeds;
}

static bool must_rewrite_block0(const struct node *node, int new_size)
{
	return node->size > 0 && node->size <= INLINE_MAX && new_size != node->size;
}

static unsigned int mask_of(int first, int end)
{
	return (1u << end) - (1u << first);
}

void content_write(struct model *m, int object, int offset, int len, bool is_large, uint32_t meaning)
{
	struct node *node = &m->node[object];
	struct batch batch = {.object = object, .first = offset / UNITS,
			      .end = blocks_of(offset + len), .new_size = offset + len};
	uint8_t claimed = claim(m, object, mask_of(batch.first, batch.end));

	/* Only now is its size known for sure; if it is small, block 0 is claimed too. */
	if (node->size <= INLINE_MAX && batch.first > 0) {
		end_claim(m, object, claimed);
		claimed = claim(m, object, mask_of(0, batch.end));
	}
	batch.rewrites_block0 = batch.first > 0 &&
				must_rewrite_block0(node, larger(batch.new_size, node->size));
	if (is_large)
		choose_streams(m, &batch, offset, offset + len);
	/* If a call failed the writer is told, and nothing has changed. */
	if (prepare(m, &batch, meaning) && !IS_BROKEN(m, R5_EARLY_ENTRY))
		publish(m, &batch);
	end_claim(m, object, claimed);
}

/* --- size and holes ----------------------------------------- */

static void shrink(struct model *m, int object, int size, struct state *state)
{
	struct node *node = &m->node[object];

	for (int block = blocks_of(size); block < BLOCKS; block++) {
		state->content[block] = 0;
		/* I10 */
		if (!IS_BROKEN(m, I10_KEEP_DATA))
			node->live.extent[block] = 0;
	}
	node->shrink = smaller(node->shrink, size);
}

void content_truncate(struct model *m, int object, int size)
{
	struct node *node = &m->node[object];
	uint8_t claimed = claim(m, object, mask_of(0, BLOCKS + 1));
	struct state state = latest(node);
	int block = size / UNITS;
	uint16_t extent = 0;

	if (size > 0 && must_rewrite_block0(node, size)) {
		block = 0;
		extent = extent_new(m, EXTENT_DIRTY, 0);
	} else if (size < node->size && size % UNITS != 0 && !is_hole(m, node, block)) {
		extent = extent_new(m, EXTENT_DIRTY, 0);
	}
	step(m); /* The boundary block is read. */
	state = latest(node);
	if (size < node->size)
		shrink(m, object, size, &state);
	if (extent != 0) {
		node->live.extent[block] = state.content[block] = extent;
		if (!IS_BROKEN(m, R4_HIGH_BLOCK))
			node->high_block = larger(node->high_block, block + 1);
	}
	node->size = state.size = (uint8_t)size;
	node_changed(m, object);
	state_now(m, object, &state);
	end_claim(m, object, claimed);
}

void content_punch(struct model *m, int object, int block)
{
	struct node *node = &m->node[object];
	uint8_t claimed;
	struct state state;

	if (node->size <= INLINE_MAX || (block + 1) * UNITS > node->size)
		return;
	claimed = claim(m, object, mask_of(block, block + 1));
	state = latest(node);
	if ((block + 1) * UNITS <= node->size && !is_hole(m, node, block)) {
		node->live.extent[block] = extent_new(m, EXTENT_HOLE, 0);
		state.content[block] = 0;
		node_changed(m, object);
		state_now(m, object, &state);
	}
	end_claim(m, object, claimed);
}

/* --- cuts ----------------------------------------- */

bool content_has_unflushed(const struct model *m, const struct node *node)
{
	/* I3 */
	return node->streamed_op > node->synced_op && !IS_BROKEN(m, I3_NO_WAIT);
}

void content_cut(struct node *node, struct cut *cut)
{
	*cut = (struct cut){true, node->op, node->size, node->shrink, node->live};
	node->shrink = NO_SHRINK;
}

void content_set_ready(struct node *node, struct cut *cut)
{
	struct cut newest = *cut, *ready = &node->ready;

	cut->is_set = false;
	/* A transaction took the live state meanwhile, and this cut's shrinks with it. */
	if (newest.op <= node->appended_op)
		return;
	if (ready->is_set && ready->op > newest.op) {
		struct cut older = newest;

		newest = *ready;
		*ready = older;
	}
	if (ready->is_set)
		newest.shrink = smaller(newest.shrink, ready->shrink);
	*ready = newest;
}

void content_cut_now(struct model *m, int object)
{
	struct node *node = &m->node[object];
	struct cut cut;

	if (node->kind != KIND_FILE || content_has_unflushed(m, node) ||
	    node->op <= node->appended_op || (node->ready.is_set && node->ready.op >= node->op) ||
	    IS_BROKEN(m, R2_NO_CUT))
		return;
	content_cut(node, &cut);
	content_set_ready(node, &cut);
}

/* --- reading ----------------------------------------- */

static bool is_on_disk(const struct model *m, int object, int block, uint16_t extent)
{
	for (int i = 0; i < PAGE_SECTORS; i++)
		if (disk_read(m, at_block(object, block) + i) !=
		    sector_value(SECTOR_IS_DATA, extent, (uint64_t)i))
			return false;
	return disk_read(m, AT_ENTRIES + object) != ENTRY_ABSENT;
}

bool content_reads_well(const struct model *m, int object)
{
	const struct node *node = &m->node[object];
	struct state state = latest(node);

	if (node->size != state.size)
		return false;
	for (int block = 0; block < blocks_of(node->size); block++) {
		uint64_t entry;
		uint16_t extent = block_of(node, block, &entry);
		bool from_disk = extent != 0 ? m->extent[extent].kind == EXTENT_STREAM
					     : entry != 0 && !(entry & ENTRY_IS_INLINE);

		if (node->claimed >> block & 1)
			continue;
		if (extent == 0)
			extent = (uint16_t)entry;
		else if (m->extent[extent].kind == EXTENT_HOLE)
			extent = 0;
		if (extent != state.content[block] ||
		    (from_disk && !is_on_disk(m, object, block, extent)))
			return false;
	}
	return true;
}

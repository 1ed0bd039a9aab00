/* The applier, with its checkpoints, and the flusher. */
#include <string.h>

#include "commit_model.h"

/* --- the flusher ----------------------------------------- */

static void push_job(struct model *m, int object, bool *done)
{
	if (m->job_count == (int)(sizeof(m->job) / sizeof(m->job[0]))) {
		m->is_over = true;
		return;
	}
	m->node[object].flush_queued = true;
	m->job[m->job_count++] = (struct job){(uint8_t)object, done};
}

void flusher_request(struct model *m, int object)
{
	const struct node *node = &m->node[object];

	if (!node->flush_queued && content_has_unflushed(m, node))
		push_job(m, object, NULL);
}

void flusher_request_then(struct model *m, int object, bool *done)
{
	push_job(m, object, done);
}

void flusher_request_all(struct model *m)
{
	for (int object = 0; object < m->object_count; object++)
		if (m->node[object].is_dirty)
			flusher_request(m, object);
}

/* R6: the directory entry of a new object, wherever the applier has it by now. */
static bool flush_entry(struct model *m, int object)
{
	struct node *node = &m->node[object];

	while (!node->name_durable && !IS_BROKEN(m, R6_NO_DIRECTORY)) {
		bool in_new = node->in_new;

		if (!(in_new ? disk_flush_new(m) : disk_flush_shard(m, object)))
			return false;
		if (node->in_new == in_new || IS_BROKEN(m, R6_ONCE))
			node->name_durable = true;
	}
	return true;
}

static bool flush_file(struct model *m, int object)
{
	return (IS_BROKEN(m, R1_NO_FDATASYNC) ||
		disk_flush(m, at_object(object, 0), OBJECT_SECTORS)) &&
	       flush_entry(m, object);
}

static bool flush_object(struct model *m, int object)
{
	struct node *node = &m->node[object];
	/* I11: what was applied before the flush starts, the flush makes durable. */
	uint32_t base = IS_BROKEN(m, I11_WHOLE_TXNS) ? m->applied_seq
						     : content_applied_seq(m, object);
	uint32_t streamed_op = node->streamed_op;

	node->flush_queued = false;
	if (!content_has_unflushed(m, node))
		return true;
	content_cut(node, &node->flushing);
	trace(m, "flush: object, op", object, (int)node->flushing.op, 0);
	if (!flush_file(m, object))
		return false;
	if (IS_BROKEN(m, I11_LATE_BASE))
		base = m->applied_seq;
	if (IS_BROKEN(m, R1_LATE_CUT)) {
		int shrink = node->flushing.shrink;

		content_cut(node, &node->flushing);
		if (shrink < node->flushing.shrink)
			node->flushing.shrink = shrink;
		streamed_op = node->streamed_op;
	}
	node->synced_op = streamed_op;
	if (base > node->base)
		node->base = base;
	content_set_ready(node, &node->flushing);
	return true;
}

static bool has_job(struct model *m, int arg)
{
	(void)arg;
	return m->job_count > 0;
}

void flusher_main(struct model *m)
{
	for (;;) {
		struct job job;

		wait_for(m, has_job, 0);
		job = m->job[0];
		memmove(m->job, m->job + 1, (size_t)--m->job_count * sizeof(job));
		/* A cut that could not be flushed stays what it is. */
		if ((!m->is_frozen || IS_BROKEN(m, I24_FLUSH_ON)) && !flush_object(m, job.object))
			freeze(m);
		m->is_urgent = true;
		if (job.done != NULL)
			*job.done = true;
		step(m);
	}
}

/* --- one part in place ----------------------------------------- */

static bool truncate_file(struct model *m, int object, int blocks)
{
	int first = blocks > FANOUT ? BLOCKS : FANOUT; /* pages that lie behind the new end */

	if (first == FANOUT && !disk_zero(m, at_page(object, PAGE_LEAF1), 2 * PAGE_SECTORS))
		return false;
	return blocks == BLOCKS || disk_zero(m, at_block(object, blocks),
					     (BLOCKS - blocks) * PAGE_SECTORS);
}

static bool write_blocks(struct model *m, const struct txn *txn, const struct part *part)
{
	for (int block = 0; block < BLOCKS; block++) {
		uint64_t values[PAGE_SECTORS];

		if (!(part->pages >> block & 1))
			continue;
		for (int i = 0; i < PAGE_SECTORS; i++)
			values[i] = sector_value(SECTOR_IS_DATA,
						 txn->page_extent[part->page_at[block]],
						 (uint64_t)i);
		if (!disk_write(m, at_block(part->object, block), values, PAGE_SECTORS))
			return false;
	}
	return true;
}

/* Free what a hole leaves behind; only space, the tree says what is a hole. */
static bool punch_holes(struct model *m, const struct part *part)
{
	for (int block = 0; block < BLOCKS; block++)
		if (part->changes >> block & 1 && part->entry[block] == 0 &&
		    !disk_zero(m, at_block(part->object, block), PAGE_SECTORS))
			return false;
	return true;
}

static bool write_tree(struct model *m, const struct part *part)
{
	int object = part->object;
	uint64_t page0[1 + PAGE_SECTORS];
	bool whole = part->tree.changed[PAGE_LEAF0] || part->is_create;

	for (int page = PAGE_LEAF1; page < PAGES; page++)
		if (part->tree.changed[page] &&
		    !disk_write(m, at_page(object, page), part->tree.body[page], PAGE_SECTORS))
			return false;
	page0[0] = sector_value(SECTOR_IS_HEADER, part->header, 0);
	memcpy(page0 + 1, part->tree.body[PAGE_LEAF0], PAGE_SECTORS * sizeof(uint64_t));
	return disk_write(m, at_object(object, SECTOR_HEADER), page0, whole ? 1 + PAGE_SECTORS : 1);
}

static bool move_to_shard(struct model *m, int object)
{
	struct node *node = &m->node[object];

	if (!node->in_new)
		return true;
	if (!disk_set(m, AT_ENTRIES + object, ENTRY_SHARD))
		return false;
	if (IS_BROKEN(m, R6_BETWEEN))
		step(m);
	node->in_new = false;
	return true;
}

static bool put_in_place(struct model *m, const struct txn *txn, const struct part *part)
{
	return (!part->is_create || content_open_file(m, part->object, ENTRY_SHARD)) &&
	       (part->shrink == NO_SHRINK || part->is_create ||
		truncate_file(m, part->object, blocks_of(part->shrink))) &&
	       write_blocks(m, txn, part) && punch_holes(m, part) && write_tree(m, part) &&
	       move_to_shard(m, part->object);
}

/* Does a part that is not applied have anything of the object, but for that of `seq`? */
static bool has_other_parts(const struct model *m, int object, uint32_t seq)
{
	for (uint32_t i = seq + 1; i <= m->gathered_seq; i++)
		if (m->txn[m->by_seq[i]].part_of[object] >= 0)
			return true;
	return false;
}

/* Take the part off its content: what it carried is on disk now. */
static void retire(struct model *m, const struct part *part, uint32_t seq)
{
	struct node *node = &m->node[part->object];
	bool is_empty = true;

	node->retired_seq = seq;
	for (int block = 0; block < BLOCKS; block++) {
		if (node->live.extent[block] == part->overlay.extent[block])
			node->live.extent[block] = 0;
		is_empty = is_empty && node->live.extent[block] == 0;
	}
	if (is_empty && !node->flushing.is_set && !node->ready.is_set && node->claimed == 0 &&
	    !has_other_parts(m, part->object, seq))
		node->high_block = blocks_of(node->size);
}

static bool apply_part(struct model *m, const struct txn *txn, const struct part *part)
{
	m->node[part->object].is_stuck = true; /* until it succeeds */
	if (part->is_delete) {
		if (!disk_set(m, AT_ENTRIES + part->object, ENTRY_ABSENT))
			return false;
		m->row[part->object] = 0;
	} else {
		if (!put_in_place(m, txn, part))
			return false;
		/* I6: rows are of applied states only. */
		m->row[part->object] = part->header;
	}
	retire(m, part, txn->seq);
	m->node[part->object].is_stuck = false;
	return true;
}

/* --- checkpoint ----------------------------------------- */

static bool flush_touched(struct model *m, const struct half *half)
{
	if (draw(m) % 8 == 0)
		return disk_flush_all(m); /* as when too many are touched */
	for (int object = 0; object < OBJECTS; object++)
		if (half->touched >> object & 1 && !(half->deleted >> object & 1) &&
		    !disk_flush(m, at_object(object, 0), OBJECT_SECTORS))
			return false;
	if (half->touched != 0 && !disk_flush_new(m))
		return false;
	for (int object = 0; object < OBJECTS && !IS_BROKEN(m, R7_NO_SHARD); object++)
		if (half->touched >> object & 1 && !disk_flush_shard(m, object))
			return false;
	return true;
}

/* Rows and position become durable at once. */
static void ledger_commit(struct model *m, const struct position *position)
{
	m->ledger.position = *position;
	memcpy(m->ledger.row, m->row, sizeof(m->ledger.row));
	if (IS_BROKEN(m, R7_START_LATE)) {
		m->ledger.position.start_seq = m->seq + 1;
		m->ledger.position.previous = m->last;
	}
	if (IS_BROKEN(m, I6_ROWS_EARLY))
		memcpy(m->ledger.row, m->txn[m->last].expected, sizeof(m->ledger.row));
	m->has_changed = true;
	step(m);
}

/* R7: only a half whose transactions are all applied. */
static bool is_checkpoint_possible(const struct model *m)
{
	const struct half *full = &m->half[1 - m->current_half];

	return !full->is_free &&
	       (full->last <= m->applied_seq || IS_BROKEN(m, R7_UNAPPLIED));
}

static bool checkpoint(struct model *m)
{
	struct half *full = &m->half[1 - m->current_half];
	const struct half *next = &m->half[m->current_half];
	const struct position position = {next->first, m->session, next->before, m->current_half};

	trace(m, "checkpoint up to", (int)full->last, 0, 0);
	if (IS_BROKEN(m, I7_FREE_EARLY)) {
		full->is_free = true;
		step(m);
	}
	if (!IS_BROKEN(m, R7_NO_SYNC) && !flush_touched(m, full))
		return false;
	step(m);
	/* What another thread failed to flush may be what this flush did not see. */
	if (m->is_frozen && !IS_BROKEN(m, I24_CHECKPOINT))
		return false;
	ledger_commit(m, &position);
	/* I7: only now may the half be written again. */
	if (!IS_BROKEN(m, I7_FREE_EARLY))
		*full = (struct half){.is_free = true};
	return true;
}

/* --- the thread ----------------------------------------- */

static uint32_t last_to_apply(const struct model *m)
{
	return IS_BROKEN(m, I1_APPLY_EARLY) ? m->seq : m->flushed_seq;
}

static bool apply_txn(struct model *m, const struct txn *txn)
{
	struct half *half = &m->half[txn->half];

	for (int i = 0; i < txn->part_count; i++) {
		const struct part *part = &txn->part[i];

		half->touched |= (uint16_t)(1u << part->object);
		if (part->is_delete)
			half->deleted |= (uint16_t)(1u << part->object);
		if (!apply_part(m, txn, part))
			return false;
	}
	m->applied_seq = txn->seq;
	return true;
}

static bool has_work(struct model *m, int arg)
{
	(void)arg;
	return !m->is_frozen && (m->applied_seq < last_to_apply(m) || m->is_applier_wanted);
}

void applier_main(struct model *m)
{
	for (;;) {
		bool succeeds = true;

		wait_for(m, has_work, 0);
		m->is_applier_wanted = false;
		if (m->anchor_dirty && draw(m) % 4 == 0) {
			m->anchor_dirty = false;
			succeeds = disk_flush(m, AT_ANCHOR, 2);
		}
		if (succeeds && m->applied_seq < last_to_apply(m))
			succeeds = apply_txn(m, &m->txn[m->by_seq[m->applied_seq + 1]]);
		if (succeeds && is_checkpoint_possible(m))
			succeeds = checkpoint(m);
		if (!succeeds)
			freeze(m);
		step(m);
	}
}

/* The committer: append, flush, anchor, answer. */
#include <string.h>

#include "commit_model.h"

void freeze(struct model *m)
{
	if (IS_BROKEN(m, I24_GO_ON))
		return;
	if (!m->is_frozen)
		trace(m, "frozen", 0, 0, 0);
	m->is_frozen = true;
}

/* --- the journal ----------------------------------------- */

static void begin_half(struct model *m, int half)
{
	m->current_half = half;
	m->offset = 0;
	m->half[half] = (struct half){.first = m->seq + 1, .last = m->seq, .before = m->last};
}

bool journal_switch(struct model *m)
{
	if (m->offset == 0)
		return true;
	if (!m->half[1 - m->current_half].is_free)
		return false;
	begin_half(m, 1 - m->current_half);
	return true;
}

static int length_of(const struct txn *txn)
{
	return RECORD_SECTORS + txn->page_count * PAGE_SECTORS;
}

static bool has_room(struct model *m, int len)
{
	if (m->offset + len <= HALF_SECTORS)
		return m->is_frozen || m->is_over || draw(m) % 8 != 0 || !journal_switch(m) ||
		       m->offset + len <= HALF_SECTORS;
	return journal_switch(m);
}

static bool is_free_or_frozen(struct model *m, int arg)
{
	(void)arg;
	return m->is_frozen || m->half[1 - m->current_half].is_free;
}

/* The journal's other half is still needed: let the applier free it. */
static bool make_room(struct model *m, const struct txn *txn)
{
	while (!has_room(m, length_of(txn))) {
		m->is_applier_wanted = m->is_checkpoint_wanted = true;
		wait_for(m, is_free_or_frozen, 0);
		if (m->is_frozen)
			return false;
	}
	return true;
}

/* What the state is after it, object by object. */
static void expect(struct model *m, struct txn *txn)
{
	const struct txn *before = &m->txn[txn->previous];

	memcpy(txn->expected, before->expected, sizeof(txn->expected));
	for (int i = 0; i < txn->part_count; i++)
		txn->expected[txn->part[i].object] =
			txn->part[i].is_delete ? 0 : txn->part[i].header;
	txn->wrong = check_appended(m, txn);
}

static bool append(struct model *m, struct txn *txn)
{
	int number = (int)(txn - m->txn);
	uint64_t records[RECORD_SECTORS], pages[TXN_PAGES * PAGE_SECTORS];
	bool succeeds;

	txn->half = m->current_half;
	txn->at = AT_JOURNAL + m->current_half * HALF_SECTORS + m->offset;
	txn->previous = m->last;
	txn->session = m->session;
	txn->epoch = m->epoch;
	expect(m, txn);
	for (int i = 0; i < RECORD_SECTORS; i++)
		records[i] = sector_value(SECTOR_IS_RECORDS, (uint64_t)number, (uint64_t)i);
	for (int i = 0; i < txn->page_count * PAGE_SECTORS; i++)
		pages[i] = sector_value(SECTOR_IS_DATA, txn->page_extent[i / PAGE_SECTORS],
					(uint64_t)(i % PAGE_SECTORS));
	succeeds = disk_write(m, txn->at, records, RECORD_SECTORS);
	if (succeeds && txn->page_count > 0)
		succeeds = disk_write(m, txn->at + RECORD_SECTORS, pages,
				      txn->page_count * PAGE_SECTORS);
	if (!succeeds)
		return false;
	m->offset += length_of(txn);
	m->seq = txn->seq;
	m->last = (uint16_t)number;
	m->half[m->current_half].last = txn->seq;
	return true;
}

static bool write_anchor(struct model *m)
{
	m->anchor_dirty = true;
	return disk_set(m, AT_ANCHOR + (int)(m->seq & 1),
			sector_value(SECTOR_IS_ANCHOR, m->last, 0));
}

static bool append_and_flush(struct model *m, struct txn *txn)
{
	if (!append(m, txn))
		return false;
	/* I6 */
	if (IS_BROKEN(m, I6_ANCHOR_FIRST) &&
	    (!write_anchor(m) || !disk_flush(m, AT_ANCHOR, 2)))
		return false;
	/* I5 */
	if (!IS_BROKEN(m, I5_NO_FLUSH) &&
	    !disk_flush(m, AT_JOURNAL, 2 * HALF_SECTORS) && !IS_BROKEN(m, I24_GO_ON))
		return false;
	return write_anchor(m) || IS_BROKEN(m, I24_GO_ON);
}

static void mark_flushed(struct model *m, const struct txn *txn)
{
	for (int i = 0; i < txn->part_count; i++) {
		struct node *node = &m->node[txn->part[i].object];

		if (txn->part[i].is_delete)
			node->flushed_op = UINT64_MAX;
		else if (txn->part[i].op > node->flushed_op)
			node->flushed_op = txn->part[i].op;
	}
	m->flushed_seq = txn->seq;
}

/* --- one commit ----------------------------------------- */

static struct txn *txn_new(struct model *m)
{
	struct txn *txn;

	if (m->txn_count == TXNS || m->seq + 1 == TXNS) {
		m->is_over = true;
		return NULL;
	}
	txn = &m->txn[m->txn_count];
	memset(txn, 0, offsetof(struct txn, part));
	memset(txn->part_of, -1, sizeof(txn->part_of));
	txn->seq = m->seq + 1;
	return txn;
}

static bool is_free(struct model *m, int arg)
{
	(void)arg;
	return !m->names_busy || IS_BROKEN(m, I21_NO_LOCK);
}

static bool commit(struct model *m, bool everything, uint32_t *names_op, bool *has_left_over)
{
	struct txn *txn = txn_new(m);

	if (txn == NULL)
		return false;
	wait_for(m, is_free, 0);
	gather(m, txn, everything);
	*names_op = txn->names_op;
	*has_left_over = txn->has_left_over;
	if (txn->part_count == 0)
		return true;
	/* From here on its parts hang in their contents. */
	m->by_seq[txn->seq] = (uint16_t)m->txn_count++;
	m->gathered_seq = txn->seq;
	trace(m, "commit: seq, parts, everything", (int)txn->seq, txn->part_count, everything);
	if (!seal(m, txn) || m->is_frozen || !make_room(m, txn) || !append_and_flush(m, txn)) {
		freeze(m);
		return false;
	}
	mark_flushed(m, txn);
	return true;
}

static void run_commit(struct model *m)
{
	bool everything = m->is_everything || m->is_idle_checkpoint;
	bool checkpoint_wanted = m->is_idle_checkpoint, has_left_over = false;
	uint32_t names_op = 0;
	bool succeeds;

	m->is_urgent = m->is_everything = m->is_idle_checkpoint = false;
	succeeds = commit(m, everything, &names_op, &has_left_over);
	if (everything && succeeds)
		flusher_request_all(m);
	if (checkpoint_wanted && succeeds) {
		(void)journal_switch(m);
		m->is_applier_wanted = m->is_checkpoint_wanted = true;
	}
	if (succeeds && names_op > m->flushed_names_op)
		m->flushed_names_op = names_op;
	if (has_left_over) {
		m->is_urgent = true;
		m->is_everything |= everything;
	}
}

/* --- waiters ----------------------------------------- */

static bool is_satisfied(const struct model *m, const struct waiter *waiter)
{
	bool satisfied = m->flushed_names_op >= waiter->names_op;

	for (int object = 0; object < OBJECTS && satisfied; object++)
		satisfied = m->node[object].flushed_op >= waiter->op[object] &&
			    (!waiter->until_settled || waiter->op[object] == 0 ||
			     !content_is_unsettled(m, object));
	return satisfied;
}

static void answer_waiters(struct model *m)
{
	for (int i = 0; i < WORKERS; i++) {
		struct waiter *waiter = &m->waiter[i];

		if (!waiter->is_waiting || (!m->is_frozen && !is_satisfied(m, waiter)))
			continue;
		waiter->has_failed = m->is_frozen;
		waiter->is_waiting = false;
	}
}

static bool has_work(struct model *m, int arg)
{
	(void)arg;
	if (!m->is_frozen && (m->is_urgent || m->is_everything || m->is_idle_checkpoint))
		return true;
	for (int i = 0; i < WORKERS; i++)
		if (m->waiter[i].is_waiting && (m->is_frozen || is_satisfied(m, &m->waiter[i])))
			return true;
	return false;
}

void committer_main(struct model *m)
{
	for (;;) {
		answer_waiters(m);
		wait_for(m, has_work, 0);
		if (!m->is_frozen && (m->is_urgent || m->is_everything || m->is_idle_checkpoint))
			run_commit(m);
		step(m);
	}
}

/* R2: what is wanted is the state as of now, by a cut made from here on. */
static void want(struct model *m, struct waiter *waiter, int object)
{
	struct node *node = &m->node[object];
	uint32_t op = node->op;

	if (IS_BROKEN(m, R2_OLD_CUT) && node->flushing.is_set)
		op = node->flushing.op;
	waiter->op[object] = op;
	if (op > node->wanted_op)
		node->wanted_op = op;
	content_cut_now(m, object);
	flusher_request(m, object);
}

static bool is_answered(struct model *m, int worker)
{
	return !m->waiter[worker].is_waiting;
}

static bool wait_until(struct model *m, int worker, int object, bool until_settled)
{
	struct waiter *waiter = &m->waiter[worker];

	memset(waiter, 0, sizeof(*waiter));
	waiter->until_settled = until_settled;
	waiter->names_op = m->names_op;
	for (int i = 0; i < m->object_count; i++)
		if (i == object || (object < 0 && m->node[i].is_dirty))
			want(m, waiter, i);
	m->is_urgent = true;
	m->is_everything |= object < 0;
	waiter->is_waiting = true;
	wait_for(m, is_answered, worker);
	return !waiter->has_failed;
}

bool committer_wait(struct model *m, int worker, int object)
{
	return wait_until(m, worker, object, false);
}

void committer_wait_settled(struct model *m, int worker, int object)
{
	/* Streamed data would have to be flushed first: that takes longer than it saves. */
	if (content_is_unsettled(m, object) && !content_has_unflushed(m, &m->node[object]))
		(void)wait_until(m, worker, object, true);
}

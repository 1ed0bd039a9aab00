/* Recovery of an image: the anchor, the journal's chain, every object, new. */
#include <string.h>

#include "commit_model.h"

void recovery_write(struct recovery *r, int at, uint64_t value)
{
	if (r->writes_left == 0)
		return; /* The power is gone. */
	r->writes_left--;
	r->image->sector[at] = value;
}

/* --- the chain ----------------------------------------- */

struct scan {
	int half, offset;
	uint32_t seq;
	uint16_t previous;
	bool has_switched;
};

/* A whole, authentic transaction at this place that continues the chain; 0: none. */
static uint16_t read_txn(const struct model *m, const struct recovery *r, const struct scan *scan)
{
	const uint64_t *sector =
		&r->image->sector[AT_JOURNAL + scan->half * HALF_SECTORS + scan->offset];
	unsigned int number = sector_index(sector[0]);
	const struct txn *txn = &m->txn[number];

	if (scan->offset + RECORD_SECTORS > HALF_SECTORS || sector[0] == 0)
		return 0;
	for (int i = 0; i < RECORD_SECTORS; i++)
		if (sector[i] != sector_value(SECTOR_IS_RECORDS, number, (uint64_t)i))
			return 0;
	if (txn->seq != scan->seq || txn->previous != scan->previous ||
	    (txn->session != r->ledger.position.session && !IS_BROKEN(m, I15_NO_SESSION)) ||
	    (txn->epoch != m->epoch && IS_BROKEN(m, EPOCH_JOURNAL)))
		return 0;
	return (uint16_t)number;
}

/* R7: where a half ends the chain goes on at the beginning of the other one. */
static uint16_t next_txn(const struct model *m, const struct recovery *r, struct scan *scan)
{
	uint16_t number = read_txn(m, r, scan);
	struct scan other = *scan;

	if (number != 0 || r->count == 0 || scan->has_switched || IS_BROKEN(m, R7_ONE_HALF))
		return number;
	other.half = 1 - scan->half;
	other.offset = 0;
	other.has_switched = true;
	number = read_txn(m, r, &other);
	if (number != 0)
		*scan = other;
	return number;
}

static const uint64_t *page_of(const struct recovery *r, const struct txn *txn, int page)
{
	return &r->image->sector[txn->at + RECORD_SECTORS + page * PAGE_SECTORS];
}

static bool has_good_tags(const struct recovery *r, const struct txn *txn)
{
	for (int page = 0; page < txn->page_count; page++)
		for (int i = 0; i < PAGE_SECTORS; i++)
			if (page_of(r, txn, page)[i] !=
			    sector_value(SECTOR_IS_DATA, txn->page_extent[page], (uint64_t)i))
				return false;
	return true;
}

/* What the anchor acknowledges; the newer slot stands. */
static uint16_t read_anchor(const struct model *m, struct recovery *r)
{
	unsigned int newest = 0;
	bool found = false;

	for (int slot = 0; slot < 2; slot++) {
		uint64_t value = r->image->sector[AT_ANCHOR + slot];

		if (sector_kind(value) != SECTOR_IS_ANCHOR)
			continue; /* empty, or torn */
		if (m->txn[sector_index(value)].seq > m->txn[newest].seq)
			newest = sector_index(value);
		found = true;
	}
	if (!found)
		r->damage = "no anchor is left";
	return (uint16_t)newest;
}

/* I14: beyond the anchor only what is whole and authentic to the last tag. */
static void read_chain(struct model *m, struct recovery *r)
{
	const struct position *position = &r->ledger.position;
	struct scan scan = {.half = position->half, .seq = position->start_seq,
			    .previous = position->previous};
	const uint16_t anchor = read_anchor(m, r);
	uint16_t number;

	r->count = 0;
	while (r->count < TXNS && (number = next_txn(m, r, &scan)) != 0) {
		const struct txn *txn = &m->txn[number];

		if (txn->seq > m->txn[anchor].seq && !has_good_tags(r, txn) &&
		    !IS_BROKEN(m, I14_BAD_TAG))
			break;
		if (txn->seq == m->txn[anchor].seq && number != anchor)
			r->damage = "the anchor names another history";
		r->chain[r->count++] = number;
		scan.previous = number;
		scan.seq++;
		scan.offset += RECORD_SECTORS + txn->page_count * PAGE_SECTORS;
	}
	r->last_half = scan.half;
	r->last = scan.previous;
	r->seq = scan.seq - 1;
	if (m->txn[anchor].seq > r->seq ||
	    (m->txn[anchor].seq == position->start_seq - 1 && anchor != position->previous))
		r->damage = "the journal does not reach what the anchor acknowledges";
}

/* --- new ----------------------------------------- */

/* R8: a file that is in the ledger goes to its shard, any other was never durable. */
static void empty_new(struct model *m, struct recovery *r, bool look)
{
	for (int object = 0; object < m->object_count; object++)
		if (r->image->sector[AT_ENTRIES + object] == ENTRY_NEW)
			recovery_write(r, AT_ENTRIES + object,
				       look && r->ledger.row[object] != 0 ? ENTRY_SHARD
									  : ENTRY_ABSENT);
}

/* I15: a new session, in the half where the chain did not end. */
static void begin_session(struct model *m, struct recovery *r)
{
	r->ledger.position.start_seq = r->seq + 1;
	r->ledger.position.previous = r->last;
	r->ledger.position.half = 1 - r->last_half;
	r->ledger.position.session = m->session + 1;
}

void recover(struct model *m, struct recovery *r)
{
	read_chain(m, r);
	if (r->damage != NULL)
		return;
	if (IS_BROKEN(m, R8_EMPTY_ALL))
		empty_new(m, r, false);
	for (int object = 0; object < m->object_count && r->count > 0; object++)
		replay(m, r, object);
	if (!IS_BROKEN(m, R8_KEEP_NEW))
		empty_new(m, r, true);
	begin_session(m, r);
}

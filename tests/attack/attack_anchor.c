/* The anchor. */
#include "attack.h"
#include "attack_kinds.h"

#include <string.h>

#define ANCHOR "anchor"

static uint64_t slot_of(const struct anchor *anchor)
{
	return anchor->seq % 2 * ANCHOR_SLOT_LEN;
}

/* One slot is enough: a torn one leaves the other. */
bool flip_anchor_slot(struct attack *attack)
{
	uint64_t slot = below(attack, 2) * ANCHOR_SLOT_LEN;

	flip(attack, attack->image.state, ANCHOR, slot + attack->turn % ANCHOR_LEN);
	describe(attack, "byte %llu of an anchor slot", (unsigned long long)(attack->turn % ANCHOR_LEN));
	expect_refusal(attack, NEED_EITHER, F_UNPROVEN);
	attack->touches_all = true;
	return true;
}

bool flip_anchor_elsewhere(struct attack *attack)
{
	flip(attack, attack->image.state, ANCHOR,
	     below(attack, 2) * ANCHOR_SLOT_LEN + ANCHOR_LEN +
		     below(attack, ANCHOR_SLOT_LEN - ANCHOR_LEN));
	describe(attack, "the anchor's padding");
	expect(attack, NEED_HARMLESS, 0, 0);
	return true;
}

bool flip_anchor(struct attack *attack)
{
	for (uint64_t slot = 0; slot < 2; slot++)
		flip(attack, attack->image.state, ANCHOR,
		     slot * ANCHOR_SLOT_LEN + attack->turn % ANCHOR_LEN);
	describe(attack, "byte %llu of both anchor slots",
		 (unsigned long long)(attack->turn % ANCHOR_LEN));
	expect_refusal(attack, NEED_SEEN, F_UNPROVEN);
	return true;
}

bool delete_anchor(struct attack *attack)
{
	if (attack->turn % 2 == 0)
		remove_file(attack->image.state, ANCHOR);
	else
		resize(attack->image.state, ANCHOR, below(attack, 2) * below(attack, ANCHOR_LEN));
	describe(attack, "the anchor is removed or cut");
	expect_refusal(attack, NEED_SEEN, F_UNPROVEN);
	return true;
}

/* An older anchor asks for less than the journal has: nothing is lost by it. */
bool roll_back_anchor(struct attack *attack)
{
	const struct moment *moment = any_earlier(attack);

	copy_file(moment->state, ANCHOR, attack->image.state, ANCHOR);
	describe(attack, "the anchor as of \"%s\"", moment->name);
	expect(attack, NEED_HARMLESS, 0, 0);
	return true;
}

/* It names what this history does not have, or has in another way. */
bool put_other_anchor(struct attack *attack)
{
	const struct history *history = attack->history;
	const struct moment *others[] = {history->branch, history->foreign, history->applied,
					 history->other_half};
	const struct moment *other = others[below(attack, 4)], *base = attack->base;
	uint64_t last = base->position.start_seq - 1 + base->txn_count;
	bool is_ahead = other->anchor.seq > last;
	bool is_foreign = other == history->foreign, is_branch = other == history->branch;

	copy_file(other->state, ANCHOR, attack->image.state, ANCHOR);
	describe(attack, "the anchor of \"%s\"", other->name);
	if (is_foreign)
		expect_refusal(attack, NEED_SEEN, F_UNPROVEN);
	else if (is_ahead)
		expect_refusal(attack, NEED_SEEN, F_ROLLBACK);
	else if (is_branch && other->anchor.seq + 1 >= base->position.start_seq)
		expect_refusal(attack, NEED_SEEN, F_ROLLBACK);
	else
		expect_refusal(attack, NEED_HARMLESS, 0);
	return true;
}

/* A valid slot where the other belongs: which one counts is told by its number. */
bool move_anchor_slot(struct attack *attack)
{
	uint8_t slot[ANCHOR_LEN];
	uint64_t at = slot_of(&attack->base->anchor);

	peek(attack->image.state, ANCHOR, slot, sizeof(slot), at);
	poke(attack->image.state, ANCHOR, slot, sizeof(slot), ANCHOR_SLOT_LEN - at);
	describe(attack, "the newest anchor in both slots");
	expect(attack, NEED_HARMLESS, 0, 0);
	return true;
}

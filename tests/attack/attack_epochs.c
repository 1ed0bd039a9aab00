/* Between the epochs of the keys: what is of one of them in the time of another. */
#include "attack.h"
#include "attack_kinds.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"

#define EPOCH_AT        12u /* in an object's header */
#define EPOCH_IN_NODE   20u
#define EPOCH_IN_TXN    28u
#define EPOCH_IN_ANCHOR 28u

/* Epochs that are, and that are not. */
static uint32_t other_epoch(struct attack *attack, uint32_t epoch)
{
	static const uint32_t epochs[] = {1, 2, 3, 1, 2, 3, 0, 4, 256, 257, UINT32_MAX};
	uint32_t other;

	do {
		other = epochs[below(attack, sizeof(epochs) / sizeof(epochs[0]))];
	} while (other == epoch);
	return other;
}

static void label(struct backing *disk, const char *path, uint64_t at, uint32_t epoch)
{
	uint8_t bytes[4];

	store_u32(bytes, epoch);
	poke(disk, path, bytes, sizeof(bytes), at);
}

bool relabel_object(struct attack *attack)
{
	const struct target *target = any_target(attack);
	uint32_t epoch = other_epoch(attack, target->header.epoch);

	label(attack->image.ciphertext, target->path, EPOCH_AT, epoch);
	describe(attack, "%s of epoch %u says that it is of epoch %u", target->path,
		 target->header.epoch, epoch);
	expect(attack, NEED_SEEN, F_TAMPERED, target->number);
	return true;
}

/* It only helps offline tools; the hash has the object's own. */
bool relabel_tree_page(struct attack *attack)
{
	const struct target *target = any_target(attack);
	const struct page *page = any_page(attack, target, PAGE_TREE);

	if (page == NULL)
		return false;
	label(attack->image.ciphertext, target->path, page->at * BLOCK_SIZE + EPOCH_IN_NODE,
	      other_epoch(attack, target->header.epoch));
	describe(attack, "the epoch in tree page %llu of %s", (unsigned long long)page->at,
		 target->path);
	expect(attack, NEED_HARMLESS, 0, target->number);
	return true;
}

bool relabel_row(struct attack *attack)
{
	const struct target *target = any_target(attack);
	uint32_t epoch = other_epoch(attack, target->header.epoch);
	char sql[128];

	snprintf(sql, sizeof(sql), "UPDATE objects SET epoch=%u WHERE number=%llu", epoch,
		 (unsigned long long)target->number);
	if (!edit_ledger(attack, sql))
		return false;
	if (attack->turn % 2 == 0)
		label(attack->image.ciphertext, target->path, EPOCH_AT, epoch);
	describe(attack, "%s%s", sql, attack->turn % 2 == 0 ? ", and in its header" : "");
	expect(attack, NEED_SEEN, F_TAMPERED, target->number);
	return true;
}

bool relabel_txn(struct attack *attack)
{
	const struct moment *base = attack->base;
	const struct txn_place *txn;
	uint32_t epoch;

	if (base->txn_count == 0)
		return false;
	txn = &base->txns[below(attack, base->txn_count)];
	epoch = other_epoch(attack, txn->header.epoch);
	label(attack->image.ciphertext, "journal", txn->at + EPOCH_IN_TXN, epoch);
	describe(attack, "transaction %llu says that it is of epoch %u",
		 (unsigned long long)txn->header.seq, epoch);
	expect_broken_chain(attack, txn);
	return true;
}

bool relabel_anchor(struct attack *attack)
{
	uint32_t epoch = other_epoch(attack, attack->base->anchor.epoch);

	for (uint64_t slot = 0; slot < 2; slot++)
		label(attack->image.state, "anchor", slot * ANCHOR_SLOT_LEN + EPOCH_IN_ANCHOR, epoch);
	describe(attack, "both anchor slots say that they are of epoch %u", epoch);
	expect_refusal(attack, NEED_SEEN, F_UNPROVEN);
	return true;
}

/* Each in the other's place, and each says that it is of the other's epoch. */
bool swap_epochs(struct attack *attack)
{
	const struct target *one = any_target(attack), *other = any_target(attack);
	struct backing *disk = attack->image.ciphertext;

	if (one->header.epoch == other->header.epoch ||
	    !copy_file(attack->base->ciphertext, other->path, disk, one->path) ||
	    !copy_file(attack->base->ciphertext, one->path, disk, other->path))
		return false;
	label(disk, one->path, EPOCH_AT, one->header.epoch);
	label(disk, other->path, EPOCH_AT, other->header.epoch);
	if (attack->turn % 2 == 0) { /* their ids too: only what is sealed is the other's */
		poke(disk, one->path, one->id.bytes, sizeof(one->id.bytes), EPOCH_AT + 4);
		poke(disk, other->path, other->id.bytes, sizeof(other->id.bytes), EPOCH_AT + 4);
	}
	describe(attack, "%s of epoch %u and %s of epoch %u, relabelled", one->path,
		 one->header.epoch, other->path, other->header.epoch);
	expect(attack, NEED_SEEN, F_TAMPERED, one->number);
	touch(attack, other->number);
	return true;
}

/* As it was in an earlier epoch, and says that it is of this one. */
bool roll_back_to_epoch(struct attack *attack)
{
	const struct moment *moment = any_earlier(attack);
	const struct target *target = any_target(attack);
	const struct target *source = moment_find(moment, target->number);

	if (source == NULL || moment->generation == attack->base->generation ||
	    source->header.epoch == attack->base->generation ||
	    !copy_file(moment->ciphertext, target->path, attack->image.ciphertext, target->path))
		return false;
	label(attack->image.ciphertext, target->path, EPOCH_AT, (uint32_t)attack->base->generation);
	describe(attack, "%s as of \"%s\", in the newest epoch", target->path, moment->name);
	expect(attack, NEED_SEEN, F_TAMPERED, target->number);
	return true;
}

/* --- the slot file --------------------------------------------------------------------------- */

/* What a slot file of then gives whoever had a slot in it. */
static bool take_slots(struct attack *attack, const struct moment *moment)
{
	if (moment->generation >= attack->base->generation)
		return false;
	attack->keyring = moment->keyring;
	attack->generation = moment->generation;
	return true;
}

bool put_old_slots(struct attack *attack)
{
	const struct moment *moment = any_earlier(attack);

	if (!take_slots(attack, moment))
		return false;
	describe(attack, "the slot file as of \"%s\"", moment->name);
	expect_refusal(attack, NEED_SEEN, F_ROLLBACK);
	return true;
}

bool put_old_slots_and_state(struct attack *attack)
{
	const struct moment *moment = any_earlier(attack);

	if (!take_slots(attack, moment))
		return false;
	put_moments_ledger(attack, moment);
	copy_file(moment->state, "anchor", attack->image.state, "anchor");
	describe(attack, "slot file and state directory as of \"%s\"", moment->name);
	expect(attack, NEED_SEEN, F_ROLLBACK | F_LEDGER_OLD | F_TAMPERED | F_DELETED | F_UNKNOWN, 0);
	attack->refusals |= F_ROLLBACK;
	attack->check_findings |= F_UNKNOWN | F_STALE;
	return true;
}

/* The ledger knows that there is a newer one. */
bool put_old_slots_and_ciphertext(struct attack *attack)
{
	const struct moment *moment = any_earlier(attack);

	if (!take_slots(attack, moment))
		return false;
	put_moments_objects(attack, moment);
	copy_file(moment->ciphertext, "journal", attack->image.ciphertext, "journal");
	describe(attack, "slot file and ciphertext directory as of \"%s\"", moment->name);
	expect_refusal(attack, NEED_SEEN, F_ROLLBACK);
	return true;
}

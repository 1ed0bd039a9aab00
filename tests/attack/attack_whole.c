/*
 * Whole directories as of another moment, and what is documented as not seen.
 *
 * SECURITY.md promises that the rollback of one of the two directories is
 * seen, and says that the rollback of both together is not.
 */
#include "attack.h"
#include "attack_kinds.h"

#include <assert.h>
#include <string.h>
#include <sys/stat.h>

/* The disk itself is another one, so no store may have it; attack_locked.c writes into the one it has. */
static void replace_ciphertext(struct attack *attack, const struct moment *moment)
{
	assert(attack->image.store == NULL);
	backing_free(attack->image.ciphertext);
	must(backing_sim_crash(moment->ciphertext, 1, &attack->image.ciphertext), "copying a disk");
}

static void replace_state(struct attack *attack, const struct moment *moment)
{
	struct world other;

	assert(attack->image.store == NULL);
	moment_image(moment, &other);
	backing_free(attack->image.state);
	attack->image.state = other.state;
	other.state = NULL;
	must(backing_sim_new(&other.state), "a disk");
	world_free(&other);
	put_moments_ledger(attack, moment);
}

void expect_another_time(struct attack *attack, uint32_t refusals, uint32_t check_findings)
{
	expect(attack, NEED_SEEN, ANY_AGE, 0);
	attack->refusals |= refusals;
	attack->check_findings |= check_findings;
}

bool roll_back_ciphertext(struct attack *attack)
{
	const struct moment *moment = any_earlier(attack);

	replace_ciphertext(attack, moment);
	describe(attack, "the ciphertext directory as of \"%s\"", moment->name);
	expect_another_time(attack, F_ROLLBACK, F_UNKNOWN);
	return true;
}

bool roll_back_state(struct attack *attack)
{
	const struct moment *moment = any_earlier(attack);

	replace_state(attack, moment);
	describe(attack, "the state directory as of \"%s\"", moment->name);
	expect_another_time(attack, F_ROLLBACK, F_UNKNOWN | F_STALE);
	return true;
}

bool put_branch_ciphertext(struct attack *attack)
{
	replace_ciphertext(attack, attack->history->branch);
	describe(attack, "the ciphertext directory of the branch");
	expect_another_time(attack, F_ROLLBACK, F_UNKNOWN);
	return true;
}

bool put_branch_state(struct attack *attack)
{
	replace_state(attack, attack->history->branch);
	describe(attack, "the state directory of the branch");
	expect_another_time(attack, F_ROLLBACK, F_UNKNOWN | F_STALE);
	return true;
}

bool put_foreign_directory(struct attack *attack)
{
	if (attack->turn % 2 == 0)
		replace_ciphertext(attack, attack->history->foreign);
	else
		replace_state(attack, attack->history->foreign);
	describe(attack, "the %s directory of another volume",
		 attack->turn % 2 == 0 ? "ciphertext" : "state");
	expect_another_time(attack, F_ROLLBACK | F_TAMPERED | F_UNPROVEN, F_UNKNOWN | F_STALE);
	return true;
}

/* Journal and anchor agree, the objects are newer. */
bool roll_back_journal_and_anchor(struct attack *attack)
{
	const struct moment *moment = any_earlier(attack);

	copy_file(moment->ciphertext, "journal", attack->image.ciphertext, "journal");
	copy_file(moment->state, "anchor", attack->image.state, "anchor");
	describe(attack, "journal and anchor as of \"%s\"", moment->name);
	/* Of a closed volume nothing is in the journal; else its transactions are gone. */
	expect(attack, attack->base->is_clean ? NEED_HARMLESS : NEED_SEEN, ANY_AGE, 0);
	attack->refusals |= F_ROLLBACK;
	/* Not one of them is in place yet: what is left is the volume of before, whole. */
	if (attack->base == attack->history->pending)
		attack->need = NEED_KNOWN;
	return true;
}

/* --- known ------------------------------------------------------------------------------------ */

/*
 * Both directories, but only what the last transactions are in: nothing of them
 * is in place, and so everything else is as it was then.
 */
bool drop_pending(struct attack *attack)
{
	return roll_back_journal_and_anchor(attack);
}

/*
 * A power cut before the anchor was written, and an edit of what it does not
 * name yet: that transaction was perhaps never whole, and is left out.
 */
bool drop_tail(struct attack *attack)
{
	const struct moment *base = attack->base;
	const struct txn_place *txn = &base->txns[below(attack, base->txn_count)];
	uint64_t len = JOURNAL_HEADER_LEN + txn->header.records_len + JOURNAL_MAC_LEN;
	uint64_t at = below(attack, len);

	if (attack->turn % 2 == 0 && txn->header.pages > 0)
		at = journal_pages_offset(&txn->header) +
		     below(attack, txn->header.pages * BLOCK_SIZE);
	copy_file(attack->history->closed->state, "anchor", attack->image.state, "anchor");
	flip(attack, attack->image.ciphertext, "journal", txn->at + at);
	describe(attack, "byte %llu of transaction %llu, beyond the anchor", (unsigned long long)at,
		 (unsigned long long)txn->header.seq);
	attack->need = NEED_KNOWN;
	return true;
}

/* Everything of both directories: a host restored as a whole looks whole to itself. */
bool roll_back_everything(struct attack *attack)
{
	const struct moment *moment = any_earlier(attack);

	replace_ciphertext(attack, moment);
	replace_state(attack, moment);
	describe(attack, "both directories as of \"%s\"", moment->name);
	attack->need = NEED_KNOWN;
	return true;
}

/* A regular file whose old state refers to nothing that has changed. */
bool roll_back_object_and_row(struct attack *attack)
{
	const struct moment *moment = any_earlier(attack);
	const struct target *target = any_target(attack);
	const struct target *source = moment_find(moment, target->number);

	if (source == NULL || !S_ISREG(target->header.attr.mode) ||
	    source->header.attr.version == target->header.attr.version ||
	    !object_id_is_zero(&target->header.attributes) ||
	    !object_id_is_zero(&source->header.attributes) || target->header.name_len == 0 ||
	    !take_row(attack, moment, target->number) ||
	    !copy_file(moment->ciphertext, target->path, attack->image.ciphertext, target->path))
		return false;
	describe(attack, "%s and its row as of \"%s\"", target->path, moment->name);
	attack->need = NEED_KNOWN;
	return true;
}

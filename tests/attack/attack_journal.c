/* The journal: single transactions, halves, the whole file. */
#include "attack.h"
#include "attack_kinds.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/hash.h"

#define JOURNAL "journal"

static const struct txn_place *any_txn(struct attack *attack)
{
	const struct moment *base = attack->base;

	return base->txn_count == 0 ? NULL : &base->txns[below(attack, base->txn_count)];
}

void expect_broken_chain(struct attack *attack, const struct txn_place *txn)
{
	bool is_acknowledged = txn->header.seq <= attack->base->anchor.seq;

	expect_refusal(attack, is_acknowledged ? NEED_SEEN : NEED_EITHER, F_ROLLBACK);
	attack->touches_all = true;
}

static const struct {
	const char *name;
	uint16_t at, len;
} header_fields[] = {
	{"magic", 0, 8}, {"format", 8, 4}, {"seq", 12, 8}, {"records_len", 20, 4},
	{"pages", 24, 4}, {"epoch", 28, 4}, {"session", 32, 16}, {"previous_mac", 48, 32},
	{"zero", 80, 48},
};

bool flip_txn_header(struct attack *attack)
{
	const size_t count = sizeof(header_fields) / sizeof(header_fields[0]);
	const struct txn_place *txn = any_txn(attack);
	size_t field = attack->turn % count;

	if (txn == NULL)
		return false;
	flip(attack, attack->image.ciphertext, JOURNAL,
	     txn->at + header_fields[field].at + below(attack, header_fields[field].len));
	describe(attack, "%s of transaction %llu", header_fields[field].name,
		 (unsigned long long)txn->header.seq);
	expect_broken_chain(attack, txn);
	return true;
}

bool flip_txn_records(struct attack *attack)
{
	const struct txn_place *txn = any_txn(attack);
	uint64_t at;

	if (txn == NULL)
		return false;
	/* Records and the MAC behind them. */
	at = JOURNAL_HEADER_LEN + below(attack, txn->header.records_len + JOURNAL_MAC_LEN);
	flip(attack, attack->image.ciphertext, JOURNAL, txn->at + at);
	describe(attack, "byte %llu of transaction %llu", (unsigned long long)at,
		 (unsigned long long)txn->header.seq);
	expect_broken_chain(attack, txn);
	return true;
}

/* Pages are under their own tags only: whose they are is found when that file is read. */
bool flip_txn_page(struct attack *attack)
{
	const struct txn_place *txn = any_txn(attack);
	uint64_t at;

	if (txn == NULL || txn->header.pages == 0)
		return false;
	at = journal_pages_offset(&txn->header) + below(attack, txn->header.pages * BLOCK_SIZE);
	flip(attack, attack->image.ciphertext, JOURNAL, txn->at + at);
	describe(attack, "page of transaction %llu", (unsigned long long)txn->header.seq);
	expect(attack, NEED_SEEN, F_TAMPERED, 0);
	return true;
}

bool flip_txn_padding(struct attack *attack)
{
	const struct txn_place *txn = any_txn(attack);
	uint64_t from, to;

	if (txn == NULL)
		return false;
	from = JOURNAL_HEADER_LEN + txn->header.records_len + JOURNAL_MAC_LEN;
	to = journal_pages_offset(&txn->header);
	if (from == to)
		return false;
	flip(attack, attack->image.ciphertext, JOURNAL, txn->at + from + below(attack, to - from));
	describe(attack, "padding of transaction %llu", (unsigned long long)txn->header.seq);
	expect(attack, NEED_HARMLESS, 0, 0);
	return true;
}

bool zero_txn(struct attack *attack)
{
	const struct txn_place *txn = any_txn(attack);

	if (txn == NULL)
		return false;
	punch(attack->image.ciphertext, JOURNAL, txn->at, journal_txn_len(&txn->header));
	describe(attack, "transaction %llu is a hole", (unsigned long long)txn->header.seq);
	expect_broken_chain(attack, txn);
	return true;
}

/* The bytes of some transaction, of any moment, in the place of this one. */
bool replace_txn(struct attack *attack)
{
	const struct history *history = attack->history;
	const struct moment *sources[] = {history->applied, history->pending, history->other_half};
	const struct moment *source = sources[below(attack, 3)];
	const struct txn_place *txn = any_txn(attack);
	const struct txn_place *other = &source->txns[below(attack, source->txn_count)];
	size_t len = journal_txn_len(&other->header);
	uint8_t *bytes;

	if (txn == NULL || (other->at == txn->at && other->header.seq == txn->header.seq))
		return false;
	bytes = malloc(len);
	if (bytes == NULL)
		abort();
	peek(source->ciphertext, JOURNAL, bytes, len, other->at);
	poke(attack->image.ciphertext, JOURNAL, bytes, len, txn->at);
	free(bytes);
	describe(attack, "transaction %llu in the place of %llu",
		 (unsigned long long)other->header.seq, (unsigned long long)txn->header.seq);
	expect_broken_chain(attack, txn);
	return true;
}

/* What of the file no recovery reads. */
bool flip_journal_elsewhere(struct attack *attack)
{
	const struct moment *base = attack->base;
	uint64_t at = below(attack, JOURNAL_FILE_LEN), end = 0;

	if (below(attack, 2) == 0)
		at = below(attack, 2) * JOURNAL_HALF_LEN + below(attack, 1u << 20);
	for (size_t i = 0; i < base->txn_count; i++) {
		end = base->txns[i].at + journal_txn_len(&base->txns[i].header);
		if (at >= base->txns[i].at && at < end)
			return false;
	}
	flip(attack, attack->image.ciphertext, JOURNAL, at);
	describe(attack, "byte %llu of the journal, where no transaction is", (unsigned long long)at);
	expect(attack, NEED_HARMLESS, 0, 0);
	return true;
}

/* --- the file -------------------------------------------------------------------------------- */

/* Whether a recovery needs what is gone from there. */
static void expect_gone(struct attack *attack, uint64_t from)
{
	const struct moment *base = attack->base;
	bool is_needed = false;

	for (size_t i = 0; i < base->txn_count; i++)
		is_needed = is_needed || base->txns[i].at + journal_pages_offset(&base->txns[i].header) > from;
	expect(attack, is_needed ? NEED_SEEN : NEED_EITHER, F_TAMPERED, 0);
	expect_refusal(attack, attack->need, F_ROLLBACK);
}

bool truncate_journal(struct attack *attack)
{
	uint64_t size = attack->turn % 3 == 0 ? 0 : below(attack, attack->turn % 3 == 1 ? 1u << 20 : JOURNAL_FILE_LEN);

	resize(attack->image.ciphertext, JOURNAL, size);
	describe(attack, "the journal is cut to %llu bytes", (unsigned long long)size);
	expect_gone(attack, size);
	return true;
}

bool delete_journal(struct attack *attack)
{
	remove_file(attack->image.ciphertext, JOURNAL);
	describe(attack, "the journal is removed");
	/* A directory without one is taken for a disk that is not mounted. */
	expect_refusal(attack, NEED_SEEN, F_NOT_FOUND | F_DELETED);
	return true;
}

static bool same_range(const struct moment *one, const struct moment *other,
		       const struct txn_place *txn)
{
	size_t len = JOURNAL_HEADER_LEN + txn->header.records_len;
	uint8_t *a = malloc(len), *b = malloc(len);
	bool same;

	if (a == NULL || b == NULL)
		abort();
	peek(one->ciphertext, JOURNAL, a, len, txn->at);
	peek(other->ciphertext, JOURNAL, b, len, txn->at);
	same = memcmp(a, b, len) == 0;
	free(a);
	free(b);
	return same;
}

/* One half, or both, as of another moment. */
static bool take_halves(struct attack *attack, const struct moment *moment, unsigned int halves)
{
	bool is_lost = false;

	for (uint32_t half = 0; half < 2; half++) {
		uint64_t begin = JOURNAL_START + (uint64_t)half * JOURNAL_HALF_LEN;

		if ((halves >> half & 1) == 0)
			continue;
		must(backing_sim_copy(moment->ciphertext, JOURNAL, attack->image.ciphertext, JOURNAL,
				      begin, JOURNAL_HALF_LEN),
		     JOURNAL);
		for (size_t i = 0; i < attack->base->txn_count; i++) {
			const struct txn_place *txn = &attack->base->txns[i];

			if (txn->at >= begin && txn->at - begin < JOURNAL_HALF_LEN)
				is_lost = is_lost || !same_range(attack->base, moment, txn);
		}
	}
	describe(attack, "%s of the journal as of \"%s\"",
		 halves == 3 ? "both halves" : halves == 1 ? "the first half" : "the second half",
		 moment->name);
	expect_refusal(attack, is_lost ? NEED_SEEN : NEED_HARMLESS, F_ROLLBACK);
	return true;
}

bool roll_back_half(struct attack *attack)
{
	return take_halves(attack, any_earlier(attack), 1u << below(attack, 2));
}

bool roll_back_journal(struct attack *attack)
{
	return take_halves(attack, any_earlier(attack), 3);
}

bool put_other_journal(struct attack *attack)
{
	const struct history *history = attack->history;
	const struct moment *others[] = {history->branch, history->foreign, history->applied,
					 history->other_half, history->closed};
	const struct moment *other = others[below(attack, 5)];

	/* A later one of the same session goes on where this one ends: that is no attack. */
	if (other == attack->base || (other == history->other_half && !attack->base->is_clean))
		return false;
	return take_halves(attack, other, 3);
}

bool exchange_halves(struct attack *attack)
{
	const struct moment *base = attack->base;
	uint8_t *piece = malloc(1u << 20), *other = malloc(1u << 20);

	if (piece == NULL || other == NULL)
		abort();
	peek(base->ciphertext, JOURNAL, piece, 1u << 20, JOURNAL_START);
	peek(base->ciphertext, JOURNAL, other, 1u << 20, JOURNAL_START + JOURNAL_HALF_LEN);
	poke(attack->image.ciphertext, JOURNAL, other, 1u << 20, JOURNAL_START);
	poke(attack->image.ciphertext, JOURNAL, piece, 1u << 20, JOURNAL_START + JOURNAL_HALF_LEN);
	free(piece);
	free(other);
	describe(attack, "the halves of the journal change places");
	expect_refusal(attack, base->txn_count > 0 ? NEED_SEEN : NEED_HARMLESS, F_ROLLBACK);
	return true;
}

/* --- objects whose transactions are in the journal ---------------------------------------------- */

bool delete_recovered_object(struct attack *attack)
{
	const struct target *target = any_target(attack);

	if (!is_there(attack->image.ciphertext, target->path))
		return false;
	remove_file(attack->image.ciphertext, target->path);
	describe(attack, "%s is removed before a recovery", target->path);
	expect(attack, NEED_EITHER, F_DELETED | F_TAMPERED, target->number);
	return true;
}

bool roll_back_recovered_object(struct attack *attack)
{
	const struct moment *moment = any_earlier(attack);
	const struct target *target = any_target(attack);

	if (moment_find(moment, target->number) == NULL ||
	    !copy_file(moment->ciphertext, target->path, attack->image.ciphertext, target->path))
		return false;
	describe(attack, "%s as of \"%s\" before a recovery", target->path, moment->name);
	expect(attack, NEED_EITHER, F_ROLLBACK | F_TAMPERED, target->number);
	return true;
}

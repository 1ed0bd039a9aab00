/*
 * Somebody who was removed from the slots and kept the keys of the epochs of his
 * time: what he makes himself verifies under them.
 */
#include "attack.h"
#include "attack_kinds.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "crypto/hash.h"
#include "crypto/random.h"

#define RECORDS_MAX 1024u

/* An epoch of his, which is not the newest. */
static uint32_t his_epoch(struct attack *attack)
{
	return 1 + (uint32_t)below(attack, EPOCHS - 1);
}

/* Behind the last transaction of the moment's journal: its place, and what it continues. */
static uint64_t place_behind(const struct moment *base, struct journal_header *header)
{
	uint64_t at = JOURNAL_START + (uint64_t)base->position.half * JOURNAL_HALF_LEN;
	const struct txn_place *last;
	uint64_t mac_at;

	memcpy(header->session, base->position.session, JOURNAL_SESSION_LEN);
	header->seq = base->position.start_seq;
	memcpy(header->previous_mac, base->position.previous_mac, JOURNAL_MAC_LEN);
	if (base->txn_count == 0)
		return at;
	last = &base->txns[base->txn_count - 1];
	mac_at = last->at + JOURNAL_HEADER_LEN + last->header.records_len;
	header->seq = last->header.seq + 1;
	peek(base->ciphertext, "journal", header->previous_mac, JOURNAL_MAC_LEN, mac_at);
	return last->at + journal_txn_len(&last->header);
}

/* One transaction of one record, complete under the keys of `epoch`. */
static void append(struct attack *attack, uint32_t epoch, const struct journal_record *record)
{
	struct journal_header header = {.epoch = epoch, .records_len = (uint32_t)journal_record_len(record)};
	uint64_t at = place_behind(attack->base, &header);
	uint8_t bytes[JOURNAL_HEADER_LEN + RECORDS_MAX] = {0}, key[32];
	struct hash_part part = {bytes, JOURNAL_HEADER_LEN + header.records_len};
	struct writer w;

	journal_header_encode(&header, bytes);
	writer_init(&w, bytes + JOURNAL_HEADER_LEN, RECORDS_MAX);
	journal_record_encode(&w, record);
	must(keyring_journal_key(attack->history->keyrings[epoch - 1], epoch, key), "a journal key");
	hmac_sha256(key, sizeof(key), &part, 1, bytes + part.len);
	poke(attack->image.ciphertext, "journal", bytes, part.len + JOURNAL_MAC_LEN, at);
}

/* It needs no key of the object's own. */
bool forge_deletion(struct attack *attack)
{
	const struct target *target = any_target(attack);
	uint32_t epoch = his_epoch(attack);
	struct journal_record record = {.type = JOURNAL_DELETE, .deleted = target->id};

	append(attack, epoch, &record);
	describe(attack, "a transaction of epoch %u that deletes %s", epoch, target->path);
	expect(attack, NEED_HARMLESS, 0, target->number);
	return true;
}

/* An object of his time gets another owner. */
bool forge_change(struct attack *attack)
{
	const struct target *target = any_target(attack);
	uint32_t epoch = target->header.epoch;
	struct journal_record record = {.type = JOURNAL_INODE,
					.inode = {.id = target->id, .shrink = JOURNAL_NO_SHRINK}};
	struct object_header header = target->header;
	uint8_t key[OBJECT_KEY_LEN], nonce[AEAD_NONCE_LEN];

	if (epoch == EPOCHS)
		return false;
	header.attr.version++;
	header.attr.uid = 4242;
	record.inode.levels_before = (uint8_t)layout_levels(header.attr.size);
	random_bytes(nonce, sizeof(nonce));
	must(keyring_object_key(attack->history->keyrings[epoch - 1], epoch, target->id.bytes, key),
	     "an object key");
	must(object_header_seal(&header, key, nonce, record.inode.header), "a header");
	append(attack, epoch, &record);
	describe(attack, "a transaction of epoch %u that gives %s another owner", epoch, target->path);
	expect(attack, NEED_HARMLESS, 0, target->number);
	return true;
}

/* What is acknowledged but not in place yet, given up with an anchor of his own. */
bool forge_anchor(struct attack *attack)
{
	const struct moment *base = attack->base;
	uint32_t epoch = his_epoch(attack);
	struct anchor anchor = {.seq = base->position.start_seq - 1, .epoch = epoch};
	uint8_t slot[ANCHOR_LEN], key[32];

	memcpy(anchor.fs_id, keyring_fs_id(base->keyring), sizeof(anchor.fs_id));
	memcpy(anchor.journal_mac, base->position.previous_mac, JOURNAL_MAC_LEN);
	must(keyring_anchor_key(attack->history->keyrings[epoch - 1], epoch, key), "an anchor key");
	anchor_encode(&anchor, key, slot);
	for (uint64_t i = 0; i < 2; i++)
		poke(attack->image.state, "anchor", slot, sizeof(slot), i * ANCHOR_SLOT_LEN);
	punch(attack->image.ciphertext, "journal", base->txns[0].at, BLOCK_SIZE);
	describe(attack, "an anchor of epoch %u, and a journal without transaction %llu", epoch,
		 (unsigned long long)base->txns[0].header.seq);
	attack->need = NEED_KNOWN;
	return true;
}

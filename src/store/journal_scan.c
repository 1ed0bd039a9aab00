#include <stdlib.h>
#include <string.h>

#include "base/secmem.h"
#include "crypto/hash.h"
#include "store/break.h"
#include "store/journal.h"

struct journal_scan {
	struct backing *backing;
	int file;
	const struct keyring *keyring;
	uint32_t epoch;             /* of `key`; 0: none */
	uint8_t *key;
	uint8_t session[JOURNAL_SESSION_LEN];
	uint64_t next_seq;
	uint8_t mac[JOURNAL_MAC_LEN];
	uint32_t half;
	uint64_t offset;
	bool has_switched;
	bool has_found;
};

enum err journal_read_anchor(struct backing *state, const struct keyring *keyring,
			     struct anchor *anchor)
{
	uint8_t *key = secmem_alloc(32);
	bool found = false;
	int file;
	enum err err = state->ops->open(state, "anchor", BACKING_READ_ONLY, &file);

	if (err != ERR_OK || key == NULL) {
		secmem_free(key);
		return err == ERR_NOT_FOUND ? ERR_UNPROVEN : err != ERR_OK ? err : ERR_NO_MEMORY;
	}
	for (uint32_t i = 0; i < 2 && err == ERR_OK; i++) {
		uint8_t slot[ANCHOR_LEN];
		struct anchor candidate;

		err = state->ops->pread(state, file, slot, sizeof(slot), i * ANCHOR_SLOT_LEN);
		if (err != ERR_OK)
			break;
		if (keyring_anchor_key(keyring, anchor_peek_epoch(slot), key) != ERR_OK ||
		    anchor_decode(slot, keyring_fs_id(keyring), key, &candidate) != ERR_OK)
			continue; /* empty, or torn by a power cut: the other one stands */
		if (!found || candidate.seq > anchor->seq)
			*anchor = candidate;
		found = true;
	}
	state->ops->close(state, file);
	secmem_free(key);
	return err != ERR_OK ? err : found ? ERR_OK : ERR_UNPROVEN;
}

enum err journal_scan_new(struct backing *ciphertext, const struct keyring *keyring,
			  const struct ledger_position *position, struct journal_scan **out)
{
	struct journal_scan *scan = calloc(1, sizeof(*scan));
	enum err err;

	if (scan == NULL)
		return ERR_NO_MEMORY;
	scan->file = -1;
	scan->backing = ciphertext;
	scan->keyring = keyring;
	scan->next_seq = position->start_seq;
	scan->half = position->half;
	memcpy(scan->session, position->session, JOURNAL_SESSION_LEN);
	memcpy(scan->mac, position->previous_mac, JOURNAL_MAC_LEN);
	scan->key = secmem_alloc(32);
	err = scan->key == NULL ? ERR_NO_MEMORY
				: ciphertext->ops->open(ciphertext, "journal", BACKING_READ_ONLY,
							&scan->file);
	if (err != ERR_OK) {
		journal_scan_free(scan);
		return err;
	}
	*out = scan;
	return ERR_OK;
}

void journal_scan_free(struct journal_scan *scan)
{
	if (scan == NULL)
		return;
	if (scan->file >= 0)
		scan->backing->ops->close(scan->backing, scan->file);
	secmem_free(scan->key);
	free(scan);
}

uint32_t journal_scan_half(const struct journal_scan *scan)
{
	return scan->half;
}

static bool has_key(struct journal_scan *scan, uint32_t epoch)
{
	if (scan->epoch == epoch)
		return true;
	if (keyring_journal_key(scan->keyring, epoch, scan->key) != ERR_OK)
		return false;
	scan->epoch = epoch;
	return true;
}

/* Does a header at the current offset continue the chain? */
static enum err read_header(struct journal_scan *scan, uint8_t bytes[JOURNAL_HEADER_LEN],
			    struct journal_header *header)
{
	uint64_t at = JOURNAL_START + (uint64_t)scan->half * JOURNAL_HALF_LEN + scan->offset;
	enum err err;

	if (scan->offset + BLOCK_SIZE > JOURNAL_HALF_LEN)
		return ERR_NOT_FOUND;
	err = scan->backing->ops->pread(scan->backing, scan->file, bytes, JOURNAL_HEADER_LEN, at);
	if (err != ERR_OK)
		return err;
	if (journal_header_decode(bytes, header) != ERR_OK || header->seq != scan->next_seq ||
	    (memcmp(header->session, scan->session, JOURNAL_SESSION_LEN) != 0 &&
	     !STORE_BREAK(I15_NO_SESSION)) ||
	    memcmp(header->previous_mac, scan->mac, JOURNAL_MAC_LEN) != 0 ||
	    scan->offset + journal_txn_len(header) > JOURNAL_HALF_LEN)
		return ERR_NOT_FOUND;
	return ERR_OK;
}

static enum err read_txn(struct journal_scan *scan, struct journal_txn *txn)
{
	uint64_t at = JOURNAL_START + (uint64_t)scan->half * JOURNAL_HALF_LEN + scan->offset;
	struct hash_part part;
	uint8_t bytes[JOURNAL_HEADER_LEN];
	size_t len;
	enum err err = read_header(scan, bytes, &txn->header);

	if (err != ERR_OK)
		return err;
	len = journal_txn_len(&txn->header);
	txn->data = malloc(len);
	if (txn->data == NULL)
		return ERR_NO_MEMORY;
	err = scan->backing->ops->pread(scan->backing, scan->file, txn->data, len, at);
	if (err == ERR_OK) {
		part = (struct hash_part){txn->data, JOURNAL_HEADER_LEN + txn->header.records_len};
		txn->records = txn->data + JOURNAL_HEADER_LEN;
		txn->pages = txn->data + journal_pages_offset(&txn->header);
		if (!has_key(scan, txn->header.epoch))
			err = ERR_NOT_FOUND;
		else
			hmac_sha256(scan->key, 32, &part, 1, txn->mac);
	}
	/* What was looked at is what the MAC covers, even if the file changes under our eyes. */
	if (err == ERR_OK && memcmp(bytes, txn->data, JOURNAL_HEADER_LEN) != 0)
		err = ERR_NOT_FOUND;
	if (err == ERR_OK && !secmem_equal(txn->mac, txn->data + part.len, JOURNAL_MAC_LEN))
		err = ERR_NOT_FOUND;
	if (err != ERR_OK) {
		free(txn->data);
		txn->data = NULL;
	}
	return err;
}

enum err journal_scan_next(struct journal_scan *scan, struct journal_txn *txn)
{
	enum err err = read_txn(scan, txn);

	/* R7: where a half ends the chain goes on at offset 0 of the other one. */
	if (err == ERR_NOT_FOUND && scan->has_found && !scan->has_switched &&
	    !STORE_BREAK(R7_ONE_HALF)) {
		uint64_t offset = scan->offset;

		scan->has_switched = true;
		scan->half = 1 - scan->half;
		scan->offset = 0;
		err = read_txn(scan, txn);
		if (err == ERR_NOT_FOUND) {
			scan->half = 1 - scan->half;
			scan->offset = offset;
		}
	}
	if (err != ERR_OK)
		return err;
	scan->has_found = true;
	scan->next_seq++;
	scan->offset += journal_txn_len(&txn->header);
	memcpy(scan->mac, txn->mac, JOURNAL_MAC_LEN);
	return ERR_OK;
}

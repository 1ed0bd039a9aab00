#include "store/journal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/secmem.h"
#include "crypto/hash.h"
#include "store/part.h"

#define JOURNAL_FILE "journal"
#define ANCHOR_FILE  "anchor"
#define ZERO_CHUNK   (1u << 20)
#define JOURNAL_KEYS_LEN 64u /* the journal's and the anchor's, 32 bytes each */

struct half {
	bool is_free;
	uint64_t first, last;                      /* seq; last < first: empty */
	uint8_t mac_before[JOURNAL_MAC_LEN];       /* MAC of first - 1 */
};

struct journal {
	struct backing *ciphertext, *state;
	int file, anchor_file;
	uint32_t epoch;
	uint8_t *keys;                             /* journal key 32, anchor key 32 */
	uint8_t fs_id[FS_ID_LEN];
	uint8_t session[JOURNAL_SESSION_LEN];
	uint32_t current;                          /* half; committer */
	uint64_t offset;                           /* in it; committer */

	pthread_mutex_t mutex;                     /* protects the rest */
	uint64_t seq;
	uint8_t mac[JOURNAL_MAC_LEN];
	struct half halves[2];
	bool anchor_dirty;
};

static uint64_t half_start(uint32_t half)
{
	return JOURNAL_START + (uint64_t)half * JOURNAL_HALF_LEN;
}

/* Really written zeroes: a flush into preallocated but unwritten blocks costs half as much again. */
static enum err fill_with_zeroes(struct backing *backing, int file)
{
	uint8_t *zeroes = calloc(1, ZERO_CHUNK);
	enum err err = zeroes == NULL ? ERR_NO_MEMORY : ERR_OK;

	for (uint64_t at = 0; at < JOURNAL_FILE_LEN && err == ERR_OK; at += ZERO_CHUNK) {
		uint64_t left = JOURNAL_FILE_LEN - at;

		err = backing->ops->pwrite(backing, file, zeroes,
					   left < ZERO_CHUNK ? (size_t)left : ZERO_CHUNK, at);
	}
	free(zeroes);
	return err;
}

static enum err create_file(struct backing *backing, const char *name, bool is_journal,
			    const uint8_t *slot)
{
	int file;
	enum err err = backing->ops->open(backing, name, BACKING_CREATE, &file);

	if (err != ERR_OK)
		return err;
	if (is_journal) {
		err = fill_with_zeroes(backing, file);
	} else {
		uint8_t slots[2 * ANCHOR_SLOT_LEN] = {0};

		memcpy(slots, slot, ANCHOR_LEN);
		err = backing->ops->pwrite(backing, file, slots, sizeof(slots), 0);
	}
	if (err == ERR_OK)
		err = backing->ops->fdatasync(backing, file);
	backing->ops->close(backing, file);
	return err;
}

static enum err derive(const struct keyring *keyring, uint32_t epoch, uint8_t keys[JOURNAL_KEYS_LEN])
{
	enum err err = keyring_journal_key(keyring, epoch, keys);

	if (err == ERR_OK)
		err = keyring_anchor_key(keyring, epoch, keys + 32);
	return err;
}

enum err journal_create(struct backing *ciphertext, struct backing *state,
			const struct keyring *keyring)
{
	struct anchor anchor = {.seq = 0, .epoch = keyring_epoch(keyring)};
	uint8_t *keys = secmem_alloc(JOURNAL_KEYS_LEN);
	uint8_t slot[ANCHOR_LEN];
	enum err err = keys == NULL ? ERR_NO_MEMORY : derive(keyring, anchor.epoch, keys);

	if (err == ERR_OK) {
		memcpy(anchor.fs_id, keyring_fs_id(keyring), FS_ID_LEN);
		anchor_encode(&anchor, keys + 32, slot);
		err = create_file(ciphertext, JOURNAL_FILE, true, NULL);
	}
	if (err == ERR_OK)
		err = create_file(state, ANCHOR_FILE, false, slot);
	secmem_free(keys);
	return err;
}

static enum err open_files(struct journal *journal)
{
	enum err err = journal->ciphertext->ops->open(journal->ciphertext, JOURNAL_FILE, 0,
						      &journal->file);

	if (err == ERR_OK)
		err = journal->state->ops->open(journal->state, ANCHOR_FILE, 0,
						&journal->anchor_file);
	return err;
}

enum err journal_open(struct backing *ciphertext, struct backing *state,
		      const struct keyring *keyring, const struct journal_start *start,
		      struct journal **out)
{
	struct journal *journal = calloc(1, sizeof(*journal));
	enum err err;

	if (journal == NULL)
		return ERR_NO_MEMORY;
	pthread_mutex_init(&journal->mutex, NULL);
	journal->file = journal->anchor_file = -1;
	journal->ciphertext = ciphertext;
	journal->state = state;
	journal->epoch = keyring_epoch(keyring);
	journal->seq = start->seq;
	journal->current = start->half;
	memcpy(journal->mac, start->mac, JOURNAL_MAC_LEN);
	memcpy(journal->session, start->session, JOURNAL_SESSION_LEN);
	memcpy(journal->fs_id, keyring_fs_id(keyring), FS_ID_LEN);
	journal->halves[start->half] = (struct half){.first = start->seq + 1, .last = start->seq};
	memcpy(journal->halves[start->half].mac_before, start->mac, JOURNAL_MAC_LEN);
	journal->halves[1 - start->half].is_free = true;
	journal->keys = secmem_alloc(JOURNAL_KEYS_LEN);
	err = journal->keys == NULL ? ERR_NO_MEMORY
				    : derive(keyring, journal->epoch, journal->keys);
	if (err == ERR_OK)
		err = open_files(journal);
	if (err != ERR_OK) {
		journal_close(journal);
		return err;
	}
	*out = journal;
	return ERR_OK;
}

void journal_wipe_keys(struct journal *journal)
{
	secmem_wipe(journal->keys, JOURNAL_KEYS_LEN);
}

void journal_close(struct journal *journal)
{
	if (journal == NULL)
		return;
	if (journal->file >= 0)
		journal->ciphertext->ops->close(journal->ciphertext, journal->file);
	if (journal->anchor_file >= 0)
		journal->state->ops->close(journal->state, journal->anchor_file);
	secmem_free(journal->keys);
	pthread_mutex_destroy(&journal->mutex);
	free(journal);
}

/* Mutex held. */
static void begin_half(struct journal *journal, uint32_t half)
{
	journal->current = half;
	journal->offset = 0;
	journal->halves[half] = (struct half){.first = journal->seq + 1, .last = journal->seq};
	memcpy(journal->halves[half].mac_before, journal->mac, JOURNAL_MAC_LEN);
}

bool journal_switch(struct journal *journal)
{
	bool switched = false;

	pthread_mutex_lock(&journal->mutex);
	if (journal->offset == 0) {
		switched = true;
	} else if (journal->halves[1 - journal->current].is_free) {
		begin_half(journal, 1 - journal->current);
		switched = true;
	}
	pthread_mutex_unlock(&journal->mutex);
	return switched;
}

enum err journal_place(struct journal *journal, size_t len)
{
	if (len > JOURNAL_TXN_MAX)
		return ERR_TOO_LARGE;
	if (journal->offset + len <= JOURNAL_HALF_LEN)
		return ERR_OK;
	return journal_switch(journal) ? ERR_OK : ERR_AGAIN;
}

enum err journal_append(struct journal *journal, struct txn *txn)
{
	struct journal_header header = {.seq = txn->seq, .pages = txn->page_count,
					.epoch = journal->epoch};
	uint64_t at = half_start(journal->current) + journal->offset;
	struct hash_part part = {txn->records, txn->records_len};
	size_t padded;
	enum err err;

	header.records_len = (uint32_t)(txn->records_len - JOURNAL_HEADER_LEN);
	memcpy(header.session, journal->session, JOURNAL_SESSION_LEN);
	memcpy(header.previous_mac, journal->mac, JOURNAL_MAC_LEN);
	journal_header_encode(&header, txn->records);
	hmac_sha256(journal->keys, 32, &part, 1, txn->mac);
	memcpy(txn->records + txn->records_len, txn->mac, JOURNAL_MAC_LEN);
	padded = journal_pages_offset(&header);
	memset(txn->records + txn->records_len + JOURNAL_MAC_LEN, 0,
	       padded - txn->records_len - JOURNAL_MAC_LEN);

	err = journal->ciphertext->ops->pwrite(journal->ciphertext, journal->file, txn->records,
					       padded, at);
	if (err == ERR_OK && txn->page_count > 0)
		err = journal->ciphertext->ops->pwrite(journal->ciphertext, journal->file,
						       txn->pages,
						       (size_t)txn->page_count * BLOCK_SIZE,
						       at + padded);
	if (err != ERR_OK)
		return err;
	txn->half = journal->current;
	journal->offset += journal_txn_len(&header);
	pthread_mutex_lock(&journal->mutex);
	journal->seq = txn->seq;
	memcpy(journal->mac, txn->mac, JOURNAL_MAC_LEN);
	journal->halves[journal->current].last = txn->seq;
	pthread_mutex_unlock(&journal->mutex);
	return ERR_OK;
}

enum err journal_flush(struct journal *journal)
{
	return journal->ciphertext->ops->fdatasync(journal->ciphertext, journal->file);
}

/* I6: only what is flushed; called after journal_flush. */
enum err journal_write_anchor(struct journal *journal)
{
	struct anchor anchor = {.seq = journal->seq, .epoch = journal->epoch};
	uint8_t slot[ANCHOR_LEN];
	enum err err;

	memcpy(anchor.fs_id, journal->fs_id, FS_ID_LEN);
	memcpy(anchor.journal_mac, journal->mac, JOURNAL_MAC_LEN);
	anchor_encode(&anchor, journal->keys + 32, slot);
	err = journal->state->ops->pwrite(journal->state, journal->anchor_file, slot, ANCHOR_LEN,
					  (anchor.seq & 1) * ANCHOR_SLOT_LEN);
	pthread_mutex_lock(&journal->mutex);
	journal->anchor_dirty = true;
	pthread_mutex_unlock(&journal->mutex);
	return err;
}

enum err journal_sync_anchor(struct journal *journal)
{
	bool is_dirty;

	pthread_mutex_lock(&journal->mutex);
	is_dirty = journal->anchor_dirty;
	journal->anchor_dirty = false;
	pthread_mutex_unlock(&journal->mutex);
	return is_dirty ? journal->state->ops->fdatasync(journal->state, journal->anchor_file)
			: ERR_OK;
}

uint64_t journal_seq(const struct journal *journal)
{
	return journal->seq;
}

void journal_last(struct journal *journal, uint64_t *seq, uint8_t mac[JOURNAL_MAC_LEN])
{
	pthread_mutex_lock(&journal->mutex);
	*seq = journal->seq;
	memcpy(mac, journal->mac, JOURNAL_MAC_LEN);
	pthread_mutex_unlock(&journal->mutex);
}

bool journal_full_half(struct journal *journal, uint64_t *last_seq,
		       struct ledger_position *position)
{
	const struct half *full, *next;
	bool found;

	pthread_mutex_lock(&journal->mutex);
	full = &journal->halves[1 - journal->current];
	next = &journal->halves[journal->current];
	found = !full->is_free;
	if (found) {
		*last_seq = full->last;
		position->start_seq = next->first;
		position->half = journal->current;
		memcpy(position->previous_mac, next->mac_before, JOURNAL_MAC_LEN);
		memcpy(position->session, journal->session, JOURNAL_SESSION_LEN);
	}
	pthread_mutex_unlock(&journal->mutex);
	return found;
}

void journal_free_half(struct journal *journal)
{
	pthread_mutex_lock(&journal->mutex);
	journal->halves[1 - journal->current].is_free = true;
	pthread_mutex_unlock(&journal->mutex);
}

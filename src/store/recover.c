#include "store/recover.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "crypto/random.h"
#include "store/break.h"
#include "store/names.h"
#include "store/node.h"

/* Everything between the ledger's position and the journal's end. */
struct recovering {
	struct store *store;
	struct ledger_position position;
	struct anchor anchor;
	struct journal_txn *txns;         /* malloc'd, each with malloc'd data */
	size_t count, room;
	uint32_t last_half;
	uint32_t epoch;                   /* of the anchor, then of the last transaction */
	struct replay_object *objects;    /* uthash */
	struct store_recovery *result;
};

static void recovering_clear(struct recovering *r)
{
	struct replay_object *object, *next;

	for (size_t i = 0; i < r->count; i++)
		free(r->txns[i].data);
	free(r->txns);
	HASH_ITER(hh, r->objects, object, next) {
		HASH_DEL(r->objects, object);
		free(object->records);
		free(object);
	}
}

/* --- the chain --------------------------------------------------------------------------- */

static enum err keep_txn(struct recovering *r, const struct journal_txn *txn)
{
	if (r->count == r->room) {
		size_t room = r->room == 0 ? 16 : r->room * 2;
		struct journal_txn *txns = realloc(r->txns, room * sizeof(*txns));

		if (txns == NULL)
			return ERR_NO_MEMORY;
		r->txns = txns;
		r->room = room;
	}
	r->txns[r->count++] = *txn;
	return ERR_OK;
}

/*
 * I14: beyond the anchor only what is whole and authentic to the last tag.  Nothing
 * under an older epoch than the anchor's: its keys are what somebody who was removed
 * has, and the unlock that began a session put the anchor under that session's epoch.
 */
static enum err adopt(struct recovering *r, struct journal_txn *txn)
{
	enum err err = ERR_OK;

	if (txn->header.epoch < r->epoch && !STORE_BREAK(I14_OLD_EPOCH))
		return ERR_NOT_FOUND;
	r->epoch = txn->header.epoch;
	if (txn->header.seq > r->anchor.seq) {
		err = replay_verify_tags(r->store, txn);
		if (err == ERR_TAMPERED || err == ERR_FORMAT)
			return ERR_NOT_FOUND;
		r->result->adopted++;
	} else if (txn->header.seq == r->anchor.seq &&
		   memcmp(txn->mac, r->anchor.journal_mac, JOURNAL_MAC_LEN) != 0 &&
		   !STORE_BREAK(I14_NO_ANCHOR)) {
		return ERR_ROLLBACK;
	}
	return err;
}

static enum err read_chain(struct recovering *r)
{
	struct store *store = r->store;
	struct journal_scan *scan;
	enum err err = journal_scan_new(store->ciphertext, store->keyring, &r->position, &scan);

	/* It was there when the store was opened. */
	if (err != ERR_OK)
		return err == ERR_NOT_FOUND ? ERR_DELETED : err;
	while (err == ERR_OK) {
		struct journal_txn txn = {.data = NULL};

		err = journal_scan_next(scan, &txn);
		if (err == ERR_OK)
			err = adopt(r, &txn);
		if (err == ERR_OK)
			err = keep_txn(r, &txn);
		if (err != ERR_OK)
			free(txn.data);
	}
	if (err == ERR_NOT_FOUND) {
		r->last_half = journal_scan_half(scan);
		err = ERR_OK;
	}
	journal_scan_free(scan);
	return err;
}

/* The chain must reach what was acknowledged. */
static enum err compare_with_anchor(const struct recovering *r)
{
	uint64_t last = r->position.start_seq - 1 + r->count;

	if (STORE_BREAK(I14_NO_ANCHOR))
		return ERR_OK;
	if (r->anchor.seq > last)
		return ERR_ROLLBACK;
	if (r->anchor.seq == r->position.start_seq - 1 &&
	    memcmp(r->anchor.journal_mac, r->position.previous_mac, JOURNAL_MAC_LEN) != 0)
		return ERR_ROLLBACK;
	return ERR_OK;
}

/* Nobody else writes while it is locked: what this store left there must be there. */
static enum err compare_with_left(const struct recovering *r)
{
	const struct store *store = r->store;
	const uint8_t *mac = r->count == 0 ? r->position.previous_mac : r->txns[r->count - 1].mac;

	if (!store->has_left || STORE_BREAK(I14_NO_MEMORY))
		return ERR_OK;
	return r->position.start_seq - 1 + r->count == store->left_seq &&
			       memcmp(mac, store->left_mac, JOURNAL_MAC_LEN) == 0
		       ? ERR_OK
		       : ERR_ROLLBACK;
}

/* --- objects ---------------------------------------------------------------------------------- */

static const struct object_id *id_of(const struct journal_record *record)
{
	switch (record->type) {
	case JOURNAL_INODE:
		return &record->inode.id;
	case JOURNAL_ENTRIES:
		return &record->entries.id;
	case JOURNAL_DATA:
		return &record->data.id;
	case JOURNAL_INLINE:
		return &record->inlined.id;
	case JOURNAL_FRESH:
		return &record->fresh.id;
	case JOURNAL_DELETE:
		break;
	}
	return &record->deleted;
}

static enum err sort_in(struct recovering *r, const struct journal_txn *txn,
			const struct journal_record *record)
{
	const struct object_id *id = id_of(record);
	uint64_t number = object_id_number(id);
	struct replay_object *object;

	HASH_FIND(hh, r->objects, id, sizeof(*id), object);
	if (object == NULL) {
		object = calloc(1, sizeof(*object));
		if (object == NULL)
			return ERR_NO_MEMORY;
		object->id = *id;
		HASH_ADD(hh, r->objects, id, sizeof(object->id), object);
	}
	if (object->count == object->room) {
		size_t room = object->room == 0 ? 4 : object->room * 2;
		struct replay_record *records = realloc(object->records, room * sizeof(*records));

		if (records == NULL)
			return ERR_NO_MEMORY;
		object->records = records;
		object->room = room;
	}
	object->records[object->count++] =
		(struct replay_record){txn->header.seq, txn->pages, *record};
	if (number >= r->position.next_number)
		r->position.next_number = number + 1;
	return ERR_OK;
}

static enum err sort_records(struct recovering *r)
{
	enum err err = ERR_OK;

	for (size_t i = 0; i < r->count && err == ERR_OK; i++) {
		const struct journal_txn *txn = &r->txns[i];
		struct reader reader;

		reader_init(&reader, txn->records, txn->header.records_len);
		while (reader_left(&reader) > 0 && err == ERR_OK) {
			struct journal_record record;

			err = journal_record_decode(&reader, txn->header.pages, &record);
			if (err == ERR_OK)
				err = sort_in(r, txn, &record);
		}
	}
	return err;
}

static enum err replay_all(struct recovering *r)
{
	struct replay_object *object, *next;
	enum err err = ERR_OK;

	HASH_ITER(hh, r->objects, object, next) {
		bool damaged;

		if (err != ERR_OK)
			break;
		err = replay(r->store, object, &damaged);
		r->result->objects++;
		if (err == ERR_OK && damaged) {
			r->result->damaged++;
			log_warning("object %llu does not verify after recovery; only this file is affected",
				    (unsigned long long)object_id_number(&object->id));
			if (r->store->hooks.integrity != NULL)
				r->store->hooks.integrity(r->store->hooks.ctx,
							  object_id_number(&object->id),
							  ERR_TAMPERED, 0);
		}
	}
	return err;
}

/* --- objects/new -------------------------------------------------------------------------------- */

struct new_file {
	struct new_file *next;
	char name[33];
};

static void note_new_file(void *ctx, const char *name)
{
	struct new_file **list = ctx;
	struct new_file *file;

	if (strlen(name) != 32)
		return; /* not ours: check names it */
	file = malloc(sizeof(*file));
	if (file == NULL)
		return; /* it stays until the next mount */
	strcpy(file->name, name);
	file->next = *list;
	*list = file;
}

/* R8: a file that is in the ledger goes to its shard, any other was never durable. */
static enum err settle_new_file(struct store *store, const char *name)
{
	char from[OBJECT_PATH_LEN], to[OBJECT_PATH_LEN];
	struct object_id id;
	struct ledger_row row;
	enum err err;

	if (!hex_decode(name, id.bytes, sizeof(id.bytes)))
		return ERR_OK;
	object_path_new(&id, from);
	object_path(&id, to);
	err = ledger_get(store->ledger, object_id_number(&id), &row);
	if (err == ERR_OK && memcmp(&row.id, &id, sizeof(id)) == 0) {
		err = store->ciphertext->ops->rename(store->ciphertext, from, to);
		return backing_is_gone(err) ? ERR_OK : err;
	}
	/* A row that does not verify may be this file's: it is kept. */
	if (err == ERR_TAMPERED)
		return ERR_OK;
	if (err != ERR_OK && err != ERR_NOT_FOUND)
		return err;
	err = store->ciphertext->ops->unlink(store->ciphertext, from);
	/* A directory that somebody made there is check's to report. */
	return backing_is_gone(err) ? ERR_OK : err;
}

static enum err empty_new(struct store *store)
{
	struct new_file *list = NULL;
	enum err err = STORE_BREAK(R8_KEEP_NEW) ? ERR_OK : store->ciphertext->ops->list(store->ciphertext, "objects/new",
						    note_new_file, &list);

	if (err == ERR_NOT_FOUND)
		err = ERR_DELETED; /* nobody but store_create makes that directory, and nobody removes it */
	while (list != NULL) {
		struct new_file *file = list;

		list = file->next;
		if (err == ERR_OK)
			err = settle_new_file(store, file->name);
		free(file);
	}
	return err;
}

/* --- all together --------------------------------------------------------------------------------- */

/* I15: from here on a new session; what a torn tail left behind can never chain onto it. */
static enum err begin_session(struct recovering *r, struct journal_start *start)
{
	struct store *store = r->store;

	if (r->count > 0) {
		r->position.start_seq = r->txns[r->count - 1].header.seq + 1;
		memcpy(r->position.previous_mac, r->txns[r->count - 1].mac, JOURNAL_MAC_LEN);
	}
	r->position.half = 1 - r->last_half;
	if (!STORE_BREAK(I15_SAME_SESSION))
		random_bytes(r->position.session, JOURNAL_SESSION_LEN);
	start->seq = r->position.start_seq - 1;
	start->half = r->position.half;
	memcpy(start->mac, r->position.previous_mac, JOURNAL_MAC_LEN);
	memcpy(start->session, r->position.session, JOURNAL_SESSION_LEN);
	atomic_store(&store->next_number, r->position.next_number);
	return store->read_only ? ERR_OK : ledger_commit(store->ledger, &r->position);
}

static enum err put_in_order(struct recovering *r)
{
	struct store *store = r->store;
	enum err err;

	if (r->count == 0)
		return store->read_only ? ERR_OK : empty_new(store);
	if (store->read_only)
		return ERR_READ_ONLY;
	err = sort_records(r);
	if (err == ERR_OK)
		err = replay_all(r);
	if (err == ERR_OK)
		err = empty_new(store);
	/* I12: all of it durable before the ledger says so. */
	if (err == ERR_OK && !STORE_BREAK(I12_NO_SYNC))
		err = store->ciphertext->ops->sync_all(store->ciphertext);
	return err;
}

/* A slot file older than one that was used here is a removed custodian's way back in. */
static enum err check_slots(struct store *store, struct ledger_position *position)
{
	if (store->slots_generation == 0)
		return ERR_OK;
	if (store->slots_generation < position->slots_generation ||
	    (store->slots_generation < store->slots_generation_seen && !STORE_BREAK(I14_NO_MEMORY)))
		return ERR_ROLLBACK;
	position->slots_generation = store->slots_generation;
	return ERR_OK;
}

enum err recover(struct store *store, struct journal_start *start,
		 struct store_recovery *recovery)
{
	struct recovering r = {.store = store, .result = recovery};
	enum err err = ledger_position(store->ledger, &r.position);

	*recovery = (struct store_recovery){0};
	if (err == ERR_OK)
		err = check_slots(store, &r.position);
	r.last_half = 1 - r.position.half;
	if (err == ERR_OK)
		err = journal_read_anchor(store->state, store->keyring, &r.anchor);
	r.epoch = r.anchor.epoch;
	if (err == ERR_OK)
		err = read_chain(&r);
	if (err == ERR_OK)
		err = compare_with_anchor(&r);
	if (err == ERR_OK)
		err = compare_with_left(&r);
	recovery->transactions = r.count;
	recovery->was_clean = r.count == 0;
	if (err == ERR_OK)
		err = put_in_order(&r);
	if (err == ERR_OK)
		err = begin_session(&r, start);
	recovering_clear(&r);
	return err;
}

/* --- I23 ----------------------------------------------------------------------------------------------- */

struct number_list {
	uint64_t *numbers;
	size_t count, room;
};

static enum err note_number(void *ctx, const struct ledger_row *row)
{
	struct number_list *list = ctx;

	if (list->count == list->room) {
		size_t room = list->room == 0 ? 16 : list->room * 2;
		uint64_t *numbers = realloc(list->numbers, room * sizeof(*numbers));

		if (numbers == NULL)
			return ERR_NO_MEMORY;
		list->numbers = numbers;
		list->room = room;
	}
	list->numbers[list->count++] = object_id_number(&row->id);
	return ERR_OK;
}

enum err delete_unlinked(struct store *store, struct store_recovery *recovery)
{
	struct number_list list = {NULL, 0, 0};
	enum err err = ledger_walk_unlinked(store->ledger, note_number, &list);

	/* Rows that do not verify are their own objects' damage; the others were walked. */
	if (err == ERR_TAMPERED)
		err = ERR_OK;
	for (size_t i = 0; i < list.count && err == ERR_OK; i++) {
		struct node *node;
		bool is_held;

		err = node_get(store, list.numbers[i], NULL, &node);
		if (err == ERR_STALE || err == ERR_TAMPERED)
			err = ERR_OK;
		else if (err == ERR_OK) {
			/* A handle that stayed open over a lock still has it, or the kernel. */
			pthread_mutex_lock(&node->mutex);
			is_held = node_is_held(node);
			pthread_mutex_unlock(&node->mutex);
			if (!is_held && !STORE_BREAK(I23_KEEP)) {
				names_bury(store, node);
				recovery->deleted++;
			}
			node_put(store, node);
		}
	}
	free(list.numbers);
	return err;
}

#include <string.h>

#include "store/apply.h"
#include "store/break.h"
#include "store/node.h"

void touched_add(struct touched *touched, const struct node *node, bool is_delete)
{
	for (size_t i = 0; i < touched->count; i++) {
		if (touched->numbers[i] != node->number)
			continue;
		touched->deleted[i] = touched->deleted[i] || is_delete;
		return;
	}
	if (touched->count == TOUCHED_MAX) {
		touched->too_many = true;
		return;
	}
	touched->numbers[touched->count] = node->number;
	touched->ids[touched->count] = node->id;
	touched->deleted[touched->count++] = is_delete;
}

static enum err sync_object(struct backing *backing, const struct object_id *id)
{
	char path[OBJECT_PATH_LEN];
	int file;
	enum err err;

	object_path(id, path);
	err = backing->ops->open(backing, path, BACKING_READ_ONLY, &file);
	/* Gone since: the deletion is in a later transaction, or behind our back. */
	if (backing_is_gone(err))
		return ERR_OK;
	if (err != ERR_OK)
		return err;
	err = backing->ops->fdatasync(backing, file);
	backing->ops->close(backing, file);
	return err;
}

static enum err sync_shard(struct backing *backing, const struct object_id *id)
{
	char path[OBJECT_PATH_LEN];

	object_path(id, path);
	*strrchr(path, '/') = '\0';
	return backing->ops->sync_dir(backing, path);
}

static enum err sync_touched(struct backing *backing, const struct touched *touched)
{
	enum err err = ERR_OK;

	if (touched->too_many)
		return backing->ops->sync_all(backing);
	for (size_t i = 0; i < touched->count && err == ERR_OK; i++)
		if (!touched->deleted[i])
			err = sync_object(backing, &touched->ids[i]);
	if (err == ERR_OK && touched->count > 0)
		err = backing->ops->sync_dir(backing, "objects/new");
	for (size_t i = 0; i < touched->count && err == ERR_OK && !STORE_BREAK(R7_NO_SHARD); i++)
		err = sync_shard(backing, &touched->ids[i]);
	return err;
}

enum err checkpoint(struct store *store, struct touched *touched, uint64_t applied_seq)
{
	struct ledger_position position;
	uint64_t last_seq;
	enum err err = ledger_position(store->ledger, &position);

	if (err != ERR_OK)
		return err;
	/* R7: only a half whose transactions are all applied. */
	if (!journal_full_half(store->journal, &last_seq, &position) || last_seq > applied_seq)
		return ERR_NOT_FOUND;
	if (STORE_BREAK(I7_FREE_EARLY))
		journal_free_half(store->journal);
	err = STORE_BREAK(R7_NO_SYNC) ? ERR_OK : sync_touched(store->ciphertext, touched);
	/* A flush that failed elsewhere is not told to this one: its data is not durable. */
	if (err == ERR_OK && atomic_load(&store->frozen) != ERR_OK)
		err = ERR_FROZEN;
	if (err != ERR_OK)
		return err;
	position.next_number = atomic_load(&store->next_number);
	do {
		err = ledger_commit(store->ledger, &position);
	} while (err != ERR_OK && store_awaits_room(store, err));
	if (err != ERR_OK)
		return err;
	space_remake(store->space);
	atomic_store(&store->is_short, false);
	/* I7: only now may the half be written again. */
	journal_free_half(store->journal);
	atomic_fetch_add(&store->checkpoints, 1);
	memset(touched, 0, sizeof(*touched));
	return ERR_OK;
}

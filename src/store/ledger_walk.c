/*
 * Rows in order, overlay and disk together.
 *
 * The overlay's numbers are taken once, at the start; rows are collected in
 * batches, each under the lock, and the callback runs without it.
 */
#include "store/ledger_private.h"

#include <stdlib.h>

#define BATCH 64u

struct walk {
	struct ledger *ledger;
	enum ledger_read which;
	uint64_t *numbers; /* changed ones, rising */
	size_t count;
	size_t next;   /* first of them not yet passed */
	uint64_t last; /* everything up to here is done */
	bool is_done;
	bool is_tampered; /* a row did not verify and was left out */
	struct ledger_row rows[BATCH];
	size_t filled;
};

static void emit(struct walk *walk, const struct ledger_row *row)
{
	if (walk->which == READ_WALK_UNLINKED && row->attr.nlink != 0)
		return;
	walk->rows[walk->filled++] = *row;
}

static enum err emit_disk(struct walk *walk, sqlite3_stmt *statement)
{
	const struct ledger *ledger = walk->ledger;
	struct ledger_row row;
	enum err err = ledger_row_read(statement, ledger->fs_id, ledger->key, &row);

	if (err == ERR_OK)
		emit(walk, &row);
	if (err != ERR_TAMPERED)
		return err;
	walk->is_tampered = true;
	return ERR_OK;
}

/*
 * The changed rows below `limit`; false if there is no room for all.  One that
 * is no longer in an overlay has been committed and comes from the disk.
 */
static bool emit_changed_below(struct walk *walk, uint64_t limit)
{
	const struct ledger_row *row;

	while (walk->next < walk->count && walk->numbers[walk->next] < limit) {
		if (walk->filled == BATCH)
			return false;
		walk->last = walk->numbers[walk->next++];
		if (ledger_find_change(walk->ledger, walk->last, &row) == CHANGE_PUT)
			emit(walk, row);
	}
	return true;
}

static enum err take_disk_row(struct walk *walk, sqlite3_stmt *statement)
{
	uint64_t number = (uint64_t)sqlite3_column_int64(statement, 0);
	const struct ledger_row *row;

	if (!emit_changed_below(walk, number) || walk->filled == BATCH)
		return ERR_OK;
	walk->last = number;
	if (walk->next < walk->count && walk->numbers[walk->next] == number)
		walk->next++;
	switch (ledger_find_change(walk->ledger, number, &row)) {
	case CHANGE_PUT:
		emit(walk, row);
		return ERR_OK;
	case CHANGE_REMOVED:
		return ERR_OK;
	case CHANGE_NONE:
		break;
	}
	return emit_disk(walk, statement);
}

/* The next rows, with ledger->lock held. */
static enum err fill(struct walk *walk)
{
	sqlite3_stmt *statement = walk->ledger->read[walk->which];
	enum err err = ERR_OK;

	if (walk->ledger->key == NULL)
		return ERR_LOCKED;
	walk->filled = 0;
	sqlite3_bind_int64(statement, 1, (sqlite3_int64)walk->last);
	while (err == ERR_OK && walk->filled < BATCH) {
		int rc = sqlite3_step(statement);

		if (rc == SQLITE_ROW) {
			err = take_disk_row(walk, statement);
			continue;
		}
		if (rc == SQLITE_DONE)
			walk->is_done = emit_changed_below(walk, UINT64_MAX);
		else
			err = ledger_sql_error(walk->ledger->reader, rc);
		break;
	}
	sqlite3_reset(statement);
	return err;
}

static enum err run(struct walk *walk, ledger_each *each, void *ctx)
{
	enum err err = ERR_OK;

	while (err == ERR_OK && !walk->is_done) {
		pthread_mutex_lock(&walk->ledger->lock);
		err = fill(walk);
		pthread_mutex_unlock(&walk->ledger->lock);
		for (size_t i = 0; err == ERR_OK && i < walk->filled; i++)
			err = each(ctx, &walk->rows[i]);
	}
	return err == ERR_OK && walk->is_tampered ? ERR_TAMPERED : err;
}

static enum err walk_rows(struct ledger *ledger, enum ledger_read which, ledger_each *each,
			  void *ctx)
{
	struct walk walk = {.ledger = ledger, .which = which};
	enum err err;

	pthread_mutex_lock(&ledger->lock);
	err = ledger_changes_numbers(&ledger->changed, &ledger->committing, &walk.numbers,
				     &walk.count);
	pthread_mutex_unlock(&ledger->lock);
	if (err == ERR_OK)
		err = run(&walk, each, ctx);
	free(walk.numbers);
	return err;
}

enum err ledger_walk(struct ledger *ledger, ledger_each *each, void *ctx)
{
	return walk_rows(ledger, READ_WALK, each, ctx);
}

enum err ledger_walk_unlinked(struct ledger *ledger, ledger_each *each, void *ctx)
{
	return walk_rows(ledger, READ_WALK_UNLINKED, each, ctx);
}

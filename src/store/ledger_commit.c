/* The ledger's commit: the overlay's way to the disk. */
#include "store/ledger_private.h"

#include <stdlib.h>

static enum err remove_row(struct ledger *ledger, uint64_t number)
{
	sqlite3_stmt *statement = ledger->write[WRITE_REMOVE];

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)number);
	return ledger_sql_run(ledger->writer, statement);
}

static enum err write_row(struct ledger *ledger, const struct ledger_row *row)
{
	sqlite3_stmt *statement = ledger->write[WRITE_ROW];
	enum err err = ledger_row_bind(statement, ledger->fs_id, ledger->key, row);

	return err == ERR_OK ? ledger_sql_run(ledger->writer, statement) : err;
}

/* In the order of the table: neighbours share pages. */
static enum err write_rows(struct ledger *ledger, const uint64_t *numbers, size_t count)
{
	enum err err = ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < count; i++) {
		const struct ledger_row *row = NULL;

		if (ledger_changes_find(&ledger->committing, numbers[i], &row) == CHANGE_PUT)
			err = write_row(ledger, row);
		else
			err = remove_row(ledger, numbers[i]);
	}
	return err;
}

static enum err write_position(struct ledger *ledger, const struct ledger_position *position,
			       uint64_t objects)
{
	sqlite3_stmt *statement = ledger->write[WRITE_POSITION];
	enum err err =
		ledger_position_bind(statement, ledger->fs_id, ledger->key, position, objects);

	return err == ERR_OK ? ledger_sql_run(ledger->writer, statement) : err;
}

/* Without ledger->lock: `committing` is constant, writer and key are commit_lock's. */
static enum err write_all(struct ledger *ledger, const struct ledger_position *position,
			  uint64_t objects)
{
	static const struct ledger_changes nothing;
	uint64_t *numbers = NULL;
	size_t count = 0;
	enum err err = ledger_changes_numbers(&ledger->committing, &nothing, &numbers, &count);

	if (err == ERR_OK && count > 0 && numbers[count - 1] >= position->next_number)
		err = ERR_INVALID;
	if (err == ERR_OK)
		err = ledger_sql_run(ledger->writer, ledger->write[WRITE_BEGIN]);
	if (err == ERR_OK)
		err = write_rows(ledger, numbers, count);
	if (err == ERR_OK)
		err = write_position(ledger, position, objects);
	if (err == ERR_OK)
		err = ledger_sql_run(ledger->writer, ledger->write[WRITE_COMMIT]);
	free(numbers);
	/* Some errors (a full disk) have rolled back already. */
	if (err != ERR_OK && sqlite3_get_autocommit(ledger->writer) == 0) {
		sqlite3_step(ledger->write[WRITE_ROLLBACK]);
		sqlite3_reset(ledger->write[WRITE_ROLLBACK]);
	}
	return err;
}

static enum err commit_begin(struct ledger *ledger, uint64_t *objects)
{
	enum err err = ERR_OK;

	pthread_mutex_lock(&ledger->lock);
	if (ledger->read_only) {
		err = ERR_READ_ONLY;
	} else if (ledger->key == NULL) {
		err = ERR_LOCKED;
	} else {
		ledger->committing = ledger->changed;
		ledger->changed = (struct ledger_changes){NULL};
		*objects = ledger->count;
	}
	pthread_mutex_unlock(&ledger->lock);
	return err;
}

static void commit_end(struct ledger *ledger, enum err err, const struct ledger_position *position)
{
	struct ledger_changes done = {NULL};

	pthread_mutex_lock(&ledger->lock);
	if (err == ERR_OK) {
		ledger->position = *position;
		done = ledger->committing;
		ledger->committing = (struct ledger_changes){NULL};
	} else {
		ledger_changes_merge(&ledger->committing, &ledger->changed);
	}
	pthread_mutex_unlock(&ledger->lock);
	ledger_changes_clear(&done);
}

enum err ledger_commit(struct ledger *ledger, const struct ledger_position *position)
{
	enum err err = ledger_position_check(position);
	uint64_t objects;

	if (err != ERR_OK)
		return err;
	pthread_mutex_lock(&ledger->commit_lock);
	err = commit_begin(ledger, &objects);
	if (err == ERR_OK) {
		err = write_all(ledger, position, objects);
		commit_end(ledger, err, position);
	}
	pthread_mutex_unlock(&ledger->commit_lock);
	return err;
}

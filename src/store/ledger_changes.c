/*
 * Rows changed since the last commit, by number.  A removed row that exists
 * below stays as a mark; one that never reached the disk just disappears.
 */
#define HASH_NONFATAL_OOM 1

#include "store/ledger_private.h"

#include <stdlib.h>
#include <uthash.h>

struct ledger_change {
	uint64_t number;
	bool removed;
	bool below; /* a row of this number exists under this overlay */
	struct ledger_row row;
	UT_hash_handle hh;
};

static struct ledger_change *find(const struct ledger_changes *changes, uint64_t number)
{
	struct ledger_change *change;

	HASH_FIND(hh, changes->table, &number, sizeof(number), change);
	return change;
}

static void drop(struct ledger_changes *changes, struct ledger_change *change)
{
	HASH_DEL(changes->table, change);
	free(change);
}

enum change_kind ledger_changes_find(const struct ledger_changes *changes, uint64_t number,
				     const struct ledger_row **row)
{
	const struct ledger_change *change = find(changes, number);

	if (change == NULL)
		return CHANGE_NONE;
	*row = &change->row;
	return change->removed ? CHANGE_REMOVED : CHANGE_PUT;
}

static struct ledger_change *add(struct ledger_changes *changes, uint64_t number, bool below)
{
	struct ledger_change *change = calloc(1, sizeof(*change));

	if (change == NULL)
		return NULL;
	change->number = number;
	change->below = below;
	HASH_ADD(hh, changes->table, number, sizeof(change->number), change);
	if (change->hh.tbl == NULL) {
		free(change);
		return NULL;
	}
	return change;
}

enum err ledger_changes_set(struct ledger_changes *changes, uint64_t number,
			    const struct ledger_row *row, bool below)
{
	struct ledger_change *change = find(changes, number);

	if (change == NULL && row == NULL && !below)
		return ERR_OK;
	if (change == NULL)
		change = add(changes, number, below);
	if (change == NULL)
		return ERR_NO_MEMORY;
	change->removed = row == NULL;
	if (row != NULL)
		change->row = *row;
	else if (!change->below)
		drop(changes, change);
	return ERR_OK;
}

size_t ledger_changes_count(const struct ledger_changes *changes)
{
	return HASH_COUNT(changes->table);
}

void ledger_changes_clear(struct ledger_changes *changes)
{
	struct ledger_change *change, *next;

	HASH_ITER(hh, changes->table, change, next)
	drop(changes, change);
}

static void move(struct ledger_changes *to, struct ledger_changes *from,
		 struct ledger_change *change)
{
	struct ledger_change *mine = find(to, change->number);

	if (mine != NULL) {
		/* What lies below the older one is what lies below now. */
		mine->removed = change->removed;
		mine->row = change->row;
		drop(from, change);
		return;
	}
	HASH_DEL(from->table, change);
	HASH_ADD(hh, to->table, number, sizeof(change->number), change);
}

void ledger_changes_merge(struct ledger_changes *older, struct ledger_changes *newer)
{
	struct ledger_change *change, *next;

	if (older->table == NULL)
		return;
	/* Adding to a table allocates only to enlarge it: not now. */
	older->table->hh.tbl->noexpand = 1;
	HASH_ITER(hh, newer->table, change, next)
	move(older, newer, change);
	older->table->hh.tbl->noexpand = 0;
	newer->table = older->table;
	older->table = NULL;
}

static int compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static size_t collect(const struct ledger_changes *changes, uint64_t *numbers)
{
	size_t count = 0;

	for (const struct ledger_change *change = changes->table; change != NULL;
	     change = change->hh.next)
		numbers[count++] = change->number;
	return count;
}

enum err ledger_changes_numbers(const struct ledger_changes *a, const struct ledger_changes *b,
				uint64_t **numbers, size_t *count)
{
	size_t all = ledger_changes_count(a) + ledger_changes_count(b);
	uint64_t *list = calloc(all + 1, sizeof(*list));
	size_t kept = 0;

	if (list == NULL)
		return ERR_NO_MEMORY;
	all = collect(a, list);
	all += collect(b, list + all);
	qsort(list, all, sizeof(*list), compare_numbers);
	for (size_t i = 0; i < all; i++)
		if (i == 0 || list[i] != list[i - 1])
			list[kept++] = list[i];
	*numbers = list;
	*count = kept;
	return ERR_OK;
}

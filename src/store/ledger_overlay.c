/*
 * Rows changed since the last commit, by number.  A removed row that exists
 * below stays as a mark; one that never reached the disk just disappears.
 */
#define HASH_NONFATAL_OOM 1

#include "store/ledger_private.h"

#include <stdlib.h>
#include <uthash.h>

struct change {
	uint64_t number;
	bool removed;
	bool below; /* a row of this number exists under this overlay */
	struct ledger_row row;
	UT_hash_handle hh;
};

static struct change *find(const struct overlay *overlay, uint64_t number)
{
	struct change *change;

	HASH_FIND(hh, overlay->table, &number, sizeof(number), change);
	return change;
}

static void drop(struct overlay *overlay, struct change *change)
{
	HASH_DEL(overlay->table, change);
	free(change);
}

enum change_kind overlay_find(const struct overlay *overlay, uint64_t number,
			      const struct ledger_row **row)
{
	const struct change *change = find(overlay, number);

	if (change == NULL)
		return CHANGE_NONE;
	*row = &change->row;
	return change->removed ? CHANGE_REMOVED : CHANGE_PUT;
}

static struct change *add(struct overlay *overlay, uint64_t number, bool below)
{
	struct change *change = calloc(1, sizeof(*change));

	if (change == NULL)
		return NULL;
	change->number = number;
	change->below = below;
	HASH_ADD(hh, overlay->table, number, sizeof(change->number), change);
	if (change->hh.tbl == NULL) {
		free(change);
		return NULL;
	}
	return change;
}

enum err overlay_set(struct overlay *overlay, uint64_t number, const struct ledger_row *row,
		     bool below)
{
	struct change *change = find(overlay, number);

	if (change == NULL && row == NULL && !below)
		return ERR_OK;
	if (change == NULL)
		change = add(overlay, number, below);
	if (change == NULL)
		return ERR_NO_MEMORY;
	change->removed = row == NULL;
	if (row != NULL)
		change->row = *row;
	else if (!change->below)
		drop(overlay, change);
	return ERR_OK;
}

size_t overlay_count(const struct overlay *overlay)
{
	return HASH_COUNT(overlay->table);
}

void overlay_clear(struct overlay *overlay)
{
	struct change *change, *next;

	HASH_ITER(hh, overlay->table, change, next)
		drop(overlay, change);
}

static void move(struct overlay *to, struct overlay *from, struct change *change)
{
	struct change *mine = find(to, change->number);

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

void overlay_merge(struct overlay *older, struct overlay *newer)
{
	struct change *change, *next;

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

static size_t collect(const struct overlay *overlay, uint64_t *numbers)
{
	size_t count = 0;

	for (const struct change *change = overlay->table; change != NULL; change = change->hh.next)
		numbers[count++] = change->number;
	return count;
}

enum err overlay_numbers(const struct overlay *a, const struct overlay *b, uint64_t **numbers,
			 size_t *count)
{
	size_t all = overlay_count(a) + overlay_count(b);
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

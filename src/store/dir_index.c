/*
 * Open addressing with linear probing.  The hash is keyed and uniform, so its
 * upper part is the place; an entry that is taken out is filled by moving
 * later ones back, so there are no marks of removed entries and the table
 * never silts up.
 */
#include "store/dir_index.h"

#include <stdlib.h>

#include "base/secmem.h"

#define CAPACITY_MIN 16u
#define CAPACITY_MAX (1ull << 32) /* places are found with a 32-bit hash */
#define SLOT_BITS    10
#define SLOT_MASK    ((1u << SLOT_BITS) - 1)

/*
 * Entries are hash << 32 | block << 10 | (slot + 1): zero is free.  At most
 * four fifths are used; below an eighth the table is halved.
 */
struct dir_index {
	uint64_t *entries;
	size_t capacity; /* a power of two */
	size_t count;
};

static uint64_t encode(uint32_t hash, struct dir_place place)
{
	return (uint64_t)hash << 32 | (uint64_t)place.block << SLOT_BITS | (place.slot + 1u);
}

static bool place_is_valid(struct dir_place place)
{
	return place.block < DIR_BLOCKS_MAX && place.slot < DIR_SLOTS_MAX;
}

static size_t home_of(const struct dir_index *index, uint64_t entry)
{
	return (size_t)(((entry >> 32) * index->capacity) >> 32);
}

static size_t next_of(const struct dir_index *index, size_t at)
{
	return (at + 1) & (index->capacity - 1);
}

static void insert(struct dir_index *index, uint64_t entry)
{
	size_t at = home_of(index, entry);

	while (index->entries[at] != 0)
		at = next_of(index, at);
	index->entries[at] = entry;
}

static void wipe_and_free(uint64_t *entries, size_t capacity)
{
	if (entries != NULL)
		secmem_wipe(entries, capacity * sizeof(*entries));
	free(entries);
}

static enum err resize(struct dir_index *index, size_t capacity)
{
	uint64_t *old = index->entries;
	size_t old_capacity = index->capacity;
	uint64_t *entries;

	if (capacity > CAPACITY_MAX)
		return ERR_TOO_LARGE;
	entries = calloc(capacity, sizeof(*entries));
	if (entries == NULL)
		return ERR_NO_MEMORY;
	index->entries = entries;
	index->capacity = capacity;
	for (size_t i = 0; i < old_capacity; i++)
		if (old[i] != 0)
			insert(index, old[i]);
	wipe_and_free(old, old_capacity);
	return ERR_OK;
}

enum err dir_index_new(struct dir_index **out)
{
	struct dir_index *index = calloc(1, sizeof(*index));
	enum err err;

	if (index == NULL)
		return ERR_NO_MEMORY;
	err = resize(index, CAPACITY_MIN);
	if (err != ERR_OK) {
		free(index);
		return err;
	}
	*out = index;
	return ERR_OK;
}

void dir_index_free(struct dir_index *index)
{
	if (index == NULL)
		return;
	wipe_and_free(index->entries, index->capacity);
	free(index);
}

enum err dir_index_add(struct dir_index *index, uint32_t hash, struct dir_place place)
{
	if (!place_is_valid(place))
		return ERR_INVALID;
	if ((index->count + 1) * 5 > index->capacity * 4) {
		enum err err = resize(index, 2 * index->capacity);

		if (err != ERR_OK)
			return err;
	}
	insert(index, encode(hash, place));
	index->count++;
	return ERR_OK;
}

/* Whether the entry at `from` may move to the hole: its home is not behind it. */
static bool may_fill(const struct dir_index *index, size_t hole, size_t from)
{
	size_t mask = index->capacity - 1;
	size_t home = home_of(index, index->entries[from]);

	return ((from - home) & mask) >= ((from - hole) & mask);
}

static void take_out(struct dir_index *index, size_t hole)
{
	for (size_t at = next_of(index, hole); index->entries[at] != 0; at = next_of(index, at)) {
		if (may_fill(index, hole, at)) {
			index->entries[hole] = index->entries[at];
			hole = at;
		}
	}
	index->entries[hole] = 0;
}

void dir_index_remove(struct dir_index *index, uint32_t hash, struct dir_place place)
{
	uint64_t entry = encode(hash, place);
	size_t at = home_of(index, entry);

	while (index->entries[at] != entry) {
		if (index->entries[at] == 0)
			return;
		at = next_of(index, at);
	}
	take_out(index, at);
	index->count--;
	/* Without memory for a smaller table the larger one serves as well. */
	if (index->capacity > CAPACITY_MIN && index->count * 8 < index->capacity &&
	    resize(index, index->capacity / 2) != ERR_OK)
		return;
}

bool dir_index_find(const struct dir_index *index, uint32_t hash, size_t *cursor,
		    struct dir_place *place)
{
	size_t mask = index->capacity - 1;
	size_t home = home_of(index, (uint64_t)hash << 32);

	for (;;) {
		uint64_t entry = index->entries[(home + *cursor) & mask];

		if (entry == 0)
			return false;
		++*cursor;
		if (entry >> 32 != hash)
			continue;
		place->block = (uint32_t)entry >> SLOT_BITS;
		place->slot = (uint16_t)((entry & SLOT_MASK) - 1);
		return true;
	}
}

size_t dir_index_count(const struct dir_index *index)
{
	return index->count;
}

size_t dir_index_memory(const struct dir_index *index)
{
	return sizeof(*index) + index->capacity * sizeof(*index->entries);
}

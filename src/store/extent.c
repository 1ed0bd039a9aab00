#include "store/extent.h"

#include <stdlib.h>
#include <string.h>

#define PAGES_PER_CHUNK 1024 /* 4 MiB */

const uint8_t entry_hole[ENTRY_LEN];

bool entry_is_hole(const uint8_t entry[ENTRY_LEN])
{
	return memcmp(entry, entry_hole, ENTRY_LEN) == 0;
}

enum err pages_init(struct pages *pages)
{
	atomic_init(&pages->bytes, 0);
	return slab_new(BLOCK_SIZE, PAGES_PER_CHUNK, 0, &pages->slab);
}

void pages_clear(struct pages *pages)
{
	slab_free(pages->slab);
	pages->slab = NULL;
}

uint64_t pages_bytes(struct pages *pages)
{
	return atomic_load_explicit(&pages->bytes, memory_order_relaxed);
}

static struct extent *extent_new(enum extent_kind kind, uint64_t first, uint32_t count,
				 uint32_t entries)
{
	struct extent *extent = calloc(1, sizeof(*extent) + (size_t)entries * ENTRY_LEN);

	if (extent == NULL)
		return NULL;
	atomic_init(&extent->refs, 1);
	extent->kind = kind;
	extent->first = first;
	extent->count = count;
	return extent;
}

struct extent *extent_new_dirty(struct pages *pages, uint64_t block)
{
	struct extent *extent = extent_new(EXTENT_DIRTY, block, 1, 1);

	if (extent == NULL)
		return NULL;
	extent->page = slab_get(pages->slab);
	if (extent->page == NULL) {
		free(extent);
		return NULL;
	}
	/* A slot was wiped when it was put back, but holds the free list's link. */
	memset(extent->page, 0, sizeof(void *));
	extent->pages = pages;
	atomic_fetch_add(&pages->bytes, BLOCK_SIZE);
	return extent;
}

struct extent *extent_new_stream(uint64_t first, uint32_t count)
{
	return extent_new(EXTENT_STREAM, first, count, count);
}

struct extent *extent_new_hole(uint64_t first, uint32_t count)
{
	return extent_new(EXTENT_HOLE, first, count, 0);
}

struct extent *extent_get(struct extent *extent)
{
	atomic_fetch_add_explicit(&extent->refs, 1, memory_order_relaxed);
	return extent;
}

void extent_put(struct extent *extent)
{
	if (extent == NULL || atomic_fetch_sub(&extent->refs, 1) != 1)
		return;
	if (extent->page != NULL) {
		slab_put(extent->pages->slab, extent->page);
		atomic_fetch_sub(&extent->pages->bytes, BLOCK_SIZE);
	}
	free(extent);
}

const uint8_t *extent_entry(const struct extent *extent, uint64_t block)
{
	if (extent->kind == EXTENT_HOLE)
		return entry_hole;
	return extent->entries[block - extent->first];
}

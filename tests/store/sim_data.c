/* The simulated disk: content. */
#include "sim_private.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

static const uint8_t zeroes[SIM_PAGE];

void *sim_alloc(size_t size)
{
	void *memory = calloc(1, size);

	if (memory == NULL)
		abort();
	return memory;
}

void *sim_grow(void *array, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return array;
	*room = *room == 0 ? 4 : 2 * *room;
	array = realloc(array, *room * size);
	if (array == NULL)
		abort();
	return array;
}

/* --- pages ------------------------------------------------------------------ */

struct sim_page *sim_page_share(struct sim_page *page)
{
	if (page != NULL)
		atomic_fetch_add(&page->users, 1);
	return page;
}

void sim_page_release(struct sim_page *page)
{
	if (page != NULL && atomic_fetch_sub(&page->users, 1) == 1)
		free(page);
}

struct sim_page *sim_page_new(const uint8_t data[SIM_PAGE])
{
	struct sim_page *page;

	if (memcmp(data, zeroes, SIM_PAGE) == 0)
		return NULL;
	page = malloc(sizeof(*page));
	if (page == NULL)
		abort();
	atomic_init(&page->users, 1);
	memcpy(page->data, data, SIM_PAGE);
	return page;
}

const uint8_t *sim_page_data(const struct sim_page *page)
{
	return page == NULL ? zeroes : page->data;
}

/* --- inodes -------------------------------------------------------------------- */

struct sim_inode *sim_inode_new(struct sim *sim, bool is_directory)
{
	struct sim_inode *inode = sim_alloc(sizeof(*inode));

	inode->is_directory = is_directory;
	DL_APPEND2(sim->inodes, inode, previous, next);
	sim->inodes_used++;
	return inode;
}

void sim_inode_use(struct sim_inode *inode)
{
	inode->users++;
}

static void cell_free(struct sim_inode *inode, struct sim_cell *cell)
{
	for (size_t i = 0; i < cell->count; i++)
		sim_page_release(cell->versions[i].page);
	sim_page_release(cell->durable);
	free(cell->versions);
	HASH_DEL(inode->cells, cell);
	free(cell);
}

void sim_inode_free(struct sim *sim, struct sim_inode *inode)
{
	struct sim_cell *cell, *next;

	HASH_ITER(hh, inode->cells, cell, next)
	cell_free(inode, cell);
	DL_DELETE2(sim->inodes, inode, previous, next);
	sim->inodes_used--;
	sim->bytes_used -= inode->size;
	free(inode->dirty);
	free(inode->sizes);
	free(inode);
}

void sim_inode_release(struct sim *sim, struct sim_inode *inode)
{
	if (inode != NULL && --inode->users == 0)
		sim_inode_free(sim, inode);
}

/* --- cells ------------------------------------------------------------------------ */

static struct sim_cell *cell_find(const struct sim_inode *inode, uint64_t index)
{
	struct sim_cell *cell;

	HASH_FIND(hh, inode->cells, &index, sizeof(index), cell);
	return cell;
}

static struct sim_cell *cell_make(struct sim_inode *inode, uint64_t index)
{
	struct sim_cell *cell = cell_find(inode, index);

	if (cell == NULL) {
		cell = sim_alloc(sizeof(*cell));
		cell->index = index;
		HASH_ADD(hh, inode->cells, index, sizeof(cell->index), cell);
	}
	return cell;
}

static const uint8_t *cell_now(const struct sim_cell *cell)
{
	if (cell == NULL)
		return zeroes;
	return sim_page_data(cell->count > 0 ? cell->versions[cell->count - 1].page
					     : cell->durable);
}

/* The two oldest become one: its sectors are those of the later. */
static void join_oldest(struct sim_cell *cell)
{
	sim_page_release(cell->versions[0].page);
	cell->versions[1].changed |= cell->versions[0].changed;
	cell->count--;
	memmove(cell->versions, cell->versions + 1, cell->count * sizeof(*cell->versions));
}

static void cell_push(struct sim *sim, struct sim_inode *inode, struct sim_cell *cell,
		      const uint8_t data[SIM_PAGE], uint8_t changed)
{
	if (cell->count == 0) {
		inode->dirty = sim_grow(inode->dirty, inode->dirty_count, &inode->dirty_room,
					sizeof(struct sim_cell *));
		inode->dirty[inode->dirty_count++] = cell;
	}
	/* Not while a sync is under way: it may have begun between the two. */
	if (cell->count >= SIM_VERSIONS_MAX && sim->windows == 0)
		join_oldest(cell);
	cell->versions =
		sim_grow(cell->versions, cell->count, &cell->room, sizeof(*cell->versions));
	cell->versions[cell->count++] = (struct sim_version){
		.when = ++sim->clock,
		.page = sim_page_new(data),
		.changed = changed,
	};
}

/* Sectors of `data` that differ from `old`. */
static uint8_t difference(const uint8_t *old, const uint8_t *data)
{
	uint8_t changed = 0;

	for (unsigned int i = 0; i < SIM_SECTORS; i++)
		if (memcmp(old + i * SIM_SECTOR, data + i * SIM_SECTOR, SIM_SECTOR) != 0)
			changed |= (uint8_t)(1u << i);
	return changed;
}

/* `data` NULL: zeroes.  Writing what is there already makes no version. */
static void write_page(struct sim *sim, struct sim_inode *inode, uint64_t index, size_t at,
		       const uint8_t *data, size_t len)
{
	const uint8_t *old = cell_now(cell_find(inode, index));
	uint8_t page[SIM_PAGE];

	data = data == NULL ? zeroes : data;
	if (memcmp(old + at, data, len) == 0)
		return;
	memcpy(page, old, SIM_PAGE);
	memcpy(page + at, data, len);
	cell_push(sim, inode, cell_make(inode, index), page, difference(old, page));
}

static void write_range(struct sim *sim, struct sim_inode *inode, const uint8_t *data,
			uint64_t from, uint64_t to)
{
	while (from < to) {
		size_t at = from % SIM_PAGE;
		size_t len = SIM_PAGE - at < to - from ? SIM_PAGE - at : (size_t)(to - from);

		write_page(sim, inode, from / SIM_PAGE, at, data, len);
		data = data == NULL ? NULL : data + len;
		from += len;
	}
}

void sim_read(const struct sim_inode *inode, void *data, size_t len, uint64_t offset)
{
	uint8_t *out = data;

	while (len > 0) {
		size_t at = offset % SIM_PAGE;
		size_t part = SIM_PAGE - at < len ? SIM_PAGE - at : len;

		memcpy(out, cell_now(cell_find(inode, offset / SIM_PAGE)) + at, part);
		out += part;
		len -= part;
		offset += part;
	}
}

void sim_write(struct sim *sim, struct sim_inode *inode, const void *data, size_t len,
	       uint64_t offset)
{
	write_range(sim, inode, data, offset, offset + len);
}

/* Only pages that exist: a range may be as large as files can be. */
void sim_zero(struct sim *sim, struct sim_inode *inode, uint64_t from, uint64_t to)
{
	struct sim_cell *cell, *next;

	HASH_ITER(hh, inode->cells, cell, next)
	{
		uint64_t begin = cell->index * SIM_PAGE;
		uint64_t end = begin + SIM_PAGE;

		begin = begin > from ? begin : from;
		end = end < to ? end : to;
		if (begin < end)
			write_range(sim, inode, NULL, begin, end);
	}
}

/* --- sizes and durability ------------------------------------------------------------- */

void sim_resize(struct sim *sim, struct sim_inode *inode, uint64_t size)
{
	if (size == inode->size)
		return;
	if (size < inode->size)
		sim_zero(sim, inode, size, UINT64_MAX);
	if (inode->sizes_count >= SIM_VERSIONS_MAX && sim->windows == 0) {
		inode->sizes_count--;
		memmove(inode->sizes, inode->sizes + 1, inode->sizes_count * sizeof(*inode->sizes));
	}
	inode->sizes = sim_grow(inode->sizes, inode->sizes_count, &inode->sizes_room,
				sizeof(*inode->sizes));
	inode->sizes[inode->sizes_count++] = (struct sim_size){++sim->clock, size};
	sim->bytes_used += size - inode->size;
	inode->size = size;
}

static void cell_sync(struct sim_cell *cell, uint64_t when)
{
	size_t done = 0;

	while (done < cell->count && cell->versions[done].when <= when) {
		sim_page_release(cell->durable);
		cell->durable = cell->versions[done++].page;
	}
	cell->count -= done;
	memmove(cell->versions, cell->versions + done, cell->count * sizeof(*cell->versions));
}

void sim_inode_sync(struct sim_inode *inode, uint64_t when)
{
	size_t kept = 0, done = 0;

	for (size_t i = 0; i < inode->dirty_count; i++) {
		struct sim_cell *cell = inode->dirty[i];

		cell_sync(cell, when);
		if (cell->count > 0)
			inode->dirty[kept++] = cell;
		else if (cell->durable == NULL)
			cell_free(inode, cell);
	}
	inode->dirty_count = kept;
	while (done < inode->sizes_count && inode->sizes[done].when <= when)
		inode->durable_size = inode->sizes[done++].size;
	if (done == 0)
		return;
	inode->sizes_count -= done;
	memmove(inode->sizes, inode->sizes + done, inode->sizes_count * sizeof(*inode->sizes));
}

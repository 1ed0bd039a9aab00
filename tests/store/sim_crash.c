/*
 * The simulated disk: a power cut.
 *
 * A choice is a seed.  From it come a style of crash and the details: which
 * version of every sector, which size of every file, which events of names.
 * Some styles are extreme on purpose: one sector lost among all, one alone
 * that made it, one file ahead of the others.
 */
#include "sim_private.h"

#include <stdlib.h>
#include <string.h>

enum style {
	STYLE_OLDEST,
	STYLE_NEWEST,
	STYLE_ANY,	/* each its own version */
	STYLE_LOSE_ONE, /* all newest, one not */
	STYLE_KEEP_ONE, /* all oldest, one not */
	STYLE_MOMENT,	/* everything as of one moment: a disk that never reorders */
	STYLE_BY_FILE,	/* each file all newest or all oldest */
	STYLE_MOSTLY_NEW,
	STYLE_MOSTLY_OLD,
	STYLE_COUNT,
};

struct picker {
	enum style style;
	uint64_t random;
	uint64_t moment;  /* STYLE_MOMENT */
	uint64_t unit;	  /* counts what is picked */
	uint64_t special; /* the one of STYLE_LOSE_ONE and STYLE_KEEP_ONE */
	bool file_is_new; /* STYLE_BY_FILE */
};

/* splitmix64 */
static uint64_t draw(struct picker *picker)
{
	uint64_t z = picker->random += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* One of `count` versions after the durable one: 1 to count, or 0 for durable. */
static size_t pick(struct picker *picker, const uint64_t *when, size_t count)
{
	bool special = picker->unit++ == picker->special;
	size_t chosen = 0;

	switch (picker->style) {
	case STYLE_OLDEST:
		return 0;
	case STYLE_NEWEST:
		return count;
	case STYLE_LOSE_ONE:
		return special ? draw(picker) % count : count;
	case STYLE_KEEP_ONE:
		return special ? 1 + draw(picker) % count : 0;
	case STYLE_MOMENT:
		while (chosen < count && when[chosen] <= picker->moment)
			chosen++;
		return chosen;
	case STYLE_BY_FILE:
		return picker->file_is_new ? count : 0;
	case STYLE_MOSTLY_NEW:
		return draw(picker) % 8 == 0 ? draw(picker) % (count + 1) : count;
	case STYLE_MOSTLY_OLD:
		return draw(picker) % 8 == 0 ? draw(picker) % (count + 1) : 0;
	case STYLE_ANY:
	case STYLE_COUNT:
		break;
	}
	return draw(picker) % (count + 1);
}

/* --- what is pending ----------------------------------------------------------- */

static uint64_t pending_sectors(const struct sim_cell *cell)
{
	uint8_t changed = 0;

	for (size_t i = 0; i < cell->count; i++)
		changed |= cell->versions[i].changed;
	return (uint64_t)__builtin_popcount(changed);
}

static uint64_t pending_units(const struct sim *sim)
{
	uint64_t units = sim->events_count;

	for (const struct sim_inode *inode = sim->inodes; inode != NULL; inode = inode->next) {
		units += inode->sizes_count > 0;
		for (size_t i = 0; i < inode->dirty_count; i++)
			units += pending_sectors(inode->dirty[i]);
	}
	return units;
}

static uint64_t oldest_pending(const struct sim *sim)
{
	uint64_t oldest = sim->events_count > 0 ? sim->events[0].when : sim->clock;

	for (const struct sim_inode *inode = sim->inodes; inode != NULL; inode = inode->next) {
		if (inode->sizes_count > 0 && inode->sizes[0].when < oldest)
			oldest = inode->sizes[0].when;
		for (size_t i = 0; i < inode->dirty_count; i++)
			if (inode->dirty[i]->versions[0].when < oldest)
				oldest = inode->dirty[i]->versions[0].when;
	}
	return oldest;
}

static struct picker picker_of(const struct sim *sim, uint64_t choice)
{
	struct picker picker = {.random = choice, .special = UINT64_MAX};
	uint64_t oldest, units;

	if (choice <= 1) {
		picker.style = choice == 0 ? STYLE_OLDEST : STYLE_NEWEST;
		return picker;
	}
	picker.style = STYLE_ANY + draw(&picker) % (STYLE_COUNT - STYLE_ANY);
	oldest = oldest_pending(sim);
	units = pending_units(sim);
	picker.moment = oldest + draw(&picker) % (sim->clock - oldest + 1);
	if (units > 0)
		picker.special = draw(&picker) % units;
	return picker;
}

/* --- content ----------------------------------------------------------------------- */

static const uint8_t *pick_sector(struct picker *picker, const struct sim_cell *cell,
				  unsigned int sector)
{
	const struct sim_page *pages[SIM_VERSIONS_MAX];
	uint64_t when[SIM_VERSIONS_MAX];
	size_t first = cell->count > SIM_VERSIONS_MAX ? cell->count - SIM_VERSIONS_MAX : 0;
	size_t count = 0, chosen;

	for (size_t i = first; i < cell->count; i++) {
		if ((cell->versions[i].changed >> sector & 1) == 0)
			continue;
		when[count] = cell->versions[i].when;
		pages[count++] = cell->versions[i].page;
	}
	chosen = count == 0 ? 0 : pick(picker, when, count);
	return sim_page_data(chosen == 0 ? cell->durable : pages[chosen - 1]);
}

static struct sim_page *pick_page(struct picker *picker, const struct sim_cell *cell)
{
	uint8_t data[SIM_PAGE];

	if (cell->count == 0 || picker->style == STYLE_OLDEST)
		return sim_page_share(cell->durable);
	if (picker->style == STYLE_NEWEST)
		return sim_page_share(cell->versions[cell->count - 1].page);
	for (unsigned int sector = 0; sector < SIM_SECTORS; sector++)
		memcpy(data + sector * SIM_SECTOR,
		       pick_sector(picker, cell, sector) + sector * SIM_SECTOR, SIM_SECTOR);
	return sim_page_new(data);
}

static uint64_t pick_size(struct picker *picker, const struct sim_inode *inode)
{
	uint64_t when[SIM_VERSIONS_MAX];
	size_t first =
		inode->sizes_count > SIM_VERSIONS_MAX ? inode->sizes_count - SIM_VERSIONS_MAX : 0;
	size_t count = 0, chosen;

	while (first + count < inode->sizes_count) {
		when[count] = inode->sizes[first + count].when;
		count++;
	}
	chosen = count == 0 ? 0 : pick(picker, when, count);
	return chosen == 0 ? inode->durable_size : inode->sizes[first + chosen - 1].size;
}

/* What lies behind the end is gone. */
static struct sim_page *cut_page(struct sim_page *page, uint64_t index, uint64_t size)
{
	uint64_t begin = index * SIM_PAGE;
	uint8_t data[SIM_PAGE];

	if (page == NULL || begin + SIM_PAGE <= size)
		return page;
	memcpy(data, page->data, SIM_PAGE);
	sim_page_release(page);
	if (begin >= size)
		return NULL;
	memset(data + (size - begin), 0, SIM_PAGE - (size_t)(size - begin));
	return sim_page_new(data);
}

static void copy_cell(struct picker *picker, struct sim_inode *to, const struct sim_cell *cell)
{
	struct sim_page *page = cut_page(pick_page(picker, cell), cell->index, to->size);
	struct sim_cell *copy;

	if (page == NULL)
		return;
	copy = sim_alloc(sizeof(*copy));
	copy->index = cell->index;
	copy->durable = page;
	HASH_ADD(hh, to->cells, index, sizeof(copy->index), copy);
}

static struct sim_inode *copy_inode(struct sim *to, struct picker *picker,
				    const struct sim_inode *inode)
{
	struct sim_inode *copy = sim_inode_new(to, inode->is_directory);

	picker->file_is_new = draw(picker) % 2 == 0;
	copy->size = copy->durable_size = pick_size(picker, inode);
	to->bytes_used += copy->size;
	for (const struct sim_cell *cell = inode->cells; cell != NULL; cell = cell->hh.next)
		copy_cell(picker, copy, cell);
	return copy;
}

/* --- names --------------------------------------------------------------------------- */

static void choose_events(struct sim *sim, struct picker *picker)
{
	for (size_t i = 0; i < sim->events_count; i++) {
		struct sim_event *event = &sim->events[i];

		picker->file_is_new = draw(picker) % 2 == 0;
		event->chosen = pick(picker, &event->when, 1) == 1;
	}
	sim_events_close(sim);
}

/* What each name stands for after the crash. */
static void settle_names(struct sim *sim)
{
	for (struct sim_name *name = sim->names; name != NULL; name = name->hh.next)
		name->after = name->durable;
	for (size_t i = 0; i < sim->events_count; i++) {
		struct sim_event *event = &sim->events[i];

		for (size_t j = 0; event->chosen && j < event->count; j++)
			event->changes[j].name->after = event->changes[j].inode;
	}
}

static void copy_name(struct sim *to, struct picker *picker, const char *path,
		      struct sim_inode *inode)
{
	struct sim_name *name = sim_alloc(sizeof(*name));

	memcpy(name->path, path, strlen(path) + 1);
	HASH_ADD_STR(to->names, path, name);
	if (inode->copy == NULL)
		inode->copy = copy_inode(to, picker, inode);
	name->now = name->durable = inode->copy;
	inode->copy->users += 2;
}

/* Names that lost their directory are gone, the others find it. */
static void link_parents(struct sim *sim, const struct sim *from)
{
	struct sim_name *name, *next, *original;
	bool again = true;

	while (again) {
		again = false;
		HASH_ITER(hh, sim->names, name, next)
		{
			HASH_FIND_STR(from->names, name->path, original);
			if (original->parent == NULL)
				continue;
			HASH_FIND_STR(sim->names, original->parent->path, name->parent);
			if (name->parent != NULL)
				continue;
			again = true;
			HASH_DEL(sim->names, name);
			sim_inode_release(sim, name->now);
			sim_inode_release(sim, name->durable);
			free(name);
		}
	}
}

static void copy_all(struct sim *sim, struct picker *picker, struct sim *to)
{
	to->bytes_max = sim->bytes_max;
	to->inodes_max = sim->inodes_max;
	to->rename_in_two = sim->rename_in_two;
	for (struct sim_inode *inode = sim->inodes; inode != NULL; inode = inode->next)
		inode->copy = NULL;
	choose_events(sim, picker);
	settle_names(sim);
	for (struct sim_name *name = sim->names; name != NULL; name = name->hh.next)
		if (name->after != NULL)
			copy_name(to, picker, name->path, name->after);
	link_parents(to, sim);
}

enum err backing_sim_crash(struct backing *backing, uint64_t choice, struct backing **after)
{
	struct sim *sim = (struct sim *)backing;
	struct backing *copy;
	struct picker picker;
	enum err err = backing_sim_new(&copy);

	if (err != ERR_OK)
		return err;
	pthread_mutex_lock(&sim->lock);
	picker = picker_of(sim, choice);
	copy_all(sim, &picker, (struct sim *)copy);
	pthread_mutex_unlock(&sim->lock);
	*after = copy;
	return ERR_OK;
}

uint64_t backing_sim_pending(struct backing *backing)
{
	struct sim *sim = (struct sim *)backing;
	uint64_t units;

	pthread_mutex_lock(&sim->lock);
	units = pending_units(sim);
	pthread_mutex_unlock(&sim->lock);
	return units;
}

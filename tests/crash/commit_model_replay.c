/* Redo one object from the journal: what it must be in the end is its last header. */
#include <string.h>

#include "commit_model.h"

struct replaying {
	struct recovery *r;
	int object;
	uint32_t base;                    /* records up to here are in place and synced */
	const struct header *header;      /* the last one */
	uint16_t header_number;
	bool was_in_new;
	struct tree tree;
};

static const struct part *part_of(const struct model *m, const struct replaying *replaying, int i)
{
	const struct txn *txn = &m->txn[replaying->r->chain[i]];

	return txn->part_of[replaying->object] < 0 ? NULL
						   : &txn->part[txn->part_of[replaying->object]];
}

/* The last state decides about base and root.  False: it is deleted. */
static bool read_last(const struct model *m, struct replaying *replaying)
{
	bool is_deleted = false;

	for (int i = 0; i < replaying->r->count; i++) {
		const struct part *part = part_of(m, replaying, i);

		if (part == NULL)
			continue;
		is_deleted = part->is_delete;
		if (is_deleted)
			continue;
		if (part->base > replaying->base && !IS_BROKEN(m, I11_IGNORE_BASE))
			replaying->base = part->base;
		replaying->header = &m->header[part->header];
		replaying->header_number = part->header;
	}
	return !is_deleted;
}

static bool is_in_journal(const struct model *m, const struct replaying *replaying)
{
	for (int i = 0; i < replaying->r->count; i++)
		if (part_of(m, replaying, i) != NULL)
			return true;
	return false;
}

static bool has_create(const struct model *m, const struct replaying *replaying)
{
	for (int i = 0; i < replaying->r->count; i++)
		if (part_of(m, replaying, i) != NULL && part_of(m, replaying, i)->is_create)
			return true;
	return false;
}

/* R8: in its shard, in new, or to be made again. */
static bool find_file(const struct model *m, struct replaying *replaying)
{
	struct recovery *r = replaying->r;
	int at = AT_ENTRIES + replaying->object;
	uint64_t entry = r->image->sector[at];

	replaying->was_in_new = entry == ENTRY_NEW;
	if (entry == ENTRY_SHARD || (entry == ENTRY_NEW && !IS_BROKEN(m, R8_ONLY_SHARD)))
		return true;
	if (!has_create(m, replaying) || IS_BROKEN(m, R8_NO_REBUILD))
		return false;
	replaying->was_in_new = false;
	memset(&r->image->sector[at_object(replaying->object, 0)], 0,
	       OBJECT_SECTORS * sizeof(uint64_t));
	recovery_write(r, at, ENTRY_SHARD);
	return true;
}

/* --- the tree, from pages that nothing vouches for but the root at the end --------------- */

static void load(struct replaying *replaying, unsigned int pages)
{
	struct tree *tree = &replaying->tree;

	for (int page = PAGE_LEAF0; page < PAGES; page++) {
		if (!(pages >> page & 1) || tree->has[page] ||
		    (page != PAGE_LEAF0 && tree->levels == 1))
			continue;
		memcpy(tree->body[page], &replaying->r->image->sector[at_page(replaying->object, page)],
		       sizeof(tree->body[page]));
		tree->has[page] = true;
	}
}

static void begin_fresh(const struct model *m, struct replaying *replaying,
			const struct part *part)
{
	struct tree *tree = &replaying->tree;

	for (int page = PAGE_LEAF0; page < PAGES; page++) {
		/* To a top the tree grows later. */
		if (!part->tree.fresh[page] || (page == PAGE_TOP && tree->levels == 1) ||
		    IS_BROKEN(m, FRESH_NOT_NAMED))
			continue;
		memset(tree->body[page], 0, sizeof(tree->body[page]));
		tree->has[page] = tree->changed[page] = true;
	}
}

static void redo_entries(struct replaying *replaying, const struct part *part)
{
	for (int block = 0; block < BLOCKS; block++) {
		if (!(part->changes >> block & 1))
			continue;
		load(replaying, 1u << (block / FANOUT) | 1u << PAGE_TOP);
		tree_set_entry(&replaying->tree, block, part->entry[block]);
	}
}

/* One transaction's share. */
static void redo_tree(const struct model *m, struct replaying *replaying, const struct part *part)
{
	struct tree *tree = &replaying->tree;
	const struct header *header = &m->header[part->header];

	if (part->is_create)
		tree->has[PAGE_LEAF0] = true;
	if (part->shrink != NO_SHRINK && !part->is_create) {
		load(replaying, tree_shrink_needs(tree, part->shrink));
		tree_shrink(tree, part->shrink);
	}
	begin_fresh(m, replaying, part);
	if (part->emits_inline) {
		load(replaying, 1u << PAGE_LEAF0 | 1u << PAGE_TOP);
		tree_set_leaf0(tree, header->size == 0 ? 0
						       : ENTRY_IS_INLINE | header->content[0]);
	}
	if (levels_of(header->size) > tree->levels) {
		load(replaying, 1u << PAGE_LEAF0);
		tree_grow(tree, header->size);
	}
	redo_entries(replaying, part);
}

static void first_levels(const struct model *m, struct replaying *replaying)
{
	struct tree *tree = &replaying->tree;

	for (int i = 0; i < replaying->r->count; i++) {
		const struct part *part = part_of(m, replaying, i);

		if (part == NULL || part->is_delete || m->txn[replaying->r->chain[i]].seq <= replaying->base)
			continue;
		tree_begin(tree, part->levels_before > 1 ? part->levels_before : 1);
		return;
	}
	tree_begin(tree, levels_of(replaying->header->size));
}

/* Changed pages need their ancestors, and the top must be there even if nothing changed. */
static void find_root(struct replaying *replaying)
{
	struct tree *tree = &replaying->tree;

	load(replaying, 1u << tree_top(tree));
	tree->changed[tree_top(tree)] = true;
	tree_collect(tree);
}

/* --- putting in place ----------------------------------------- */

static void zero(struct recovery *r, int at, int count)
{
	for (int i = 0; i < count; i++)
		if (r->image->sector[at + i] != 0)
			recovery_write(r, at + i, 0);
}

static void redo_data(const struct model *m, struct replaying *replaying, const struct txn *txn,
		      const struct part *part)
{
	struct recovery *r = replaying->r;

	if (part->shrink != NO_SHRINK && !part->is_create) {
		int blocks = blocks_of(part->shrink);

		if (blocks <= FANOUT)
			zero(r, at_page(replaying->object, PAGE_LEAF1), 2 * PAGE_SECTORS);
		zero(r, at_block(replaying->object, blocks), (BLOCKS - blocks) * PAGE_SECTORS);
	}
	for (int block = 0; block < BLOCKS; block++)
		for (int i = 0; i < PAGE_SECTORS && part->pages >> block & 1; i++)
			recovery_write(r, at_block(replaying->object, block) + i,
				       r->image->sector[txn->at + RECORD_SECTORS +
							part->page_at[block] * PAGE_SECTORS + i]);
	(void)m;
}

static void write_pages(struct replaying *replaying)
{
	const struct tree *tree = &replaying->tree;

	for (int page = PAGE_LEAF0; page < PAGES; page++)
		for (int i = 0; i < PAGE_SECTORS && tree->changed[page]; i++)
			recovery_write(replaying->r, at_page(replaying->object, page) + i,
				       tree->body[page][i]);
	recovery_write(replaying->r, at_object(replaying->object, SECTOR_HEADER),
		       sector_value(SECTOR_IS_HEADER, replaying->header_number, 0));
}

/* Calls for each transaction that has the object, behind its base. */
static void redo_each(const struct model *m, struct replaying *replaying, bool is_data)
{
	for (int i = 0; i < replaying->r->count; i++) {
		const struct part *part = part_of(m, replaying, i);
		const struct txn *txn = &m->txn[replaying->r->chain[i]];

		if (part == NULL || part->is_delete || txn->seq <= replaying->base)
			continue;
		if (is_data)
			redo_data(m, replaying, txn, part);
		else
			redo_tree(m, replaying, part);
	}
}

static void redo(struct model *m, struct replaying *replaying)
{
	struct recovery *r = replaying->r;

	if (IS_BROKEN(m, EPOCH_OF_NOW) && replaying->header->epoch != m->epoch) {
		r->damage = "a header does not open under its key";
		return;
	}
	if (!find_file(m, replaying)) {
		r->damage = "an object of the journal has no file";
		return;
	}
	first_levels(m, replaying);
	redo_each(m, replaying, false);
	find_root(replaying);
	/* I13 */
	if (replaying->tree.root != replaying->header->root) {
		r->damage = "a root does not fit after replay";
		return;
	}
	redo_each(m, replaying, true);
	write_pages(replaying);
	if (replaying->was_in_new)
		recovery_write(r, AT_ENTRIES + replaying->object, ENTRY_SHARD);
	r->ledger.row[replaying->object] = replaying->header_number;
}

void replay(struct model *m, struct recovery *r, int object)
{
	struct replaying replaying = {.r = r, .object = object};

	if (!is_in_journal(m, &replaying))
		return;
	/* R8: a deletion cancels all earlier records; nothing can follow it. */
	if (read_last(m, &replaying)) {
		redo(m, &replaying);
		return;
	}
	if (IS_BROKEN(m, R8_KEEP_DELETED))
		return;
	if (IS_BROKEN(m, R8_REPLAY_DELETED) && replaying.header != NULL)
		redo(m, &replaying);
	if (r->image->sector[AT_ENTRIES + object] != ENTRY_ABSENT)
		recovery_write(r, AT_ENTRIES + object, ENTRY_ABSENT);
	r->ledger.row[object] = 0;
}

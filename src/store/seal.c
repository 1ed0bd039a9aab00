#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "crypto/nonce.h"
#include "store/break.h"
#include "store/commit.h"
#include "store/content.h"
#include "store/node.h"

/* A block whose tree entry this part changes. */
struct change {
	uint64_t block;
	struct extent *extent; /* borrowed from the part's overlay */
};

struct sealing {
	struct store *store;
	struct txn *txn;
	struct part *part;
	struct nonce_source nonces;
	bool leaves_inline;    /* was inline, and is not any more */
	bool emits_inline;     /* writes the whole inline body */
	uint8_t body[NODE_BODY_LEN];
	struct change *changes;
	size_t count, room;
};

/* Which blocks change: what no earlier transaction carried, and block 0 leaving page 0. */
static enum err collect_change(void *ctx, uint64_t block, struct extent *extent)
{
	struct sealing *sealing = ctx;

	if (extent->seq != sealing->txn->seq && !(block == 0 && sealing->leaves_inline))
		return ERR_OK;
	if (sealing->count == sealing->room) {
		size_t room = sealing->room == 0 ? 64 : sealing->room * 2;
		struct change *changes = realloc(sealing->changes, room * sizeof(*changes));

		if (changes == NULL)
			return ERR_NO_MEMORY;
		sealing->changes = changes;
		sealing->room = room;
	}
	sealing->changes[sealing->count++] = (struct change){block, extent};
	return ERR_OK;
}

/* I10: only blocks of the final state are carried; the overlay has no others. */
static enum err seal_page(struct sealing *sealing, const struct change *change)
{
	struct extent *extent = change->extent;
	struct part *part = sealing->part;
	uint8_t ad[BLOCK_AD_LEN];
	uint8_t *entry = extent->entries[0];
	uint32_t page;
	enum err err = txn_add_page(sealing->txn, &page);

	if (err != ERR_OK)
		return err;
	if (part->block_count == part->block_room) {
		size_t room = part->block_room == 0 ? 16 : part->block_room * 2;
		struct part_block *blocks = realloc(part->blocks, room * sizeof(*blocks));

		if (blocks == NULL)
			return ERR_NO_MEMORY;
		part->blocks = blocks;
		part->block_room = room;
	}
	part->blocks[part->block_count++] = (struct part_block){change->block, page};
	block_ad(change->block, BLOCK_KIND_DATA, ad);
	nonce_next(&sealing->nonces, entry);
	return aead_seal(aead_thread(), part->content->key, entry, ad, sizeof(ad), extent->page,
			 BLOCK_SIZE, sealing->txn->pages + (size_t)page * BLOCK_SIZE,
			 entry + AEAD_NONCE_LEN);
}

static enum err seal_inline(struct sealing *sealing)
{
	struct part *part = sealing->part;
	const struct extent *block0 = overlay_find(&part->overlay, 0);
	uint8_t ad[BLOCK_AD_LEN];

	memset(sealing->body, 0, sizeof(sealing->body));
	if (part->attr.size == 0)
		return ERR_OK;
	block_ad(0, BLOCK_KIND_INLINE, ad);
	nonce_next(&sealing->nonces, sealing->body);
	return aead_seal(aead_thread(), part->content->key, sealing->body, ad, sizeof(ad),
			 block0->page, part->attr.size, sealing->body + ENTRY_LEN,
			 sealing->body + AEAD_NONCE_LEN);
}

/* Inline or not, before and after. */
static void decide_inline(struct sealing *sealing)
{
	struct part *part = sealing->part;
	const struct content *content = part->content;
	const struct extent *block0 = overlay_find(&part->overlay, 0);
	bool was_inline = content->is_inline && !part->is_create;
	bool has_plain = block0 != NULL && block0->kind == EXTENT_DIRTY;
	bool unchanged = was_inline && content->tree_size == part->attr.size &&
			 (block0 == NULL || block0->seq != part->seq) &&
			 part->shrink == NO_SHRINK;

	part->is_inline = part->attr.size == 0 ||
			  (part->attr.size <= INLINE_MAX && (has_plain || unchanged));
	sealing->emits_inline = part->is_inline && !unchanged;
	sealing->leaves_inline = was_inline && !part->is_inline;
}

static enum err encrypt(struct sealing *sealing)
{
	enum err err = nonce_source_init(&sealing->nonces);

	if (err != ERR_OK)
		return err;
	if (sealing->part->is_inline)
		return sealing->emits_inline ? seal_inline(sealing) : ERR_OK;
	err = overlay_walk(&sealing->part->overlay, collect_change, sealing);
	for (size_t i = 0; i < sealing->count && err == ERR_OK; i++)
		if (sealing->changes[i].extent->kind == EXTENT_DIRTY)
			err = seal_page(sealing, &sealing->changes[i]);
	return err;
}

/* --- the tree; node->mutex held ------------------------------------------------- */

static enum err keep_page(void *ctx, struct tree_page *page)
{
	struct part *part = ctx;

	if (part->page_count == part->page_room) {
		size_t room = part->page_room == 0 ? 8 : part->page_room * 2;
		struct part_page *pages = realloc(part->pages, room * sizeof(*pages));

		if (pages == NULL)
			return ERR_NO_MEMORY;
		part->pages = pages;
		part->page_room = room;
	}
	atomic_fetch_add(&page->refs, 1);
	part->pages[part->page_count++] = (struct part_page){page, page->fresh};
	return ERR_OK;
}

static enum err shrink_tree(struct sealing *sealing)
{
	struct part *part = sealing->part;
	struct tree *tree = &part->content->tree;
	int level;
	uint64_t index;

	if (part->shrink == NO_SHRINK || part->is_create)
		return ERR_OK;
	while (tree_shrink_missing(tree, part->shrink, &level, &index)) {
		enum err err = content_load_page(sealing->store, part->content, level, index);

		if (err != ERR_OK)
			return err;
	}
	return tree_shrink(tree, part->shrink);
}

static enum err set_entry(struct sealing *sealing, const struct change *change)
{
	struct content *content = sealing->part->content;
	enum err err;

	do {
		err = content_load_page(sealing->store, content, 1, change->block / TREE_FANOUT);
		if (err == ERR_OK)
			err = tree_set_entry(&content->tree, change->block,
					     extent_entry(change->extent, change->block));
	} while (err == ERR_AGAIN);
	return err;
}

static enum err update_tree(struct sealing *sealing)
{
	struct part *part = sealing->part;
	struct content *content = part->content;
	struct tree *tree = &content->tree;
	enum err err = ERR_OK;

	/* Readers that load pages meanwhile must not evict what hashing needs. */
	content->is_sealing = true;
	if (sealing->leaves_inline || sealing->emits_inline)
		err = content_load_page(sealing->store, content, 1, 0);
	if (err == ERR_OK)
		err = shrink_tree(sealing);
	if (err == ERR_OK && sealing->leaves_inline)
		err = tree_set_leaf0(tree, NULL);
	if (err == ERR_OK && sealing->emits_inline)
		err = tree_set_leaf0(tree, sealing->body);
	if (err == ERR_OK && layout_levels(part->attr.size) > tree->levels)
		err = content_load_page(sealing->store, content, tree->levels, 0);
	if (err == ERR_OK)
		err = tree_grow(tree, part->attr.size);
	for (size_t i = 0; i < sealing->count && err == ERR_OK; i++)
		err = set_entry(sealing, &sealing->changes[i]);
	if (err == ERR_OK)
		err = tree_collect(tree, keep_page, part);
	content->is_sealing = false;
	return err;
}

/* The tree is at the part's state: what the rest of the store sees of it. */
static void publish(struct sealing *sealing)
{
	struct part *part = sealing->part;
	struct content *content = part->content;
	struct node *node = part->node;

	content->tree_size = part->attr.size;
	content->tree_blocks = part->attr.blocks;
	content->is_inline = part->is_inline;
	content->sealing_shrink = NO_SHRINK;
	/* I18 */
	part->attr.version = node->attr.version += !STORE_BREAK(I18_SAME_VERSION);
	memcpy(part->attr.root, content->tree.root, OBJECT_ROOT_LEN);
	memcpy(node->attr.root, content->tree.root, OBJECT_ROOT_LEN);
}

/* --- records --------------------------------------------------------------------------- */

static enum err add_inode(struct sealing *sealing)
{
	struct part *part = sealing->part;
	struct journal_record record = {.type = JOURNAL_INODE};
	struct object_header header = {
		.epoch = part->node->epoch, .is_inline = part->is_inline, .id = part->node->id,
		.attr = part->attr, .attributes = part->attributes, .parent = part->parent,
		.name_len = (uint8_t)strlen(part->name)};
	uint8_t nonce[AEAD_NONCE_LEN];
	enum err err;

	memcpy(header.name, part->name, sizeof(header.name));
	nonce_next(&sealing->nonces, nonce);
	err = object_header_seal(&header, part->content->key, nonce, part->header);
	secmem_wipe(header.name, sizeof(header.name));
	if (err != ERR_OK)
		return err;
	record.inode.id = part->node->id;
	record.inode.base = part->base;
	record.inode.shrink = part->shrink;
	record.inode.flags = part->is_create ? JOURNAL_INODE_CREATE : 0;
	record.inode.levels_before = (uint8_t)part->levels_before;
	memcpy(record.inode.header, part->header, OBJECT_HEADER_LEN);
	return txn_add_record(sealing->txn, &record);
}

static enum err add_fresh(struct sealing *sealing)
{
	struct part *part = sealing->part;
	enum err err = ERR_OK;

	for (size_t i = 0; i < part->page_count && err == ERR_OK; i++) {
		const struct tree_page *page = part->pages[i].page;
		struct journal_record record = {.type = JOURNAL_FRESH};

		if (!part->pages[i].fresh)
			continue;
		record.fresh.id = part->node->id;
		record.fresh.level = page->level;
		record.fresh.index = page->index;
		err = txn_add_record(sealing->txn, &record);
	}
	return err;
}

static enum err add_entries(struct sealing *sealing)
{
	uint8_t entries[TREE_FANOUT * ENTRY_LEN];
	enum err err = ERR_OK;

	for (size_t i = 0; i < sealing->count && err == ERR_OK;) {
		struct journal_record record = {.type = JOURNAL_ENTRIES};
		uint64_t first = sealing->changes[i].block;
		uint32_t n = 0;

		do {
			const struct change *change = &sealing->changes[i];

			memcpy(entries + n * ENTRY_LEN, extent_entry(change->extent, change->block),
			       ENTRY_LEN);
			n++;
			i++;
		} while (i < sealing->count && sealing->changes[i].block == first + n &&
			 (first + n) % TREE_FANOUT != 0);
		record.entries.id = sealing->part->node->id;
		record.entries.first = first;
		record.entries.count = n;
		record.entries.entries = entries;
		err = txn_add_record(sealing->txn, &record);
	}
	return err;
}

static enum err add_data(struct sealing *sealing)
{
	struct part *part = sealing->part;
	enum err err = ERR_OK;

	for (size_t i = 0; i < part->block_count && err == ERR_OK; i++) {
		struct journal_record record = {.type = JOURNAL_DATA};

		record.data.id = part->node->id;
		record.data.block = part->blocks[i].block;
		record.data.page = part->blocks[i].page;
		err = txn_add_record(sealing->txn, &record);
	}
	return err;
}

static enum err add_inline(struct sealing *sealing)
{
	struct journal_record record = {.type = JOURNAL_INLINE};

	if (!sealing->emits_inline)
		return ERR_OK;
	record.inlined.id = sealing->part->node->id;
	record.inlined.size = (uint32_t)sealing->part->attr.size;
	record.inlined.content = sealing->body;
	return txn_add_record(sealing->txn, &record);
}

static enum err seal_part(struct sealing *sealing)
{
	struct node *node = sealing->part->node;
	enum err err;

	pthread_mutex_lock(&node->mutex);
	decide_inline(sealing);
	pthread_mutex_unlock(&node->mutex);
	err = encrypt(sealing);
	if (err != ERR_OK)
		return err;
	pthread_mutex_lock(&node->mutex);
	err = update_tree(sealing);
	if (err == ERR_OK)
		publish(sealing);
	pthread_mutex_unlock(&node->mutex);
	if (err == ERR_OK)
		err = add_inode(sealing);
	if (err == ERR_OK)
		err = add_fresh(sealing);
	if (err == ERR_OK)
		err = add_entries(sealing);
	if (err == ERR_OK)
		err = add_data(sealing);
	if (err == ERR_OK)
		err = add_inline(sealing);
	return err;
}

static enum err add_delete(struct txn *txn, const struct part *part)
{
	struct journal_record record = {.type = JOURNAL_DELETE};

	record.deleted = part->node->id;
	return txn_add_record(txn, &record);
}

/* Its tree is damaged: what was written to it is lost, the rest of the volume goes on. */
static void leave_out(struct part *part, enum err err)
{
	pthread_mutex_lock(&part->node->mutex);
	part->node->damaged = err;
	part->content->sealing_shrink = NO_SHRINK;
	pthread_mutex_unlock(&part->node->mutex);
	part->is_left_out = true;
}

static bool is_damage(enum err err)
{
	return err == ERR_TAMPERED || err == ERR_DELETED;
}

enum err seal(struct store *store, struct txn *txn)
{
	enum err err = ERR_OK;

	for (struct part *part = txn->parts_first; part != NULL && err == ERR_OK;
	     part = part->next) {
		struct sealing sealing = {.store = store, .txn = txn, .part = part};

		err = part->is_delete ? add_delete(txn, part) : seal_part(&sealing);
		if (is_damage(err)) {
			leave_out(part, err);
			err = ERR_OK;
		}
		free(sealing.changes);
		secmem_wipe(sealing.body, sizeof(sealing.body));
	}
	return err;
}

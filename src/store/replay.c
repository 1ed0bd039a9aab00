#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/break.h"
#include "store/node.h"
#include "store/recover.h"

/* One object on its way back. */
struct replaying {
	struct store *store;
	const struct replay_object *object;
	uint64_t base;                      /* records up to here are in place and synced */
	bool was_in_new, exists;
	int file;
	uint8_t *key;                       /* 64 bytes, locked */
	struct object_header header;        /* of the last INODE record */
	const uint8_t *header_bytes;
	struct tree tree;
	struct tree_page **pages;           /* changed ones, referenced */
	size_t page_count, page_room;
};

static enum err derive_key(struct replaying *r, const uint8_t *header_bytes)
{
	struct object_header peeked;
	enum err err = object_header_peek(header_bytes, &peeked);

	if (err == ERR_OK)
		err = keyring_object_key(r->store->keyring, peeked.epoch, r->object->id.bytes,
					 r->key);
	return err;
}

/* The last state decides about base and root. */
static enum err read_last_inode(struct replaying *r)
{
	const struct replay_object *object = r->object;
	const struct journal_inode *last = NULL;
	enum err err;

	for (size_t i = 0; i < object->count; i++) {
		if (object->records[i].record.type != JOURNAL_INODE)
			continue;
		last = &object->records[i].record.inode;
		/* The highest base any record names: a flush does not become undone. */
		if (last->base > r->base && !STORE_BREAK(I11_IGNORE_BASE))
			r->base = last->base;
	}
	if (last == NULL)
		return ERR_FORMAT;
	r->header_bytes = last->header;
	err = derive_key(r, last->header);
	if (err == ERR_OK)
		err = object_header_open(last->header, r->key, &r->header);
	return err;
}

static bool has_create(const struct replay_object *object)
{
	for (size_t i = 0; i < object->count; i++)
		if (object->records[i].record.type == JOURNAL_INODE &&
		    object->records[i].record.inode.flags & JOURNAL_INODE_CREATE)
			return true;
	return false;
}

/* R8: in its shard, in objects/new, or to be made again. */
static enum err find_file(struct replaying *r)
{
	struct backing *backing = r->store->ciphertext;
	char path[OBJECT_PATH_LEN];
	enum err err;

	object_path(&r->object->id, path);
	err = backing->ops->open(backing, path, 0, &r->file);
	if (err == ERR_NOT_FOUND && !STORE_BREAK(R8_ONLY_SHARD)) {
		object_path_new(&r->object->id, path);
		err = backing->ops->open(backing, path, 0, &r->file);
		r->was_in_new = err == ERR_OK;
	}
	if (err == ERR_NOT_FOUND && has_create(r->object) && !STORE_BREAK(R8_NO_REBUILD)) {
		object_path(&r->object->id, path);
		err = backing->ops->open(backing, path, BACKING_CREATE, &r->file);
	}
	r->exists = err == ERR_OK;
	return backing_is_gone(err) ? ERR_DELETED : err;
}

/* --- the tree, from unverified pages: the root at the end vouches for all -------------- */

static enum err load_raw(struct replaying *r, int level, uint64_t index)
{
	struct backing *backing = r->store->ciphertext;
	uint8_t page[BLOCK_SIZE];
	enum err err = backing->ops->pread(backing, r->file, page, sizeof(page),
					   layout_page_of_node(level, index) * BLOCK_SIZE);

	return err == ERR_OK ? tree_add(&r->tree, level, index, page + NODE_HEADER_LEN, NULL)
			     : err;
}

static enum err load_path(struct replaying *r, int level, uint64_t index)
{
	int missing_level;
	uint64_t missing_index;
	enum err err = ERR_OK;

	while (err == ERR_OK && level <= r->tree.levels &&
	       tree_missing(&r->tree, level, index, &missing_level, &missing_index))
		err = load_raw(r, missing_level, missing_index);
	return err;
}

static enum err redo_shrink(struct replaying *r, uint64_t shrink)
{
	int level;
	uint64_t index;
	enum err err = ERR_OK;

	while (err == ERR_OK && tree_shrink_missing(&r->tree, shrink, &level, &index))
		err = load_raw(r, level, index);
	return err == ERR_OK ? tree_shrink(&r->tree, shrink) : err;
}

/* A page that started from zeroes in this transaction does so again. */
static enum err redo_fresh(struct replaying *r, const struct journal_fresh *fresh)
{
	struct tree_page *page;
	enum err err = ERR_OK;

	if (fresh->level > r->tree.levels)
		return ERR_OK; /* the tree grows to it later in the transaction */
	page = tree_find(&r->tree, fresh->level, fresh->index);
	if (page == NULL)
		err = tree_add(&r->tree, fresh->level, fresh->index, NULL, &page);
	if (err == ERR_OK) {
		memset(page->body, 0, sizeof(page->body));
		page->changed = true;
	}
	return err;
}

static enum err redo_entries(struct replaying *r, const struct journal_entries *entries)
{
	enum err err = load_path(r, 1, entries->first / TREE_FANOUT);

	for (uint32_t i = 0; i < entries->count && err == ERR_OK; i++)
		err = tree_set_entry(&r->tree, entries->first + i,
				     entries->entries + (size_t)i * ENTRY_LEN);
	return err;
}

static enum err redo_inline(struct replaying *r, const struct journal_inline *inlined)
{
	uint8_t body[NODE_BODY_LEN] = {0};
	enum err err = load_path(r, 1, 0);

	memcpy(body, inlined->content, ENTRY_LEN + (size_t)inlined->size);
	return err == ERR_OK ? tree_set_leaf0(&r->tree, body) : err;
}

/* One transaction's share: records [first, end) of the object, INODE first. */
static enum err redo_tree(struct replaying *r, size_t first, size_t end)
{
	const struct replay_record *records = r->object->records;
	const struct journal_inode *inode = &records[first].record.inode;
	struct object_header header;
	bool is_create = (inode->flags & JOURNAL_INODE_CREATE) != 0;
	enum err err = object_header_open(inode->header, r->key, &header);

	if (err == ERR_OK && is_create)
		err = tree_find(&r->tree, 1, 0) == NULL ? tree_add(&r->tree, 1, 0, NULL, NULL)
							: ERR_OK;
	if (err == ERR_OK && inode->shrink != JOURNAL_NO_SHRINK && !is_create)
		err = redo_shrink(r, inode->shrink);
	for (size_t i = first; i < end && err == ERR_OK; i++) {
		if (records[i].record.type == JOURNAL_FRESH)
			err = redo_fresh(r, &records[i].record.fresh);
		else if (records[i].record.type == JOURNAL_INLINE)
			err = redo_inline(r, &records[i].record.inlined);
	}
	if (err == ERR_OK && layout_levels(header.attr.size) > r->tree.levels)
		err = load_path(r, r->tree.levels, 0);
	if (err == ERR_OK)
		err = tree_grow(&r->tree, header.attr.size);
	for (size_t i = first; i < end && err == ERR_OK; i++)
		if (records[i].record.type == JOURNAL_ENTRIES)
			err = redo_entries(r, &records[i].record.entries);
	return err;
}

/* Every changed page needs its ancestors to carry the hash upward. */
static enum err load_ancestors(struct replaying *r)
{
	struct tree_page *page, *next;
	enum err err = ERR_OK;

	HASH_ITER(hh, r->tree.pages, page, next)
		if (err == ERR_OK && page->changed)
			err = load_path(r, page->level, page->index);
	return err;
}

static enum err keep(void *ctx, struct tree_page *page)
{
	struct replaying *r = ctx;

	if (r->page_count == r->page_room) {
		size_t room = r->page_room == 0 ? 16 : r->page_room * 2;
		struct tree_page **pages = realloc(r->pages, room * sizeof(*pages));

		if (pages == NULL)
			return ERR_NO_MEMORY;
		r->pages = pages;
		r->page_room = room;
	}
	atomic_fetch_add(&page->refs, 1);
	r->pages[r->page_count++] = page;
	return ERR_OK;
}

/* Calls `redo` for each transaction's records behind `base`. */
typedef enum err redo_group(struct replaying *r, size_t first, size_t end);
static enum err each_group(struct replaying *r, redo_group *redo)
{
	const struct replay_object *object = r->object;
	enum err err = ERR_OK;

	for (size_t i = 0; i < object->count && err == ERR_OK;) {
		size_t end = i + 1;

		while (end < object->count && object->records[end].seq == object->records[i].seq)
			end++;
		if (object->records[i].record.type != JOURNAL_INODE)
			return ERR_FORMAT;
		if (object->records[i].seq > r->base)
			err = redo(r, i, end);
		i = end;
	}
	return err;
}

/* --- putting in place -------------------------------------------------------------------- */

static enum err redo_data(struct replaying *r, size_t first, size_t end)
{
	const struct replay_record *records = r->object->records;
	struct backing *backing = r->store->ciphertext;
	const struct journal_inode *inode = &records[first].record.inode;
	enum err err = ERR_OK;

	if (inode->shrink != JOURNAL_NO_SHRINK && !(inode->flags & JOURNAL_INODE_CREATE))
		err = backing->ops->truncate(backing, r->file,
					     layout_pages(inode->shrink) * BLOCK_SIZE);
	for (size_t i = first; i < end && err == ERR_OK; i++) {
		const struct journal_data *data = &records[i].record.data;

		if (records[i].record.type == JOURNAL_DATA)
			err = backing->ops->pwrite(backing, r->file,
						   records[i].pages + (size_t)data->page * BLOCK_SIZE,
						   BLOCK_SIZE,
						   layout_page_of_block(data->block) * BLOCK_SIZE);
	}
	return err;
}

static enum err write_pages(struct replaying *r)
{
	struct backing *backing = r->store->ciphertext;
	enum err err = ERR_OK;

	for (size_t i = 0; i < r->page_count && err == ERR_OK; i++) {
		const struct tree_page *page = r->pages[i];
		uint8_t bytes[BLOCK_SIZE];

		if (page->level == 1 && page->index == 0)
			memcpy(bytes, r->header_bytes, OBJECT_HEADER_LEN);
		else
			node_header_encode(&r->object->id, r->header.epoch, page->level,
					   page->index, bytes);
		memcpy(bytes + NODE_HEADER_LEN, page->body, NODE_BODY_LEN);
		err = backing->ops->pwrite(
			backing, r->file, bytes, sizeof(bytes),
			layout_page_of_node(page->level, page->index) * BLOCK_SIZE);
	}
	/* The header alone if leaf 0 is as it was. */
	return err == ERR_OK ? backing->ops->pwrite(backing, r->file, r->header_bytes,
						    OBJECT_HEADER_LEN, 0)
			     : err;
}

static enum err move_to_shard(struct replaying *r)
{
	char from[OBJECT_PATH_LEN], to[OBJECT_PATH_LEN];

	if (!r->was_in_new)
		return ERR_OK;
	object_path_new(&r->object->id, from);
	object_path(&r->object->id, to);
	return r->store->ciphertext->ops->rename(r->store->ciphertext, from, to);
}

static enum err put_row(struct replaying *r)
{
	struct ledger_row row = {.id = r->object->id, .attr = r->header.attr,
				 .epoch = r->header.epoch};

	return ledger_put(r->store->ledger, &row);
}

static void first_levels(struct replaying *r)
{
	const struct replay_object *object = r->object;

	tree_init(&r->tree, &object->id, r->header.epoch, &r->store->tree_pages);
	for (size_t i = 0; i < object->count; i++) {
		const struct replay_record *record = &object->records[i];

		if (record->record.type != JOURNAL_INODE || record->seq <= r->base)
			continue;
		if (record->record.inode.levels_before > 1)
			r->tree.levels = record->record.inode.levels_before;
		return;
	}
	r->tree.levels = layout_levels(r->header.attr.size);
}

static enum err redo(struct replaying *r, bool *damaged)
{
	enum err err;

	first_levels(r);
	err = each_group(r, redo_tree);
	if (err == ERR_OK)
		err = load_path(r, r->tree.levels, 0);
	if (err == ERR_OK) {
		/* Even if nothing changed: the root must be computed from what is there. */
		struct tree_page *top = tree_find(&r->tree, r->tree.levels, 0);

		top->changed = true;
		err = load_ancestors(r);
	}
	if (err == ERR_OK)
		err = tree_collect(&r->tree, keep, r);
	if (err != ERR_OK)
		return err;
	/* I13 */
	if (memcmp(r->tree.root, r->header.attr.root, OBJECT_ROOT_LEN) != 0 &&
	    !STORE_BREAK(I13_NO_ROOT)) {
		*damaged = true;
		return ERR_OK;
	}
	err = each_group(r, redo_data);
	if (err == ERR_OK)
		err = write_pages(r);
	return err == ERR_OK ? move_to_shard(r) : err;
}

static void replaying_clear(struct replaying *r)
{
	for (size_t i = 0; i < r->page_count; i++)
		tree_page_put(r->pages[i]);
	free(r->pages);
	tree_clear(&r->tree);
	if (r->exists)
		r->store->ciphertext->ops->close(r->store->ciphertext, r->file);
	slab_put(r->store->keys, r->key);
	secmem_wipe(&r->header, sizeof(r->header));
}

static enum err unlink_both(struct store *store, const struct object_id *id)
{
	struct backing *backing = store->ciphertext;
	char path[OBJECT_PATH_LEN];
	enum err err;

	object_path(id, path);
	err = backing->ops->unlink(backing, path);
	if (err == ERR_OK || backing_is_gone(err)) {
		object_path_new(id, path);
		err = backing->ops->unlink(backing, path);
	}
	if (err == ERR_OK || backing_is_gone(err))
		err = ledger_remove(store->ledger, object_id_number(id));
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err replay(struct store *store, const struct replay_object *object, bool *damaged)
{
	struct replaying r = {.store = store, .object = object};
	enum err err;

	*damaged = false;
	/* R8: a deletion cancels all earlier records; nothing can follow it. */
	if (object->records[object->count - 1].record.type == JOURNAL_DELETE)
		return STORE_BREAK(R8_KEEP_DELETED) ? ERR_OK : unlink_both(store, &object->id);
	r.key = slab_get(store->keys);
	if (r.key == NULL)
		return ERR_NO_MEMORY;
	err = read_last_inode(&r);
	if (err == ERR_OK) {
		err = find_file(&r);
		if (err == ERR_OK)
			err = redo(&r, damaged);
		else if (err == ERR_DELETED) {
			*damaged = true;
			err = ERR_OK;
		}
	}
	/* A damaged object keeps its row: whoever opens it is told. */
	if (err == ERR_OK)
		err = put_row(&r);
	replaying_clear(&r);
	return err;
}

/* --- tags of an adopted tail ---------------------------------------------------------------- */

static enum err open_page(const uint8_t *key, uint64_t block, const uint8_t *entry,
			  const uint8_t *page)
{
	uint8_t plain[BLOCK_SIZE], ad[BLOCK_AD_LEN];
	enum err err;

	block_ad(block, BLOCK_KIND_DATA, ad);
	err = aead_open(aead_thread(), key, entry, ad, sizeof(ad), page, BLOCK_SIZE,
			entry + AEAD_NONCE_LEN, plain);
	if (STORE_BREAK(I14_BAD_TAG))
		err = ERR_OK;
	secmem_wipe(plain, sizeof(plain));
	return err;
}

/* Goes through the entries of one object beside its data records: both rise. */
struct entry_cursor {
	const struct journal_txn *txn;
	struct reader reader;         /* behind `entries` */
	struct journal_entries entries;
	bool has_entries;
};

static bool is_in(const struct entry_cursor *cursor, const struct journal_data *data)
{
	return cursor->has_entries && data->block >= cursor->entries.first &&
	       data->block - cursor->entries.first < cursor->entries.count &&
	       memcmp(&cursor->entries.id, &data->id, sizeof(data->id)) == 0;
}

/* The entry that a transaction gives to one of its own blocks; NULL: none. */
static const uint8_t *entry_of(struct entry_cursor *cursor, const struct journal_data *data)
{
	struct journal_record record;

	while (!is_in(cursor, data)) {
		if (reader_left(&cursor->reader) == 0 ||
		    journal_record_decode(&cursor->reader, cursor->txn->header.pages, &record) !=
			    ERR_OK)
			return NULL;
		cursor->has_entries = record.type == JOURNAL_ENTRIES;
		cursor->entries = record.entries;
	}
	return cursor->entries.entries + (data->block - cursor->entries.first) * ENTRY_LEN;
}

static enum err verify_data(struct store *store, struct entry_cursor *cursor,
			    const struct journal_data *data, uint32_t epoch, uint8_t *key)
{
	const uint8_t *entry = entry_of(cursor, data);
	enum err err = entry == NULL ? ERR_FORMAT
				     : keyring_object_key(store->keyring, epoch, data->id.bytes,
							  key);

	return err == ERR_OK ? open_page(key, data->block, entry,
					 cursor->txn->pages + (size_t)data->page * BLOCK_SIZE)
			     : err;
}

enum err replay_verify_tags(struct store *store, const struct journal_txn *txn)
{
	struct entry_cursor cursor = {.txn = txn};
	struct journal_record record;
	struct object_header peeked = {.epoch = 0};
	uint8_t *key = slab_get(store->keys);
	struct reader r;
	enum err err = key == NULL ? ERR_NO_MEMORY : ERR_OK;

	reader_init(&r, txn->records, txn->header.records_len);
	while (reader_left(&r) > 0 && err == ERR_OK) {
		err = journal_record_decode(&r, txn->header.pages, &record);
		/* An object's records follow its INODE record, which names the epoch of its key. */
		if (err == ERR_OK && record.type == JOURNAL_INODE) {
			err = object_header_peek(record.inode.header, &peeked);
			cursor.reader = r;
			cursor.has_entries = false;
		} else if (err == ERR_OK && record.type == JOURNAL_DATA) {
			err = verify_data(store, &cursor, &record.data, peeked.epoch, key);
		}
	}
	slab_put(store->keys, key);
	return err;
}

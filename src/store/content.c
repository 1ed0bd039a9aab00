#include "store/content.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <string.h>

#include "base/log.h"
#include "store/apply.h"
#include "store/break.h"
#include "store/dir.h"
#include "store/node.h"
#include "store/part.h"

static void content_free(struct store *store, struct content *content)
{
	if (content == NULL)
		return;
	overlay_clear(&content->live);
	cut_free(content->flushing);
	cut_free(content->ready);
	tree_clear(&content->tree);
	if (content->file >= 0)
		store->ciphertext->ops->close(store->ciphertext, content->file);
	atomic_fetch_sub(&store->contents, 1);
	slab_put(store->keys, content->key);
	pthread_mutex_destroy(&content->file_mutex);
	free(content);
}

static enum err content_alloc(struct store *store, struct node *node, uint32_t epoch,
			      struct content **out)
{
	struct content *content = calloc(1, sizeof(*content));
	enum err err;

	if (content == NULL)
		return ERR_NO_MEMORY;
	atomic_fetch_add(&store->contents, 1);
	content->node = node;
	content->file = -1;
	content->loaded_op = store_tick(store);
	/* What is not loaded has no part that waits. */
	content->applied_seq = applier_seq_under_way(store->applier);
	content->shrink = content->sealing_shrink = NO_SHRINK;
	overlay_init(&content->live);
	pthread_mutex_init(&content->file_mutex, NULL);
	tree_init(&content->tree, &node->id, epoch, &store->tree_pages);
	content->key = slab_get(store->keys);
	err = content->key == NULL
		      ? ERR_NO_MEMORY
		      : keyring_object_key(store->keyring, epoch, node->id.bytes, content->key);
	if (err != ERR_OK) {
		content_free(store, content);
		return err;
	}
	*out = content;
	return ERR_OK;
}

void content_path(const struct content *content, char path[OBJECT_PATH_LEN])
{
	if (atomic_load(&content->in_new))
		object_path_new(&content->node->id, path);
	else
		object_path(&content->node->id, path);
}

enum err content_open_file(struct store *store, struct content *content,
			   enum content_create create, int *file)
{
	struct backing *backing = store->ciphertext;
	char path[OBJECT_PATH_LEN];
	enum err err = ERR_OK;

	pthread_mutex_lock(&content->file_mutex);
	if (content->file < 0) {
		bool fresh = create != CONTENT_EXISTING && !atomic_load(&content->exists);
		int flags = store->read_only ? BACKING_READ_ONLY : 0;

		if (fresh)
			atomic_store(&content->in_new, create == CONTENT_CREATE_NEW);
		content_path(content, path);
		err = backing->ops->open(backing, path, fresh ? BACKING_CREATE : flags,
					 &content->file);
		if (err == ERR_OK)
			atomic_store(&content->exists, true);
		else if (fresh)
			atomic_store(&content->in_new, false);
	}
	*file = content->file;
	pthread_mutex_unlock(&content->file_mutex);
	return err;
}

enum err content_move_to_shard(struct store *store, struct content *content)
{
	char from[OBJECT_PATH_LEN], to[OBJECT_PATH_LEN];
	enum err err = ERR_OK;

	pthread_mutex_lock(&content->file_mutex);
	if (atomic_load(&content->exists) && atomic_load(&content->in_new)) {
		object_path_new(&content->node->id, from);
		object_path(&content->node->id, to);
		err = store->ciphertext->ops->rename(store->ciphertext, from, to);
		if (err == ERR_OK)
			atomic_store(&content->in_new, false);
	}
	pthread_mutex_unlock(&content->file_mutex);
	return err;
}

/* I17: the header against the ledger row. */
static enum err compare(const struct object_header *header, const struct object_id *id,
			const struct object_attr *row)
{
	if (memcmp(&header->id, id, sizeof(*id)) != 0)
		return ERR_TAMPERED;
	if (header->attr.version < row->version && !STORE_BREAK(I17_VERSION))
		return ERR_ROLLBACK;
	if (header->attr.version > row->version)
		return ERR_LEDGER_OLD;
	/* All of it: of two histories after a power cut both may have had this version. */
	if (!object_attr_equal(&header->attr, row) && !STORE_BREAK(I17_ATTRIBUTES))
		return ERR_TAMPERED;
	return ERR_OK;
}

static enum err read_page0(struct store *store, struct content *content,
			   uint8_t page[BLOCK_SIZE])
{
	int file;
	enum err err = content_open_file(store, content, CONTENT_EXISTING, &file);

	if (err == ERR_NOT_FOUND)
		return ERR_DELETED;
	if (err != ERR_OK)
		return err;
	return store->ciphertext->ops->pread(store->ciphertext, file, page, BLOCK_SIZE, 0);
}

/* What the header tells goes into node and content; the node is not locked yet. */
static enum err adopt(struct content *content, const struct object_header *header,
		      const uint8_t *body)
{
	struct tree *tree = &content->tree;
	uint8_t root[OBJECT_ROOT_LEN];

	tree->levels = layout_levels(header->attr.size);
	memcpy(tree->root, header->attr.root, OBJECT_ROOT_LEN);
	content->tree_size = header->attr.size;
	content->tree_blocks = header->attr.blocks;
	content->is_inline = header->is_inline;
	content->high_block = layout_blocks(header->attr.size);
	if (tree->levels > 1)
		return ERR_OK;
	node_hash(&tree->id, tree->epoch, 1, 0, body, root);
	if (memcmp(root, tree->root, OBJECT_ROOT_LEN) != 0)
		return ERR_TAMPERED;
	return tree_add(tree, 1, 0, body, NULL);
}

static enum err load(struct store *store, struct node *node, const struct object_attr *row,
		     struct content **out, struct object_header *header)
{
	uint8_t page[BLOCK_SIZE];
	struct content *content;
	enum err err = content_alloc(store, node, node->epoch, &content);

	if (err != ERR_OK)
		return err;
	err = read_page0(store, content, page);
	if (err == ERR_OK) {
		atomic_store(&content->exists, true);
		atomic_store(&content->name_durable, true);
		err = object_header_open(page, content->key, header);
		/* Whatever is wrong with its bytes: somebody edited or damaged them. */
		if (err == ERR_FORMAT || err == ERR_VERSION)
			err = ERR_TAMPERED;
	}
	if (err == ERR_OK)
		err = compare(header, &node->id, row);
	if (err == ERR_OK)
		err = adopt(content, header, page + OBJECT_HEADER_LEN);
	if (err != ERR_OK) {
		content_free(store, content);
		return err;
	}
	*out = content;
	return ERR_OK;
}

/* Of an object that no transaction has yet. */
static enum err content_new(struct store *store, struct node *node, struct content **out)
{
	struct content *content;
	enum err err = content_alloc(store, node, node->epoch, &content);

	if (err != ERR_OK)
		return err;
	err = tree_add(&content->tree, 1, 0, NULL, NULL);
	if (err != ERR_OK) {
		content_free(store, content);
		return err;
	}
	*out = content;
	return ERR_OK;
}

/*
 * Another thread loaded it too, since `row` was looked at, and may have changed
 * it: what a load found then means nothing.  node->mutex held.
 */
static bool has_moved_on(const struct node *node, const struct object_attr *row)
{
	return node->content != NULL || atomic_load(&node->is_gone) ||
	       node->attr.version != row->version;
}

/*
 * Hang a content into its node, or give the one that another thread hung there;
 * pinned.  node->mutex held.
 */
static struct content *attach(struct store *store, struct node *node, struct content *content,
			      const struct object_header *header)
{
	struct content *surplus = NULL;

	if (node->content == NULL) {
		node->content = content;
		node_ref(store, node, 1);
		if (!node->header_known && header != NULL) {
			node->attributes = header->attributes;
			node->header_known = true;
			/* A name that a lookup set since is newer than the header's. */
			if (node->name == NULL && header->name_len > 0 &&
			    node_set_name(node, &header->parent, header->name) != ERR_OK)
				node->header_known = false;
		}
	} else {
		surplus = content;
		content = node->content;
	}
	content_pin(content);
	content_free(store, surplus);
	return content;
}

static void idle_remove(struct store *store, struct content *content)
{
	pthread_mutex_lock(&store->idle_mutex);
	if (content->is_idle) {
		if (content->idle_prev != NULL)
			content->idle_prev->idle_next = content->idle_next;
		else
			store->idle_first = content->idle_next;
		if (content->idle_next != NULL)
			content->idle_next->idle_prev = content->idle_prev;
		else
			store->idle_last = content->idle_prev;
		content->is_idle = false;
		store->idle_count--;
	}
	pthread_mutex_unlock(&store->idle_mutex);
}

void content_pin(struct content *content)
{
	content->users++;
}

/* Pin what is loaded.  ERR_AGAIN: nothing is, and `row` is what a load must find. */
static enum err get_loaded(struct store *store, struct node *node, struct content **out,
			   struct object_attr *row, bool *is_new)
{
	struct content *content = NULL;
	enum err err;

	pthread_mutex_lock(&node->mutex);
	err = atomic_load(&node->is_gone) ? ERR_STALE : node->damaged;
	if (err == ERR_OK)
		content = node->content;
	if (content != NULL)
		content_pin(content);
	*row = node->attr;
	*is_new = node->is_new;
	pthread_mutex_unlock(&node->mutex);
	if (content == NULL)
		return err == ERR_OK ? ERR_AGAIN : err;
	if (atomic_load(&content->is_idle))
		idle_remove(store, content);
	*out = content;
	return ERR_OK;
}

/* ERR_AGAIN: it changed meanwhile. */
static enum err get_by_load(struct store *store, struct node *node, const struct object_attr *row,
			    bool is_new, struct content **out)
{
	struct object_header header;
	struct content *content = NULL;
	enum err err = is_new ? content_new(store, node, &content)
			      : load(store, node, row, &content, &header);
	bool again;

	pthread_mutex_lock(&node->mutex);
	again = has_moved_on(node, row);
	if (err == ERR_OK && !again)
		*out = attach(store, node, content, is_new ? NULL : &header);
	pthread_mutex_unlock(&node->mutex);
	if (again && (err == ERR_OK || err_exit_code(err) == 8 || err == ERR_LEDGER_OLD)) {
		content_free(store, content);
		return ERR_AGAIN;
	}
	if (err_exit_code(err) == 8 || err == ERR_LEDGER_OLD)
		store_report(store, node, err, 0);
	return err;
}

enum err content_get(struct store *store, struct node *node, struct content **out)
{
	struct object_attr row;
	bool is_new;
	enum err err;

	do {
		err = get_loaded(store, node, out, &row, &is_new);
		if (err == ERR_AGAIN)
			err = get_by_load(store, node, &row, is_new, out);
	} while (err == ERR_AGAIN);
	return err;
}

enum err content_get_empty(struct store *store, struct node *node, struct content **out)
{
	struct content *content;
	enum err err = content_alloc(store, node, node->epoch, &content);

	if (err != ERR_OK)
		return err;
	atomic_store(&content->exists, true);
	pthread_mutex_lock(&node->mutex);
	if (node->damaged == ERR_OK)
		node->damaged = ERR_TAMPERED;
	*out = attach(store, node, content, NULL);
	pthread_mutex_unlock(&node->mutex);
	return ERR_OK;
}

void content_remove_file(struct store *store, struct content *content)
{
	char path[OBJECT_PATH_LEN];

	content_path(content, path);
	if (store->ciphertext->ops->unlink(store->ciphertext, path) != ERR_OK)
		log_debug("an abandoned object stays until the next mount");
}

static bool is_settled(const struct content *content)
{
	return content->users == 0 && !content->node->is_dirty && content->parts_first == NULL;
}

void content_settle(struct store *store, struct content *content)
{
	if (!is_settled(content))
		return;
	pthread_mutex_lock(&store->idle_mutex);
	if (!content->is_idle) {
		content->is_idle = true;
		content->idle_next = NULL;
		content->idle_prev = store->idle_last;
		if (store->idle_last != NULL)
			store->idle_last->idle_next = content;
		else
			store->idle_first = content;
		store->idle_last = content;
		store->idle_count++;
	}
	pthread_mutex_unlock(&store->idle_mutex);
}

void content_put(struct store *store, struct content *content)
{
	struct node *node = content->node;
	bool too_many;

	pthread_mutex_lock(&node->mutex);
	content->users--;
	content_settle(store, content);
	pthread_mutex_unlock(&node->mutex);
	too_many = store->idle_count > IDLE_CONTENTS_MAX ||
		   atomic_load(&store->contents) >= store->contents_max ||
		   atomic_load(&store->tree_pages) > TREE_PAGES_MAX;
	if (too_many)
		content_trim(store, store->idle_count > 16 ? store->idle_count - 16 : 0);
}

void content_drop(struct store *store, struct node *node, bool force)
{
	struct content *content;

	pthread_mutex_lock(&node->mutex);
	content = node->content;
	if (content != NULL && (force || is_settled(content))) {
		idle_remove(store, content);
		node->content = NULL;
	} else {
		content = NULL;
	}
	pthread_mutex_unlock(&node->mutex);
	if (content == NULL)
		return;
	dir_free(node);
	content_free(store, content);
	node_put(store, node);
}

void content_trim(struct store *store, uint32_t keep)
{
	for (;;) {
		struct content *oldest;
		struct node *node = NULL;

		pthread_mutex_lock(&store->idle_mutex);
		oldest = store->idle_count > keep ? store->idle_first : NULL;
		if (oldest != NULL) {
			node = oldest->node;
			/* Idle means that the content's own reference holds the node. */
			node_ref(store, node, 1);
			store->idle_first = oldest->idle_next;
			if (oldest->idle_next != NULL)
				oldest->idle_next->idle_prev = NULL;
			else
				store->idle_last = NULL;
			oldest->is_idle = false;
			store->idle_count--;
		}
		pthread_mutex_unlock(&store->idle_mutex);
		if (node == NULL)
			return;
		content_drop(store, node, false);
		node_put(store, node);
	}
}

bool content_has_unflushed(const struct content *content)
{
	/* I3 */
	return content->streamed_op > content->synced_op && !STORE_BREAK(I3_NO_WAIT);
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t shrink_blocks(uint64_t size)
{
	return size == NO_SHRINK ? NO_SHRINK : layout_blocks(size);
}

uint64_t content_hole_from(const struct content *content)
{
	uint64_t size = smaller(content->shrink, content->sealing_shrink);

	if (content->flushing != NULL)
		size = smaller(size, content->flushing->shrink);
	if (content->ready != NULL)
		size = smaller(size, content->ready->shrink);
	return shrink_blocks(size);
}

uint64_t content_floor(const struct content *content)
{
	uint64_t floor = STORE_BREAK(R4_NO_SHRINK)    ? NO_SHRINK
			 : STORE_BREAK(R4_CUT_SHRINK) ? shrink_blocks(content->shrink)
						      : content_hole_from(content);

	/* I9 */
	for (const struct part *part = content->parts_first;
	     part != NULL && !STORE_BREAK(I9_NO_SHRINK) && !STORE_BREAK(I2_UNAPPLIED); part = part->content_next)
		floor = smaller(floor, shrink_blocks(part->shrink));
	return floor;
}

bool content_is_unsettled(const struct content *content)
{
	uint64_t floor = content_floor(content);

	return floor < content->high_block && content->high_block - floor >= SETTLE_BLOCKS_MIN;
}

enum err cut_take(struct content *content, struct cut **out)
{
	struct cut *cut = calloc(1, sizeof(*cut));
	enum err err;

	if (cut == NULL)
		return ERR_NO_MEMORY;
	cut->op = content->node->op;
	cut->size = content->node->attr.size;
	cut->blocks = content->node->attr.blocks;
	cut->shrink = content->shrink;
	cut->load = content->load;
	err = overlay_snapshot(&content->live, &cut->overlay);
	if (err != ERR_OK) {
		free(cut);
		return err;
	}
	content->shrink = NO_SHRINK;
	*out = cut;
	return ERR_OK;
}

void cut_free(struct cut *cut)
{
	if (cut == NULL)
		return;
	overlay_clear(&cut->overlay);
	free(cut);
}

void content_set_ready(struct content *content, struct cut *cut)
{
	struct cut *ready = content->ready;

	if (cut->op <= content->node->appended_op) {
		/* A transaction took the live state meanwhile, and this cut's shrinks with it. */
		cut_free(cut);
		return;
	}
	if (ready != NULL && ready->op > cut->op) {
		content->ready = cut;
		cut = ready;
		ready = content->ready;
	}
	if (ready != NULL && ready->shrink < cut->shrink)
		cut->shrink = ready->shrink;
	cut_free(ready);
	content->ready = cut;
}

enum err content_cut_now(struct content *content)
{
	const struct node *node = content->node;
	struct cut *cut = NULL;
	enum err err;

	if (!S_ISREG(node->type) || content_has_unflushed(content) ||
	    node->op <= node->appended_op ||
	    (content->ready != NULL && content->ready->op >= node->op))
		return ERR_OK;
	err = cut_take(content, &cut);
	if (err == ERR_OK)
		content_set_ready(content, cut);
	return err;
}

/* --- ranges in flight -------------------------------------------------------------- */

static bool overlaps(const struct content *content, const struct range *range)
{
	for (const struct range *other = content->in_flight; other != NULL; other = other->next)
		if (other->first < range->end && range->first < other->end)
			return !STORE_BREAK(R5_NO_WAIT);
	return false;
}

void content_begin_range(struct store *store, struct content *content, struct range *range)
{
	struct node *node = content->node;

	while (overlaps(content, range)) {
		uint64_t seen = store_change_count(store);

		/* Look once more: it may have ended before the count was taken. */
		if (!overlaps(content, range))
			break;
		pthread_mutex_unlock(&node->mutex);
		store_wait_change(store, seen);
		pthread_mutex_lock(&node->mutex);
	}
	range->next = content->in_flight;
	content->in_flight = range;
}

void content_end_range(struct content *content, struct range *range)
{
	struct range **link = &content->in_flight;

	while (*link != range)
		link = &(*link)->next;
	*link = range->next;
}

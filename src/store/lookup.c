/* Finding nodes and their names. */
#include <string.h>
#include <sys/stat.h>

#include "store/attributes.h"
#include "store/content.h"
#include "store/dir.h"
#include "store/names.h"
#include "store/node.h"

static uint64_t hash_of_name(const struct store *store, const char *name)
{
	return short_hash(store->hash_key, name, strlen(name));
}

/* The name a lookup found it under, unless its header has (or may have) another. */
static void note_name(struct node *node, const struct object_id *dir, const char *name)
{
	pthread_mutex_lock(&node->mutex);
	if (node->name == NULL && (node->attr.nlink == 1 || S_ISDIR(node->type)) &&
	    node_set_name(node, dir, name) != ERR_OK)
		node->name = NULL; /* It is read from the header when it is asked for. */
	pthread_mutex_unlock(&node->mutex);
}

static enum err node_of_hit(struct store *store, struct open_dir *dir, const char *name,
			    const struct object_id *id, struct store_attr *attr)
{
	struct node *node;
	enum err err = node_get(store, object_id_number(id), id, &node);

	if (err != ERR_OK)
		return err;
	note_name(node, &dir->node->id, name);
	node_attr_now(node, attr);
	node_know(node); /* The pin is the lookup's reference; the directory's lock keeps the name. */
	return ERR_OK;
}

enum err store_lookup(struct store *store, uint64_t dir_number, const char *name,
		      struct store_attr *attr)
{
	struct open_dir dir;
	struct dir_hit hit;
	enum err err = store_may_read(store);

	if (err == ERR_OK)
		err = dir_open(store, dir_number, &dir);
	if (err != ERR_OK)
		return err;
	err = dir_lock_shared(store, &dir);
	if (err == ERR_OK) {
		err = dir_find(store, &dir, name, &hit);
		if (err == ERR_OK)
			err = node_of_hit(store, &dir, name, &hit.id, attr);
		dir_unlock(&dir);
	}
	dir_close(store, &dir);
	return err;
}

struct frozen_search {
	uint64_t dir, name_hash;
	struct store *store;
	struct store_attr *attr;
	bool found;
};

static void compare_frozen(void *ctx, struct node *node)
{
	struct frozen_search *search = ctx;

	if (search->found || node->frozen_parent != search->dir ||
	    node->name_hash != search->name_hash)
		return;
	search->found = true;
	node->refs++; /* node_walk holds the shard */
	node_know(node);
	node_attr(node, search->attr);
}

enum err store_lookup_frozen(struct store *store, uint64_t dir, const char *name,
			     struct store_attr *attr)
{
	struct frozen_search search = {.dir = dir, .name_hash = hash_of_name(store, name),
				       .store = store, .attr = attr};

	node_walk(store, compare_frozen, &search);
	return search.found ? ERR_OK : ERR_LOCKED;
}

void store_forget(struct store *store, uint64_t number, uint64_t count)
{
	struct node *node = node_find(store, number);
	uint64_t lookups;
	bool is_last;

	if (node == NULL)
		return;
	pthread_mutex_lock(&node->mutex);
	lookups = atomic_load(&node->lookups);
	atomic_fetch_sub(&node->lookups, count < lookups ? count : lookups);
	is_last = node->attr.nlink == 0 && !node_is_held(node);
	pthread_mutex_unlock(&node->mutex);
	if (is_last)
		names_bury(store, node);
	node_drop(store, node, count + 1);
}

enum err store_object_id(struct store *store, uint64_t number, struct object_id *id)
{
	struct node *node;
	enum err err = node_get(store, number, NULL, &node);

	if (err != ERR_OK)
		return err;
	*id = node->id;
	node_put(store, node);
	return ERR_OK;
}

/* --- paths ------------------------------------------------------------------------------ */

/* Name and directory of a node, the last ones if it has none, from memory or its header. */
static enum err name_of(struct store *store, uint64_t number, char name[STORE_NAME_MAX + 1],
			uint64_t *parent)
{
	struct content *content = NULL;
	struct node *node;
	enum err err = node_get(store, number, NULL, &node);

	if (err != ERR_OK)
		return err;
	pthread_mutex_lock(&node->mutex);
	if (node->name == NULL) {
		pthread_mutex_unlock(&node->mutex);
		err = content_get(store, node, &content);
		pthread_mutex_lock(&node->mutex);
	}
	if (err == ERR_OK && (node->name == NULL || atomic_load(&node->is_gone)))
		err = ERR_STALE;
	if (err == ERR_OK) {
		strcpy(name, node->name);
		*parent = object_id_number(&node->parent);
	}
	pthread_mutex_unlock(&node->mutex);
	if (content != NULL)
		content_put(store, content);
	node_put(store, node);
	return err;
}

#define DEPTH_MAX 2048 /* deeper than any path of STORE_PATH_MAX bytes */

enum err store_path(struct store *store, uint64_t number, char *path, size_t size)
{
	char name[STORE_NAME_MAX + 1];
	size_t at = size;
	enum err err = store_may_read(store);

	if (err != ERR_OK || size < 2)
		return err != ERR_OK ? err : ERR_RANGE;
	path[--at] = '\0';
	for (int depth = 0; number != STORE_ROOT && err == ERR_OK; depth++) {
		size_t len;

		err = depth == DEPTH_MAX ? ERR_FORMAT : name_of(store, number, name, &number);
		if (err != ERR_OK)
			break;
		len = strlen(name);
		if (len + 1 > at) {
			err = ERR_RANGE;
			break;
		}
		at -= len;
		memcpy(path + at, name, len);
		path[--at] = '/';
	}
	if (err == ERR_OK && path[at] == '\0')
		path[--at] = '/';
	if (err == ERR_OK)
		memmove(path, path + at, size - at);
	secmem_wipe(name, sizeof(name));
	return err;
}

struct naming {
	store_each_name *each;
	void *ctx;
};

static void give_link(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *value,
		      size_t len)
{
	struct naming *naming = ctx;
	char name[STORE_NAME_MAX + 1];
	struct object_id dir;

	(void)value;
	(void)len;
	if (key_len <= LINK_KEY_PREFIX || key[0] != ATTRIBUTE_LINK ||
	    key_len > LINK_KEY_PREFIX + STORE_NAME_MAX)
		return;
	memcpy(&dir, key + 1, sizeof(dir));
	memcpy(name, key + LINK_KEY_PREFIX, key_len - LINK_KEY_PREFIX);
	name[key_len - LINK_KEY_PREFIX] = '\0';
	naming->each(naming->ctx, object_id_number(&dir), name);
	secmem_wipe(name, sizeof(name));
}

enum err store_names(struct store *store, uint64_t number, store_each_name *each, void *ctx)
{
	struct naming naming = {each, ctx};
	char name[STORE_NAME_MAX + 1];
	struct content *content;
	struct node *node;
	uint64_t parent;
	enum err err = name_of(store, number, name, &parent);

	if (err != ERR_OK)
		return err;
	each(ctx, parent, name);
	secmem_wipe(name, sizeof(name));
	err = node_get(store, number, NULL, &node);
	if (err != ERR_OK)
		return err;
	if (node_links_now(node) > 1 && !S_ISDIR(node->type)) {
		err = content_get(store, node, &content);
		if (err == ERR_OK) {
			err = attributes_walk(store, node, give_link, &naming);
			content_put(store, content);
		}
	}
	node_put(store, node);
	return err;
}

enum err store_parent(struct store *store, uint64_t dir, uint64_t *parent)
{
	char name[STORE_NAME_MAX + 1];
	enum err err;

	if (dir == STORE_ROOT) {
		*parent = STORE_ROOT;
		return ERR_OK;
	}
	err = name_of(store, dir, name, parent);
	secmem_wipe(name, sizeof(name));
	return err;
}

/* --- listing ---------------------------------------------------------------------------------- */

struct listing {
	struct store *store;
	struct open_dir *dir;
	bool with_attr;
	store_each_dirent_plus *each;
	void *ctx;
	enum err err;
};

static bool list_entry(void *ctx, const struct dir_entry *entry, uint64_t next)
{
	struct listing *listing = ctx;
	char name[STORE_NAME_MAX + 1];
	struct store_dirent dirent = {.name = name, .number = object_id_number(&entry->id),
				      .type = (uint32_t)entry->type << 12, .next = next};
	struct store_attr attr;
	bool taken;

	memcpy(name, entry->name, entry->name_len);
	name[entry->name_len] = '\0';
	if (listing->with_attr &&
	    node_of_hit(listing->store, listing->dir, name, &entry->id, &attr) == ERR_OK) {
		taken = listing->each(listing->ctx, &dirent, &attr);
		if (!taken)
			store_forget(listing->store, dirent.number, 1);
	} else {
		/* A damaged entry is listed without attributes: whoever looks at it gets EIO. */
		taken = listing->each(listing->ctx, &dirent, NULL);
	}
	secmem_wipe(name, sizeof(name));
	return taken;
}

enum err store_readdir(struct store *store, uint64_t number, uint64_t cookie, bool with_attr,
		       store_each_dirent_plus *each, void *ctx)
{
	struct open_dir dir;
	struct listing listing = {.store = store, .dir = &dir, .with_attr = with_attr,
				  .each = each, .ctx = ctx};
	enum err err = store_may_read(store);

	if (err == ERR_OK)
		err = dir_open(store, number, &dir);
	if (err != ERR_OK)
		return err;
	err = dir_lock_shared(store, &dir);
	if (err == ERR_OK) {
		err = dir_walk(store, &dir, cookie, list_entry, &listing);
		dir_unlock(&dir);
	}
	dir_close(store, &dir);
	return err;
}

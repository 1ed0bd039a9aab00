#include "store/attributes.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "store/content.h"
#include "store/names.h"
#include "store/node.h"

/* The whole list in memory. */
struct list {
	struct node *node;         /* the attributes object, pinned; NULL: there is none */
	struct content *content;
	uint8_t *data;             /* malloc'd; wiped when freed */
	size_t len;
};

struct item {
	size_t at, size;           /* in the list */
	const uint8_t *key, *value;
	size_t key_len, value_len;
};

static void list_close(struct store *store, struct list *list)
{
	if (list->data != NULL)
		secmem_wipe(list->data, list->len);
	free(list->data);
	if (list->content != NULL)
		content_put(store, list->content);
	node_put(store, list->node);
}

static enum err list_open(struct store *store, struct node *node, struct list *list)
{
	struct object_id id;
	enum err err;

	*list = (struct list){0};
	pthread_mutex_lock(&node->mutex);
	id = node->attributes;
	pthread_mutex_unlock(&node->mutex);
	if (object_id_is_zero(&id))
		return ERR_OK;
	err = node_get(store, object_id_number(&id), &id, &list->node);
	if (err == ERR_OK)
		err = content_get(store, list->node, &list->content);
	if (err == ERR_OK && list->node->attr.size > ATTRIBUTES_LEN_MAX)
		err = ERR_FORMAT;
	if (err == ERR_OK) {
		list->len = list->node->attr.size;
		list->data = malloc(list->len + 1);
		err = list->data == NULL ? ERR_NO_MEMORY
					 : content_read(store, list->content, 0, list->data,
							list->len);
	}
	if (err != ERR_OK)
		list_close(store, list);
	return err;
}

/* The item at `*at`, which moves behind it; false at the end or where it is malformed. */
static bool next_item(const struct list *list, size_t *at, struct item *item)
{
	struct reader r;

	reader_init(&r, list->data + *at, list->len - *at);
	if (reader_left(&r) == 0)
		return false;
	item->at = *at;
	item->key_len = reader_u16(&r);
	item->value_len = reader_u32(&r);
	item->key = reader_view(&r, item->key_len);
	item->value = reader_view(&r, item->value_len);
	if (r.failed)
		return false;
	item->size = r.pos;
	*at += r.pos;
	return true;
}

static bool find(const struct list *list, const void *key, size_t key_len, struct item *item)
{
	size_t at = 0;

	while (list->data != NULL && next_item(list, &at, item))
		if (item->key_len == key_len && memcmp(item->key, key, key_len) == 0)
			return true;
	return false;
}

static enum err make_object(struct store *store, struct node *node, struct list *list)
{
	enum err err = node_new(store, S_IFREG, 0, 0, 0, &list->node);

	if (err != ERR_OK)
		return err;
	err = content_get(store, list->node, &list->content);
	if (err != ERR_OK)
		return err;
	pthread_mutex_lock(&list->node->mutex);
	list->node->is_metadata = true;
	list->node->parent = node->id;
	node_changed(store, list->node);
	pthread_mutex_unlock(&list->node->mutex);
	pthread_mutex_lock(&node->mutex);
	node->attributes = list->node->id;
	pthread_mutex_unlock(&node->mutex);
	return ERR_OK;
}

static enum err save(struct store *store, struct node *node, struct list *list,
		     const uint8_t *data, size_t len)
{
	enum err err = list->node == NULL ? make_object(store, node, list) : ERR_OK;

	if (err == ERR_OK && len < list->node->attr.size)
		err = content_truncate(store, list->content, len);
	for (size_t at = 0; at < len && err == ERR_OK; at += WRITE_MAX)
		err = content_write(store, list->content, at, data + at,
				    len - at < WRITE_MAX ? len - at : WRITE_MAX, false);
	pthread_mutex_lock(&list->node->mutex);
	list->node->is_metadata = true;
	pthread_mutex_unlock(&list->node->mutex);
	pthread_mutex_lock(&node->mutex);
	node->attr.ctime = clock_wall();
	node_names_changed(store, node);
	pthread_mutex_unlock(&node->mutex);
	return err;
}

enum err attributes_get(struct store *store, struct node *node, const void *key, size_t key_len,
			void *value, size_t *len)
{
	struct list list;
	struct item item;
	enum err err;

	pthread_mutex_lock(&store->attributes);
	err = list_open(store, node, &list);
	if (err == ERR_OK) {
		if (!find(&list, key, key_len, &item))
			err = ERR_NO_ATTR;
		else if (*len != 0 && *len < item.value_len)
			err = ERR_RANGE;
		else {
			if (*len != 0)
				memcpy(value, item.value, item.value_len);
			*len = item.value_len;
		}
		list_close(store, &list);
	}
	pthread_mutex_unlock(&store->attributes);
	return err;
}

/* The list with `key` replaced, appended, or (value NULL) left out. */
static enum err rewrite(struct store *store, struct node *node, struct list *list,
			const struct item *old, const void *key, size_t key_len,
			const void *value, size_t value_len)
{
	size_t size = list->len + 6 + key_len + value_len;
	uint8_t *data = malloc(size);
	struct writer w;
	enum err err;

	if (data == NULL)
		return ERR_NO_MEMORY;
	writer_init(&w, data, size);
	writer_bytes(&w, list->data, old != NULL ? old->at : list->len);
	if (old != NULL)
		writer_bytes(&w, list->data + old->at + old->size,
			     list->len - old->at - old->size);
	if (value != NULL) {
		writer_u16(&w, (uint16_t)key_len);
		writer_u32(&w, (uint32_t)value_len);
		writer_bytes(&w, key, key_len);
		writer_bytes(&w, value, value_len);
	}
	err = w.failed || w.len > ATTRIBUTES_LEN_MAX ? ERR_FULL
						     : save(store, node, list, data, w.len);
	secmem_wipe(data, size);
	free(data);
	return err;
}

enum err attributes_set(struct store *store, struct node *node, const void *key, size_t key_len,
			const void *value, size_t len, uint32_t flags)
{
	struct list list;
	struct item item;
	enum err err;

	pthread_mutex_lock(&store->attributes);
	err = list_open(store, node, &list);
	if (err == ERR_OK) {
		bool exists = find(&list, key, key_len, &item);

		if (exists && (flags & STORE_XATTR_CREATE))
			err = ERR_EXISTS;
		else if (!exists && (flags & STORE_XATTR_REPLACE))
			err = ERR_NO_ATTR;
		else
			err = rewrite(store, node, &list, exists ? &item : NULL, key, key_len,
				      value, len);
		list_close(store, &list);
	}
	pthread_mutex_unlock(&store->attributes);
	return err;
}

enum err attributes_remove(struct store *store, struct node *node, const void *key, size_t key_len)
{
	struct list list;
	struct item item;
	enum err err;

	pthread_mutex_lock(&store->attributes);
	err = list_open(store, node, &list);
	if (err == ERR_OK) {
		err = find(&list, key, key_len, &item)
			      ? rewrite(store, node, &list, &item, NULL, 0, NULL, 0)
			      : ERR_NO_ATTR;
		list_close(store, &list);
	}
	pthread_mutex_unlock(&store->attributes);
	return err;
}

enum err attributes_walk(struct store *store, struct node *node, attributes_each *each, void *ctx)
{
	struct list list;
	struct item item;
	size_t at = 0;
	enum err err;

	pthread_mutex_lock(&store->attributes);
	err = list_open(store, node, &list);
	if (err == ERR_OK) {
		while (list.data != NULL && next_item(&list, &at, &item))
			each(ctx, item.key, item.key_len, item.value, item.value_len);
		list_close(store, &list);
	}
	pthread_mutex_unlock(&store->attributes);
	return err;
}

enum err attributes_drop(struct store *store, struct node *node)
{
	struct list list;
	enum err err;

	pthread_mutex_lock(&store->attributes);
	err = list_open(store, node, &list);
	if (err == ERR_OK) {
		if (list.node != NULL) {
			pthread_mutex_lock(&list.node->mutex);
			list.node->attr.nlink = 0;
			node_changed(store, list.node);
			pthread_mutex_unlock(&list.node->mutex);
			/* Without it one that no transaction ever had would stay dirty, and waited for. */
			names_discard(store, list.node);
			pthread_mutex_lock(&node->mutex);
			memset(&node->attributes, 0, sizeof(node->attributes));
			pthread_mutex_unlock(&node->mutex);
		}
		list_close(store, &list);
	}
	pthread_mutex_unlock(&store->attributes);
	return err;
}

/* --- links ------------------------------------------------------------------------- */

static size_t link_key(const struct object_id *dir, const char *name,
		       uint8_t key[LINK_KEY_PREFIX + STORE_NAME_MAX])
{
	size_t len = strlen(name);

	key[0] = ATTRIBUTE_LINK;
	memcpy(key + 1, dir, sizeof(*dir));
	memcpy(key + LINK_KEY_PREFIX, name, len);
	return LINK_KEY_PREFIX + len;
}

enum err links_add(struct store *store, struct node *node, const struct object_id *dir,
		   const char *name)
{
	uint8_t key[LINK_KEY_PREFIX + STORE_NAME_MAX];
	size_t len = link_key(dir, name, key);
	enum err err = attributes_set(store, node, key, len, "", 0, 0);

	secmem_wipe(key, sizeof(key));
	return err;
}

/* The first further name found. */
struct promotion {
	bool found;
	struct object_id dir;
	char name[STORE_NAME_MAX + 1];
};

static void take_first(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *value,
		       size_t len)
{
	struct promotion *promotion = ctx;

	(void)value;
	(void)len;
	if (promotion->found || key_len <= LINK_KEY_PREFIX || key[0] != ATTRIBUTE_LINK ||
	    key_len > LINK_KEY_PREFIX + STORE_NAME_MAX)
		return;
	promotion->found = true;
	memcpy(&promotion->dir, key + 1, sizeof(promotion->dir));
	memcpy(promotion->name, key + LINK_KEY_PREFIX, key_len - LINK_KEY_PREFIX);
	promotion->name[key_len - LINK_KEY_PREFIX] = '\0';
}

enum err links_remove(struct store *store, struct node *node, const struct object_id *dir,
		      const char *name)
{
	struct promotion promotion = {.found = false};
	uint8_t key[LINK_KEY_PREFIX + STORE_NAME_MAX];
	size_t len = link_key(dir, name, key);
	enum err err = attributes_remove(store, node, key, len);

	/* Not among the further ones: it was the header's own, and one of them follows it. */
	if (err == ERR_NO_ATTR) {
		err = attributes_walk(store, node, take_first, &promotion);
		if (err == ERR_OK && promotion.found) {
			len = link_key(&promotion.dir, promotion.name, key);
			err = attributes_remove(store, node, key, len);
			pthread_mutex_lock(&node->mutex);
			if (err == ERR_OK)
				err = node_set_name(node, &promotion.dir, promotion.name);
			pthread_mutex_unlock(&node->mutex);
		}
	}
	secmem_wipe(key, sizeof(key));
	secmem_wipe(&promotion, sizeof(promotion));
	return err;
}

#include <string.h>

#include "store/attributes.h"
#include "store/content.h"
#include "store/node.h"
#include "store/room.h"

/* A node with its content, for one call. */
static enum err begin(struct store *store, uint64_t number, struct node **node,
		      struct content **content)
{
	enum err err = store_may_read(store);

	if (err == ERR_OK)
		err = node_get(store, number, NULL, node);
	if (err != ERR_OK)
		return err;
	err = content_get(store, *node, content);
	if (err != ERR_OK)
		node_put(store, *node);
	return err;
}

static void end(struct store *store, struct node *node, struct content *content)
{
	content_put(store, content);
	node_put(store, node);
}

static enum err check_name(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || name[0] == ATTRIBUTE_LINK)
		return ERR_UNSUPPORTED;
	return len > STORE_XATTR_NAME_MAX ? ERR_RANGE : ERR_OK;
}

static void add_len(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *value,
		    size_t len)
{
	size_t *total = ctx;

	(void)value;
	if (key_len > 0 && key[0] != ATTRIBUTE_LINK)
		*total += key_len + len;
}

enum err store_setxattr(struct store *store, uint64_t number, const char *name, const void *value,
			size_t len, uint32_t flags)
{
	struct content *content;
	struct node *node;
	size_t total = 0;
	enum err err = check_name(name);

	if (err == ERR_OK && len > STORE_XATTR_VALUE_MAX)
		err = ERR_RANGE;
	if (err == ERR_OK)
		err = store_may_change(store);
	if (err == ERR_OK)
		err = room_take(store, NULL, 0);
	if (err == ERR_OK)
		err = space_admit(store->space, atomic_load(&store->pending_bytes) + len, 1);
	if (err != ERR_OK)
		return err;
	pthread_rwlock_rdlock(&store->names);
	err = begin(store, number, &node, &content);
	if (err == ERR_OK) {
		err = attributes_walk(store, node, add_len, &total);
		if (err == ERR_OK && total + strlen(name) + len > STORE_XATTR_TOTAL_MAX)
			err = ERR_FULL;
		if (err == ERR_OK)
			err = attributes_set(store, node, name, strlen(name), value, len, flags);
		end(store, node, content);
	}
	pthread_rwlock_unlock(&store->names);
	return err;
}

enum err store_removexattr(struct store *store, uint64_t number, const char *name)
{
	struct content *content;
	struct node *node;
	enum err err = check_name(name);

	if (err == ERR_OK)
		err = store_may_change(store);
	if (err == ERR_OK)
		err = room_take(store, NULL, 0);
	if (err != ERR_OK)
		return err;
	pthread_rwlock_rdlock(&store->names);
	err = begin(store, number, &node, &content);
	if (err == ERR_OK) {
		err = attributes_remove(store, node, name, strlen(name));
		end(store, node, content);
	}
	pthread_rwlock_unlock(&store->names);
	return err;
}

enum err store_getxattr(struct store *store, uint64_t number, const char *name, void *value,
			size_t *len)
{
	struct content *content;
	struct node *node;
	enum err err = check_name(name);

	if (err != ERR_OK)
		return err;
	err = begin(store, number, &node, &content);
	if (err != ERR_OK)
		return err;
	err = attributes_get(store, node, name, strlen(name), value, len);
	end(store, node, content);
	return err;
}

struct listing {
	char *names;
	size_t room, len;
};

static void add_name(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *value,
		     size_t len)
{
	struct listing *listing = ctx;

	(void)value;
	(void)len;
	if (key_len == 0 || key[0] == ATTRIBUTE_LINK)
		return;
	if (listing->len + key_len + 1 <= listing->room) {
		memcpy(listing->names + listing->len, key, key_len);
		listing->names[listing->len + key_len] = '\0';
	}
	listing->len += key_len + 1;
}

enum err store_listxattr(struct store *store, uint64_t number, char *names, size_t *len)
{
	struct listing listing = {names, *len, 0};
	struct content *content;
	struct node *node;
	enum err err = begin(store, number, &node, &content);

	if (err != ERR_OK)
		return err;
	err = attributes_walk(store, node, add_name, &listing);
	end(store, node, content);
	if (err == ERR_OK && *len != 0 && listing.len > *len)
		err = ERR_RANGE;
	if (err == ERR_OK)
		*len = listing.len;
	return err;
}

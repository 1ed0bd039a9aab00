/*
 * A node's attributes object: extended attributes and, for hard links, its
 * further names.  One list {key length u16, value length u32, key, value} is
 * the content of an object of its own, named in the node's header.
 * FORMAT.md, "Attributes".
 *
 * Keys of extended attributes are their names; keys of links begin with byte
 * 0x01, then the directory's object id and the name.
 *
 * Lock: store->attributes is held by these functions.
 */
#ifndef PHIFS_STORE_ATTRIBUTES_H
#define PHIFS_STORE_ATTRIBUTES_H

#include "store/volume.h"

#define ATTRIBUTES_LEN_MAX (4u << 20)
#define ATTRIBUTE_LINK     0x01
#define LINK_KEY_PREFIX    (1u + OBJECT_ID_LEN)

/* `node` pinned, its content loaded and pinned. */
enum err attributes_get(struct store *store, struct node *node, const void *key, size_t key_len,
			void *value, size_t *len) MUST_CHECK;
/* flags: STORE_XATTR_CREATE, _REPLACE. */
enum err attributes_set(struct store *store, struct node *node, const void *key, size_t key_len,
			const void *value, size_t len, uint32_t flags) MUST_CHECK;
enum err attributes_remove(struct store *store, struct node *node, const void *key,
			   size_t key_len) MUST_CHECK;
typedef void attributes_each(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *value,
			     size_t len);
enum err attributes_walk(struct store *store, struct node *node, attributes_each *each,
			 void *ctx) MUST_CHECK;
/* The node is going: its attributes object goes with it. */
enum err attributes_drop(struct store *store, struct node *node) MUST_CHECK;

/* --- further names of hard links ----------------------------------------------- */

enum err links_add(struct store *store, struct node *node, const struct object_id *dir,
		   const char *name) MUST_CHECK;
/*
 * One of its names is gone.  If it was the header's, another takes its place.
 */
enum err links_remove(struct store *store, struct node *node, const struct object_id *dir,
		      const char *name) MUST_CHECK;

#endif

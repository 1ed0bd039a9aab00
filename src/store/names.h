/* Namespace operations: shared by names.c and rename.c. */
#ifndef PHIFS_STORE_NAMES_H
#define PHIFS_STORE_NAMES_H

#include "store/dir.h"
#include "store/volume.h"

/*
 * Begin a change of the namespace: may something be changed, is there room;
 * takes store->names shared.  names_end releases it.
 */
enum err names_begin(struct store *store, bool needs_room) MUST_CHECK;
void names_end(struct store *store);

/*
 * One name of `node` is gone from a directory: count down, and let it die with its
 * last name, if nobody holds it (node_is_held).  Its content is pinned.
 */
enum err names_drop(struct store *store, struct node *node, const struct object_id *dir,
		    const char *name) MUST_CHECK;

/* Change a directory's link count and times. */
void names_count_subdirectory(struct store *store, struct node *dir, int change);

/*
 * A node's content for a change of its name or its deletion.  A damaged
 * object can still be removed: `*content` is then an empty one.
 */
enum err names_pin_content(struct store *store, struct node *node, bool for_removal,
			   struct content **content) MUST_CHECK;

/* A node without a name that nobody holds any more: its deletion goes into the next transaction. */
void names_bury(struct store *store, struct node *node);

/* If it has no name, nobody holds it and no transaction has it, it never was. */
void names_discard(struct store *store, struct node *node);

#endif

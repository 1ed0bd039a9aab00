/*
 * The table of nodes: every object the kernel or the store holds, by number.
 *
 * A node is counted: kernel lookups, pins of running calls, its loaded
 * content, the dirty list and transactions each hold one.  The last one frees
 * it.  All functions are thread-safe; node_get may read the ledger.
 */
#ifndef PHIFS_STORE_NODE_H
#define PHIFS_STORE_NODE_H

#include "store/volume.h"

/*
 * The node of `number`, pinned.  From the table or the ledger.  `id`, if not
 * NULL, must be the whole id (a directory entry's): ERR_TAMPERED if the ledger
 * has another.  ERR_STALE: no such object; ERR_LOCKED.
 */
enum err node_get(struct store *store, uint64_t number, const struct object_id *id,
		  struct node **node) MUST_CHECK;
/* Only from the table: works while locked.  NULL if it is not there. */
struct node *node_find(struct store *store, uint64_t number);
/* One more pin of a node that is pinned already. */
void node_ref(struct store *store, struct node *node, uint64_t count);
void node_put(struct store *store, struct node *node);
/* Drop `count` references at once. */
void node_drop(struct store *store, struct node *node, uint64_t count);

/*
 * One of its references, which the caller has, is the kernel's from here on, until
 * store_forget.  For whoever can be sure that it still has a name, or is held.
 */
void node_know(struct node *node);
/*
 * Has the kernel the number, or somebody a handle?  Then it lives on without a name,
 * as a file on any other file system does.  node->mutex held.
 */
bool node_is_held(const struct node *node);

/* A new object with the next number, pinned, not yet in any directory. */
enum err node_new(struct store *store, uint32_t mode, uint64_t rdev, uint32_t uid, uint32_t gid,
		  struct node **node) MUST_CHECK;

/*
 * Something of the node changed: it gets the operation clock's time and goes
 * to the dirty list.  Called with node->mutex held.
 */
void node_changed(struct store *store, struct node *node);
/*
 * The same for what belongs to the namespace: names, link count, attributes.
 * The next transaction has it, and all such changes before it (I21).
 */
void node_names_changed(struct store *store, struct node *node);
/* Takes it off the dirty list (its changes are in a transaction); mutex held. */
void node_clean(struct store *store, struct node *node);
/*
 * The dirty list as it is now, each node pinned: the caller puts them and frees
 * the list.  Linear, where asking for one after another would be quadratic.
 * ERR_NO_MEMORY.
 */
enum err node_list_dirty(struct store *store, struct node ***list, size_t *count) MUST_CHECK;

/* Set the name it is known by; mutex held.  ERR_NO_MEMORY. */
enum err node_set_name(struct node *node, const struct object_id *parent,
		       const char *name) MUST_CHECK;
void node_forget_name(struct node *node);

/* Mutex held (or nothing runs: locked). */
void node_attr(const struct node *node, struct store_attr *attr);
/* The same, and the number of names alone, for whoever does not hold it. */
void node_attr_now(struct node *node, struct store_attr *attr);
uint32_t node_links_now(struct node *node);

/* Calls `each` for every node of the table; the shard is locked meanwhile. */
typedef void node_each(void *ctx, struct node *node);
void node_walk(struct store *store, node_each *each, void *ctx);
/* Frees all nodes, referenced or not: at store_close. */
void node_free_all(struct store *store);

#endif

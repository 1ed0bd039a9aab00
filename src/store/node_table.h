/*
 * One shard of the table of nodes: chained hashing by number.
 *
 * A volume may have a node for each of its files in memory, so this is small:
 * a pointer in the node and 8 to 16 bytes of buckets.  Numbers are counted up,
 * so their lower part spreads them evenly.  The table only grows; without
 * memory for a larger one chains get longer.
 *
 * The shard's mutex is held by the caller (init and clear: nobody else has it).
 */
#ifndef PHIFS_STORE_NODE_TABLE_H
#define PHIFS_STORE_NODE_TABLE_H

#include "store/volume.h"

void node_table_init(struct table_shard *shard);
/* Of an empty table. */
void node_table_clear(struct table_shard *shard);

/* NULL: not there. */
struct node *node_table_find(const struct table_shard *shard, uint64_t number);
/* The number may not be there already. */
void node_table_add(struct table_shard *shard, struct node *node);
/* It must be there. */
void node_table_remove(struct table_shard *shard, struct node *node);
/*
 * All of them, in no order: the one behind `node`, the first behind NULL, NULL
 * at the end.  Nothing may be added meanwhile; what was passed may be removed.
 */
struct node *node_table_next(const struct table_shard *shard, const struct node *node);

#endif

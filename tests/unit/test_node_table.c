/* The table of nodes: all that was added is found, walked once, and gone when removed. */
#include "unit.h"

#include <stdlib.h>

#include "store/node_table.h"

#define NODES 10000u /* of one shard */

static struct node *nodes;
static struct table_shard shard;

static void fill(void)
{
	nodes = calloc(NODES, sizeof(*nodes));
	ck_assert_ptr_nonnull(nodes);
	node_table_init(&shard);
	for (uint32_t i = 0; i < NODES; i++) {
		nodes[i].number = 7 + (uint64_t)i * TABLE_SHARDS;
		node_table_add(&shard, &nodes[i]);
	}
}

static void empty(void)
{
	node_table_clear(&shard);
	free(nodes);
}

/* The opens are the walk's count. */
static uint32_t walk(void)
{
	uint32_t count = 0;

	for (struct node *node = NULL; (node = node_table_next(&shard, node)) != NULL; count++)
		node->opens++;
	return count;
}

START_TEST(test_find_and_walk)
{
	fill();
	for (uint32_t i = 0; i < NODES; i++)
		ck_assert_ptr_eq(node_table_find(&shard, nodes[i].number), &nodes[i]);
	ck_assert_ptr_null(node_table_find(&shard, 7 + (uint64_t)NODES * TABLE_SHARDS));
	ck_assert_uint_eq(walk(), NODES);
	for (uint32_t i = 0; i < NODES; i++)
		ck_assert_uint_eq(nodes[i].opens, 1);
	empty();
}
END_TEST

START_TEST(test_remove)
{
	fill();
	for (uint32_t i = 0; i < NODES; i += 2)
		node_table_remove(&shard, &nodes[i]);
	for (uint32_t i = 0; i < NODES; i++)
		ck_assert_ptr_eq(node_table_find(&shard, nodes[i].number),
				 i % 2 == 0 ? NULL : &nodes[i]);
	ck_assert_uint_eq(walk(), NODES / 2);
	/* As store_close does: each is removed when the next is known. */
	for (struct node *node = node_table_next(&shard, NULL), *next; node != NULL; node = next) {
		next = node_table_next(&shard, node);
		node_table_remove(&shard, node);
	}
	ck_assert_uint_eq(walk(), 0);
	ck_assert_uint_eq(shard.count, 0);
	empty();
}
END_TEST

START_TEST(test_clear_leaves_an_empty_table)
{
	fill();
	empty();
	ck_assert_ptr_null(node_table_find(&shard, 7));
	ck_assert_ptr_null(node_table_next(&shard, NULL));
}
END_TEST

/* BENCHMARKS.md: what a file that the kernel remembers costs. */
START_TEST(test_bound_of_memory)
{
	fill();
	ck_assert_uint_le(sizeof(struct node), 400);
	ck_assert_uint_le(shard.capacity, 2 * NODES);
	empty();
}
END_TEST

UNIT_MAIN("node_table", test_find_and_walk, test_remove, test_clear_leaves_an_empty_table,
	  test_bound_of_memory)

#include "store/node_table.h"

#include <stdlib.h>
#include <string.h>

static size_t bucket_of(const struct table_shard *shard, uint64_t number)
{
	return number / TABLE_SHARDS & (shard->capacity - 1);
}

void node_table_init(struct table_shard *shard)
{
	memset(shard->smallest, 0, sizeof(shard->smallest));
	shard->buckets = shard->smallest;
	shard->capacity = TABLE_SMALLEST;
	shard->count = 0;
}

void node_table_clear(struct table_shard *shard)
{
	if (shard->buckets != shard->smallest)
		free(shard->buckets);
	node_table_init(shard);
}

struct node *node_table_find(const struct table_shard *shard, uint64_t number)
{
	struct node *node = shard->buckets[bucket_of(shard, number)];

	while (node != NULL && node->number != number)
		node = node->table_next;
	return node;
}

static void put_first(struct table_shard *shard, struct node *node)
{
	struct node **bucket = &shard->buckets[bucket_of(shard, node->number)];

	node->table_next = *bucket;
	*bucket = node;
}

static void grow(struct table_shard *shard)
{
	struct node **old = shard->buckets;
	size_t old_capacity = shard->capacity;
	struct node **buckets = calloc(2 * old_capacity, sizeof(struct node *));

	if (buckets == NULL)
		return;
	shard->buckets = buckets;
	shard->capacity = 2 * old_capacity;
	for (size_t i = 0; i < old_capacity; i++) {
		for (struct node *node = old[i], *next; node != NULL; node = next) {
			next = node->table_next;
			put_first(shard, node);
		}
	}
	if (old != shard->smallest)
		free(old);
}

void node_table_add(struct table_shard *shard, struct node *node)
{
	if (shard->count >= shard->capacity)
		grow(shard);
	put_first(shard, node);
	shard->count++;
}

void node_table_remove(struct table_shard *shard, struct node *node)
{
	struct node **at = &shard->buckets[bucket_of(shard, node->number)];

	while (*at != node)
		at = &(*at)->table_next;
	*at = node->table_next;
	shard->count--;
}

struct node *node_table_next(const struct table_shard *shard, const struct node *node)
{
	size_t i = 0;

	if (node != NULL) {
		if (node->table_next != NULL)
			return node->table_next;
		i = bucket_of(shard, node->number) + 1;
	}
	while (i < shard->capacity && shard->buckets[i] == NULL)
		i++;
	return i < shard->capacity ? shard->buckets[i] : NULL;
}

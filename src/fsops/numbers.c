#include "fsops/numbers.h"

#include <pthread.h>
#include <stdlib.h>
#include <uthash.h>

#define SHARDS 64

struct entry {
	uint64_t number;
	UT_hash_handle hh;
};

struct shard {
	pthread_mutex_t mutex;
	struct entry *table;
};

struct numbers {
	struct shard shards[SHARDS];
};

enum err numbers_new(struct numbers **numbers)
{
	struct numbers *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < SHARDS; i++)
		pthread_mutex_init(&n->shards[i].mutex, NULL);
	*numbers = n;
	return ERR_OK;
}

enum err numbers_add(struct numbers *numbers, uint64_t number)
{
	struct shard *shard = &numbers->shards[number % SHARDS];
	struct entry *entry;
	enum err err = ERR_OK;

	pthread_mutex_lock(&shard->mutex);
	HASH_FIND(hh, shard->table, &number, sizeof(number), entry);
	if (entry == NULL) {
		entry = malloc(sizeof(*entry));
		if (entry == NULL) {
			err = ERR_NO_MEMORY;
		} else {
			entry->number = number;
			HASH_ADD(hh, shard->table, number, sizeof(entry->number), entry);
		}
	}
	pthread_mutex_unlock(&shard->mutex);
	return err;
}

bool numbers_has(struct numbers *numbers, uint64_t number)
{
	struct shard *shard = &numbers->shards[number % SHARDS];
	struct entry *entry;

	pthread_mutex_lock(&shard->mutex);
	HASH_FIND(hh, shard->table, &number, sizeof(number), entry);
	pthread_mutex_unlock(&shard->mutex);
	return entry != NULL;
}

void numbers_each(struct numbers *numbers, void (*each)(void *ctx, uint64_t number), void *ctx)
{
	for (size_t i = 0; i < SHARDS; i++) {
		struct shard *shard = &numbers->shards[i];

		pthread_mutex_lock(&shard->mutex);
		for (struct entry *entry = shard->table; entry != NULL; entry = entry->hh.next)
			each(ctx, entry->number);
		pthread_mutex_unlock(&shard->mutex);
	}
}

static void take_shard(struct shard *shard, void (*each)(void *ctx, uint64_t number), void *ctx)
{
	struct entry *table, *entry, *next;

	pthread_mutex_lock(&shard->mutex);
	table = shard->table;
	shard->table = NULL;
	pthread_mutex_unlock(&shard->mutex);
	HASH_ITER(hh, table, entry, next) {
		HASH_DEL(table, entry);
		each(ctx, entry->number);
		free(entry);
	}
}

void numbers_take(struct numbers *numbers, void (*each)(void *ctx, uint64_t number), void *ctx)
{
	for (size_t i = 0; i < SHARDS; i++)
		take_shard(&numbers->shards[i], each, ctx);
}

static void drop(void *ctx, uint64_t number)
{
	(void)ctx;
	(void)number;
}

void numbers_free(struct numbers *numbers)
{
	if (numbers == NULL)
		return;
	numbers_take(numbers, drop, NULL);
	for (size_t i = 0; i < SHARDS; i++)
		pthread_mutex_destroy(&numbers->shards[i].mutex);
	free(numbers);
}

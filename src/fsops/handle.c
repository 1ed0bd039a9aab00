#include <stdlib.h>

#include "fsops/handle_table.h"

#define CHUNK_BITS  10
#define CHUNK_SIZE  (1u << CHUNK_BITS)
#define CHUNK_COUNT (HANDLES_MAX / CHUNK_SIZE)
#define SHARDS      1024

struct shard {
	pthread_mutex_t mutex;
	struct handle *first;
};

/* Slots come in chunks that are never moved or freed: a look needs no lock. */
struct handle_table {
	pthread_mutex_t mutex;        /* slots: free list, new chunks */
	uint32_t *free_slots;
	uint32_t free_count, slot_count;
	_Atomic uint64_t serial;
	_Atomic uint64_t open;
	struct handle *_Atomic *_Atomic chunks[CHUNK_COUNT];
	struct shard shards[SHARDS];
};

/* --- what the operations see -------------------------------------------------------- */

uint64_t handle_number(const struct handle *handle)
{
	return handle->number;
}

uint64_t handle_node(const struct handle *handle)
{
	return handle->node;
}

int handle_flags(const struct handle *handle)
{
	return handle->flags;
}

bool handle_has_mmap(const struct handle *handle)
{
	return handle->has_mmap;
}

void handle_set_cached(struct handle *handle)
{
	handle->is_cached = true;
}

bool handle_is_cached(const struct handle *handle)
{
	return handle->is_cached;
}

/* --- the table ---------------------------------------------------------------------- */

enum err handle_table_new(struct handle_table **table)
{
	struct handle_table *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return ERR_NO_MEMORY;
	pthread_mutex_init(&t->mutex, NULL);
	for (size_t i = 0; i < SHARDS; i++)
		pthread_mutex_init(&t->shards[i].mutex, NULL);
	*table = t;
	return ERR_OK;
}

static struct handle *_Atomic *slot_of(struct handle_table *table, uint64_t number)
{
	uint32_t slot = (uint32_t)(number & (HANDLES_MAX - 1));
	struct handle *_Atomic *chunk = atomic_load(&table->chunks[slot >> CHUNK_BITS]);

	return chunk == NULL ? NULL : &chunk[slot & (CHUNK_SIZE - 1)];
}

void handle_table_free(struct handle_table *table)
{
	if (table == NULL)
		return;
	for (uint32_t i = 0; i < table->slot_count; i++) {
		struct handle *handle = atomic_load(slot_of(table, i));

		if (handle != NULL)
			handle_free(table, handle);
	}
	for (size_t i = 0; i < CHUNK_COUNT; i++)
		free((void *)atomic_load(&table->chunks[i]));
	for (size_t i = 0; i < SHARDS; i++)
		pthread_mutex_destroy(&table->shards[i].mutex);
	pthread_mutex_destroy(&table->mutex);
	free(table->free_slots);
	free(table);
}

/* With the table's lock: CHUNK_SIZE more slots. */
static enum err grow(struct handle_table *table)
{
	struct handle *_Atomic *chunk;
	uint32_t *free_slots;

	if (table->slot_count == HANDLES_MAX)
		return ERR_FULL;
	free_slots = realloc(table->free_slots,
			     (table->slot_count + CHUNK_SIZE) * sizeof(*free_slots));
	if (free_slots == NULL)
		return ERR_NO_MEMORY;
	table->free_slots = free_slots;
	chunk = calloc(CHUNK_SIZE, sizeof(*chunk));
	if (chunk == NULL)
		return ERR_NO_MEMORY;
	atomic_store(&table->chunks[table->slot_count >> CHUNK_BITS], chunk);
	for (uint32_t i = CHUNK_SIZE; i > 0; i--)
		table->free_slots[table->free_count++] = table->slot_count + i - 1;
	table->slot_count += CHUNK_SIZE;
	return ERR_OK;
}

static enum err take_slot(struct handle_table *table, uint32_t *slot)
{
	enum err err = ERR_OK;

	pthread_mutex_lock(&table->mutex);
	if (table->free_count == 0)
		err = grow(table);
	if (err == ERR_OK)
		*slot = table->free_slots[--table->free_count];
	pthread_mutex_unlock(&table->mutex);
	return err;
}

static uint64_t number_of(struct handle_table *table, uint64_t slot)
{
	return (atomic_fetch_add(&table->serial, 1) + 1) << HANDLE_SLOT_BITS | slot;
}

enum err handle_new(struct handle_table *table, struct handle **handle)
{
	struct handle *h = calloc(1, sizeof(*h));
	uint32_t slot;
	enum err err = h == NULL ? ERR_NO_MEMORY : take_slot(table, &slot);

	if (err != ERR_OK) {
		free(h);
		return err;
	}
	pthread_mutex_init(&h->mutex, NULL);
	h->number = number_of(table, slot);
	atomic_init(&h->summary_reads.from, UINT64_MAX);
	atomic_init(&h->summary_writes.from, UINT64_MAX);
	atomic_store(slot_of(table, h->number), h);
	atomic_fetch_add(&table->open, 1);
	*handle = h;
	return ERR_OK;
}

static struct shard *shard_of(struct handle_table *table, uint64_t node)
{
	return &table->shards[node % SHARDS];
}

void handle_list(struct handle_table *table, struct handle *handle, uint64_t node)
{
	struct shard *shard = shard_of(table, node);

	handle->node = node;
	pthread_mutex_lock(&shard->mutex);
	handle->next = shard->first;
	handle->back = &shard->first;
	if (handle->next != NULL)
		handle->next->back = &handle->next;
	shard->first = handle;
	handle->is_listed = true;
	pthread_mutex_unlock(&shard->mutex);
}

static void unlist(struct handle_table *table, struct handle *handle)
{
	struct shard *shard = shard_of(table, handle->node);

	if (!handle->is_listed)
		return;
	pthread_mutex_lock(&shard->mutex);
	*handle->back = handle->next;
	if (handle->next != NULL)
		handle->next->back = handle->back;
	pthread_mutex_unlock(&shard->mutex);
}

void handle_user_clear(struct handle_user *user)
{
	caller_put(user->caller);
	scope_put(user->scope);
	*user = (struct handle_user){0};
}

void handle_free(struct handle_table *table, struct handle *handle)
{
	uint32_t slot = (uint32_t)(handle->number & (HANDLES_MAX - 1));

	unlist(table, handle);
	atomic_store(slot_of(table, handle->number), NULL);
	handle_user_clear(&handle->opener);
	for (size_t i = 0; i < HANDLE_OTHERS_MAX; i++)
		handle_user_clear(&handle->others[i]);
	pthread_mutex_destroy(&handle->mutex);
	free(handle);
	pthread_mutex_lock(&table->mutex);
	table->free_slots[table->free_count++] = slot;
	pthread_mutex_unlock(&table->mutex);
	atomic_fetch_sub(&table->open, 1);
}

struct handle *handle_find(struct handle_table *table, uint64_t number)
{
	struct handle *_Atomic *slot = slot_of(table, number);
	struct handle *handle = slot == NULL ? NULL : atomic_load(slot);

	return handle != NULL && handle->number == number ? handle : NULL;
}

uint64_t handle_table_count(struct handle_table *table)
{
	return atomic_load(&table->open);
}

/* --- walks -------------------------------------------------------------------------- */

void handle_walk_node(struct handle_table *table, uint64_t node, handle_each *each, void *ctx)
{
	struct shard *shard = shard_of(table, node);

	pthread_mutex_lock(&shard->mutex);
	for (struct handle *handle = shard->first; handle != NULL; handle = handle->next)
		if (handle->node == node && !each(ctx, handle))
			break;
	pthread_mutex_unlock(&shard->mutex);
}

void handle_walk(struct handle_table *table, handle_each *each, void *ctx)
{
	for (size_t i = 0; i < SHARDS; i++) {
		struct shard *shard = &table->shards[i];
		bool goes_on = true;

		pthread_mutex_lock(&shard->mutex);
		for (struct handle *handle = shard->first; handle != NULL && goes_on;
		     handle = handle->next)
			goes_on = each(ctx, handle);
		pthread_mutex_unlock(&shard->mutex);
		if (!goes_on)
			return;
	}
}

/* --- counts ------------------------------------------------------------------------- */

static void lower(_Atomic uint64_t *value, uint64_t to)
{
	uint64_t now = atomic_load_explicit(value, memory_order_relaxed);

	while (to < now && !atomic_compare_exchange_weak(value, &now, to))
		;
}

static void raise_to(_Atomic uint64_t *value, uint64_t to)
{
	uint64_t now = atomic_load_explicit(value, memory_order_relaxed);

	while (to > now && !atomic_compare_exchange_weak(value, &now, to))
		;
}

void handle_count_add(struct handle_count *count, uint64_t offset, uint64_t bytes)
{
	lower(&count->from, offset);
	raise_to(&count->to, offset + bytes);
	atomic_fetch_add_explicit(&count->bytes, bytes, memory_order_relaxed);
	atomic_fetch_add(&count->requests, 1);
}

bool handle_count_take(struct handle_count *count, uint64_t *requests, uint64_t *bytes,
		       uint64_t *from, uint64_t *to)
{
	*requests = atomic_exchange(&count->requests, 0);
	if (*requests == 0)
		return false;
	*bytes = atomic_exchange(&count->bytes, 0);
	*from = atomic_exchange(&count->from, UINT64_MAX);
	*to = atomic_exchange(&count->to, 0);
	if (*from > *to)
		*from = *to;
	return true;
}

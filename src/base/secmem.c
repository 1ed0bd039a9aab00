#include "base/secmem.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static atomic_bool all_locked = true;

enum err secmem_init(void)
{
	const struct rlimit no_core = {0, 0};

	if (sodium_init() < 0)
		return ERR_SYSTEM;
	if (setrlimit(RLIMIT_CORE, &no_core) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return ERR_SYSTEM;
	return ERR_OK;
}

void *secmem_alloc(size_t size)
{
	void *mem = sodium_malloc(size);

	if (mem == NULL)
		return NULL;
	/* sodium_malloc ignores a failing mlock: ask again to know. */
	if (sodium_mlock(mem, size) != 0)
		atomic_store(&all_locked, false);
	sodium_memzero(mem, size);
	return mem;
}

void secmem_free(void *mem)
{
	sodium_free(mem);
}

void secmem_wipe(void *mem, size_t size)
{
	sodium_memzero(mem, size);
}

__attribute__((noinline)) void secmem_wipe_stack(void)
{
	uint8_t below[SECMEM_STACK_LEN];

	secmem_wipe(below, sizeof(below));
}

bool secmem_equal(const void *a, const void *b, size_t size)
{
	return sodium_memcmp(a, b, size) == 0;
}

bool secmem_is_locked(void)
{
	return atomic_load(&all_locked);
}

struct chunk {
	struct chunk *next;
	uint8_t *slots; /* slots_per_chunk * slot_size bytes, mmap'd */
};

/* The head of an unused slot. */
struct free_slot {
	struct free_slot *next;
	bool is_marked; /* while slab_wipe_all runs; false else */
};

struct slab {
	pthread_mutex_t mutex; /* protects all below */
	size_t slot_size;
	size_t slots_per_chunk;
	size_t max_slots;
	size_t total;
	size_t used;
	struct chunk *chunks;
	struct free_slot *free;
};

enum err slab_new(size_t slot_size, size_t slots_per_chunk, size_t max_slots, struct slab **slab)
{
	struct slab *new_slab = calloc(1, sizeof(*new_slab));

	if (new_slab == NULL)
		return ERR_NO_MEMORY;
	pthread_mutex_init(&new_slab->mutex, NULL);
	/* Slots start on 16 bytes, and hold the free list's link while unused. */
	new_slab->slot_size = (slot_size + 15) & ~(size_t)15;
	new_slab->slots_per_chunk = slots_per_chunk;
	new_slab->max_slots = max_slots;
	*slab = new_slab;
	return ERR_OK;
}

static size_t chunk_size(const struct slab *slab)
{
	return slab->slot_size * slab->slots_per_chunk;
}

/* Called with the mutex held. */
static bool slab_grow(struct slab *slab)
{
	struct chunk *chunk;

	if (slab->max_slots != 0 && slab->total + slab->slots_per_chunk > slab->max_slots)
		return false;
	chunk = malloc(sizeof(*chunk));
	if (chunk == NULL)
		return false;
	chunk->slots = mmap(NULL, chunk_size(slab), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (chunk->slots == MAP_FAILED) {
		free(chunk);
		return false;
	}
	if (mlock(chunk->slots, chunk_size(slab)) < 0)
		atomic_store(&all_locked, false);
	(void)madvise(chunk->slots, chunk_size(slab), MADV_DONTDUMP);
	for (size_t i = 0; i < slab->slots_per_chunk; i++) {
		struct free_slot *slot = (void *)(chunk->slots + i * slab->slot_size);

		slot->next = slab->free;
		slab->free = slot;
	}
	chunk->next = slab->chunks;
	slab->chunks = chunk;
	slab->total += slab->slots_per_chunk;
	return true;
}

void *slab_get(struct slab *slab)
{
	struct free_slot *slot = NULL;

	pthread_mutex_lock(&slab->mutex);
	if (slab->free != NULL || slab_grow(slab)) {
		slot = slab->free;
		slab->free = slot->next;
		slab->used++;
	}
	pthread_mutex_unlock(&slab->mutex);
	return slot;
}

void slab_put(struct slab *slab, void *slot)
{
	struct free_slot *freed = slot;

	if (slot == NULL)
		return;
	secmem_wipe(slot, slab->slot_size);
	pthread_mutex_lock(&slab->mutex);
	freed->next = slab->free;
	slab->free = freed;
	slab->used--;
	pthread_mutex_unlock(&slab->mutex);
}

/* Everything but the links; wiped slots are not marked. */
static void wipe_behind_links(struct slab *slab, struct chunk *chunk)
{
	const size_t link = offsetof(struct free_slot, is_marked);

	for (size_t i = 0; i < slab->slots_per_chunk; i++)
		secmem_wipe(chunk->slots + i * slab->slot_size + link, slab->slot_size - link);
}

/* The first bytes of used slots, where free ones have their link. */
static void wipe_unmarked(struct slab *slab, struct chunk *chunk)
{
	for (size_t i = 0; i < slab->slots_per_chunk; i++) {
		struct free_slot *slot = (void *)(chunk->slots + i * slab->slot_size);

		if (!slot->is_marked)
			secmem_wipe(slot, sizeof(*slot));
		slot->is_marked = false;
	}
}

/* A used slot keeps its place; its owner sees zeroes. */
void slab_wipe_all(struct slab *slab)
{
	pthread_mutex_lock(&slab->mutex);
	for (struct chunk *chunk = slab->chunks; chunk != NULL; chunk = chunk->next)
		wipe_behind_links(slab, chunk);
	for (struct free_slot *slot = slab->free; slot != NULL; slot = slot->next)
		slot->is_marked = true;
	for (struct chunk *chunk = slab->chunks; chunk != NULL; chunk = chunk->next)
		wipe_unmarked(slab, chunk);
	pthread_mutex_unlock(&slab->mutex);
}

size_t slab_used(struct slab *slab)
{
	size_t used;

	pthread_mutex_lock(&slab->mutex);
	used = slab->used;
	pthread_mutex_unlock(&slab->mutex);
	return used;
}

void slab_free(struct slab *slab)
{
	if (slab == NULL)
		return;
	while (slab->chunks != NULL) {
		struct chunk *chunk = slab->chunks;

		slab->chunks = chunk->next;
		secmem_wipe(chunk->slots, chunk_size(slab));
		munmap(chunk->slots, chunk_size(slab));
		free(chunk);
	}
	pthread_mutex_destroy(&slab->mutex);
	free(slab);
}

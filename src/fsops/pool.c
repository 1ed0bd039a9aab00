/* Guards: a few hundred, found by bits; a WRITE is answered on another thread. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "fsops/guard_private.h"

#define WORDS      8
#define WORD_BITS  64
#define GUARDS_POOLED (WORDS * WORD_BITS)

struct word {
	_Alignas(64) _Atomic uint64_t used; /* a cache line each: workers begin at different ones */
};

struct guard_pool {
	struct word words[WORDS];
	_Atomic unsigned int next_start;
	struct guard guards[GUARDS_POOLED];
};

enum err guard_pool_new(struct guard_pool **pool)
{
	struct guard_pool *p = aligned_alloc(64, (sizeof(*p) + 63) / 64 * 64);

	if (p == NULL)
		return ERR_NO_MEMORY;
	memset(p, 0, sizeof(*p));
	*pool = p;
	return ERR_OK;
}

void guard_pool_free(struct guard_pool *pool)
{
	free(pool);
}

/* A free bit of the word, now taken; -1: none. */
static int take_bit(struct word *word)
{
	uint64_t used = atomic_load_explicit(&word->used, memory_order_relaxed);

	while (used != UINT64_MAX) {
		int bit = __builtin_ctzll(~used);

		if (atomic_compare_exchange_weak(&word->used, &used, used | UINT64_C(1) << bit))
			return bit;
	}
	return -1;
}

static unsigned int start_of_thread(struct guard_pool *pool)
{
	static _Thread_local unsigned int start; /* 0: not chosen yet */

	if (start == 0)
		start = atomic_fetch_add(&pool->next_start, 1) % WORDS + 1;
	return start - 1;
}

struct guard *guard_pool_get(struct guard_pool *pool)
{
	unsigned int start = start_of_thread(pool);
	struct guard *guard;

	for (unsigned int i = 0; i < WORDS; i++) {
		unsigned int word = (start + i) % WORDS;
		int bit = take_bit(&pool->words[word]);

		if (bit < 0)
			continue;
		guard = &pool->guards[word * WORD_BITS + (unsigned int)bit];
		memset(guard, 0, sizeof(*guard));
		guard->slot = (int)(word * WORD_BITS) + bit;
		return guard;
	}
	guard = calloc(1, sizeof(*guard));
	if (guard != NULL)
		guard->slot = -1;
	return guard;
}

void guard_pool_put(struct guard_pool *pool, struct guard *guard)
{
	unsigned int slot = (unsigned int)guard->slot;

	if (guard->slot < 0)
		free(guard);
	else
		atomic_fetch_and(&pool->words[slot / WORD_BITS].used,
				 ~(UINT64_C(1) << (slot % WORD_BITS)));
}

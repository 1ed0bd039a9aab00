/*
 * Memory for secrets: locked, left out of core files, wiped when freed.
 *
 * sodium_malloc() costs about 20 us and four mappings a call and fails after
 * some 16,000 live allocations, so nothing here allocates per file: a few
 * guarded regions (struct secret) hold keys and key tables, and slabs hand out
 * equal slots inside one region.
 *
 * Locks: secret_* are not locked; a slab has its own mutex.
 */
#ifndef PHIFS_BASE_SECMEM_H
#define PHIFS_BASE_SECMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Call once before anything else of this file: initialises libsodium, forbids
 * core files and ptrace by other users (PR_SET_DUMPABLE 0, RLIMIT_CORE 0).
 */
enum err secmem_init(void) MUST_CHECK;

/*
 * Allocate `size` zeroed bytes in guarded, locked memory.  A failed mlock is
 * not an error (RLIMIT_MEMLOCK may be small) but secmem_is_locked() tells.
 * Returns NULL when memory or mappings are exhausted.
 */
void *secmem_alloc(size_t size);

/* Wipe and free; NULL is harmless. */
void secmem_free(void *mem);

/* Wipe without freeing; the compiler cannot remove it. */
void secmem_wipe(void *mem, size_t size);

/*
 * Wipe SECMEM_STACK_LEN bytes of this thread's stack below the caller: what
 * returned functions and signal frames (with all vector registers) left there.
 */
#define SECMEM_STACK_LEN (128u << 10)
void secmem_wipe_stack(void);

/* Compare in constant time. */
bool secmem_equal(const void *a, const void *b, size_t size);

/* True if every secmem_alloc so far was really locked into memory. */
bool secmem_is_locked(void);

/* Equal slots inside locked, undumped chunks. */
struct slab;

/*
 * A slab of slots of `slot_size` bytes; grows in chunks of `slots_per_chunk`
 * up to `max_slots` (0: no limit).
 */
enum err slab_new(size_t slot_size, size_t slots_per_chunk, size_t max_slots,
		  struct slab **slab) MUST_CHECK;

/* A slot (contents undefined), or NULL when the limit or memory is exhausted. */
void *slab_get(struct slab *slab);

/* Wipe the slot and give it back; NULL is harmless. */
void slab_put(struct slab *slab, void *slot);

/* Wipe every slot, used or not, without freeing: for the lock. */
void slab_wipe_all(struct slab *slab);

/* Slots in use. */
size_t slab_used(struct slab *slab);

/* Wipe and free; NULL is harmless. */
void slab_free(struct slab *slab);

#endif

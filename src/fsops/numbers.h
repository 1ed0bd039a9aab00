/*
 * Nodes with something in the kernel's page cache: which the lock has to
 * invalidate.  A set of numbers, in shards; grows with what is read through the
 * page cache, emptied by numbers_take.  Thread-safe.
 */
#ifndef PHIFS_FSOPS_NUMBERS_H
#define PHIFS_FSOPS_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct numbers;

enum err numbers_new(struct numbers **numbers) MUST_CHECK;
void numbers_free(struct numbers *numbers);
enum err numbers_add(struct numbers *numbers, uint64_t number) MUST_CHECK;
bool numbers_has(struct numbers *numbers, uint64_t number);
/* Each number, with a shard's lock held: must not call this set. */
void numbers_each(struct numbers *numbers, void (*each)(void *ctx, uint64_t number), void *ctx);
/* Each number once, without a lock; the set is empty then. */
void numbers_take(struct numbers *numbers, void (*each)(void *ctx, uint64_t number), void *ctx);

#endif

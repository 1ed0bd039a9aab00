/*
 * A map from block to extent: what differs from an object's applied tree.
 *
 * Kept in groups of 128 blocks (one tree leaf), sorted.  A snapshot shares the
 * groups; a group is copied when it is changed while shared, so taking a cut
 * of a large file costs one pointer for each 512 KiB touched.
 *
 * Not locked: the node's mutex protects the live overlay, and a snapshot
 * belongs to one thread at a time.  Group and extent counts are atomic.
 */
#ifndef PHIFS_STORE_OVERLAY_H
#define PHIFS_STORE_OVERLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/extent.h"

struct overlay_group;

struct overlay {
	struct overlay_group **groups; /* by rising leaf number */
	size_t count, room;
};

void overlay_init(struct overlay *overlay);
void overlay_clear(struct overlay *overlay);
bool overlay_is_empty(const struct overlay *overlay);

/* The extent that has `block`, or NULL.  Borrowed. */
struct extent *overlay_find(const struct overlay *overlay, uint64_t block);

/* The first block at or behind `block` that has an extent; UINT64_MAX: none. */
uint64_t overlay_next(const struct overlay *overlay, uint64_t block);

/*
 * Put `extent` in place of whatever its blocks had.  Takes no reference over:
 * the caller keeps his.  ERR_NO_MEMORY leaves the overlay unchanged in
 * meaning (some of its blocks may have been set already: call again or drop).
 */
enum err overlay_set(struct overlay *overlay, struct extent *extent) MUST_CHECK;

/* Make room so that overlay_set of these blocks cannot fail. */
enum err overlay_reserve(struct overlay *overlay, uint64_t first, uint64_t count) MUST_CHECK;

/* Forget every block at or behind `block`. */
enum err overlay_drop_from(struct overlay *overlay, uint64_t block) MUST_CHECK;

/* `copy` (cleared) becomes a snapshot. */
enum err overlay_snapshot(const struct overlay *overlay, struct overlay *copy) MUST_CHECK;

/*
 * Forget every block whose extent is the same as in `applied`: the disk has it now.
 */
void overlay_forget(struct overlay *overlay, const struct overlay *applied);

/* Calls `each` for every block in rising order; stops at the first error. */
typedef enum err overlay_each(void *ctx, uint64_t block, struct extent *extent);
enum err overlay_walk(const struct overlay *overlay, overlay_each *each, void *ctx) MUST_CHECK;

#endif

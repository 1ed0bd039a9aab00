/*
 * The kill-proof tail of the journal: a ring of entries in a preallocated,
 * mapped file on tmpfs.  Appending is a copy into memory that no disk can
 * delay and that outlives the process; after a kill the next one reads what
 * was not yet drained.
 *
 * One appender at a time (the trail's append mutex), one drainer.  An entry is
 * there when `head` was stored behind it, so a killed append leaves nothing.
 */
#ifndef PHIFS_AUDIT_RING_H
#define PHIFS_AUDIT_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/segment.h"
#include "base/err.h"

#define RING_SIZE      (16u << 20)
/* Kept free for seals and segment headers, so that they always fit. */
#define RING_RESERVE   (256u << 10)

enum ring_kind { RING_PAD = 1, RING_RECORD, RING_HEADER };

struct ring_entry {
	enum ring_kind kind;
	uint32_t len;
	const uint8_t *data;    /* in the ring; valid until ring_release passes it */
	uint64_t next;          /* position behind the entry */
};

struct ring;

enum ring_found {
	RING_NEW,       /* there was none of this journal */
	RING_DRAINED,   /* of an earlier process, with nothing left in it */
	RING_OLD        /* holds entries that are not yet in a segment */
};

/*
 * Map the ring at `path`, made if it is missing.  ERR_BUSY: another process
 * has it.
 */
enum err ring_open(const char *path, const uint8_t journal_id[AUDIT_ID_LEN], struct ring **ring,
		   enum ring_found *found) MUST_CHECK;
/* Unmap; with `remove` also unlink (after a clean stop). */
void ring_close(struct ring *ring, bool remove);

/* Forget all entries. */
void ring_reset(struct ring *ring);

/* ERR_FULL if it does not fit; only `is_reserved` entries may use the reserve. */
enum err ring_put(struct ring *ring, enum ring_kind kind, const void *data, size_t len,
		  bool is_reserved) MUST_CHECK;

/* Where the next entry will begin, and where draining stands. */
uint64_t ring_head(const struct ring *ring);
uint64_t ring_drained(const struct ring *ring);

/* The entry at `position` (< head).  ERR_FORMAT if it cannot be one: an edited ring. */
enum err ring_get(const struct ring *ring, uint64_t position, struct ring_entry *entry) MUST_CHECK;

/* Everything before `position` is in the segment: its space may be used again. */
void ring_release(struct ring *ring, uint64_t position);

#endif

/*
 * Which numbers have been seen: for telling messages that came twice and those
 * that did not come at all.  Records arrive nearly in order, so that few ranges
 * are ever kept.  Not locked.
 */
#ifndef PHIFS_AUDIT_RANGES_H
#define PHIFS_AUDIT_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define RANGES_MAX 65536 /* of one set: what a hostile file may make us keep */

struct range {
	uint64_t first, last;
};

struct ranges {
	struct range *list;     /* ascending, neither overlapping nor adjacent */
	size_t count, room;
};

/* Adds [first, last].  ERR_EXISTS: all of it was there; ERR_FULL, ERR_NO_MEMORY. */
enum err ranges_add(struct ranges *ranges, uint64_t first, uint64_t last) MUST_CHECK;
/* Is any number of [first, last] there? */
bool ranges_touch(const struct ranges *ranges, uint64_t first, uint64_t last);
void ranges_clear(struct ranges *ranges);

#endif

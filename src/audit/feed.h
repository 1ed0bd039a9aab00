/*
 * From the journal to messages: reads the segment files from a position on
 * with the keys that the daemon still has, and renders.  The forwarder's own;
 * not locked.
 */
#ifndef PHIFS_AUDIT_FEED_H
#define PHIFS_AUDIT_FEED_H

#include <stddef.h>

#include "audit/trail.h"

struct feed;

enum err feed_new(struct audit *audit, struct feed **feed) MUST_CHECK;
void feed_free(struct feed *feed);

/* Go on at `position`. */
void feed_seek(struct feed *feed, const struct position *position);
/* What was rendered last ends here. */
const struct position *feed_position(const struct feed *feed);

/*
 * Render records before `end` (segment and offset count) into `out`, as many
 * whole lines as fit into `size`; `*len` is 0 when there are none.
 */
enum err feed_read(struct feed *feed, const struct position *end, char *out, size_t size,
		   size_t *len) MUST_CHECK;

#endif

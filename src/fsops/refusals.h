/*
 * Refusals: the last REFUSALS_KEPT for `phifsctl why`, and which of them get a
 * record of their own.  The first of a person, object and rule in a second is
 * recorded and flushed; the others of that second are counted and written as
 * one record when it is over, so that a program in a loop cannot fill the disk
 * with its refusals.  A locked volume records the first refusal since the lock
 * and then one count a minute.
 *
 * Thread-safe; one lock: refusals are rare or a nuisance.
 */
#ifndef PHIFS_FSOPS_REFUSALS_H
#define PHIFS_FSOPS_REFUSALS_H

#include <stdbool.h>
#include <stdint.h>

#include "fsops/fsops.h"

#define REFUSALS_KEPT    256
#define REFUSALS_COUNTED 256 /* different ones in a second; more: each its own record */

struct refusals;

enum err refusals_new(struct audit *audit, struct refusals **refusals) MUST_CHECK;
void refusals_free(struct refusals *refusals);

/*
 * Note a refusal: `event` is what its record would say (DENY, or LOCKED).
 * True: the caller writes and flushes it; false: it was counted.
 */
bool refusals_note(struct refusals *refusals, const struct audit_event *event, const char *cause);
/* The volume answered as unlocked: the next LOCKED is a first one.  Cheap if nothing changed. */
void refusals_unlocked(struct refusals *refusals);
/* Once a second, with the time of clock_boot_ns(). */
void refusals_tick(struct refusals *refusals, int64_t now);
/* Write every count that is not written yet, and forget its path: the lock, the end. */
void refusals_flush(struct refusals *refusals);

uint64_t refusals_total(const struct refusals *refusals);
uint64_t refusals_across_classes(const struct refusals *refusals);
void refusals_each(struct refusals *refusals, uid_t uid, fsops_each_refusal *each, void *ctx);

#endif

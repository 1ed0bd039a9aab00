/*
 * Threads that help with the pieces of somebody's work, so that one large
 * request is encrypted on several cores.
 *
 * Who has work does it himself; helpers that are free take pieces meanwhile.
 * So nobody ever waits for a helper that is busy elsewhere, and with none, or
 * on a machine whose cores are all taken, the work is done as if there was no
 * crew.  Thread-safe.
 */
#ifndef PHIFS_BASE_CREW_H
#define PHIFS_BASE_CREW_H

#include "base/err.h"

struct crew;

#define CREW_HELPERS_MAX 3u /* a request of 1 MiB has four pieces */

/* As many helpers as there are further cores, at most CREW_HELPERS_MAX. */
unsigned int crew_helpers_for_machine(void);

/* `helpers` may be 0.  ERR_NO_MEMORY: no memory or no thread. */
enum err crew_new(unsigned int helpers, struct crew **crew) MUST_CHECK;
/* Nobody is in crew_run any more.  NULL is harmless. */
void crew_free(struct crew *crew);

/* Piece number `piece` of the work; on any thread, several at a time. */
typedef void crew_piece(void *ctx, unsigned int piece);

/*
 * Calls `each` once for every piece from 0 to `pieces` - 1, in no order, and
 * returns when all calls have returned.  Waits for nothing else.
 */
void crew_run(struct crew *crew, unsigned int pieces, crew_piece *each, void *ctx);

#endif

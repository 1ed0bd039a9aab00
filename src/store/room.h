/*
 * The brake: no more waits in memory than one transaction can carry.
 *
 * Writers over the dirty limit are parked (committer_wait_memory), but what
 * they wrote is in memory already, and a crowd of them, of creators, or one
 * stream that is faster than its flushes, would fill a transaction beyond the
 * journal's half.  So a call that changes something first takes room here, and
 * sleeps while there is none; commits go on meanwhile.  What is changed stays
 * loaded, with its backing file open, until it is applied: of those there are
 * at most half as many as the process may open files.
 *
 * Called without locks, and never on the store's own threads: they make the
 * room that others wait for.
 */
#ifndef PHIFS_STORE_ROOM_H
#define PHIFS_STORE_ROOM_H

#include "store/volume.h"

/*
 * Take room for `len` bytes of new data of `content` (NULL: a change of names
 * or attributes, len 0).  ERR_FROZEN: there will be none.
 */
enum err room_take(struct store *store, struct content *content, size_t len) MUST_CHECK;
/* The data is in memory, and counted there. */
void room_give(struct store *store, size_t len);

#endif

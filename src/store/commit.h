/*
 * From dirty memory to the journal: gather (what goes in), seal (bytes).
 * Called by the committer only.
 */
#ifndef PHIFS_STORE_COMMIT_H
#define PHIFS_STORE_COMMIT_H

#include "store/part.h"

/*
 * Take a consistent picture of what is dirty into `txn` (R1, I21): all of the
 * namespace, every node that somebody waits for, and others while there is
 * room, or (`everything`) as far as they are ready.
 */
enum err gather(struct store *store, struct txn *txn, bool everything) MUST_CHECK;

/*
 * Encrypt a gathered transaction, bring the trees to its state and write its
 * records.  An object whose tree cannot be read is reported and left out.
 */
enum err seal(struct store *store, struct txn *txn) MUST_CHECK;

#endif

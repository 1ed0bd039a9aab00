/* Every kind of attack (kinds.def), and what kinds of the ledger share. */
#ifndef PHIFS_TESTS_ATTACK_KINDS_H
#define PHIFS_TESTS_ATTACK_KINDS_H

#include "attack.h"

#define KIND(function, name, flags, weight, known) attack_kind function;
#include "kinds.def"
#undef KIND

/* A transaction that must be there is not: the journal ends before the anchor. */
void expect_broken_chain(struct attack *attack, const struct txn_place *txn);

/* A directory of another time: objects of any age may be met, and what else is told. */
void expect_another_time(struct attack *attack, uint32_t refusals, uint32_t check_findings);

/* SQL on the image's ledger; false: it cannot be done. */
bool edit_ledger(struct attack *attack, const char *sql);
/* A copy of a moment's ledger that an edit can attach. */
void attach_ledger(struct attack *attack, const struct moment *moment, char *path, size_t size);
/* A copy of the image's own, with all that is in its log. */
void copy_ledger(struct attack *attack, const char *path);
/* The image's objects become a moment's, in place. */
void put_moments_objects(struct attack *attack, const struct moment *moment);
/* The image's ledger becomes a moment's. */
void put_moments_ledger(struct attack *attack, const struct moment *moment);
/* One row of it; false: the moment has none. */
bool take_row(struct attack *attack, const struct moment *moment, uint64_t number);

#endif

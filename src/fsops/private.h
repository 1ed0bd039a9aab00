/* What the files of this directory share: one mounted volume's requests. */
#ifndef PHIFS_FSOPS_PRIVATE_H
#define PHIFS_FSOPS_PRIVATE_H

#include <pthread.h>

#include "fsops/caller.h"
#include "fsops/fsops.h"
#include "fsops/guard.h"
#include "fsops/handle_table.h"
#include "fsops/numbers.h"
#include "fsops/place.h"
#include "fsops/refusals.h"
#include "fsops/reply.h"
#include "fsops/scope.h"

struct guard_pool;

struct fsops {
	struct fsops_config config;
	struct store *store;               /* = config.store, for brevity */
	const struct reply_table *reply;   /* reply_libfuse, or a test's */
	struct scopes *scopes;
	struct callers *callers;
	struct places *places;
	struct handle_table *handles;
	struct refusals *refusals;
	struct numbers *filled;            /* nodes with pages in the kernel's cache */
	struct guard_pool *pool;
	_Atomic uint64_t reads, writes, writebacks;
	/* The last record could not be written: classes with audit = summary refuse, too. */
	_Atomic bool is_audit_failing;
	/* The ticker: counts and summaries when their time has come. */
	struct periodic *ticker;
	unsigned int ticks; /* the ticker's own: seconds it runs */
	_Atomic int64_t ends_seen; /* roles whose `until` is older are known to have ended; seconds */
};

/*
 * Somebody may have a shared mapping of the node with changes that have not come
 * as a WRITE yet: it had pages in the kernel's cache, and is open for writing.
 */
bool fsops_may_be_mapped(struct fsops *fsops, uint64_t number);

/* ticker.c */
enum err ticker_start(struct fsops *fsops) MUST_CHECK;
void ticker_stop(struct fsops *fsops);
/* What the ticker does each second; each minute, too, if `is_minute`. */
void ticker_work(struct fsops *fsops, bool is_minute);

#endif

/* What the files of this directory share: one mounted volume's requests. */
#ifndef PHIFS_FSOPS_PRIVATE_H
#define PHIFS_FSOPS_PRIVATE_H

#include "fsops/fsops.h"
#include "fsops/guard.h"
#include "fsops/caller.h"
#include "fsops/place.h"
#include "fsops/reply.h"
#include "fsops/scope.h"

struct fsops {
	struct fsops_config config;
	struct store *store;               /* = config.store, for brevity */
	const struct reply_table *reply;   /* reply_libfuse, or a test's */
};

#endif

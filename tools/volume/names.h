/* Paths of an open store, for tools: from a path to its node and back. */
#ifndef PHIFS_TOOLS_VOLUME_NAMES_H
#define PHIFS_TOOLS_VOLUME_NAMES_H

#include "store/store.h"

/* The node of an absolute path inside the volume; empty components are skipped. */
enum err names_walk(struct store *store, const char *path, struct store_attr *attr) MUST_CHECK;

#define NAMES_MAX 1024 /* of one file; more hard links are not listed */

struct names {
	size_t count;
	char *path[NAMES_MAX];
};

/* All paths of a node.  ERR_STALE: it has none.  names_clear after ERR_OK. */
enum err names_of(struct store *store, uint64_t number, struct names *names) MUST_CHECK;
void names_clear(struct names *names);

#endif

/* The paths of a node of an open store, for tools. */
#ifndef PHIFS_TOOLS_VOLUME_NAMES_H
#define PHIFS_TOOLS_VOLUME_NAMES_H

#include "store/store.h"

struct names {
	size_t count;
	char *path[STORE_PATHS_MAX];
};

/* All paths of a node.  ERR_STALE: it has none.  names_clear after ERR_OK. */
enum err names_of(struct store *store, uint64_t number, struct names *names) MUST_CHECK;
void names_clear(struct names *names);

/* An object whose own header cannot tell its name: found by looking for it. */
struct names_wanted {
	uint64_t number;
	char *path; /* malloc'd; NULL: in no directory that can be read */
};
/*
 * One walk through all directories; `wanted` rises by number, with paths NULL.
 * Directories that cannot be read are left out.
 */
enum err names_search(struct store *store, struct names_wanted *wanted, size_t count) MUST_CHECK;

#endif

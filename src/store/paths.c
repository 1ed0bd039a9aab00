/* From a path to its node and back, for who asks rarely: "locate" and the check. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secmem.h"
#include "store/store.h"

/* The reference that the lookup took is given back: the caller only wants to know. */
static enum err step(struct store *store, const char *name, struct store_attr *attr)
{
	enum err err = store_lookup(store, attr->number, name, attr);

	if (err == ERR_OK)
		store_forget(store, attr->number, 1);
	return err;
}

enum err store_find_path(struct store *store, const char *path, struct store_attr *attr)
{
	enum err err = store_getattr(store, STORE_ROOT, attr);

	while (err == ERR_OK && *(path += strspn(path, "/")) != '\0') {
		char name[STORE_NAME_MAX + 1];
		size_t len = strcspn(path, "/");

		if (len > STORE_NAME_MAX)
			return ERR_NAME_LENGTH;
		memcpy(name, path, len);
		name[len] = '\0';
		err = step(store, name, attr);
		path += len;
	}
	return err;
}

/* The store must not be called while it hands out names: they are kept, then resolved. */
struct links {
	size_t count;
	struct {
		uint64_t dir;
		char name[STORE_NAME_MAX + 1];
	} link[STORE_PATHS_MAX];
};

static void keep(void *ctx, uint64_t dir, const char *name)
{
	struct links *links = ctx;

	if (links->count == STORE_PATHS_MAX)
		return;
	links->link[links->count].dir = dir;
	snprintf(links->link[links->count].name, STORE_NAME_MAX + 1, "%s", name);
	links->count++;
}

static enum err tell(struct store *store, uint64_t dir, const char *name, store_each_path *each,
		     void *ctx)
{
	char path[STORE_PATH_MAX], whole[STORE_PATH_MAX];
	enum err err = store_path(store, dir, path, sizeof(path));

	if (err != ERR_OK)
		return err;
	if (snprintf(whole, sizeof(whole), "%s/%s", strcmp(path, "/") == 0 ? "" : path, name) >=
	    (int)sizeof(whole))
		return ERR_NAME_LENGTH;
	return each(ctx, whole);
}

enum err store_paths(struct store *store, uint64_t number, store_each_path *each, void *ctx)
{
	struct store_attr attr;
	struct links *links;
	enum err err;

	if (number == STORE_ROOT)
		return each(ctx, "/");
	err = store_getattr(store, number, &attr);
	if (err != ERR_OK || attr.object.nlink == 0)
		return err != ERR_OK ? err : ERR_STALE;
	links = calloc(1, sizeof(*links));
	if (links == NULL)
		return ERR_NO_MEMORY;
	err = store_names(store, number, keep, links);
	for (size_t i = 0; i < links->count && err == ERR_OK; i++)
		err = tell(store, links->link[i].dir, links->link[i].name, each, ctx);
	secmem_wipe(links, sizeof(*links));
	free(links);
	return err;
}

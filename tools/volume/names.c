#include "tools/volume/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum err names_walk(struct store *store, const char *path, struct store_attr *attr)
{
	enum err err = store_getattr(store, STORE_ROOT, attr);

	while (err == ERR_OK && *(path += strspn(path, "/")) != '\0') {
		char name[STORE_NAME_MAX + 1];
		size_t len = strcspn(path, "/");

		if (len > STORE_NAME_MAX)
			return ERR_NAME_LENGTH;
		memcpy(name, path, len);
		name[len] = '\0';
		err = store_lookup(store, attr->number, name, attr);
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
	} link[NAMES_MAX];
};

static void keep(void *ctx, uint64_t dir, const char *name)
{
	struct links *links = ctx;

	if (links->count == NAMES_MAX)
		return;
	links->link[links->count].dir = dir;
	snprintf(links->link[links->count].name, STORE_NAME_MAX + 1, "%s", name);
	links->count++;
}

static enum err resolve(struct store *store, const struct links *links, struct names *names)
{
	char dir[STORE_PATH_MAX];
	enum err err = ERR_OK;

	for (size_t i = 0; i < links->count && err == ERR_OK; i++) {
		err = store_path(store, links->link[i].dir, dir, sizeof(dir));
		if (err == ERR_OK && asprintf(&names->path[names->count], "%s/%s",
					      strcmp(dir, "/") == 0 ? "" : dir,
					      links->link[i].name) < 0)
			err = ERR_NO_MEMORY;
		if (err == ERR_OK)
			names->count++;
	}
	return err;
}

enum err names_of(struct store *store, uint64_t number, struct names *names)
{
	struct links *links = calloc(1, sizeof(*links));
	enum err err = links == NULL ? ERR_NO_MEMORY : ERR_OK;

	names->count = 0;
	if (err == ERR_OK && number == STORE_ROOT) {
		names->path[0] = strdup("/");
		names->count = names->path[0] != NULL ? 1 : 0;
		err = names->count == 0 ? ERR_NO_MEMORY : ERR_OK;
	} else if (err == ERR_OK) {
		err = store_names(store, number, keep, links);
		if (err == ERR_OK)
			err = resolve(store, links, names);
	}
	free(links);
	if (err != ERR_OK)
		names_clear(names);
	return err;
}

void names_clear(struct names *names)
{
	while (names->count > 0)
		free(names->path[--names->count]);
}

#include "tools/volume/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"

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

/* --- looking for it --------------------------------------------------------------------- */

/* Directories still to be read: a stack, which is never deeper than the volume is wide. */
struct search {
	struct names_wanted *wanted;
	size_t wanted_count;
	struct names_wanted *dirs;
	size_t count, room;
	const char *path; /* of the directory being read */
	enum err err;
};

static int by_number(const void *a, const void *b)
{
	uint64_t x = ((const struct names_wanted *)a)->number;
	uint64_t y = ((const struct names_wanted *)b)->number;

	return x < y ? -1 : x > y;
}

static enum err push(struct search *search, uint64_t number, char *path)
{
	if (search->count == search->room) {
		size_t room = search->room == 0 ? 64 : 2 * search->room;
		struct names_wanted *dirs = reallocarray(search->dirs, room, sizeof(*dirs));

		if (dirs == NULL)
			return ERR_NO_MEMORY;
		search->dirs = dirs;
		search->room = room;
	}
	search->dirs[search->count++] = (struct names_wanted){number, path};
	return ERR_OK;
}

static bool take_entry(void *ctx, const struct store_dirent *entry, const struct store_attr *attr)
{
	struct search *search = ctx;
	struct names_wanted key = {.number = entry->number}, *found;
	char *path = NULL;

	(void)attr;
	found = bsearch(&key, search->wanted, search->wanted_count, sizeof(key), by_number);
	if (!S_ISDIR(entry->type) && (found == NULL || found->path != NULL))
		return true;
	if (asprintf(&path, "%s/%s", search->path, entry->name) < 0) {
		search->err = ERR_NO_MEMORY;
		return false;
	}
	if (found != NULL && found->path == NULL && (found->path = strdup(path)) == NULL)
		search->err = ERR_NO_MEMORY;
	if (search->err == ERR_OK && S_ISDIR(entry->type))
		search->err = push(search, entry->number, path);
	if (search->err != ERR_OK || !S_ISDIR(entry->type))
		free(path);
	return search->err == ERR_OK;
}

enum err names_search(struct store *store, struct names_wanted *wanted, size_t count)
{
	struct search search = {.wanted = wanted, .wanted_count = count};
	char *path = strdup("");

	search.err = path == NULL ? ERR_NO_MEMORY : push(&search, STORE_ROOT, path);
	if (search.err != ERR_OK)
		free(path);
	while (search.err == ERR_OK && search.count > 0) {
		struct names_wanted dir = search.dirs[--search.count];

		search.path = dir.path;
		if (store_readdir(store, dir.number, 0, false, take_entry, &search) != ERR_OK)
			log_debug("a directory cannot be read");
		free(dir.path);
	}
	while (search.count > 0)
		free(search.dirs[--search.count].path);
	free(search.dirs);
	return search.err;
}

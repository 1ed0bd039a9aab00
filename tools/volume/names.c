#include "tools/volume/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"

static enum err keep(void *ctx, const char *path)
{
	struct names *names = ctx;
	char *copy = strdup(path);

	if (copy == NULL)
		return ERR_NO_MEMORY;
	names->path[names->count++] = copy;
	return ERR_OK;
}

enum err names_of(struct store *store, uint64_t number, struct names *names)
{
	enum err err;

	names->count = 0;
	err = store_paths(store, number, keep, names);
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

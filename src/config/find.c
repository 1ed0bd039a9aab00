/* Which file a NAME means. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "config/config.h"

#define LIST_MAX 512 /* bytes of the names listed in a message */

bool config_is_name(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t len = strlen(name);

	return len > 0 && len <= CONFIG_NAME_MAX && name[0] != '.' && name[0] != '-' &&
	       strspn(name, letters) == len;
}

static enum err join(const char *directory, const char *name, const char *suffix, char **file)
{
	char *path;

	if (asprintf(&path, "%s/%s%s", directory, name, suffix) < 0)
		return ERR_NO_MEMORY;
	*file = path;
	return ERR_OK;
}

/*
 * A path from the command line; it may be relative to where the caller is.  Its
 * directory is made plain, without "." and "..": defaults are built on it.
 */
static enum err from_path(const char *path, char **file)
{
	const char *slash = strrchr(path, '/');
	char directory[PATH_MAX], real[PATH_MAX];

	if (path[0] == '/') {
		*file = strdup(path);
		return *file == NULL ? ERR_NO_MEMORY : ERR_OK;
	}
	if (snprintf(directory, sizeof(directory), "%.*s", slash == NULL ? 1 : (int)(slash - path),
		     slash == NULL ? "." : path) >= (int)sizeof(directory)) {
		log_error("%.64s...: name too long", path);
		return ERR_NAME_LENGTH;
	}
	if (realpath(directory, real) == NULL) {
		log_error("%s: %s", directory, strerror(errno));
		return err_from_errno(errno);
	}
	return join(real, slash == NULL ? path : slash + 1, "", file);
}

/* NAME of an entry NAME.conf, or false. */
static bool volume_of_entry(const char *entry, char name[CONFIG_NAME_MAX + 1])
{
	size_t len = strlen(entry);

	if (len <= 5 || len - 5 > CONFIG_NAME_MAX || strcmp(entry + len - 5, ".conf") != 0)
		return false;
	memcpy(name, entry, len - 5);
	name[len - 5] = '\0';
	return config_is_name(name);
}

struct listing {
	size_t count;
	char first[CONFIG_NAME_MAX + 1];
	char names[LIST_MAX];
	size_t len;
};

static void add_name(struct listing *list, const char *name)
{
	if (list->count++ == 0)
		strcpy(list->first, name);
	if (list->len + strlen(name) + 6 < sizeof(list->names))
		list->len += (size_t)sprintf(list->names + list->len, "%s%s",
					     list->len == 0 ? "" : ", ", name);
	else if (list->len + 6 < sizeof(list->names) && list->names[list->len - 1] != '.')
		list->len += (size_t)sprintf(list->names + list->len, ", ...");
}

static enum err list_volumes(const char *directory, struct listing *list)
{
	char name[CONFIG_NAME_MAX + 1];
	struct dirent *entry;
	DIR *dir = opendir(directory);

	if (dir == NULL && errno == ENOENT)
		return ERR_OK;
	if (dir == NULL) {
		log_error("cannot read %s: %s", directory, strerror(errno));
		return ERR_CONFIG;
	}
	while ((entry = readdir(dir)) != NULL)
		if (volume_of_entry(entry->d_name, name))
			add_name(list, name);
	closedir(dir);
	return ERR_OK;
}

static enum err only_one(const char *directory, char **file)
{
	struct listing list = {0};
	enum err err = list_volumes(directory, &list);

	if (err != ERR_OK)
		return err;
	if (list.count == 1)
		return join(directory, list.first, ".conf", file);
	if (list.count == 0) {
		log_error("no volume is configured in %s", directory);
		log_hint("make one with: phifs-volume init NAME; or give --config FILE");
	} else {
		log_error("several volumes are configured: %s", list.names);
		log_hint("give the name of one, for example: %s", list.first);
	}
	return ERR_CONFIG;
}

void config_say_missing(const char *directory, const char *name)
{
	struct listing list = {0};

	if (name == NULL || strchr(name, '/') != NULL) {
		log_hint("a volume and its configuration are made by: phifs-volume init --help");
		return;
	}
	if (list_volumes(directory, &list) == ERR_OK && list.count > 0)
		log_hint("the volumes of this host: %s", list.names);
	else
		log_hint("make it with: phifs-volume init %s --ciphertext DIR --mountpoint DIR "
			 "--auditor-key PUB --auditor-key PUB", name);
}

enum err config_find(const char *directory, const char *name, char **file)
{
	if (name == NULL)
		return only_one(directory, file);
	if (strchr(name, '/') != NULL)
		return from_path(name, file);
	if (config_is_name(name))
		return join(directory, name, ".conf", file);
	log_error("'%s' cannot be the name of a volume", name);
	log_hint("a name has letters, digits, '.', '_' and '-'; a file is given as --config FILE");
	return ERR_USAGE;
}

/* Names of ciphertext files, as people type them. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "tools/volume/tool.h"

#define DIGITS_MIN 4
#define SHARDS     256
#define PATH_LEN   4500

static size_t digits_of(const char *text)
{
	size_t len = 0;

	while (isxdigit((unsigned char)text[len]) && !isupper((unsigned char)text[len]))
		len++;
	return text[len] == '\0' ? len : 0;
}

/* What stands behind "objects/9c/" or "objects/new/". */
static const char *last_part(const char *text)
{
	const char *objects = strstr(text, "objects/");
	const char *slash = strrchr(text, '/');

	if (slash == NULL)
		return text;
	return objects != NULL && (objects == text || objects[-1] == '/') ? slash + 1 : "";
}

bool object_is_word(const char *text)
{
	size_t len = digits_of(last_part(text));

	return len >= DIGITS_MIN && len <= OBJECT_DIGITS;
}

struct search {
	const char *digits;
	size_t len;
	size_t count;
	char found[OBJECT_DIGITS + 1];
};

static void search_directory(struct search *search, const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (digits_of(entry->d_name) != OBJECT_DIGITS ||
		    strncmp(entry->d_name, search->digits, search->len) != 0)
			continue;
		search->count++;
		memcpy(search->found, entry->d_name, OBJECT_DIGITS + 1);
	}
	if (dir != NULL)
		closedir(dir);
}

static void search_all(struct search *search, const char *ciphertext)
{
	char path[PATH_LEN];

	for (unsigned int i = 0; i < SHARDS; i++) {
		snprintf(path, sizeof(path), "%s/objects/%02x", ciphertext, i);
		search_directory(search, path);
	}
	snprintf(path, sizeof(path), "%s/objects/new", ciphertext);
	search_directory(search, path);
}

enum err object_complete(const char *ciphertext, const char *text, struct object_id *id)
{
	struct search search = {.digits = last_part(text)};

	search.len = strlen(search.digits);
	if (search.len == OBJECT_DIGITS)
		memcpy(search.found, search.digits, OBJECT_DIGITS + 1);
	else
		search_all(&search, ciphertext);
	if (search.len < OBJECT_DIGITS && search.count == 0) {
		cli_fail(ERR_NOT_FOUND, "no ciphertext file begins with %s", search.digits);
		log_hint("a path inside the volume begins with a slash: /%s", search.digits);
		return ERR_NOT_FOUND;
	}
	if (search.count > 1)
		return cli_fail(ERR_USAGE, "%zu ciphertext files begin with %s: give more digits",
				search.count, search.digits);
	return hex_decode(search.found, id->bytes, sizeof(id->bytes)) ? ERR_OK : ERR_INVALID;
}

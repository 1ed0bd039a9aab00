/* tests/posix/differences.list: its first lines say what it looks like. */
#include "suite.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS   6
#define REQUIRED 5

struct entry {
	struct entry *next;
	char *fields[FIELDS];
	int line;
	bool is_seen;
};

struct difference_list {
	struct entry *first;
};

enum { CASE, STEP, PLAIN, MOUNT, REASON, CHANCE };
static const char *const field_names[FIELDS] = {"case", "step", "plain", "mount", "reason", "chance"};

static bool add_field(struct entry *entry, const char *path, int line, const char *text)
{
	for (int i = 0; i < FIELDS; i++) {
		size_t len = strlen(field_names[i]);

		if (strncmp(text, field_names[i], len) != 0 || text[len] != ':')
			continue;
		if (entry->fields[i])
			break;
		len += 1 + (text[len + 1] == ' ');
		entry->fields[i] = strdup(text + len);
		return true;
	}
	fprintf(stderr, "%s:%d: not a field, or there already: %s\n", path, line, text);
	return false;
}

static bool is_whole(const struct entry *entry, const char *path)
{
	for (int i = 0; i < REQUIRED; i++)
		if (!entry->fields[i]) {
			fprintf(stderr, "%s:%d: no '%s'\n", path, entry->line, field_names[i]);
			return false;
		}
	return true;
}

static void entry_free(struct entry *entry)
{
	for (int i = 0; entry && i < FIELDS; i++)
		free(entry->fields[i]);
	free(entry);
}

/* The current entry goes to the list. */
static bool end_entry(struct difference_list *list, struct entry **entry, const char *path)
{
	if (!*entry)
		return true;
	if (!is_whole(*entry, path))
		return false;
	(*entry)->next = list->first;
	list->first = *entry;
	*entry = NULL;
	return true;
}

static bool read_line(struct difference_list *list, struct entry **entry, const char *path, int line,
		      char *text)
{
	text[strcspn(text, "\n")] = '\0';
	if (text[0] == '#')
		return true;
	if (text[0] == '\0')
		return end_entry(list, entry, path);
	if (!*entry) {
		*entry = calloc(1, sizeof(**entry));
		if (!*entry)
			abort();
		(*entry)->line = line;
	}
	return add_field(*entry, path, line, text);
}

bool list_read(struct difference_list **list, const char *path)
{
	char text[1024];
	struct entry *entry = NULL;
	bool is_good = true;
	FILE *file = fopen(path, "r");

	if (!*list)
		*list = calloc(1, sizeof(**list));
	if (!file || !*list) {
		perror(path);
		return false;
	}
	for (int line = 1; is_good && fgets(text, sizeof(text), file); line++)
		is_good = read_line(*list, &entry, path, line, text);
	is_good = is_good && end_entry(*list, &entry, path);
	entry_free(entry);
	fclose(file);
	return is_good;
}

bool list_has(struct difference_list *list, const char *case_name, const char *text,
	      const char *plain, const char *mount)
{
	for (struct entry *entry = list ? list->first : NULL; entry; entry = entry->next)
		if (strcmp(entry->fields[CASE], case_name) == 0 &&
		    fnmatch(entry->fields[STEP], text, FNM_NOESCAPE) == 0 &&
		    fnmatch(entry->fields[PLAIN], plain, FNM_NOESCAPE) == 0 &&
		    fnmatch(entry->fields[MOUNT], mount, FNM_NOESCAPE) == 0) {
			entry->is_seen = true;
			return true;
		}
	return false;
}

int list_unseen(const struct difference_list *list, const char *case_name)
{
	int count = 0;

	for (const struct entry *entry = list ? list->first : NULL; entry; entry = entry->next)
		if (!entry->is_seen && !entry->fields[CHANCE] && strcmp(entry->fields[CASE], case_name) == 0) {
			printf("# listed, line %d, but it did not happen: %s = %s, on the mount %s\n",
			       entry->line, entry->fields[STEP], entry->fields[PLAIN],
			       entry->fields[MOUNT]);
			count++;
		}
	return count;
}

int list_unknown(const struct difference_list *list, bool (*is_case)(const char *name))
{
	int count = 0;

	for (const struct entry *entry = list ? list->first : NULL; entry; entry = entry->next)
		if (!is_case(entry->fields[CASE])) {
			printf("# listed, line %d: there is no case '%s'\n", entry->line,
			       entry->fields[CASE]);
			count++;
		}
	return count;
}

void list_free(struct difference_list *list)
{
	while (list && list->first) {
		struct entry *entry = list->first;

		list->first = entry->next;
		entry_free(entry);
	}
	free(list);
}

#include "tools/volume/template.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* service_conf, service_policy, people_conf, people_policy: arrays of lines, NULL at the end. */
#include "tools/volume/templates.inc"

#define PLACEHOLDER "ehr" /* the volume's name in the templates */
#define WORD_MAX    64

static const struct {
	const char *kind;
	const char *const *conf, *const *policy;
} templates[] = {
	{"service", service_conf, service_policy},
	{"people", people_conf, people_policy},
};
#define TEMPLATE_COUNT (sizeof(templates) / sizeof(templates[0]))

const char *const template_kinds[] = {"service", "people", NULL};

static size_t find(const char *kind)
{
	size_t i = 0;

	while (i < TEMPLATE_COUNT && strcmp(templates[i].kind, kind) != 0)
		i++;
	return i;
}

/* The line, with each PLACEHOLDER that is a word of its own replaced. */
static void put_line(FILE *out, const char *line, const char *name)
{
	const char *at = line, *found;

	while ((found = strstr(at, PLACEHOLDER)) != NULL) {
		const char *end = found + strlen(PLACEHOLDER);
		bool is_word = !isalnum((unsigned char)*end) &&
			       (found == line || !isalnum((unsigned char)found[-1]));

		fprintf(out, "%.*s%s", (int)(found - at), at, is_word ? name : PLACEHOLDER);
		at = end;
	}
	fprintf(out, "%s\n", at);
}

/* --- values ------------------------------------------------------------------------ */

struct filling {
	FILE *out;
	const char *name;
	const struct template_value *values;
	size_t count;
	uint64_t done; /* a bit for each value that is written */
	char section[WORD_MAX];
};

static bool is_here(const struct filling *filling, size_t i)
{
	return filling->values[i].value != NULL &&
	       strcmp(filling->values[i].section, filling->section) == 0 &&
	       (filling->done & 1u << i) == 0;
}

static void put_value(struct filling *filling, size_t i)
{
	fprintf(filling->out, "%s = %s\n", filling->values[i].key, filling->values[i].value);
	filling->done |= 1u << i;
}

/* What the section has not got a line for. */
static void end_section(struct filling *filling)
{
	for (size_t i = 0; i < filling->count; i++)
		if (is_here(filling, i))
			put_value(filling, i);
}

static bool put_instead(struct filling *filling, const char *line)
{
	for (size_t i = 0; i < filling->count; i++) {
		size_t len = strlen(filling->values[i].key);

		if (is_here(filling, i) && strncmp(line, filling->values[i].key, len) == 0 &&
		    strncmp(line + len, " = ", 3) == 0) {
			put_value(filling, i);
			return true;
		}
	}
	return false;
}

static void fill_line(struct filling *filling, const char *line)
{
	/* The empty line in front of a section belongs to the next one. */
	if (line[0] == '\0')
		end_section(filling);
	if (line[0] == '[')
		snprintf(filling->section, sizeof(filling->section), "%.*s",
			 (int)strcspn(line + 1, "]"), line + 1);
	if (!put_instead(filling, line))
		put_line(filling->out, line, filling->name);
}

/* --- texts --------------------------------------------------------------------------- */

static enum err finish(FILE *out, char **text)
{
	bool failed = ferror(out) != 0;

	if (fclose(out) == 0 && !failed)
		return ERR_OK;
	free(*text);
	return ERR_NO_MEMORY;
}

enum err template_policy(const char *kind, const char *name, char **text, size_t *len)
{
	size_t index = find(kind);
	FILE *out;

	if (index == TEMPLATE_COUNT)
		return ERR_NOT_FOUND;
	if ((out = open_memstream(text, len)) == NULL)
		return ERR_NO_MEMORY;
	for (const char *const *line = templates[index].policy; *line != NULL; line++)
		put_line(out, *line, name);
	return finish(out, text);
}

enum err template_config(const char *kind, const char *name, const struct template_value *values,
			 size_t count, char **text, size_t *len)
{
	struct filling filling = {.name = name, .values = values, .count = count};
	size_t index = find(kind);

	if (index == TEMPLATE_COUNT)
		return ERR_NOT_FOUND;
	if ((filling.out = open_memstream(text, len)) == NULL)
		return ERR_NO_MEMORY;
	for (const char *const *line = templates[index].conf; *line != NULL; line++)
		fill_line(&filling, *line);
	end_section(&filling);
	return finish(filling.out, text);
}

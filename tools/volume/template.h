/*
 * The templates of examples/templates, built into the program, with a volume's
 * own names in them.
 */
#ifndef PHIFS_TOOLS_VOLUME_TEMPLATE_H
#define PHIFS_TOOLS_VOLUME_TEMPLATE_H

#include <stddef.h>

#include "base/err.h"

/* A key of [section] that gets another value, or is put at the section's end. */
struct template_value {
	const char *section;
	const char *key;
	const char *value; /* NULL: as in the template */
};

/* "service", "people"; NULL-terminated. */
extern const char *const template_kinds[];

/*
 * The text of `kind`; every word "ehr" of it becomes `name`.  malloc'd, with a
 * NUL.  ERR_NOT_FOUND: no such kind.
 */
enum err template_policy(const char *kind, const char *name, char **text, size_t *len) MUST_CHECK;
enum err template_config(const char *kind, const char *name, const struct template_value *values,
			 size_t count, char **text, size_t *len) MUST_CHECK;

#endif

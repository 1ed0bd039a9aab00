/* The table of keys (options.def) and their parsers.  Private to src/config. */
#ifndef PHIFS_CONFIG_OPTION_H
#define PHIFS_CONFIG_OPTION_H

#include "config/config.h"

#define OPTION_TEXT_MAX 256

struct option;
/*
 * Puts `value` into `config`.  False: `problem` (of OPTION_TEXT_MAX bytes) says
 * what is wrong, or is empty when memory ran out.
 */
typedef bool option_parse(const struct option *option, const char *value, struct config *config,
			  char *problem);

struct option {
	const char *section;
	const char *key;
	option_parse *parse; /* NULL: the word is of a later version */
	size_t offset;	     /* of the member of struct config */
	const char *initial; /* default; NULL: none, "!": must be given */
	int64_t minimum;
	int64_t maximum;
	const char *help;
};

extern const struct option config_options[];
extern const size_t config_option_count;

/* The member that an option of a text type fills. */
char **config_option_text(const struct option *option, struct config *config);

#endif

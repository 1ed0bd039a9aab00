/*
 * The one INI dialect of phifs: phifs.conf(5) and phifs.policy(5).
 *
 *     # comment            a comment is a line of its own, or follows " ;"
 *     [section]
 *     key = value
 *
 * libinih takes the lines apart; the reader in front of it refuses what libinih
 * would silently cut, join or skip: long lines and words, control characters,
 * indented lines (libinih appends them to the value before), text after a
 * section's bracket, "key: value", keys without a value or a section.
 */
#ifndef PHIFS_CONFIG_INI_H
#define PHIFS_CONFIG_INI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Bytes of a section or key name: libinih keeps 49 and drops the rest. */
#define CONFIG_WORD_MAX 48
/* Bytes of a line without its end; builds of libinih with a larger buffer take more. */
#define CONFIG_LINE_MAX 198

/* A message about a line; line 0 is about the whole file. */
typedef void config_message(void *ctx, bool is_error, int line, const char *text,
			    const char *hint);

/* A section begins (key and value NULL), or a key of the section. */
typedef void config_ini_each(void *ctx, int line, const char *section, const char *key,
			     const char *value);

/*
 * Call `each` for all sections and keys in their order.  Malformed lines are
 * messages, and ERR_CONFIG at the end; the lines after them are still read, so
 * that one run shows all mistakes.
 */
enum err config_ini_parse(const char *text, size_t len, config_ini_each *each, void *each_ctx,
			  config_message *message, void *message_ctx) MUST_CHECK;

#endif

/*
 * One line of a collector's file taken apart: RFC 5424 as phifs sends it and
 * examples/syslog-ng.conf writes it.  Lines come from a file that anybody may
 * have edited.
 */
#ifndef PHIFS_AUDIT_SYSLOG_LINE_H
#define PHIFS_AUDIT_SYSLOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SYSLOG_LINE_MAX   4096 /* MESSAGE_MAX, and what a collector may add */
#define SYSLOG_PARAMS_MAX 64

struct syslog_param {
	const char *name, *value;
};

/* The pointers lead into `text`. */
struct syslog_line {
	char text[SYSLOG_LINE_MAX + 1];
	int64_t wall_ns;
	const char *host, *program, *message_id;
	size_t param_count;
	struct syslog_param params[SYSLOG_PARAMS_MAX]; /* of the record's element, unescaped */
};

/*
 * ERR_NOT_FOUND: a line of something else (no structured data with the
 * parameters v, jid and seq); ERR_FORMAT: one of ours, but malformed or cut.
 */
enum err syslog_line_parse(const char *text, size_t len, struct syslog_line *line) MUST_CHECK;

/* The value of a parameter, or NULL. */
const char *syslog_line_get(const struct syslog_line *line, const char *name);
/* The same as a number; 0 if it is missing, false if it is none. */
bool syslog_line_number(const struct syslog_line *line, const char *name, uint64_t *number);

#endif

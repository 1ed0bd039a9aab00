/*
 * Hostile text -> one line of RFC 5424.  File names, program names and hosts
 * are chosen by anybody; a newline or a bracket in them must not forge a line
 * or break the structure that a collector parses.
 */
#ifndef PHIFS_AUDIT_ESCAPE_H
#define PHIFS_AUDIT_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Percent-encodes control characters, '%', bytes that are not UTF-8, line and
 * paragraph separators, bidirectional controls and the byte order mark, then
 * escapes '"', '\' and ']' (RFC 5424 6.3.3).  Writes at most `size` - 1 bytes
 * and a NUL, cut between characters; returns the length, and through `is_cut`
 * (set, never cleared) whether something is missing.
 */
size_t escape_value(const char *text, char *out, size_t size, bool *is_cut);

/* Undoes the percent-encoding in place. */
void unescape_percent(char *text);

/* Length of the well-formed UTF-8 character at `text`, 0 if there is none. */
size_t utf8_char(const char *text, unsigned *code);

#endif

/*
 * Results on stdout: text, tables, JSON; and the progress line on stderr.
 *
 * What is printed may come from file names or from a socket: output_printable
 * makes it safe for a terminal, tables do so for every cell.
 */
#ifndef PHIFS_TOOLS_CLI_OUTPUT_H
#define PHIFS_TOOLS_CLI_OUTPUT_H

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Prints the object and a newline, and drops the caller's reference. */
void output_json(struct json_object *object);

/*
 * `text` with control characters, DEL, bytes that are not UTF-8 and the
 * bidirectional controls written as \xNN; cut at `size` - 1 bytes.
 */
void output_printable(const char *text, char *out, size_t size);

/* "1.8 TiB", "512 KiB", "17 B"; `out` has at least 16 bytes. */
void output_size(uint64_t bytes, char *out, size_t size);
/* "3 s", "12 min", "5 h", "9 days". */
void output_duration(int64_t ms, char *out, size_t size);
/* Seconds since 1970 as local "2026-11-25 09:14:03"; today: "09:14:03". */
void output_time(int64_t seconds, char *out, size_t size);

#define TABLE_COLUMNS_MAX 12

struct table;
/* `headers` ends with NULL; at most TABLE_COLUMNS_MAX.  NULL: out of memory. */
struct table *table_new(const char *const headers[]);
/* As many cells as headers, copied; NULL is an empty cell.  Failures show at table_print. */
void table_add(struct table *table, const char *const cells[]);
/* Headers and rows with aligned columns; nothing at all if there is no row. */
enum err table_print(const struct table *table) MUST_CHECK;
void table_free(struct table *table);

/* A line "checked 12 of 80 (15 %)" on stderr, from 2 s on, if that is a terminal. */
struct progress;
struct progress *progress_new(const char *verb);
/* `total` 0: not known.  Cheap: draws at most five times a second.  NULL is harmless. */
void progress_update(struct progress *progress, uint64_t done, uint64_t total);
/* Removes the line and frees. */
void progress_end(struct progress *progress);

#endif

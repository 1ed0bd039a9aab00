#include "tools/cli/output.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define CELL_MAX 1024

void output_json(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
							    JSON_C_TO_STRING_SPACED |
							    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

/* --- text that is safe to show ------------------------------------------------ */

/* The length of the well-formed UTF-8 character at `p` (RFC 3629), 0 if there is none. */
static size_t utf8_length(const unsigned char *p, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc2 ? 2 : 0;

	if (len == 0 || p[0] > 0xf4)
		return 0;
	*code = len == 1 ? p[0] : p[0] & (0xffu >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (p[i] & 0x3fu);
	}
	if (*code < least[len] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000))
		return 0;
	return len;
}

static bool is_harmless(uint32_t code)
{
	bool is_control = code < 0x20 || (code >= 0x7f && code < 0xa0) || code == '\\';
	bool is_bidi = code == 0x061c || code == 0x200e || code == 0x200f ||
		       (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);

	return !is_control && !is_bidi;
}

void output_printable(const char *text, char *out, size_t size)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t used = 0;

	while (*p != '\0') {
		uint32_t code = 0;
		size_t len = utf8_length(p, &code);
		size_t bytes = len > 0 ? len : 1;

		if (len > 0 && is_harmless(code)) {
			if (used + len >= size)
				break;
			memcpy(out + used, p, len);
			used += len;
		} else {
			if (used + 4 * bytes >= size)
				break;
			for (size_t i = 0; i < bytes; i++)
				used += (size_t)sprintf(out + used, "\\x%02x", p[i]);
		}
		p += bytes;
	}
	out[used] = '\0';
}

void output_size(uint64_t bytes, char *out, size_t size)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 1024) {
		snprintf(out, size, "%u B", (unsigned int)bytes);
		return;
	}
	while (value >= 1024 && unit < 5) {
		value /= 1024;
		unit++;
	}
	snprintf(out, size, value < 10 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void output_duration(int64_t ms, char *out, size_t size)
{
	int64_t seconds = ms / 1000;

	if (ms < 1000)
		snprintf(out, size, "%lld ms", (long long)ms);
	else if (seconds < 120)
		snprintf(out, size, "%lld s", (long long)seconds);
	else if (seconds < 2 * 3600)
		snprintf(out, size, "%lld min", (long long)seconds / 60);
	else if (seconds < 2 * 86400)
		snprintf(out, size, "%lld h", (long long)seconds / 3600);
	else
		snprintf(out, size, "%lld days", (long long)seconds / 86400);
}

void output_time(int64_t seconds, char *out, size_t size)
{
	time_t when = (time_t)seconds, now = time(NULL);
	struct tm tm_when, tm_now;
	bool is_today;

	localtime_r(&when, &tm_when);
	localtime_r(&now, &tm_now);
	is_today = tm_when.tm_year == tm_now.tm_year && tm_when.tm_yday == tm_now.tm_yday;
	strftime(out, size, is_today ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &tm_when);
}

/* --- tables ---------------------------------------------------------------------- */

struct table {
	size_t columns;
	size_t width[TABLE_COLUMNS_MAX];
	char **cells; /* row after row, the headers first */
	size_t count;
	size_t room;
	bool failed;
};

/* Columns on a terminal: continuation bytes of UTF-8 take none. */
static size_t text_width(const char *text)
{
	size_t width = 0;

	for (; *text != '\0'; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static bool add_cell(struct table *table, size_t column, const char *text)
{
	char safe[CELL_MAX];

	if (table->count == table->room) {
		size_t room = table->room ? 2 * table->room : 64;
		char **cells = reallocarray(table->cells, room, sizeof(*cells));

		if (cells == NULL)
			return false;
		table->cells = cells;
		table->room = room;
	}
	output_printable(text != NULL ? text : "", safe, sizeof(safe));
	if ((table->cells[table->count] = strdup(safe)) == NULL)
		return false;
	table->count++;
	if (text_width(safe) > table->width[column])
		table->width[column] = text_width(safe);
	return true;
}

void table_add(struct table *table, const char *const cells[])
{
	for (size_t i = 0; i < table->columns && !table->failed; i++)
		table->failed = !add_cell(table, i, cells[i]);
}

struct table *table_new(const char *const headers[])
{
	struct table *table = calloc(1, sizeof(*table));

	if (table == NULL)
		return NULL;
	while (table->columns < TABLE_COLUMNS_MAX && headers[table->columns] != NULL)
		table->columns++;
	table_add(table, headers);
	return table;
}

static void print_cell(const char *text, size_t width, bool is_last)
{
	size_t pad = is_last ? 0 : width + 2 - text_width(text);

	printf("%s%*s%s", text, (int)pad, "", is_last ? "\n" : "");
}

enum err table_print(const struct table *table)
{
	if (table == NULL || table->failed)
		return ERR_NO_MEMORY;
	if (table->count == table->columns)
		return ERR_OK;
	for (size_t i = 0; i < table->count; i++) {
		size_t column = i % table->columns;

		print_cell(table->cells[i], table->width[column], column == table->columns - 1);
	}
	return ERR_OK;
}

void table_free(struct table *table)
{
	if (table == NULL)
		return;
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table);
}

/* --- progress ---------------------------------------------------------------------- */

#define PROGRESS_AFTER_NS (2 * NS_PER_SECOND)
#define PROGRESS_EVERY_NS (200 * NS_PER_MS)

struct progress {
	const char *verb;
	int64_t next_ns;
	bool is_shown;
};

struct progress *progress_new(const char *verb)
{
	struct progress *progress = isatty(STDERR_FILENO) ? calloc(1, sizeof(*progress)) : NULL;

	if (progress != NULL) {
		progress->verb = verb;
		progress->next_ns = clock_boot_ns() + PROGRESS_AFTER_NS;
	}
	return progress;
}

void progress_update(struct progress *progress, uint64_t done, uint64_t total)
{
	int64_t now;

	if (progress == NULL || (now = clock_boot_ns()) < progress->next_ns)
		return;
	progress->next_ns = now + PROGRESS_EVERY_NS;
	progress->is_shown = true;
	if (total > 0)
		fprintf(stderr, "\r\033[K%s %llu of %llu (%u %%)", progress->verb,
			(unsigned long long)done, (unsigned long long)total,
			(unsigned int)(100.0 * (double)done / (double)total));
	else
		fprintf(stderr, "\r\033[K%s %llu", progress->verb, (unsigned long long)done);
	fflush(stderr);
}

void progress_end(struct progress *progress)
{
	if (progress != NULL && progress->is_shown)
		fprintf(stderr, "\r\033[K");
	free(progress);
}

#include "config/ini.h"

#include <ini.h>
#include <stdio.h>
#include <string.h>

struct ini {
	const char *next;
	const char *end;
	int line;
	int errors;
	bool has_section;
	char section[CONFIG_WORD_MAX + 1];
	config_ini_each *each;
	void *each_ctx;
	config_message *message;
	void *message_ctx;
};

static void complain(struct ini *ini, const char *text, const char *hint)
{
	ini->errors++;
	if (ini->message != NULL)
		ini->message(ini->message_ctx, true, ini->line, text, hint);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Cut blanks off both ends of [*start, *end). */
static void trim(const char **start, const char **end)
{
	while (*start < *end && is_blank(**start))
		(*start)++;
	while (*end > *start && is_blank((*end)[-1]))
		(*end)--;
}

/* An inline comment is a ';' after a blank: what libinih cuts off. */
static const char *comment_start(const char *start, const char *end)
{
	for (const char *at = start + 1; at < end; at++)
		if (*at == ';' && is_blank(at[-1]))
			return at;
	return end;
}

static bool has_control(const char *start, const char *end)
{
	for (const char *at = start; at < end; at++)
		if (((unsigned char)*at < ' ' && *at != '\t') || *at == 0x7f)
			return true;
	return false;
}

/* "[name]" and nothing else: remembered, and told to the caller. */
static bool take_section(struct ini *ini, const char *start, const char *end)
{
	const char *name = start + 1;
	const char *close = memchr(start, ']', (size_t)(end - start));

	ini->has_section = false;
	if (close == NULL || close + 1 != end) {
		complain(ini, "a section is '[name]', alone on its line", NULL);
		return false;
	}
	trim(&name, &close);
	if (close == name || close - name > CONFIG_WORD_MAX) {
		complain(ini, "a section's name has 1 to 48 bytes", NULL);
		return false;
	}
	memcpy(ini->section, name, (size_t)(close - name));
	ini->section[close - name] = '\0';
	ini->has_section = true;
	ini->each(ini->each_ctx, ini->line, ini->section, NULL, NULL);
	return true;
}

static bool check_key(struct ini *ini, const char *start, const char *end)
{
	const char *equals = start;
	const char *key_end;
	const char *value;

	while (equals < end && *equals != '=' && *equals != ':')
		equals++;
	key_end = equals;
	value = equals + 1;
	trim(&start, &key_end);
	if (equals == end || *equals == ':')
		complain(ini, "neither a [section] nor 'key = value'", NULL);
	else if (key_end == start || key_end - start > CONFIG_WORD_MAX)
		complain(ini, "a key's name has 1 to 48 bytes", NULL);
	else if (!ini->has_section)
		complain(ini, "a key before the first [section]", NULL);
	else {
		trim(&value, &end);
		if (value < end)
			return true;
		complain(ini, "a key without a value", NULL);
	}
	return false;
}

/* True if libinih may see this line. */
static bool check_line(struct ini *ini, const char *start, const char *end)
{
	if (start == end || *start == '#' || *start == ';')
		return false;
	if (has_control(start, end)) {
		complain(ini, "a control character", NULL);
		return false;
	}
	end = comment_start(start, end);
	trim(&start, &end);
	return *start == '[' ? take_section(ini, start, end) : check_key(ini, start, end);
}

/* The next line of the text: ini->next moves behind it. */
static void next_line(struct ini *ini, const char **start, const char **end)
{
	const char *newline = memchr(ini->next, '\n', (size_t)(ini->end - ini->next));

	*start = ini->next;
	*end = newline == NULL ? ini->end : newline;
	ini->next = newline == NULL ? ini->end : newline + 1;
	ini->line++;
	if (*end > *start && (*end)[-1] == '\r')
		(*end)--;
	if (ini->line == 1 && *end - *start >= 3 && memcmp(*start, "\xef\xbb\xbf", 3) == 0)
		*start += 3;
	trim(start, end);
}

/*
 * libinih's fgets: exactly one call for each line, so that ini->line is the
 * line of the handler's call.  A line that libinih must not see becomes empty.
 * Blanks in front are gone, so nothing is ever a continuation.
 */
static char *read_line(char *out, int size, void *stream)
{
	struct ini *ini = stream;
	const char *start, *end;
	size_t len;

	if (ini->next == ini->end || size < 3)
		return NULL;
	next_line(ini, &start, &end);
	len = (size_t)(end - start);
	if (len + 2 > (size_t)size) {
		if (*start != '#' && *start != ';')
			complain(ini, "the line is too long",
				 "members, allow and deny may be given more than once");
		len = 0;
	} else if (!check_line(ini, start, end)) {
		len = 0;
	}
	memcpy(out, start, len);
	memcpy(out + len, "\n", 2);
	return out;
}

static int handle(void *user, const char *section, const char *name, const char *value)
{
	struct ini *ini = user;

	(void)section;
	if (name != NULL && value != NULL)
		ini->each(ini->each_ctx, ini->line, ini->section, name, value);
	return 1;
}

enum err config_ini_parse(const char *text, size_t len, config_ini_each *each, void *each_ctx,
			  config_message *message, void *message_ctx)
{
	struct ini ini = {
		.next = text,
		.end = text + len,
		.each = each,
		.each_ctx = each_ctx,
		.message = message,
		.message_ctx = message_ctx,
	};
	int result = ini_parse_stream(read_line, &ini, handle, &ini);

	if (result == -2)
		return ERR_NO_MEMORY;
	if (result != 0 && ini.errors == 0) {
		ini.line = result > 0 ? result : 0;
		complain(&ini, "not understood", NULL);
	}
	return ini.errors == 0 ? ERR_OK : ERR_CONFIG;
}

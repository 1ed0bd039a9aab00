#include "audit/syslog_line.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit/escape.h"
#include "base/clock.h"

/* Cuts the next word off at its blank; NULL if there is none. */
static char *next_word(char **rest)
{
	char *word = *rest, *end = strchr(word, ' ');

	if (end == NULL || end == word)
		return NULL;
	*end = '\0';
	*rest = end + 1;
	return word;
}

/* "2026-11-25T13:30:46.296881Z", or with an offset "+01:00". */
static bool parse_time(const char *text, int64_t *wall_ns)
{
	struct tm tm = {.tm_isdst = 0};
	int64_t fraction = 0, unit = NS_PER_SECOND, offset = 0;
	unsigned int hours, minutes;
	int64_t seconds;
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

	if (rest == NULL)
		return false;
	if (*rest == '.') {
		for (rest++; *rest >= '0' && *rest <= '9' && unit > 1; rest++) {
			unit /= 10;
			fraction += (*rest - '0') * unit;
		}
	}
	if ((*rest == '+' || *rest == '-') && strlen(rest) == 6 &&
	    sscanf(rest + 1, "%2u:%2u", &hours, &minutes) == 2 && hours < 24 && minutes < 60)
		offset = (*rest == '-' ? -60 : 60) * (int64_t)(hours * 60 + minutes);
	else if (strcmp(rest, "Z") != 0)
		return false;
	/* Nanoseconds are counted to the year 2262. */
	seconds = (int64_t)timegm(&tm) - offset;
	if (seconds < 0 || seconds >= INT64_MAX / NS_PER_SECOND)
		return false;
	*wall_ns = seconds * NS_PER_SECOND + fraction;
	return true;
}

/* A quoted value in place: RFC 5424 6.3.3, then the percent-encoding of escape.h. */
static char *parse_value(char **rest)
{
	char *from = *rest, *start, *to;

	if (*from != '"')
		return NULL;
	start = to = ++from;
	while (*from != '"') {
		if (*from == '\\' && (from[1] == '"' || from[1] == '\\' || from[1] == ']'))
			from++;
		if (*from == '\0')
			return NULL;
		*to++ = *from++;
	}
	*to = '\0';
	*rest = from + 1;
	unescape_percent(start);
	return start;
}

/* The parameters of one element; `*rest` is behind its name and ends behind its ']'. */
static enum err parse_element(char **rest, struct syslog_line *line)
{
	char *at = *rest;

	line->param_count = 0;
	while (*at == ' ') {
		char *name = at + 1, *equals = strchr(name, '=');
		struct syslog_param *param = &line->params[line->param_count];

		/* RFC 5424 6.3.3: what a name may not contain. */
		if (equals == NULL || equals == name || name + strcspn(name, " ]\"") < equals ||
		    line->param_count == SYSLOG_PARAMS_MAX)
			return ERR_FORMAT;
		*equals = '\0';
		at = equals + 1;
		*param = (struct syslog_param){name, parse_value(&at)};
		if (param->value == NULL || syslog_line_get(line, name) != NULL)
			return ERR_FORMAT;
		line->param_count++;
	}
	if (*at != ']')
		return ERR_FORMAT;
	*rest = at + 1;
	return ERR_OK;
}

static bool is_ours(const struct syslog_line *line)
{
	return syslog_line_get(line, "v") != NULL && syslog_line_get(line, "jid") != NULL &&
	       syslog_line_get(line, "seq") != NULL;
}

/* The site chooses the element's name: ours is the one with our parameters. */
static enum err parse_elements(char *at, struct syslog_line *line)
{
	while (*at == '[') {
		enum err err;

		at += 1 + strcspn(at + 1, " ]");
		err = parse_element(&at, line);
		if (err != ERR_OK || is_ours(line))
			return err;
	}
	return ERR_NOT_FOUND;
}

/* What is broken is ours if it says so: a cut line must not pass for another program's. */
static bool looks_like_ours(const char *text, size_t len)
{
	return memmem(text, len, " jid=\"", 6) != NULL;
}

static enum err parse(struct syslog_line *line)
{
	char *rest = line->text, *word = next_word(&rest);
	enum err err;

	/* "<86>1", which some file templates leave out. */
	if (word != NULL && *word == '<')
		word = next_word(&rest);
	if (word == NULL || !parse_time(word, &line->wall_ns))
		return ERR_NOT_FOUND;
	line->host = next_word(&rest);
	line->program = next_word(&rest);
	if (line->host == NULL || line->program == NULL || next_word(&rest) == NULL)
		return ERR_NOT_FOUND;
	line->message_id = next_word(&rest);
	if (line->message_id == NULL)
		return ERR_NOT_FOUND;
	err = parse_elements(rest, line);
	if (err == ERR_OK && strcmp(syslog_line_get(line, "v"), "1") != 0)
		err = ERR_VERSION;
	return err;
}

enum err syslog_line_parse(const char *text, size_t len, struct syslog_line *line)
{
	enum err err = ERR_FORMAT;

	line->param_count = 0;
	if (len <= SYSLOG_LINE_MAX && memchr(text, '\0', len) == NULL) {
		memcpy(line->text, text, len);
		line->text[len] = '\0';
		err = parse(line);
	}
	if (err == ERR_OK || err == ERR_VERSION)
		return err;
	return looks_like_ours(text, len) ? ERR_FORMAT : ERR_NOT_FOUND;
}

const char *syslog_line_get(const struct syslog_line *line, const char *name)
{
	for (size_t i = 0; i < line->param_count; i++) {
		if (strcmp(line->params[i].name, name) == 0)
			return line->params[i].value;
	}
	return NULL;
}

bool syslog_line_number(const struct syslog_line *line, const char *name, uint64_t *number)
{
	const char *text = syslog_line_get(line, name);
	char *end;

	*number = 0;
	if (text == NULL)
		return true;
	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*number = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0';
}

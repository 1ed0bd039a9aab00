#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "tools/audit/tool.h"

/* --- times ------------------------------------------------------------------- */

static int64_t seconds_ns(time_t seconds)
{
	return (int64_t)seconds * NS_PER_SECOND;
}

/* A day, or a moment of one, of this host's time zone; or with a Z of UTC. */
static bool parse_date(const char *text, int64_t *ns)
{
	static const char *const formats[] = {"%Y-%m-%d", "%Y-%m-%d%t%H:%M", "%Y-%m-%d%t%H:%M:%S",
					      "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct tm tm = {.tm_isdst = -1};
		const char *rest = strptime(text, formats[i], &tm);

		if (rest != NULL && *rest == '\0')
			*ns = seconds_ns(mktime(&tm));
		else if (rest != NULL && strcmp(rest, "Z") == 0)
			*ns = seconds_ns(timegm(&tm));
		else
			continue;
		return true;
	}
	return false;
}

static bool parse_time(const char *text, int64_t *ns)
{
	time_t now = time(NULL);
	int64_t ago_ms;
	struct tm tm;

	if (strcmp(text, "today") == 0 || strcmp(text, "yesterday") == 0) {
		localtime_r(&now, &tm);
		tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
		tm.tm_isdst = -1;
		tm.tm_mday -= *text == 'y';
		*ns = seconds_ns(mktime(&tm));
		return true;
	}
	if (parse_date(text, ns))
		return true;
	if (!config_parse_time(text, &ago_ms) || ago_ms == CONFIG_NEVER)
		return false;
	*ns = clock_wall_ns() - ago_ms * NS_PER_MS;
	return true;
}

static enum err time_option(const struct call *call, unsigned int id, const char *name,
			    int64_t *ns)
{
	const char *text = cli_value(call, id);

	if (text == NULL || parse_time(text, ns))
		return ERR_OK;
	cli_usage_error(call, "--%s '%.64s' is not a time", name, text);
	log_hint("times are: 2026-11-25, '2026-11-25 09:00', 2026-11-25T08:00Z, today, "
		 "yesterday, 2h (ago)");
	return ERR_USAGE;
}

/* --- events ------------------------------------------------------------------- */

static enum err take_event(struct filter *filter, const char *word)
{
	const char *names[AUDIT_TYPE_COUNT + 1] = {NULL};
	char upper[32] = "";
	const char *nearest;

	for (int i = 0; i < AUDIT_TYPE_COUNT; i++) {
		names[i] = audit_type_name((enum audit_type)i);
		if (strcasecmp(names[i], word) == 0) {
			filter->types[i] = true;
			return ERR_OK;
		}
	}
	for (size_t i = 0; i + 1 < sizeof(upper) && word[i] != '\0'; i++)
		upper[i] = (char)(word[i] >= 'a' && word[i] <= 'z' ? word[i] - 32 : word[i]);
	nearest = config_nearest(upper, names);
	cli_usage_error(filter->call, "unknown event '%.32s'%s%s%s", word,
			nearest == NULL ? "" : " (did you mean '", nearest == NULL ? "" : nearest,
			nearest == NULL ? "" : "'?)");
	log_hint("the events are explained by: man phifs-audit");
	return ERR_USAGE;
}

static enum err choose_types(struct filter *filter)
{
	/* What is of use to machines and verifiers rather than to readers. */
	static const enum audit_type quiet[] = {AUDIT_CLOSE, AUDIT_SEGMENT, AUDIT_SEAL};
	const char *const *words = cli_values(filter->call, OPT_EVENT);
	enum err err = ERR_OK;

	if (cli_count(filter->call, OPT_EVENT) == 0) {
		memset(filter->types, true, sizeof(filter->types));
		for (size_t i = 0; i < sizeof(quiet) / sizeof(quiet[0]); i++)
			filter->types[quiet[i]] = cli_count(filter->call, OPT_ALL) > 0;
	}
	for (size_t i = 0; i < cli_count(filter->call, OPT_EVENT) && err == ERR_OK; i++)
		err = take_event(filter, words[i]);
	return err;
}

/* A path that can match nothing would look like a patient whose files nobody touched. */
static enum err check_paths(const struct call *call)
{
	const char *const *paths = cli_values(call, OPT_PATH);

	for (size_t i = 0; i < cli_count(call, OPT_PATH); i++) {
		if (paths[i][0] == '/')
			continue;
		cli_usage_error(call, "--path '%.64s' is not absolute", paths[i]);
		log_hint("paths are those inside the volume, as show prints them: --path /%.64s",
			 paths[i]);
		return ERR_USAGE;
	}
	return ERR_OK;
}

enum err filter_init(struct filter *filter, const struct call *call)
{
	enum err err;

	*filter = (struct filter){.call = call, .since_ns = INT64_MIN, .until_ns = INT64_MAX};
	err = choose_types(filter);
	if (err == ERR_OK)
		err = check_paths(call);
	if (err == ERR_OK)
		err = time_option(call, OPT_SINCE, "since", &filter->since_ns);
	if (err == ERR_OK)
		err = time_option(call, OPT_UNTIL, "until", &filter->until_ns);
	return err;
}

/* --- the decision ------------------------------------------------------------- */

static bool is_person(const struct audit_person *person, const char *word)
{
	char *end;
	unsigned long number = strtoul(word, &end, 10);

	if (person == NULL)
		return false;
	if (strcmp(person->user, word) == 0 || strcmp(person->login_user, word) == 0)
		return true;
	return *word >= '0' && *word <= '9' && *end == '\0' &&
	       (number == person->uid || number == person->login_uid);
}

static bool is_below(const char *path, const char *top)
{
	size_t len = strlen(top);

	while (len > 0 && top[len - 1] == '/')
		len--;
	return path != NULL && strncmp(path, top, len) == 0 &&
	       (path[len] == '/' || path[len] == '\0');
}

static bool is_wanted_user(const struct filter *filter, const struct entry *entry)
{
	const char *const *users = cli_values(filter->call, OPT_USER);
	size_t count = cli_count(filter->call, OPT_USER);

	for (size_t i = 0; i < count; i++) {
		if (is_person(entry->event->person, users[i]))
			return true;
	}
	return count == 0;
}

static bool is_wanted_path(const struct filter *filter, const struct entry *entry)
{
	const char *const *paths = cli_values(filter->call, OPT_PATH);
	size_t count = cli_count(filter->call, OPT_PATH);

	for (size_t i = 0; i < count; i++) {
		if (is_below(entry->event->path, paths[i]) ||
		    is_below(entry->event->new_path, paths[i]))
			return true;
	}
	return count == 0;
}

bool filter_takes(const struct filter *filter, const struct entry *entry)
{
	return filter->types[entry->event->type] && entry->wall_ns >= filter->since_ns &&
	       entry->wall_ns < filter->until_ns && is_wanted_user(filter, entry) &&
	       is_wanted_path(filter, entry);
}

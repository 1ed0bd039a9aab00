#include "config/option.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define USER_NAME_MAX  32
#define CONTACT_MAX    128
#define SD_ID_MAX      32 /* RFC 5424, 6: SD-NAME = 1*32PRINTUSASCII */
#define CREDENTIAL_MAX 200

static bool wrong(char *problem, const struct option *option, const char *what)
{
	snprintf(problem, OPTION_TEXT_MAX, "%s %s", option->key, what);
	return false;
}

char **config_option_text(const struct option *option, struct config *config)
{
	return (char **)((char *)config + option->offset);
}

static int64_t *number_of(const struct option *option, struct config *config)
{
	return (int64_t *)((char *)config + option->offset);
}

static bool set_text(const struct option *option, const char *value, struct config *config)
{
	char **text = config_option_text(option, config);

	free(*text);
	*text = strdup(value);
	return *text != NULL;
}

/* One of the component "..", ".", or an empty one inside: not a plain path. */
static bool has_odd_component(const char *path)
{
	const char *at = path + 1;

	while (*at != '\0') {
		size_t len = strcspn(at, "/");

		if (len == 0 || (len == 1 && at[0] == '.') ||
		    (len == 2 && at[0] == '.' && at[1] == '.'))
			return true;
		at += len;
		if (*at == '/')
			at++;
	}
	return false;
}

static bool parse_path(const struct option *option, const char *value, struct config *config,
		       char *problem)
{
	char **text;
	size_t len;

	if (value[0] != '/')
		return wrong(problem, option, "is not an absolute path");
	if (has_odd_component(value))
		return wrong(problem, option, "has a component '.', '..' or '//'");
	if (!set_text(option, value, config))
		return false;
	text = config_option_text(option, config);
	len = strlen(*text);
	if (len > 1 && (*text)[len - 1] == '/')
		(*text)[len - 1] = '\0';
	return true;
}

static bool parse_text(const struct option *option, const char *value, struct config *config,
		       char *problem)
{
	if (strlen(value) > CONTACT_MAX)
		return wrong(problem, option, "is longer than 128 bytes");
	return set_text(option, value, config);
}

static bool parse_format(const struct option *option, const char *value, struct config *config,
			 char *problem)
{
	(void)config;
	if (strcmp(value, "1") != 0)
		return wrong(problem, option, "is not 1: the file is for a later version");
	return true;
}

static bool parse_unlock(const struct option *option, const char *value, struct config *config,
			 char *problem)
{
	static const char prefix[] = "credential:";
	const char *name = value + strlen(prefix);

	if (strncmp(value, prefix, strlen(prefix)) != 0 && value[0] != '/')
		return wrong(problem, option, "is neither an absolute path nor credential:NAME");
	if (strncmp(value, prefix, strlen(prefix)) != 0)
		return parse_path(option, value, config, problem);
	if (*name == '\0' || *name == '.' || strlen(name) > CREDENTIAL_MAX ||
	    strchr(name, '/') != NULL)
		return wrong(problem, option, "is neither a path nor credential:NAME");
	return set_text(option, value, config);
}

static bool parse_user(const struct option *option, const char *value, struct config *config,
		       char *problem)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz_";
	static const char more[] = "abcdefghijklmnopqrstuvwxyz_0123456789-";

	if (strlen(value) > USER_NAME_MAX || strspn(value, letters) == 0 ||
	    strspn(value, more) != strlen(value))
		return wrong(problem, option, "is not the name of an account");
	return set_text(option, value, config);
}

static bool parse_forward(const struct option *option, const char *value, struct config *config,
			  char *problem)
{
	const struct sockaddr_un *address = NULL;

	if (strncmp(value, "tls:", 4) == 0)
		return wrong(problem, option,
			     "tls: is not supported by this version; use unix:PATH");
	if (strncmp(value, "unix:/", 6) != 0)
		return wrong(problem, option, "is not unix:PATH with an absolute path");
	if (strlen(value + 5) >= sizeof(address->sun_path))
		return wrong(problem, option, "is longer than a socket's path may be (107 bytes)");
	return set_text(option, value, config);
}

static bool parse_sd_id(const struct option *option, const char *value, struct config *config,
			char *problem)
{
	const char *at = strchr(value, '@');

	/* RFC 5424, 6.3.2: name@<private enterprise number>; no '=', space, ']', '"'. */
	if (strlen(value) > SD_ID_MAX || at == NULL || at == value || at[1] == '\0' ||
	    strspn(at + 1, "0123456789.") != strlen(at + 1))
		return wrong(problem, option, "is not NAME@NUMBER of at most 32 bytes");
	for (const char *c = value; *c != '\0'; c++)
		if (*c <= ' ' || *c > '~' || strchr("=]\"", *c) != NULL)
			return wrong(problem, option, "has a character that RFC 5424 forbids");
	return set_text(option, value, config);
}

struct unit {
	const char *word;
	int64_t count;
};

static const struct unit time_units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000},
					 {"ms", 1}};
static const struct unit size_units[] = {{"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"", 1}};

/* As it would be written in the file: in the largest unit without a remainder; "0s". */
static void in_units(const struct unit *units, int64_t number, char *text, size_t size)
{
	while (number == 0 ? units->count > 1000 : number % units->count != 0)
		units++;
	snprintf(text, size, "%lld%s", (long long)(number / units->count), units->word);
}

static bool in_range(const struct option *option, int64_t number, const struct unit *units,
		     char *problem)
{
	char minimum[32], maximum[32];

	if (number >= option->minimum && number <= option->maximum)
		return true;
	in_units(units, option->minimum, minimum, sizeof(minimum));
	in_units(units, option->maximum, maximum, sizeof(maximum));
	snprintf(problem, OPTION_TEXT_MAX, "%s is not between %s and %s", option->key, minimum,
		 maximum);
	return false;
}

static bool parse_time(const struct option *option, const char *value, struct config *config,
		       char *problem)
{
	int64_t ms;

	if (!config_parse_time(value, &ms))
		return wrong(problem, option, "is not a time like 30s, 15m, 12h, 90d or never");
	if (ms != CONFIG_NEVER && !in_range(option, ms, time_units, problem))
		return false;
	*number_of(option, config) = ms;
	return true;
}

/* A time that cannot be "never". */
static bool parse_time_limited(const struct option *option, const char *value,
			       struct config *config, char *problem)
{
	int64_t ms;

	if (!config_parse_time(value, &ms) || ms == CONFIG_NEVER)
		return wrong(problem, option, "is not a time like 30s, 15m or 12h");
	if (!in_range(option, ms, time_units, problem))
		return false;
	*number_of(option, config) = ms;
	return true;
}

static bool parse_size(const struct option *option, const char *value, struct config *config,
		       char *problem)
{
	int64_t bytes;

	if (!config_parse_size(value, &bytes))
		return wrong(problem, option, "is not a size like 512K, 64M or 2G");
	if (!in_range(option, bytes, size_units, problem))
		return false;
	*number_of(option, config) = bytes;
	return true;
}

static bool parse_names(const struct option *option, const char *value, struct config *config,
			char *problem)
{
	if (strcmp(value, "sealed") == 0)
		config->names = CONFIG_NAMES_SEALED;
	else if (strcmp(value, "plain") == 0)
		config->names = CONFIG_NAMES_PLAIN;
	else
		return wrong(problem, option, "is neither sealed nor plain");
	return true;
}

static bool parse_send(const struct option *option, const char *value, struct config *config,
		       char *problem)
{
	if (strcmp(value, "each") == 0)
		config->send = CONFIG_SEND_EACH;
	else if (strcmp(value, "coalesce") == 0)
		config->send = CONFIG_SEND_COALESCE;
	else
		return wrong(problem, option, "is neither each nor coalesce");
	return true;
}

static bool parse_anchor(const struct option *option, const char *value, struct config *config,
			 char *problem)
{
	if (strcmp(value, "strict") == 0)
		return wrong(problem, option, "strict is not supported by this version");
	if (strcmp(value, "async") != 0)
		return wrong(problem, option, "is not async");
	config->anchor = CONFIG_ANCHOR_ASYNC;
	return true;
}

static bool parse_transport(const struct option *option, const char *value,
			    struct config *config, char *problem)
{
	if (strcmp(value, "fuse-device") == 0)
		config->transport = CONFIG_TRANSPORT_DEVICE;
	else if (strcmp(value, "io-uring") == 0)
		config->transport = CONFIG_TRANSPORT_IO_URING;
	else
		return wrong(problem, option, "is neither fuse-device nor io-uring");
	return true;
}

#define parse_later NULL

const struct option config_options[] = {
#define OPTION(section, key, type, field, initial, minimum, maximum, help)                         \
	{section, key,	   parse_##type, offsetof(struct config, field),                           \
	 initial, minimum, maximum,	 help},
#include "config/options.def"
#undef OPTION
};

const size_t config_option_count = sizeof(config_options) / sizeof(config_options[0]);

void config_option_list(config_option_each *each, void *ctx)
{
	for (size_t i = 0; i < config_option_count; i++) {
		const struct option *option = &config_options[i];

		each(ctx, option->section, option->key, option->initial, option->help,
		     option->parse != NULL);
	}
}

/* Times and sizes. */
#include <string.h>

#include "config/config.h"

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit time_units[] = {
	{"ms", 1},
	{"s", 1000},
	{"m", 60 * 1000},
	{"h", 60 * 60 * 1000},
	{"d", 24LL * 60 * 60 * 1000},
	{NULL, 0},
};

static const struct unit size_units[] = {
	{"", 1}, {"K", 1LL << 10}, {"M", 1LL << 20}, {"G", 1LL << 30}, {"T", 1LL << 40}, {NULL, 0},
};

/* Digits and one of the units, nothing before, between or after. */
static bool parse_number(const char *text, const struct unit units[], int64_t *value)
{
	int64_t number = 0;
	const char *at = text;

	for (; *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, *at - '0', &number))
			return false;
	if (at == text)
		return false;
	while (units->name != NULL && strcmp(units->name, at) != 0)
		units++;
	/* CONFIG_NEVER is the largest number: nothing else may reach it. */
	if (units->name == NULL || __builtin_mul_overflow(number, units->factor, &number) ||
	    number == CONFIG_NEVER)
		return false;
	*value = number;
	return true;
}

bool config_parse_time(const char *text, int64_t *ms)
{
	if (strcmp(text, "never") != 0)
		return parse_number(text, time_units, ms);
	*ms = CONFIG_NEVER;
	return true;
}

bool config_parse_size(const char *text, int64_t *bytes)
{
	return parse_number(text, size_units, bytes);
}

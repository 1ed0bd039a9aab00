/* The keys of [role NAME]. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/model.h"

static struct policy_role_entry *current(struct policy_load *load)
{
	return &load->policy->roles[load->policy->role_count - 1];
}

static void parse_login(struct policy_load *load, int line, const char *value)
{
	static const char *const later[] = {"pam", "password", "pam+totp", "password+totp"};

	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
		if (strcmp(value, later[i]) == 0) {
			policy_complain(load, line, "login = %s is not supported by this version",
					value);
			return;
		}
	if (strcmp(value, "none") == 0)
		current(load)->login = LOGIN_NONE;
	else if (strcmp(value, "system") == 0)
		current(load)->login = LOGIN_SYSTEM;
	else
		policy_complain(load, line, "login %s is neither none nor system", value);
}

static void parse_from(struct policy_load *load, int line, const char *value)
{
	if (strcmp(value, "service") == 0)
		current(load)->from = FROM_SERVICE;
	else if (strcmp(value, "login") == 0)
		current(load)->from = FROM_LOGIN;
	else if (strcmp(value, "any") == 0)
		current(load)->from = FROM_ANY;
	else
		policy_complain(load, line, "from %s is not service, login or any", value);
}

static bool is_date(const char *text)
{
	static const char form[] = "dddd-dd-dd";

	for (size_t i = 0; i < sizeof(form); i++)
		if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
			return false;
	return true;
}

/*
 * The role ends with that day on this host's clock: people who write "until
 * 2026-12-15" mean their own midnight, not the one of Greenwich.
 */
static bool end_of_day(const char *value, int64_t *until)
{
	struct tm day = {.tm_isdst = -1};
	int month, year;
	time_t start;

	year = atoi(value);
	month = atoi(value + 5);
	day.tm_year = year - 1900;
	day.tm_mon = month - 1;
	day.tm_mday = atoi(value + 8);
	if (year < 1970 || month < 1 || month > 12 || day.tm_mday < 1)
		return false;
	start = mktime(&day);
	/* mktime makes 03-01 of 02-30. */
	if (start == (time_t)-1 || day.tm_mon != month - 1 || day.tm_mday != atoi(value + 8))
		return false;
	day = (struct tm){.tm_year = day.tm_year,
			  .tm_mon = day.tm_mon,
			  .tm_mday = day.tm_mday + 1,
			  .tm_isdst = -1};
	*until = (int64_t)mktime(&day);
	return true;
}

static void parse_until(struct policy_load *load, int line, const char *value)
{
	struct policy_role_entry *role = current(load);

	if (!is_date(value) || !end_of_day(value, &role->until))
		policy_complain(load, line, "until %s is not a date like 2026-12-15", value);
	else
		strcpy(role->until_text, value);
}

static void parse_allow(struct policy_load *load, int line, const char *value)
{
	policy_add_rule(load, line, false, value);
}

static void parse_deny(struct policy_load *load, int line, const char *value)
{
	policy_add_rule(load, line, true, value);
}

const struct policy_key policy_role_keys[] = {
	{"members", policy_add_members, true},
	{"login", parse_login, false},
	{"from", parse_from, false},
	{"until", parse_until, false},
	{"allow", parse_allow, true},
	{"deny", parse_deny, true},
	{"hours", NULL, false},
	{"outside-hours", NULL, false},
	{"program", NULL, false},
	{"unit", NULL, false},
	{NULL, NULL, false},
};

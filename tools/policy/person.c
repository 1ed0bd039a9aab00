/* The person of `phifs-policy test`: what a process of his would carry. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "tools/policy/tool.h"

void user_name(uid_t uid, char *text, size_t size)
{
	const struct passwd *entry = getpwuid(uid);

	if (entry != NULL)
		snprintf(text, size, "%s", entry->pw_name);
	else
		snprintf(text, size, "%u", uid);
}

void group_name(gid_t gid, char *text, size_t size)
{
	const struct group *entry = getgrgid(gid);

	if (entry != NULL)
		snprintf(text, size, "%s", entry->gr_name);
	else
		snprintf(text, size, "%u", gid);
}

/* A name first, then a number, as chown(1) does. */
static enum err find_account(const char *user, uid_t *uid, const struct passwd **entry)
{
	char *end;
	unsigned long number;

	*entry = getpwnam(user);
	if (*entry != NULL) {
		*uid = (*entry)->pw_uid;
		return ERR_OK;
	}
	errno = 0;
	number = strtoul(user, &end, 10);
	if (user[0] < '0' || user[0] > '9' || *end != '\0' || errno != 0 ||
	    number >= LOGIN_UID_UNSET) {
		log_error("there is no user %.64s on this host", user);
		log_hint("who is there: getent passwd; a number is taken as it is");
		return ERR_NOT_FOUND;
	}
	*uid = (uid_t)number;
	*entry = getpwuid(*uid);
	return ERR_OK;
}

enum err person_find(const char *user, struct person *person)
{
	const struct passwd *entry;
	int count = POLICY_GROUPS_MAX;
	enum err err = find_account(user, &person->subject.uid, &entry);

	if (err != ERR_OK)
		return err;
	if (entry == NULL) {
		count = 0;
		snprintf(person->name, sizeof(person->name), "%u", person->subject.uid);
	} else {
		snprintf(person->name, sizeof(person->name), "%s", entry->pw_name);
		if (getgrouplist(entry->pw_name, entry->pw_gid, person->groups, &count) < 0)
			count = POLICY_GROUPS_MAX;
	}
	person->subject.groups = person->groups;
	person->subject.group_count = (size_t)count;
	return ERR_OK;
}

/* The system's start gives a role that a login does not. */
static bool is_rather_a_service(const struct policy *policy, const struct policy_subject *subject)
{
	struct policy_subject as_service = *subject, as_login = *subject;
	struct policy_roles service, login;
	uint64_t only_service = 0;

	as_service.login_uid = LOGIN_UID_UNSET;
	as_login.login_uid = subject->uid;
	policy_roles_of(policy, &as_service, &service);
	policy_roles_of(policy, &as_login, &login);
	for (size_t i = 0; i < sizeof(service.bits) / sizeof(service.bits[0]); i++)
		only_service |= service.bits[i] & ~login.bits[i];
	return only_service != 0;
}

enum err person_set_login(struct person *person, const char *login, const struct policy *policy)
{
	const struct passwd *entry;
	enum err err;

	if (login == NULL && !is_rather_a_service(policy, &person->subject)) {
		person->subject.login_uid = person->subject.uid;
		snprintf(person->login, sizeof(person->login), "%s", person->name);
		return ERR_OK;
	}
	if (login == NULL || strcmp(login, "service") == 0) {
		person->subject.login_uid = LOGIN_UID_UNSET;
		strcpy(person->login, "service");
		return ERR_OK;
	}
	err = find_account(login, &person->subject.login_uid, &entry);
	if (err == ERR_OK)
		user_name(person->subject.login_uid, person->login, sizeof(person->login));
	return err;
}

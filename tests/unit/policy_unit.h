/* What the policy tests share: parse a text, remember what was said. */
#ifndef PHIFS_TESTS_POLICY_UNIT_H
#define PHIFS_TESTS_POLICY_UNIT_H

#include <stdio.h>
#include <string.h>

#include "policy/policy.h"
#include "unit.h"

#define NOW 1800000000 /* 2027-01-15 */

/* One message a line: "E3: text" or "W3: text". */
static char said[16384];

static inline void remember(void *ctx, bool is_error, int line, const char *text, const char *hint)
{
	size_t len = strlen(said);

	(void)ctx;
	(void)hint;
	snprintf(said + len, sizeof(said) - len, "%c%d: %s\n", is_error ? 'E' : 'W', line, text);
}

static inline struct policy *parsed(const char *text)
{
	struct policy *policy = NULL;

	said[0] = '\0';
	ck_assert_msg(policy_parse(text, strlen(text), remember, NULL, &policy) == ERR_OK, "%s",
		      said);
	return policy;
}

/* `text` is refused with exactly this message. */
static inline void refused(const char *text, const char *message)
{
	struct policy *policy = NULL;

	said[0] = '\0';
	ck_assert_int_eq(policy_parse(text, strlen(text), remember, NULL, &policy), ERR_CONFIG);
	ck_assert_ptr_null(policy);
	ck_assert_str_eq(said, message);
}

/* Somebody with this uid, logged in as himself, in no group. */
static inline struct policy_roles roles_of(const struct policy *policy, uid_t uid)
{
	const struct policy_subject subject = {uid, uid, NULL, 0};
	struct policy_roles roles;

	policy_roles_of(policy, &subject, &roles);
	return roles;
}

static inline struct policy_verdict decide(const struct policy *policy, uid_t uid, const char *path,
					   enum policy_action action)
{
	struct policy_roles roles = roles_of(policy, uid);

	return policy_decide(policy, &roles,
			     policy_class_at(policy, policy_place_of_path(policy, path)), action,
			     NOW);
}

static inline bool may(const struct policy *policy, uid_t uid, const char *path,
		       enum policy_action action)
{
	return decide(policy, uid, path, action).allowed;
}

/* Name of the class of a path; "" if it has none. */
static inline const char *class_of(const struct policy *policy, const char *path)
{
	int index = policy_class_at(policy, policy_place_of_path(policy, path));

	return index < 0 ? "" : policy_class(policy, index)->name;
}

#endif

/* One run of policy_check.  Private to src/policy. */
#ifndef PHIFS_POLICY_CHECK_H
#define PHIFS_POLICY_CHECK_H

#include "policy/model.h"

struct policy_check_run {
	const struct policy *policy;
	int64_t idle_ms;
	int64_t now; /* seconds since 1970 */
	policy_message *message;
	void *ctx;
	int count; /* of warnings */
};

void policy_check_warn(struct policy_check_run *run, int line, const char *hint, const char *format,
		       ...) __attribute__((format(printf, 4, 5)));

/*
 * check_people.c: groups without members, and people whose roles contradict
 * each other.  Walks the name service: not for a thread beside others.
 */
void policy_check_people(struct policy_check_run *run);

#endif

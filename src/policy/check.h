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

/* People whom a directory's mode keeps out of what their role allows. */
#define POLICY_SHUT_OUTS_MAX 64

struct policy_shut_out {
	int role, class_index;
	const char *name; /* of the first; the caller's */
	size_t others;
};

struct policy_shut_outs {
	struct policy_shut_out list[POLICY_SHUT_OUTS_MAX];
	size_t count;
};

/* check_modes.c: adds what is found for one person; `has_role` by index of role. */
void policy_check_modes(const struct policy_check_run *run, const char *name,
			const struct policy_subject *subject, const bool has_role[],
			struct policy_shut_outs *outs);
void policy_report_modes(struct policy_check_run *run, const struct policy_shut_outs *outs);

/*
 * check_people.c: groups without members, and people whose roles contradict
 * each other.  Walks the name service: not for a thread beside others.
 */
void policy_check_people(struct policy_check_run *run);

#endif

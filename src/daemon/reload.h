/*
 * The policy file: read at the start, and again on request or SIGHUP.
 *
 * A policy that cannot be read or is wrong never replaces the one in force.
 * POLICY records with both digests and the rights gained and lost are on disk
 * before the new one takes effect.
 */
#ifndef PHIFS_DAEMON_RELOAD_H
#define PHIFS_DAEMON_RELOAD_H

#include "audit/audit.h"
#include "config/config.h"
#include "policy/policy.h"

#define RELOAD_TEXT_MAX 512

/* What to tell whoever asked; all messages go to the log, too. */
struct reload_messages {
	char first_error[RELOAD_TEXT_MAX]; /* "FILE:LINE: text", "" if there is none */
	char hint[RELOAD_TEXT_MAX];
	policy_change *warn; /* gets "warning: FILE:LINE: text", too; may be NULL */
	void *ctx;
};

/* Load the policy of a configuration.  `messages` may be NULL.  ERR_CONFIG, ERR_NOT_FOUND... */
enum err reload_load(const struct config *config, struct reload_messages *messages,
		     struct policy **policy) MUST_CHECK;

/* phifsd --check-config: load it and print errors and warnings. */
enum err reload_check(const struct config *config) MUST_CHECK;

/*
 * The records of a change from `before` to `after`, durable when this returns.
 * Each line of policy_diff also goes to `each` (may be NULL).
 */
enum err reload_record(struct audit *audit, const struct audit_person *person,
		       const struct policy *before, const struct policy *after,
		       policy_change *each, void *ctx) MUST_CHECK;

struct volume;
/* All of it: load, record, put in force, make the directories of new classes. */
enum err reload_policy(struct volume *volume, const struct audit_person *person,
		       policy_change *each, void *ctx,
		       struct reload_messages *messages) MUST_CHECK;

#endif

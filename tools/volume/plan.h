/*
 * What `init` is going to make: everything is read and checked here, before a
 * passphrase is asked for and before anything is made.
 */
#ifndef PHIFS_TOOLS_VOLUME_PLAN_H
#define PHIFS_TOOLS_VOLUME_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "audit/identity.h"
#include "config/config.h"
#include "format/slot_record.h"
#include "policy/policy.h"
#include "tools/cli/command.h"

#define AUDITORS_WANTED 2

struct plan {
	struct config *config;  /* as it will be loaded */
	const char *template;   /* kind */
	char *policy_text;      /* NULL: the file exists and is used */
	size_t policy_len;
	struct policy *policy;
	uint32_t uid, gid, mode; /* of the root directory */
	const char *const *auditors;
	size_t auditor_count;
	char fingerprints[AUDITORS_MAX][FINGERPRINT_LEN];
	char *recovery_file;     /* NULL: shown on the terminal, or none */
	bool has_recovery_key;
	char slot_name[SLOT_NAME_MAX + 1];
};

/* ERR_USAGE, ERR_CONFIG, ERR_EXISTS ... after messages.  plan_clear in any case. */
enum err plan_make(const struct call *call, struct plan *plan) MUST_CHECK;
void plan_clear(struct plan *plan);

#endif

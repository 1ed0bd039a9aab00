/*
 * File modes, as the kernel judges them on a mount with default_permissions:
 * policy restricts, mode bits restrict too, both must agree.
 */
#ifndef PHIFS_TOOLS_POLICY_MODE_H
#define PHIFS_TOOLS_POLICY_MODE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "policy/policy.h"

enum mode_answer {
	MODE_ALLOWS,
	MODE_REFUSES,
	MODE_ABSENT, /* the path does not exist: nothing to judge */
	MODE_UNKNOWN /* stat failed (locked, not permitted to look), or a symbolic link */
};

struct mode_verdict {
	enum mode_answer answer;
	char path[4096];  /* below the mount point, where it was decided */
	struct stat st;	  /* of that path; for MODE_REFUSES */
	mode_t needed;	  /* the bits that are missing there, of the class that applies; 0: owner */
	int error_number; /* for MODE_UNKNOWN; ELOOP: a symbolic link */
};

/* `want`: R_OK, W_OK, X_OK.  `missing`: the bits of the mode that would help. */
bool mode_allows(const struct stat *st, const struct policy_subject *subject, int want,
		 mode_t *missing);

/* `path` is absolute inside the volume, without ".", ".." and empty components. */
void mode_judge(const char *mountpoint, const char *path, enum policy_action action,
		const struct policy_subject *subject, struct mode_verdict *verdict);

#endif

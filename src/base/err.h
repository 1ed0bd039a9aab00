/*
 * Error codes: one enum for the whole project.
 *
 * Functions return ERR_OK (0) or one of the negative codes of errors.def;
 * results go through pointers and are written only on success.  errno is
 * looked at only where a system call failed and translated at once
 * (err_from_errno); applications see an errno only at the edge (src/fsops).
 */
#ifndef PHIFS_BASE_ERR_H
#define PHIFS_BASE_ERR_H

#define MUST_CHECK __attribute__((warn_unused_result))

enum err {
	ERR_OK = 0,
#define ERR(name, number, error_number, exit_code, text) ERR_##name = number,
#include "base/errors.def"
#undef ERR
};

/* A constant lower-case text without a full stop, never NULL. */
const char *err_text(enum err err);

/* The constant's name without its prefix ("TAMPERED"); for audit records. */
const char *err_name(enum err err);

/* The error of that name, as err_name gives it; ERR_SYSTEM if there is none. */
enum err err_from_name(const char *name);
/* The errno an application gets (positive); 0 for ERR_OK. */
int err_errno(enum err err);

/* The exit code a tool ends with; 0 for ERR_OK. */
int err_exit_code(enum err err);

/*
 * Translate the errno of a failed system call.  ENOSPC and EDQUOT become
 * ERR_FULL, ENOENT ERR_NOT_FOUND and so on; what has no better name becomes
 * ERR_IO (EIO) or ERR_SYSTEM.
 */
enum err err_from_errno(int error_number);

#endif

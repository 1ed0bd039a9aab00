/*
 * Paths from the command line made absolute, and whether something may be made
 * there.
 */
#ifndef PHIFS_TOOLS_VOLUME_PLACE_H
#define PHIFS_TOOLS_VOLUME_PLACE_H

#include <stdbool.h>

#include "base/err.h"

/*
 * The absolute path without links or ".."; all but the last component must
 * exist.  malloc'd; an error comes with a message and a hint.
 */
enum err place_resolve(const char *path, char **resolved) MUST_CHECK;

/* A new file may be made at the absolute `path`. `what` is for the message. */
enum err place_is_free(const char *path, const char *what) MUST_CHECK;

/* The absolute `path` is missing, or an empty directory on which nothing is mounted. */
enum err place_is_empty(const char *path, const char *what) MUST_CHECK;

/* True if the kernel has a FUSE file system at `path`. */
bool place_has_mount(const char *path);

/* chattr +i: not even root can put files there. */
enum err place_make_immutable(const char *path) MUST_CHECK;

#endif

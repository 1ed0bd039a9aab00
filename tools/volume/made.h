/*
 * What `init` has made so far, so that it can be taken back in reverse order
 * when a later step fails or somebody interrupts it.
 */
#ifndef PHIFS_TOOLS_VOLUME_MADE_H
#define PHIFS_TOOLS_VOLUME_MADE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

#define MADE_MAX 16

struct made {
	size_t count;
	struct {
		enum { MADE_FILE, MADE_DIRECTORY, MADE_CONTENT } kind;
		char *path;
		mode_t old_mode; /* MADE_CONTENT: what the directory gets back */
	} item[MADE_MAX];
};

/*
 * A new file, durable.  ERR_EXISTS and others after a message.
 */
enum err made_file(struct made *made, const char *path, const void *data, size_t len,
		   mode_t mode) MUST_CHECK;

/*
 * A directory that is missing or empty gets `mode`; everything that is in it
 * when it is taken back is ours, except "lost+found".  Its parent must exist.
 */
enum err made_directory(struct made *made, const char *path, mode_t mode) MUST_CHECK;

/* Take everything back, last first; what cannot be removed is named. */
void made_undo(struct made *made);
/* Keep everything. */
void made_keep(struct made *made);

/* True if `path` is a directory without anything but "lost+found" in it. */
bool made_is_empty(const char *path);

/*
 * From now on SIGINT, SIGTERM and SIGHUP are only remembered; made_check gives
 * ERR_INTERRUPTED after one came.
 */
void made_catch_signals(void);
enum err made_check(void) MUST_CHECK;

#endif

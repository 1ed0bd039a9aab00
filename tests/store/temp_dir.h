/* A directory for one test case, with everything in it removed at the end. */
#ifndef PHIFS_TESTS_TEMP_DIR_H
#define PHIFS_TESTS_TEMP_DIR_H

#include <stddef.h>

/* Below $TMPDIR or /tmp; the text is the caller's.  Aborts on failure. */
char *temp_dir_new(void);
/* Removes the tree, links not followed, and frees the text. */
void temp_dir_free(char *path);
/* "DIR/NAME" in one of a few static buffers. */
const char *temp_path(const char *dir, const char *name);

#endif

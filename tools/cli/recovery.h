/* Handing out a recovery key: once, and not before it is known to have been noted. */
#ifndef PHIFS_TOOLS_CLI_RECOVERY_H
#define PHIFS_TOOLS_CLI_RECOVERY_H

#include "base/err.h"

/*
 * Shows `key` on the terminal and asks for its last five characters, three times at
 * most.  ERR_USAGE: no terminal, or other letters; said.
 */
enum err recovery_show(const char *key) MUST_CHECK;

/* Writes it to a new file, mode 0600.  ERR_EXISTS ...; said. */
enum err recovery_write(const char *key, const char *file) MUST_CHECK;

#endif

/*
 * The key that opens a volume without a person: `[volume] unlock-with`, a key
 * file or a credential of the service manager (systemd.exec(5), CREDENTIALS).
 */
#ifndef PHIFS_KEYS_KEYFILE_H
#define PHIFS_KEYS_KEYFILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define KEYFILE_CREDENTIAL "credential:"

/*
 * Read the key at `where`: an absolute path, or "credential:NAME" for
 * $CREDENTIALS_DIRECTORY/NAME.  `*bytes` is secmem, SLOTS_KEYFILE_MIN to
 * SLOTS_KEYFILE_MAX bytes, the caller's: a factor of kind SLOT_KEYFILE.
 *
 * ERR_NOT_FOUND: no such file, or not started with credentials; ERR_INVALID:
 * not a regular file, a NAME with a slash, too short or too long; ERR_DENIED:
 * others than its owner and group can read or change it; ERR_IO, ERR_NO_MEMORY.
 */
enum err keyfile_load(const char *where, uint8_t **bytes, size_t *len) MUST_CHECK;

#endif

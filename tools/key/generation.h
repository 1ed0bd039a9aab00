/* The ledger's memory of the slot file, for a tool that works without the daemon. */
#ifndef PHIFS_TOOLS_KEY_GENERATION_H
#define PHIFS_TOOLS_KEY_GENERATION_H

#include <stdint.h>

#include "keys/keyring.h"

/* The newest generation that was seen.  ERR_NOT_FOUND, ERR_BUSY, ERR_TAMPERED ... */
enum err generation_read(const char *state, const struct keyring *keyring,
			 uint64_t *generation) MUST_CHECK;
/* Remember a newer one. */
enum err generation_write(const char *state, const struct keyring *keyring,
			  uint64_t generation) MUST_CHECK;

#endif

/*
 * A volume opened without its daemon, for reading only: configuration, slot
 * file, store.
 */
#ifndef PHIFS_TOOLS_VOLUME_OFFLINE_H
#define PHIFS_TOOLS_VOLUME_OFFLINE_H

#include "config/config.h"
#include "keys/keyring.h"
#include "store/store.h"
#include "tools/cli/command.h"

struct offline {
	struct store *store;
	struct keyring *keyring;
};

/*
 * Asks for the secret (--passphrase-file, --keyfile, terminal) and unlocks.
 * ERR_UNPROVEN: the volume was not locked properly.  Errors come with messages;
 * offline_close in any case.
 */
enum err offline_open(const struct call *call, const struct config *config,
		      struct offline *offline) MUST_CHECK;
void offline_close(struct offline *offline);

#endif

/*
 * A slot file that is about to be changed: opened by somebody who may, held
 * against other programs, and finally saved and reported.
 */
#ifndef PHIFS_TOOLS_KEY_CUSTODY_H
#define PHIFS_TOOLS_KEY_CUSTODY_H

#include <stdbool.h>

#include "keys/slots.h"
#include "tools/cli/daemon.h"
#include "tools/cli/prompt.h"

struct custody {
	const struct call *call;
	struct config *config;
	bool must_be_locked;
	int hold;              /* descriptor of slots_hold, or -1 */
	struct client *daemon; /* NULL: not running */
	bool is_unlocked;      /* the daemon has the volume open */
	struct slots *slots;
	uint64_t generation;   /* of the newest copy when it was loaded */
	struct keyring *keyring;
	struct slots_signer *signer;
	uint32_t signer_slot;
};

/*
 * Load, ask for what unlocks (and, if that is no key-admin, for a key-admin),
 * unlock, and compare with the ledger's generation.  With `must_be_locked` a
 * daemon that has the volume open is ERR_BUSY.  Everything that fails has been
 * said; custody_close in any case.
 */
enum err custody_open(struct custody *custody, const struct call *call,
		      bool must_be_locked) MUST_CHECK;

/*
 * After the last question to a person and before the change: hold the slot file,
 * and make sure that nobody changed it or unlocked the volume meanwhile (ERR_BUSY).
 */
enum err custody_hold(struct custody *custody) MUST_CHECK;

/*
 * Save both copies, let the ledger remember the generation, tell the daemon:
 * `change` is for the audit trail, "added slot 3 (oncall)".
 */
enum err custody_save(struct custody *custody, const char *change) MUST_CHECK;

void custody_close(struct custody *custody);

/* Says what is wrong with the slot file of `config`; gives `err` back. */
enum err custody_fail(const struct call *call, const struct config *config, enum err err);

#endif

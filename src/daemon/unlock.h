/*
 * Opening the volume: slot check, recovery, the directories of classes, and
 * their records: AUTH for each try, UNLOCK or INTEGRITY for what came of it.
 */
#ifndef PHIFS_DAEMON_UNLOCK_H
#define PHIFS_DAEMON_UNLOCK_H

#include "daemon/tries.h"
#include "daemon/volume.h"
#include "keys/slots.h"

#define UNLOCK_TEXT_MAX 512

struct unlock_order {
	struct slots_factor factor;        /* the bytes are the caller's */
	const struct audit_person *person; /* NULL: phifs itself, at the start */
	const char *reason;                /* "request", "start" */
};

struct unlock_result {
	struct slots_opened opened;
	struct store_recovery recovery;
	/* What to tell the caller on an error; "" if err_text says it all. */
	char message[UNLOCK_TEXT_MAX];
	char hint[UNLOCK_TEXT_MAX];
};

/*
 * ERR_BUSY: it is not locked; ERR_AGAIN: wrong tries, too early for the next;
 * ERR_PASSPHRASE; ERR_DENIED: a slot without the right to unlock; ERR_TAMPERED,
 * ERR_ROLLBACK, ERR_UNPROVEN and others of store_unlock.  The volume is then
 * locked as before.
 */
enum err unlock_volume(struct volume *volume, const struct unlock_order *order,
		       struct unlock_result *result) MUST_CHECK;

/* `[volume] unlock-with`, if it is given; a failure is logged and leaves the volume locked. */
void unlock_at_start(struct volume *volume);

#endif

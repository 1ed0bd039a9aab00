/*
 * Locking the volume: the steps of lock_sequence.h on the real parts.  Used by
 * the idle clock, the control socket, SIGTERM, and a failed audit journal.
 *
 * Call it from a thread that serves no request.
 */
#ifndef PHIFS_DAEMON_LOCK_H
#define PHIFS_DAEMON_LOCK_H

#include "daemon/lock_sequence.h"
#include "daemon/volume.h"

/* How long the lock waits for the disk of the audit journal. */
#define LOCK_AUDIT_MS 5000
/* How often writers are looked at during the grace. */
#define LOCK_LOOK_MS 100

struct lock_order {
	const char *reason;                /* "idle", "request", "signal" ... */
	const struct audit_person *person; /* NULL: phifs itself */
	/*
	 * While the volume is still open: how long processes that have files
	 * open for writing may go on; 0: they are cut off.
	 */
	int64_t grace_ms;
	/* Each of these processes, once, when the waiting begins. */
	fsops_each_holder *each;
	/* False: who asked is gone, or the daemon stops; nothing is locked then. */
	bool (*is_wanted)(void *ctx);
	void *ctx;
};

/*
 * ERR_BUSY: it is locked, or becoming unlocked; ERR_INTERRUPTED: not wanted any
 * more.  Otherwise the volume is locked, whatever `report` says it cost.
 */
enum err lock_volume(struct volume *volume, const struct lock_order *order,
		     struct lock_report *report) MUST_CHECK;

#endif

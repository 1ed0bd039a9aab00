/*
 * The volume that a worker serves: its parts, and what is known about its last
 * change of state.  Shared by the files that unlock, lock, reload and answer.
 *
 * Locks, in this order:
 *   change  one unlock, lock or reload at a time; held over all of it
 *   mutex   guards the fields below it; never held over anything slow
 */
#ifndef PHIFS_DAEMON_VOLUME_H
#define PHIFS_DAEMON_VOLUME_H

#include <pthread.h>
#include <stdatomic.h>

#include "audit/audit.h"
#include "daemon/channel.h"
#include "daemon/invalidate.h"
#include "daemon/tries.h"
#include "daemon/worker.h"
#include "fsops/caller.h"
#include "fsops/fsops.h"
#include "session/session.h"
#include "store/store.h"

#define VOLUME_WORD_MAX 64 /* of reason and by, with the NUL */

struct volume {
	const struct worker_setup *setup;
	const struct config *config;
	struct audit *audit;
	struct session *session;
	struct store *store;
	struct fsops *fsops;
	struct callers *callers;      /* of the control socket */
	/* While mounted (serve.h). */
	struct invalidate *invalidate;
	struct channel *channel;
	struct fuse_session *fuse;

	_Atomic bool is_audit_failed; /* the idle thread locks */

	pthread_mutex_t change;
	/* Under `change`: */
	struct policy *policy;        /* in force; fsops owns it as soon as that is there */
	struct tries tries;           /* wrong passphrases */
	bool is_hung;                 /* a lock gave up: nothing may be freed any more */

	pthread_mutex_t mutex;
	pthread_cond_t changed;       /* the session's state did */
	/* Under `mutex`: */
	bool is_store_open;           /* store_status may be called */
	struct audit_evidence evidence; /* as of the last look at the store */
	char reason[VOLUME_WORD_MAX]; /* of the last change: "start", "idle", "request" ... */
	char by[VOLUME_WORD_MAX];     /* slot or person */
	uid_t opener;                 /* who unlocked it; (uid_t)-1: nobody in particular */
	int64_t changed_at;           /* seconds since 1970 */
	int64_t policy_since;         /* likewise */
	uint64_t slot_count;
	uint32_t epoch;               /* 0 while locked */
};

/*
 * Policy, store, audit trail, session: everything but the mount, and the MOUNT
 * record.  What is missing or damaged is refused with message and hint.  The
 * volume is locked.  On an error nothing is left open.
 */
enum err volume_open(const struct worker_setup *setup, struct volume *volume) MUST_CHECK;

/* UNMOUNT record; frees everything.  No request may be served any more. */
void volume_close(struct volume *volume);

/* Note why the state changed, and wake whoever waits for a change. */
void volume_note_change(struct volume *volume, const char *reason, const char *by, uid_t opener);

/* Note in the evidence how far the store is; a closed store leaves it as it was. */
void volume_look_at_store(struct volume *volume);
/* Whether store_status may be called, and the last evidence is kept if it may not. */
void volume_set_store_open(struct volume *volume, bool is_open);
/* All zeroes but is_locked while the store is closed.  Any thread; never waits for a flush. */
void volume_store_status(struct volume *volume, struct store_status *status);

#endif

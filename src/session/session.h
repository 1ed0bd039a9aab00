/*
 * Whether the volume is open: the lock state, operations in flight, the
 * volume's idle clock, and the unlocked keyring.
 *
 * The state is one atomic word; entering and leaving an operation costs one
 * atomic each and takes no lock.  Time is CLOCK_BOOTTIME: suspend counts, and
 * setting the clock back does not help.
 */
#ifndef PHIFS_SESSION_SESSION_H
#define PHIFS_SESSION_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "keys/keyring.h"

enum session_state {
	SESSION_LOCKED,
	SESSION_UNLOCKING, /* recovery runs; operations are answered as LOCKED */
	SESSION_UNLOCKED,
	SESSION_LOCKING,   /* only write-back, fsync, flush, release, forget go on */
	SESSION_DRAINED,   /* LOCKING and write-back refused too */
	SESSION_CLOSED     /* everything is committed; keys and buffers are being wiped */
};
const char *session_state_name(enum session_state state);

/* What an operation needs to be let in: a column of fsops/ops.def. */
enum session_need {
	NEED_UNLOCKED,     /* LOOKUP of new names, OPEN, READ, ordinary WRITE ... */
	NEED_WRITEBACK,    /* also while LOCKING: page write-back, FSYNC */
	NEED_NOTHING       /* GETATTR, FLUSH, RELEASE, FORGET, STATFS */
};

struct session;
/* `idle_ms`: CONFIG_NEVER (INT64_MAX) for never.  Starts LOCKED. */
enum err session_new(int64_t idle_ms, struct session **session) MUST_CHECK;
void session_free(struct session *session);

/*
 * Count an operation in; ERR_LOCKED if the state does not allow it (nothing is
 * then counted).  Parked operations stay counted until their completion.
 */
enum err session_enter(struct session *session, enum session_need need) MUST_CHECK;
void session_leave(struct session *session);

/* An authorised open, read, write, create, delete or list: the idle clock starts again. */
void session_touch(struct session *session);

enum session_state session_state(const struct session *session);
/* Milliseconds until the idle lock is due; 0: now; INT64_MAX: never or locked. */
int64_t session_idle_left_ms(const struct session *session);
/* Boot-time nanoseconds of the last change of state. */
int64_t session_since_ns(const struct session *session);

/*
 * LOCKED -> UNLOCKING (ERR_BUSY if it is in any other state), then either
 * session_unlocked, which takes the keyring over, or session_unlock_failed.
 */
enum err session_begin_unlock(struct session *session) MUST_CHECK;
void session_unlocked(struct session *session, struct keyring *keyring);
void session_unlock_failed(struct session *session);

/* The unlocked keyring; NULL while locked.  Valid until session_locked. */
const struct keyring *session_keyring(const struct session *session);

/*
 * The lock in steps, run by daemon/lock.c: UNLOCKED -> LOCKING, wait for the
 * operations in flight (ERR_AGAIN after the deadline), LOCKING -> DRAINED,
 * wait again; DRAINED -> CLOSED, so that whoever waited for the commit is
 * answered and his thread's buffers can be wiped; at the end wipe the keyring:
 * LOCKED, from either of both.  `is_committed`: nothing was given up.
 */
enum err session_begin_lock(struct session *session) MUST_CHECK;
enum err session_wait_quiet(struct session *session, int64_t deadline_boot_ns) MUST_CHECK;
void session_refuse_writeback(struct session *session);
void session_store_closed(struct session *session, bool is_committed);
void session_locked(struct session *session);

/* The last lock committed everything: FSYNC may say so.  For states from CLOSED on. */
bool session_is_committed(const struct session *session);

/* Operations in flight now. */
uint64_t session_in_flight(const struct session *session);

#endif

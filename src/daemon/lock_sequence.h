/*
 * The lock, step by step (DESIGN.md "Locking a volume"), over callbacks: pure
 * order and deadline, so that it can be tested without a mount.
 *
 *  1 begin             new operations are refused, write-back goes on
 *  2 wait_quiet        operations in flight, parked ones too
 *  3 drop_pages        every inode that had a fill; again while a pass brought
 *                      write-back, at most LOCK_PASSES_MAX times
 *  4 refuse_writeback  and wait_quiet again
 *  5 close_store       commit, checkpoint, wipe; the audit trail is flushed
 *  6 wipe              request buffers, cipher contexts, names
 *  7 record            the LOCK record; then finish: LOCKED
 *
 * No lock is held over any of it.  Steps 2 to 4 have a share of the deadline
 * each (until 1/2, 3/4, 7/8 of it); what a step did not manage is given up,
 * everything is wiped anyway, and `record` says what it cost.
 */
#ifndef PHIFS_DAEMON_LOCK_SEQUENCE_H
#define PHIFS_DAEMON_LOCK_SEQUENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define LOCK_PASSES_MAX 3
/* The store gets at least this much, whatever the steps before took. */
#define LOCK_STORE_MIN_MS 500

struct lock_report {
	uint64_t in_flight;      /* operations that did not end in time */
	uint64_t bytes_given_up; /* un-fsynced bytes lost */
	unsigned int passes;     /* over the page cache */
	bool is_cache_kept;      /* pages could not be dropped in time */
	unsigned int buffers;    /* request buffers that were not wiped */
	enum err store_err;      /* why the last commit failed, or ERR_OK */
	enum err audit_err;      /* why the audit flush failed, or ERR_OK */
};

struct lock_steps {
	void *ctx;
	enum err (*begin)(void *ctx);
	enum err (*wait_quiet)(void *ctx, int64_t deadline_ns);
	uint64_t (*in_flight)(void *ctx);
	enum err (*drop_pages)(void *ctx, int64_t deadline_ns);
	uint64_t (*writebacks)(void *ctx);
	void (*refuse_writeback)(void *ctx);
	/* Fills bytes_given_up and store_err. */
	void (*close_store)(void *ctx, uint32_t deadline_ms, struct lock_report *report);
	enum err (*flush_audit)(void *ctx);
	/* Gives the number of request buffers that could not be wiped. */
	unsigned int (*wipe)(void *ctx);
	void (*record)(void *ctx, const struct lock_report *report);
	void (*finish)(void *ctx);
};

/* ERR_LOCKED or ERR_BUSY from `begin`; otherwise the volume is locked afterwards. */
enum err lock_sequence(const struct lock_steps *steps, int64_t deadline_ms,
		       struct lock_report *report) MUST_CHECK;

/* True if the lock cost somebody something: for exit code and severity. */
bool lock_report_is_clean(const struct lock_report *report);

#endif

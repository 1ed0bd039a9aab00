/*
 * FUSE requests: each is guard begins, one store call, guard ends.
 *
 * ops.def is the table of operations: what each needs of the lock state,
 * whether it may wait (is parked), whether it counts as activity, which event
 * it writes.  guard.c is the one place where identity, lock state, policy and
 * audit meet.  FUSE types appear in this directory and in src/daemon only.
 */
#ifndef PHIFS_FSOPS_FSOPS_H
#define PHIFS_FSOPS_FSOPS_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdint.h>

#include "audit/audit.h"
#include "base/err.h"
#include "policy/policy.h"
#include "session/session.h"
#include "store/store.h"

struct fsops;

struct fsops_config {
	struct store *store;
	struct session *session;
	struct audit *audit;
	struct policy *policy;   /* owned by fsops from then on */
	bool read_only;          /* mount --read-only: every change is ERR_READ_ONLY */
	bool old_kernel;         /* no shared mmap on direct I/O: classes with mmap = yes open cached */
	/*
	 * A page-cache fill was answered: invalidate this range soon, from a
	 * thread that serves no request.  May be called by any worker.
	 */
	void (*filled)(void *ctx, uint64_t number, uint64_t offset, uint64_t length);
	/* A reply body with raw open flags (FOPEN_*) that libfuse 3.14 cannot express. */
	void *ctx;
};

enum err fsops_new(const struct fsops_config *config, struct fsops **fsops) MUST_CHECK;
void fsops_free(struct fsops *fsops);

/* For fuse_session_new; the session's user data must be the struct fsops. */
const struct fuse_lowlevel_ops *fsops_operations(void);

/* --- policy ------------------------------------------------------------------- */

/*
 * Put a new policy in force: the generation grows, places and rights of nodes
 * and handles are worked out anew at their next use.  Takes ownership; the old
 * one is freed when the last decision that uses it is over.  ERR_NO_MEMORY: the
 * old one stays in force, and the new one is freed.
 */
enum err fsops_set_policy(struct fsops *fsops, struct policy *policy) MUST_CHECK;

/* --- lock ----------------------------------------------------------------------- */

/* Numbers of all nodes that had a page-cache fill or are mapped since the last call. */
typedef void fsops_each_number(void *ctx, uint64_t number);
void fsops_each_filled(struct fsops *fsops, fsops_each_number *each, void *ctx);
/* Page write-backs (FUSE_WRITE_CACHE) answered so far: did a pass bring any? */
uint64_t fsops_writebacks(const struct fsops *fsops);
/*
 * For the lock: forget what was worked out from names, cached identities and
 * what reply buffers held.  Handles keep their opener (CLOSE says whose it was)
 * and are decided anew at their next use.
 */
void fsops_wipe(struct fsops *fsops);

/* --- what phifsctl shows ----------------------------------------------------------- */

struct fsops_holder {
	pid_t pid;
	char command[32]; /* base name of the executable */
	char user[32];
	char from[128];   /* terminal, remote host, "service" */
	uint32_t open;    /* files */
	uint32_t files;   /* of them: open for writing */
};
typedef void fsops_each_holder(void *ctx, const struct fsops_holder *holder);
/* Processes that have files open for writing: those a lock waits for. */
void fsops_holders(struct fsops *fsops, fsops_each_holder *each, void *ctx);
/* Processes that have files open at all. */
void fsops_openers(struct fsops *fsops, fsops_each_holder *each, void *ctx);

/* The last refusals, newest first, of a user (or of everybody: (uid_t)-1). */
struct fsops_refusal {
	int64_t wall_ns;
	uid_t uid, login_uid;
	enum err err;
	char action[16];
	char class_name[64];
	char cause[128];       /* "no rule allows it; root is not a role" */
	uint8_t object_id[16];
};
typedef void fsops_each_refusal(void *ctx, const struct fsops_refusal *refusal);
void fsops_refusals(struct fsops *fsops, uid_t uid, fsops_each_refusal *each, void *ctx);
/*
 * A refusal that was no request's (the control socket's).  True: it is the first
 * of its kind in this second, and the caller's to record; false: it is counted,
 * and the count will be.
 */
bool fsops_note_refusal(struct fsops *fsops, const struct audit_event *event, const char *cause);

struct fsops_status {
	uint64_t open_handles, reads, writes, refused, refused_across_classes;
};
void fsops_status(struct fsops *fsops, struct fsops_status *status);

/*
 * At mount, after unlock: make the literal paths of classes that are missing,
 * with their owner and mode.  Each is a CREATE record by phifs itself.
 */
enum err fsops_make_class_directories(struct fsops *fsops) MUST_CHECK;

#endif

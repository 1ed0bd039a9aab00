/* A request on its way through the guard: what guard*.c, decide.c, use.c and record.c share. */
#ifndef PHIFS_FSOPS_GUARD_PRIVATE_H
#define PHIFS_FSOPS_GUARD_PRIVATE_H

#include "fsops/private.h"

/* The words of ops.def. */
enum op_action_extra {
	ACTION_NONE = ACTION_COUNT,
	ACTION_OF_TARGET,
	ACTION_OF_HANDLE
};
#define AUDIT_NONE AUDIT_TYPE_COUNT
enum op_when { NEVER, BEFORE, AFTER };
enum op_locked { REFUSE, FROZEN, CLEAN, RUN };
#define ACTIVE  0x1u
#define WAITS   0x2u
#define CHANGES 0x4u

struct op_row {
	const char *name;      /* the member of struct fuse_lowlevel_ops */
	size_t member;         /* its offset there */
	enum session_need need;
	int action;            /* enum policy_action or op_action_extra */
	int event;             /* enum audit_type or AUDIT_NONE */
	enum op_when when;
	enum op_locked locked;
	unsigned int flags;
};
const struct op_row *op_row(enum op op);

/* Somebody's use of a handle in this request. */
struct handle_use {
	struct handle *handle;              /* NULL: none */
	struct caller *caller;              /* a reference, if it is not the opener */
	const struct audit_person *person;
};

#define CAUSE_MAX  128
#define DETAIL_MAX 192

struct guard {
	struct fsops *fsops;
	fuse_req_t req;
	enum op op;
	const struct op_row *row;
	struct guard_target target;  /* its strings: only until guard_begin returns */
	int slot;                    /* of the pool; -1: from the heap */

	pid_t thread;
	uid_t uid;
	gid_t gid;
	struct caller *caller;       /* a reference; NULL on open handles */
	struct handle_use use, out;

	bool is_entered;             /* counted in flight */
	bool is_locked;
	bool is_making;              /* use.handle is new: OPEN, CREATE, OPENDIR */
	bool hides_handle;           /* WRITEBACK of one of several writers: nobody is named */
	enum op_when when;           /* the row's, unless the request itself makes a difference */

	/* The object, and what was decided about it. */
	uint64_t number;
	bool has_object;
	struct object_id object_id;
	struct scope *scope;         /* a reference */
	int class_index, new_class_index; /* -1: none */
	enum policy_action action;
	struct policy_verdict verdict;
	uint64_t moved, also_moved;  /* files whose names change: place_moved afterwards */
	char *path, *new_path;       /* NULL: not worked out, or there is none */
	char cause[CAUSE_MAX];       /* of a refusal */
	char detail[DETAIL_MAX];
	enum err refused;            /* with which a parked refusal is answered */
	union {                      /* what a parked reply will say */
		struct fuse_file_info open;
		struct {
			struct stat st;
			double timeout;
		} attr;
	} parked;
};

/* --- pool.c ------------------------------------------------------------------- */

enum err guard_pool_new(struct guard_pool **pool) MUST_CHECK;
void guard_pool_free(struct guard_pool *pool);
/* Zeroed. No lock; allocates only when more than GUARDS_POOLED are in flight. */
struct guard *guard_pool_get(struct guard_pool *pool);
void guard_pool_put(struct guard_pool *pool, struct guard *guard);

/* --- decide.c --------------------------------------------------------------------- */

/*
 * Who asks for what, and whether the policy allows it.  ERR_DENIED, ERR_CLASS:
 * class, action, verdict and cause are in the guard; other errors are the
 * store's or the memory's.
 */
enum err guard_decide(struct guard *guard) MUST_CHECK;

/* One subject under one policy. */
struct question {
	struct scope *scope;         /* the asker holds it */
	struct policy_subject subject;
	struct policy_roles roles;
	int64_t now; /* seconds since 1970 */
};
void question_begin(struct question *question, struct scope *scope,
		    const struct caller *caller);
/* All of `actions` (1u << ACTION_X) in all of the classes; the guard gets the answer. */
enum err question_ask(struct question *question, unsigned int actions,
		      const struct place_set *set, struct guard *guard) MUST_CHECK;
/* The classes of a node; one that lost its name has those of its open handles. */
enum err guard_classes(struct guard *guard, const struct scope *scope, uint64_t number,
		       struct place_set *set) MUST_CHECK;

/* --- use.c ---------------------------------------------------------------------------- */

/*
 * The handle `number` used by the guard's thread: by its opener's process, or by
 * another one, which is then resolved, decided and recorded as itself.
 */
enum err guard_use(struct guard *guard, uint64_t number, struct handle_use *use) MUST_CHECK;
/* The handle of an OPEN, CREATE or OPENDIR that was allowed. */
enum err guard_make_handle(struct guard *guard) MUST_CHECK;

/* Gives the reference back. */
void handle_use_release(struct handle_use *use);

/* --- record.c -------------------------------------------------------------------------- */

/* Paths of the names that this request is about; failing is no error. */
void guard_find_paths(struct guard *guard);
/* Wiped and freed: the request is over, or goes on with another file. */
void guard_forget_paths(struct guard *guard);
/* What every record of the request has. */
void guard_fill_event(struct guard *guard, struct audit_event *event);
/* audit_append; remembers whether the trail works. ERR_AUDIT. */
enum err fsops_append(struct fsops *fsops, const struct audit_event *event) MUST_CHECK;
/* The record of what is about to happen. */
enum err guard_record_before(struct guard *guard) MUST_CHECK;
/* Of what happened; returns what the caller is to be answered. */
enum err guard_record_after(struct guard *guard, enum err err, uint64_t bytes) MUST_CHECK;
/* OPEN of a handle that was made, whatever the row's event is. */
enum err guard_record_open(struct guard *guard, enum err err) MUST_CHECK;
/* Summaries that are due, and CLOSE. */
void handle_record_close(struct fsops *fsops, struct handle *handle);
void handle_record_summary(struct fsops *fsops, struct handle *handle);

/* --- refuse.c ------------------------------------------------------------------------------ */

/* Answers, records (DENY, LOCKED) and ends the guard; the answer may be parked. */
void guard_refuse(struct guard *guard, enum err err);

/* Out of flight, everything freed. */
void guard_free(struct guard *guard);

#endif

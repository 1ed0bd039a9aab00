/*
 * The audit trail as its writers see it: an event goes in, and when
 * audit_append returns it is in the kill-proof ring; when a flush returns it is
 * on disk.  DESIGN.md "Audit", FORMAT.md "Audit journal".
 *
 * If audit_append fails the access must not happen.
 *
 * Thread-safe.  audit_append takes one mutex for about 2 us and never waits
 * for a disk or a socket.
 */
#ifndef PHIFS_AUDIT_AUDIT_H
#define PHIFS_AUDIT_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* events.def lists them: EVENT(NAME, severity). The name is the RFC 5424 MSGID. */
enum audit_type {
#define EVENT(name, severity) AUDIT_##name,
#include "audit/events.def"
#undef EVENT
	AUDIT_TYPE_COUNT
};
const char *audit_type_name(enum audit_type type);

/* Who: resolved once per process and handle by the guard, copied into records. */
struct audit_person {
	uid_t uid;            /* fsuid of the request */
	uid_t login_uid;      /* (uid_t)-1: unset, a service */
	uint32_t session;     /* audit session id; UINT32_MAX unset */
	pid_t pid;            /* process (thread group) */
	char user[32];        /* name of uid, or "" */
	char login_user[32];
	char exe[256];        /* path of the executable, cut at the front if longer */
	char from[128];       /* terminal or remote host, "service" without a login */
	char unit[64];        /* last component of the cgroup */
};

#define AUDIT_VIA_DIRECT    0 /* read(2), write(2) */
#define AUDIT_VIA_FILL      1 /* page-cache fill: mmap, sendfile, splice */
#define AUDIT_VIA_WRITEBACK 2 /* dirty pages of a shared mapping; no one person */

/*
 * One event.  Zero means "not given" everywhere but in `err`; strings may be
 * NULL.  Nothing is kept after audit_append returns.
 */
struct audit_event {
	enum audit_type type;
	enum err err;                    /* outcome */
	const struct audit_person *person;
	pid_t thread;                    /* thread id of the request */
	uint64_t handle;                 /* number of the open handle */
	uint64_t number;                 /* st_ino */
	const uint8_t *object_id;        /* 16 bytes: pseudonym `file` */
	const char *path;                /* pseudonym `path`, and sealed where events.def says so */
	const char *new_path;            /* RENAME, LINK */
	int patient;                     /* which component of path names the patient; 0: none */
	const char *class_name;
	const char *new_class_name;      /* RENAME into another class */
	const char *role;
	int rule;                        /* line of the policy; 0: default deny */
	const char *action;              /* "read", "create" ... for DENY */
	uint64_t offset, length, bytes;  /* asked from, asked for, served */
	uint8_t via;                     /* AUDIT_VIA_* */
	uint32_t count;                  /* events this one stands for (summaries, repeats); 0 = 1 */
	const char *detail;              /* short text: causes, digests, changes; no file names */
};

struct audit;

/*
 * Seals and segment headers carry these: a collector can prove rollback of the
 * host.  The callback is called on the drain thread, without a lock of the
 * trail; it must not wait for an audit flush or for anyone who may be waiting
 * for one.
 */
struct audit_evidence {
	uint64_t store_seq;
	uint8_t store_mac[32];
	uint64_t slots_generation;
	uint8_t policy_digest[32];
	uint8_t config_digest[32];
};
typedef void audit_get_evidence(void *ctx, struct audit_evidence *evidence);
/*
 * Called once, on a thread of the trail: ERR_FULL, the ring was full and an
 * append refused (later ones may succeed again); anything else, the journal can
 * no longer be written and every append fails from now on.
 */
typedef void audit_failed(void *ctx, enum err why);

struct audit_config {
	const char *volume;              /* NAME */
	const char *words;               /* what names it on a command line; NULL: its NAME */
	const char *mountpoint;          /* names of programs below it are names too; or NULL */
	const char *directory;           /* <state>/audit */
	const char *ring_path;           /* <run>/NAME.tail, on tmpfs */
	const char *forward;             /* "unix:/path/of/socket" or NULL */
	const char *sd_id;
	bool plain_names;
	bool coalesce;                   /* one message for a run of reads or writes of a handle */
	uint64_t segment_size;
	int64_t segment_age_ms;
	audit_get_evidence *evidence;
	audit_failed *failed;
	void *ctx;
};

/*
 * Make a trail at `phifs-volume init`: directory, journal id, pseudonym key,
 * first signing key; the auditors' public keys (files written by `phifs-audit
 * keygen`) are copied into it.  `fingerprint` gets the journal's, as text.
 */
enum err audit_create(const char *directory, const char *const *auditor_key_files, size_t count,
		      char *fingerprint, size_t fingerprint_size) MUST_CHECK;

/*
 * Open the trail, drain an old ring, write RECOVER after an unclean end, start
 * the drain thread and the forwarder.  ERR_TAMPERED: the journal does not
 * verify; ERR_NOT_FOUND: not there.  Messages with hints go to the log.
 */
enum err audit_open(const struct audit_config *config, struct audit **audit) MUST_CHECK;

/* Seal, drain, give the forwarder up to `deliver_ms`, stop the threads, free. */
void audit_close(struct audit *audit, int64_t deliver_ms);

/* The record is in the ring when this returns.  `seq` may be NULL. */
enum err audit_append(struct audit *audit, const struct audit_event *event,
		      uint64_t *seq) MUST_CHECK;

/* Start making everything appended so far durable; then wait for it. */
uint64_t audit_flush_begin(struct audit *audit);
enum err audit_flush_wait(struct audit *audit, uint64_t seq) MUST_CHECK;
/* The same without waiting: `done` is called once, on the drain thread or at once. */
typedef void audit_done(void *ctx, enum err err);
void audit_flush_async(struct audit *audit, uint64_t seq, audit_done *done, void *ctx);

/* Seal now (lock, rotation, stop). */
enum err audit_seal(struct audit *audit) MUST_CHECK;

struct audit_status {
	uint64_t appended;      /* last record */
	uint64_t durable;
	uint64_t sealed;
	int64_t sealed_age_ms;
	uint64_t delivered;     /* last record known to be in the socket */
	bool is_connected;
	bool is_failed;
	uint32_t segment;
};
void audit_status(struct audit *audit, struct audit_status *status);

#endif

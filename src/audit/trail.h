/*
 * The open trail, as the files that implement audit.h share it.
 *
 *   audit.c    open, close and the public calls
 *   append.c   event -> record -> ring, under one mutex
 *   drain.c    the drain thread: ring -> segment file, flushes, when to seal
 *   rotate.c   seals, segment changes, commits of the state
 *   feed.c     segment files -> messages
 *   forward.c  the forwarder thread: messages -> socket, bookmarks
 *
 * Locks: appender.lock and drain.lock; never one inside the other.  Nothing is
 * awaited under appender.lock.
 */
#ifndef PHIFS_AUDIT_TRAIL_H
#define PHIFS_AUDIT_TRAIL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "audit/audit.h"
#include "audit/identity.h"
#include "audit/ring.h"
#include "audit/segment.h"
#include "audit/state.h"

struct appender {
	pthread_mutex_t lock;           /* guards all but `appended` */
	struct ring *ring;
	struct aead *aead;
	struct segment_keys *keys;      /* secret memory: of the current segment */
	struct chain chain;
	uint32_t segment;
	uint64_t segment_end;           /* its length once the ring is drained */
	uint32_t counts[AUDIT_TYPE_COUNT]; /* since the last seal */
	bool is_closed;                 /* the stop seal was made */
	uint8_t *record;                /* of RECORD_MAX */
	_Atomic uint64_t appended;
};

/* A flush that somebody waits for with a callback. */
struct flush_waiter {
	struct flush_waiter *next;
	uint64_t seq;
	audit_done *done;
	void *ctx;
};

struct drain {
	pthread_t thread;
	bool is_started;
	_Atomic bool is_idle;           /* nothing in the ring: the next append must wake us */
	_Atomic bool is_ring_full;      /* an append was refused */
	_Atomic bool is_failed;

	pthread_mutex_t lock;           /* guards the following */
	pthread_cond_t wake, done;
	bool is_stopping;
	bool is_hurried;                /* the ring fills up: do not wait for 100 ms */
	uint64_t flush_wanted;          /* somebody waits for this record */
	uint64_t seals_wanted, seals_done;
	enum seal_kind seal_kind;
	struct flush_waiter *waiters;
	uint64_t durable;
	struct position durable_end;    /* segment and offset only: how far files may be read */
	uint64_t sealed;
	int64_t sealed_at_ns;
	struct position delivered, settled; /* the forwarder's bookmarks */
	bool is_bookmark_new;
	bool is_all_delivered;          /* at the stop: nothing is left to be sent */

	/* The drain thread's own. */
	int fd;                         /* the segment being written, or -1 */
	int spare_fd;                   /* the next one, preallocated, or -1 */
	uint32_t segment;
	uint64_t offset;
	uint64_t cleared, allocated;    /* zeroes were written up to, blocks are there up to */
	uint8_t *buffer;
	size_t used;
	uint64_t drained;               /* last record handed to the file */
	bool is_dirty;
	int64_t dirty_since_ns;
	int64_t segment_since_ns, seal_due_ns, committed_at_ns;
	bool has_told_failure;
};

struct forwarder;

struct audit {
	struct audit_config config;     /* its strings are our own copies */
	struct identity identity;
	uint8_t boot_id[AUDIT_ID_LEN];
	int dir_fd;
	struct state_file *state_file;
	struct audit_state *state;      /* drain thread; its keys under drain.lock */
	struct appender append;
	struct drain drain;
	struct forwarder *forwarder;    /* NULL without `forward` */
};

/* append.c */
enum err append_init(struct appender *append) MUST_CHECK;
void append_free(struct appender *append);
/* One record, with append->lock held; `is_reserved`: the trail's own. */
enum err append_record(struct appender *append, enum audit_type type, const uint8_t *body,
		       size_t len, bool is_reserved) MUST_CHECK;
/* An event of the trail itself, with append->lock held. */
enum err append_own(struct appender *append, enum audit_type type,
		    const char *detail) MUST_CHECK;

/* drain.c */
enum err drain_init(struct audit *audit) MUST_CHECK;
void drain_free(struct audit *audit);
enum err drain_start(struct audit *audit) MUST_CHECK;
void drain_stop(struct audit *audit);
/* Everything in the ring into the file and onto the disk. */
enum err drain_sync(struct audit *audit) MUST_CHECK;
void drain_wake(struct drain *drain);
/*
 * Zeroes behind what is written, so that a flush carries data only.  Blocks that
 * are merely preallocated have to be marked written: on ext4 that is a commit of
 * its journal, which waits until all data newly written to *other* files is on disk.
 * Drain thread.
 */
enum err drain_clear_ahead(struct drain *drain, int fd) MUST_CHECK;
/* After the stop: cut the last segment to its length. */
enum err drain_finish(struct audit *audit) MUST_CHECK;

/* rotate.c; drain thread, or audit_open before it runs */
/* Seal what is in the chain; the state must have been committed since the last seal. */
enum err rotate_seal(struct audit *audit, enum seal_kind kind) MUST_CHECK;
/*
 * Begin the next segment, with a rotate seal in the old one if `is_rotation`
 * and a RECOVER record if `recovery` is not NULL.  Durable after drain_sync.
 */
enum err rotate_segment(struct audit *audit, bool is_rotation, const char *recovery) MUST_CHECK;
/* Preallocate the next segment file, if there is none. */
enum err rotate_prepare_spare(struct audit *audit) MUST_CHECK;
/* Turn the spare into segment `number` with its header. */
enum err rotate_take_spare(struct audit *audit, uint32_t number, const uint8_t *header,
			   size_t len) MUST_CHECK;
/* Erase keys that are no longer needed and make the state durable. */
enum err rotate_commit(struct audit *audit) MUST_CHECK;

/* forward.c */
enum err forward_start(struct audit *audit) MUST_CHECK;
/* There is more to send. */
void forward_wake(struct forwarder *forwarder);
/* Give it `deliver_ms` to send the rest, then end it. */
void forward_stop(struct audit *audit, int64_t deliver_ms);
bool forward_is_connected(const struct forwarder *forwarder);
/* A copy of a segment's key; false if it is gone. */
bool trail_segment_key(struct audit *audit, uint32_t segment, uint8_t key[AUDIT_KEY_LEN]);

#endif

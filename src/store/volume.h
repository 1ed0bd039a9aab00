/*
 * What the modules of the store share: the open volume, its nodes and their
 * content.  Private to src/store.
 *
 * Lock order, outermost first:
 *
 *   store->names      rwlock: namespace changes hold it shared, gathering a
 *                     transaction holds it exclusively, so that a transaction
 *                     has all of a namespace change or nothing (I21)
 *   dir->lock         rwlock of one directory's entries; two directories by
 *                     rising number
 *   store->attributes mutex: extended attributes and extra links
 *   node->mutex       one node's attributes and content in memory; never held
 *                     during backing I/O
 *   the rest          leaf mutexes inside table, dirty list, waiters, flusher
 *                     queue, idle list; none is held while taking another
 */
#ifndef PHIFS_STORE_VOLUME_H
#define PHIFS_STORE_VOLUME_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "crypto/hash.h"
#include "keys/keyring.h"
#include "store/backing.h"
#include "store/dir_index.h"
#include "store/extent.h"
#include "store/journal.h"
#include "store/ledger.h"
#include "store/overlay.h"
#include "store/space.h"
#include "store/store.h"
#include "store/tree.h"

/* One set of numbers (DESIGN.md, "Numbers"). */
#define COMMIT_INTERVAL_MS   1000
#define COMMIT_PENDING_MAX   (8u << 20)   /* journal bytes that start a commit */
#define DIRTY_MAX            (32u << 20)  /* plaintext in memory; then writers are parked */
#define TXN_TARGET_LEN       (12u << 20)  /* file data beyond this waits for the next one */
#define TXN_WANTED_MAX       (52u << 20)  /* so does what somebody waits for, beyond this */
#define BACKLOG_MARGIN       (8u << 20)   /* beyond DIRTY_MAX: then callers sleep (room.h) */
#define STREAMED_MAX         (8u << 20)   /* entries of one file's streamed blocks */
#define STREAM_THRESHOLD     (256u << 10) /* fresh bytes of a file that go through the journal */
#define SETTLE_BLOCKS_MIN    256u         /* so much cut off, and writers had better wait for it */
#define STREAM_REQUEST_MIN   (64u << 10)  /* a write of that many fresh bytes streams at once */
#define WRITE_MAX            (1u << 20)
#define CHUNK_LEN            (256u << 10) /* encrypt and write in pieces that stay in cache */
#define CHUNK_BLOCKS         (CHUNK_LEN / BLOCK_SIZE)
#define CONTENTS_MAX         32768        /* loaded; less if the process may open fewer files */
#define IDLE_CONTENTS_MAX    1024         /* open backing files and keys kept for later */
#define TREE_PAGES_MAX       16384        /* about 60 MiB of tree pages */
#define TREE_PAGES_KEPT      64           /* of one object, when there are too many */
#define CHECKPOINT_IDLE_MS   30000
#define ANCHOR_INTERVAL_MS   10
#define NO_SHRINK            UINT64_MAX
#define INODE_RECORD_COST    700          /* journal bytes a changed node is counted with */
#define BLOCK_COST           (BLOCK_SIZE + 128) /* ... a block that goes through the journal */
#define STREAM_COST          64           /* ... an extent that does not, besides its entries */

struct content;
struct dir;
struct part;
struct txn;

/*
 * One object as the kernel knows it.  Survives a lock; names and content do not.
 * Each file that the kernel remembers has one: its size is what a volume of many
 * files costs, so it has no holes.
 */
struct node {
	struct node *table_next;   /* protected by the table, like refs */
	uint64_t number;
	struct object_id id;
	uint64_t refs;             /* lookups, pins, content */
	atomic_uint_fast64_t lookups; /* of them: the kernel's; less only under the mutex */
	uint32_t type;             /* S_IF*: never changes, read without the mutex */
	uint32_t epoch;            /* protected by the mutex, as all that follows it */
	pthread_mutex_t mutex;
	struct object_attr attr;   /* live; version and root are the appended state's */
	uint32_t opens;
	enum err damaged;          /* ERR_OK, or why its content is refused */
	struct object_id parent;   /* directory that has `name` for it */
	char *name;                /* malloc'd, wiped when freed; NULL: none or not known */
	uint64_t name_hash;        /* of the name at the last lock, for frozen lookups */
	uint64_t frozen_parent;
	struct object_id attributes;

	/* Times of the store's operation clock. */
	uint64_t op;               /* last change */
	uint64_t named_op;         /* last change that belongs to the namespace (I21) */
	uint64_t appended_named_op;
	uint64_t appended_op;      /* last change in a transaction */
	uint64_t flushed_op;       /* last change in a flushed transaction */
	uint64_t wanted_op;        /* some fsync waits for this */
	uint64_t must_op;          /* a name committed must bring this (R3, I22) */
	struct node *dirty_next, *dirty_prev; /* protected by the dirty list's mutex */

	struct content *content;   /* NULL: not loaded */
	struct dir *dir;           /* NULL: not a directory or not indexed */

	bool header_known;         /* parent, name and attributes were read or set */
	bool is_new;               /* no transaction has it yet */
	bool is_dirty;             /* on the dirty list */
	bool is_metadata;          /* an attributes object: part of the namespace (I21) */
	atomic_bool is_gone;       /* its deletion is in a transaction, or it never existed */
	atomic_bool reported;      /* its damage went to the audit trail */
};

/* Journal bytes that a content's changes cost; a block changed twice may count twice. */
struct load {
	uint64_t dirty, streamed;
};

/* A frozen state of a node's content: what the flusher makes durable (R1). */
struct cut {
	uint64_t op;
	uint64_t size, blocks;
	uint64_t shrink;           /* smallest size since the cut or transaction before it */
	struct load load;          /* since the last transaction */
	struct overlay overlay;
};

struct range {
	uint64_t first, end;       /* blocks */
	struct range *next;
};

/* The content of one node, loaded. */
struct content {
	struct node *node;
	uint32_t users;            /* pins; node->mutex */
	atomic_bool is_idle;       /* on the idle list; changed under the list's mutex */
	struct content *idle_next, *idle_prev;

	uint8_t *key;              /* OBJECT_KEY_LEN bytes in the key slab */

	uint64_t loaded_op;        /* of the operation clock when it was loaded: no two are equal */

	/* Protected by node->mutex. */
	struct overlay live;
	uint64_t shrink;           /* smallest size since the last cut or transaction */
	uint64_t sealing_shrink;   /* of the part whose tree is being built */
	uint64_t high_block;       /* no state ever had data at or above this block */
	uint64_t fresh_bytes;      /* dirty bytes of fresh blocks since the last transaction */
	struct load load;          /* since the last transaction */
	struct range *in_flight;   /* writes and truncates under way (R5) */
	uint64_t streamed_op;      /* op of the last streamed write */
	uint64_t unwritten_first, unwritten_end; /* blocks streamed that no flush has begun for */
	uint64_t unwritten_count;  /* so many of them */
	uint64_t synced_op;        /* streamed writes up to here are flushed */
	struct cut *flushing, *ready;
	bool flush_queued;
	struct part *parts_first, *parts_last; /* in transactions not yet applied */
	struct tree tree;          /* appended state */
	uint64_t tree_size;        /* bytes the tree was built for */
	uint64_t tree_blocks;      /* st_blocks of that state */
	bool is_inline;            /* appended state */
	bool is_sealing;           /* its tree is being changed: nothing is evicted */
	uint64_t apply_count;      /* odd while its part is being applied */
	uint64_t applied_seq;      /* its parts up to this seq are in place */
	uint64_t base;             /* I11: everything up to this seq is applied and synced */

	pthread_mutex_t file_mutex; /* protects opening and creating the file */
	int file;                  /* backing file, or -1 */
	atomic_bool exists;        /* has a backing file */
	atomic_bool in_new;        /* which lies in objects/new */
	atomic_bool name_durable;  /* R6: its directory entry is known durable */
};

/* Somebody who waits until nodes are flushed. */
struct waiter {
	struct waiter *next;
	store_done *done;
	void *ctx;
	enum err err;
	uint64_t names_op;         /* namespace changes up to here too */
	bool until_settled;        /* besides, no shrink is unapplied; never fails */
	size_t bytes;
	size_t count;
	struct { struct node *node; uint64_t op; } want[];
};


#define TABLE_SHARDS   16
#define TABLE_SMALLEST 16 /* buckets; a power of two */
struct table_shard {
	pthread_mutex_t mutex;
	/* node_table.c's */
	struct node **buckets;
	size_t capacity, count;
	struct node *smallest[TABLE_SMALLEST];
};

struct store {
	struct backing *ciphertext, *state;
	struct ledger *ledger;
	struct space *space;
	struct store_hooks hooks;
	bool read_only;
	uint32_t commit_interval_ms;
	uint64_t dirty_max, stream_threshold;
	uint8_t fs_id[FS_ID_LEN];
	uint64_t slots_generation; /* of the slot file now in use; 0: not known */
	/* What was there at the last lock: what lies there at the next unlock may not be older. */
	bool has_left;
	uint64_t left_seq;
	uint8_t left_mac[JOURNAL_MAC_LEN];
	uint64_t slots_generation_seen;
	uint8_t hash_key[SHORT_HASH_KEY_LEN]; /* of this process: names in frozen lookups, indexes */

	struct table_shard table[TABLE_SHARDS];
	atomic_bool unlocked;
	atomic_bool poisoned;      /* a lock gave up on the backing: only close is left */
	_Atomic enum err frozen;
	atomic_bool is_short;      /* of room, and it was said */
	atomic_uint_fast64_t clock; /* operation clock: grows with each change */
	atomic_uint_fast64_t names_op; /* last namespace change */
	atomic_uint_fast64_t next_number;
	atomic_uint_fast64_t damaged;
	atomic_uint tree_pages;

	/* Since unlock. */
	const struct keyring *keyring;
	struct pages pages;
	struct slab *keys;         /* object keys */
	struct slab *copy_buffers; /* WRITE_MAX bytes each */
	struct slab *ahead_buffers; /* AHEAD_PIECE bytes each */
	pthread_rwlock_t names;
	pthread_mutex_t attributes;

	pthread_mutex_t dirty_mutex;
	struct node *dirty_first, *dirty_last;
	uint64_t dirty_count;
	int64_t dirty_since_ns;
	atomic_uint_fast64_t pending_bytes;
	atomic_uint_fast64_t reserved_bytes; /* of calls that are on their way (room.h) */

	pthread_mutex_t idle_mutex;
	struct content *idle_first, *idle_last;
	_Atomic uint32_t idle_count; /* read without the lock: when to trim */
	_Atomic uint32_t contents; /* loaded: each may have its backing file open */
	uint32_t contents_max;     /* beyond: who changes something sleeps (room.h) */

	/* in-flight ranges and applies of any node end: few waiters, one condition */
	pthread_mutex_t change_mutex;
	pthread_cond_t change_cond;
	atomic_uint_fast64_t change_count;
	atomic_uint change_waiters;

	struct journal *journal;
	struct crew *crew;           /* encrypts and decrypts with whoever has a large request */
	struct committer *committer;
	struct applier *applier;
	struct flusher *flusher;
	struct ahead *ahead;         /* may be NULL */
	atomic_uint_fast64_t commits, checkpoints;
};

/* The operation clock's next time. */
static inline uint64_t store_tick(struct store *store)
{
	return atomic_fetch_add(&store->clock, 1) + 1;
}

/* Freeze after an I/O error (I24): everything kept, nothing more changed. */
void store_freeze(struct store *store, enum err why);
/*
 * A write of the store's own met `err`.  True: try it again, for the ballast was
 * given up, or there may be room by now (it sleeps a little).  False: it is not
 * about room, or the volume is frozen meanwhile.  Not for syncs: one that fails
 * has lost data, whatever it calls the reason.
 */
bool store_awaits_room(struct store *store, enum err err);
/* ERR_LOCKED, ERR_READ_ONLY, ERR_FROZEN or ERR_OK: may something be changed? */
enum err store_may_change(struct store *store);
enum err store_may_read(struct store *store);

/* Report an integrity failure once and mark the node. */
void store_report(struct store *store, struct node *node, enum err what, uint64_t block);

/*
 * Waiting for a range in flight or an apply to end: take the count while the
 * condition is looked at (node locked), then wait, unlocked, until it moved.
 */
uint64_t store_change_count(struct store *store);
void store_wait_change(struct store *store, uint64_t seen);
void store_announce_change(struct store *store);

#endif

/*
 * A model of the commit protocol, small enough for 10^8 crash states: what it
 * has of the store is what decides about durability (DESIGN.md, "Store"), with
 * the same names and in the same order, and nothing is encrypted: a sector has
 * a number that says what is in it.
 *
 * Threads are coroutines that take turns at every backing call and wherever the
 * store lets go of a lock; which one goes on is drawn from the run's seed.
 * Each sector keeps all versions since its last durable one, and a power cut
 * leaves any version of each.
 *
 *     commit_model.c          options, runs, what is printed
 *     commit_model_thread.c   coroutines
 *     commit_model_disk.c     sectors, flushes, images after a cut
 *     commit_model_tree.c     hash pages of one object
 *     commit_model_content.c  overlay, cuts, write, truncate, punch
 *     commit_model_names.c    create, link, unlink, rename
 *     commit_model_gather.c   what goes into a transaction; its records
 *     commit_model_commit.c   the committer: append, flush, answer
 *     commit_model_apply.c    the applier and the flusher
 *     commit_model_recover.c  recovery of an image
 *     commit_model_replay.c   ... of one object
 *     commit_model_check.c    what must hold of it; remount
 *     commit_model_work.c     the workers
 */
#ifndef PHIFS_TESTS_COMMIT_MODEL_H
#define PHIFS_TESTS_COMMIT_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum broken {
	BROKEN_NOTHING,
#define BROKEN(name, what, masked, seed) BROKEN_##name,
#include "commit_model_rules.def"
#undef BROKEN
	BROKEN_COUNT
};
#define IS_BROKEN(m, name) ((m)->broken == BROKEN_##name)

/* --- sizes ----------------------------------------- */

enum {
	OBJECTS = 10,         /* numbers are never used again; 0 is the root directory */
	BLOCKS = 4,           /* of an object */
	UNITS = 2,            /* sizes are in units: half a block */
	INLINE_MAX = 1,       /* units */
	FANOUT = 2,           /* entries of a tree page, one in each of its sectors */
	PAGE_SECTORS = 2,
	RECORD_SECTORS = 3,   /* header and records of a transaction */
	HALF_SECTORS = 48,    /* of the journal */
	TXN_PAGES = 22,       /* data blocks of a transaction at most */
	VERSIONS = 14,        /* of a sector */
	WORKERS = 2,
	HEADERS = 1024,
	EXTENTS = 2048,
	TXNS = 200,
	STATES = 160,         /* of one object's content, or of the namespace */
	RENAMES = 32,
	TRACE = 2048,
	NO_SHRINK = 255
};

/* Where sectors lie. */
enum {
	AT_ENTRIES,                                 /* directory entries, one an object */
	AT_ANCHOR = AT_ENTRIES + OBJECTS,           /* two slots */
	AT_JOURNAL = AT_ANCHOR + 2,
	AT_OBJECTS = AT_JOURNAL + 2 * HALF_SECTORS,
	SECTOR_HEADER = 0,                          /* in an object */
	SECTOR_PAGES = 1,                           /* leaf 0, leaf 1, top */
	SECTOR_DATA = SECTOR_PAGES + 3 * PAGE_SECTORS,
	OBJECT_SECTORS = SECTOR_DATA + BLOCKS * PAGE_SECTORS,
	SECTORS = AT_OBJECTS + OBJECTS * OBJECT_SECTORS
};
enum entry { ENTRY_ABSENT, ENTRY_NEW, ENTRY_SHARD };
enum page { PAGE_LEAF0, PAGE_LEAF1, PAGE_TOP, PAGES };

/* What a sector may say; a tree page's has an entry or the hash of a page, 0 is zeroes. */
enum { SECTOR_IS_HEADER = 1, SECTOR_IS_RECORDS, SECTOR_IS_DATA, SECTOR_IS_ANCHOR,
       SECTOR_IS_TORN };
static inline uint64_t sector_value(uint64_t kind, uint64_t index, uint64_t part)
{
	return kind << 56 | index << 8 | part;
}
static inline unsigned int sector_kind(uint64_t value)
{
	return (unsigned int)(value >> 56);
}
static inline unsigned int sector_index(uint64_t value)
{
	return value >> 8 & 0xffffff;
}
#define ENTRY_IS_INLINE ((uint64_t)1 << 40)

static inline int at_object(int object, int sector)
{
	return AT_OBJECTS + object * OBJECT_SECTORS + sector;
}
static inline int at_page(int object, int page)
{
	return at_object(object, SECTOR_PAGES + page * PAGE_SECTORS);
}
static inline int at_block(int object, int block)
{
	return at_object(object, SECTOR_DATA + block * PAGE_SECTORS);
}
static inline int blocks_of(int size)
{
	return (size + UNITS - 1) / UNITS;
}
static inline int levels_of(int size)
{
	return blocks_of(size) > FANOUT ? 2 : 1;
}

/* --- the disk ----------------------------------------- */

struct sector {
	uint32_t first;               /* number of the durable version */
	uint32_t lost;                /* a failed flush: what is up to here never becomes durable */
	uint8_t count;
	uint64_t version[VERSIONS];
};

struct image {
	uint64_t sector[SECTORS];
};

/* What a run has most of. */
enum style { STYLE_ANY, STYLE_SIZES, STYLE_ONE_FILE };

/* Which backing calls may fail. */
enum failing { FAIL_ANY, FAIL_FLUSH, FAIL_OBJECT_FLUSH };

/* --- objects ----------------------------------------- */

enum kind { KIND_DIRECTORY, KIND_FILE, KIND_ATTRIBUTES };
enum extent_kind { EXTENT_DIRTY, EXTENT_STREAM, EXTENT_HOLE };

/* One block's content: never changes. */
struct extent {
	enum extent_kind kind;
	uint32_t seq;                 /* of the transaction that carried it first */
	uint32_t meaning;             /* directory: object; attributes: further names */
};

struct overlay {
	uint16_t extent[BLOCKS];      /* 0: none */
};

/* What a sealed header says; its root vouches for `content`. */
struct header {
	uint8_t object, size, nlink, levels, attributes, primary;
	bool is_inline;
	uint32_t version, epoch, op;
	uint64_t root;
	uint16_t content[BLOCKS];
};

struct tree {
	int levels;
	uint64_t body[PAGES][FANOUT];
	bool has[PAGES], changed[PAGES], fresh[PAGES];
	uint64_t root;
};

struct cut {
	bool is_set;
	uint32_t op;
	int size, shrink;
	struct overlay overlay;
};

/* A state that an object's content had. */
struct state {
	uint32_t op;
	uint8_t size;
	uint16_t content[BLOCKS];
};

struct node {
	enum kind kind;
	bool is_used, is_new, is_gone, is_dirty, is_stuck;
	uint32_t epoch, version, op, named_op, appended_named_op, appended_op, wanted_op, must_op;
	uint64_t flushed_op;
	int opens, nlink, size;
	uint8_t attributes, primary, parent;

	struct overlay live;
	int shrink, sealing_shrink, high_block;
	uint8_t claimed;              /* blocks in flight; bit BLOCKS: whatever lies behind */
	uint32_t streamed_op, synced_op;
	struct cut flushing, ready;
	bool flush_queued;
	struct tree tree;             /* appended state */
	int tree_size;
	bool is_inline;
	uint32_t base, retired_seq;   /* of its last part that is in place */
	bool exists, in_new, name_durable, is_opening;
	bool was_nameless;            /* at the mount */

	struct state states[STATES];  /* what it should be; the last one is now */
	int state_count;
};

/* --- journal and ledger ----------------------------------------- */

struct part {
	uint8_t object;
	bool is_create, is_delete, is_inline, emits_inline;
	uint32_t op, base;
	int size, shrink, levels_before;
	struct overlay overlay;
	uint16_t header;
	struct tree tree;             /* changed pages, fresh ones */
	uint8_t changes;              /* blocks whose entries change */
	uint8_t pages;                /* ... whose data is in the journal */
	uint8_t page_at[BLOCKS];
	uint16_t entry[BLOCKS];
};

struct txn {
	uint32_t seq, session, epoch, names_op;
	uint16_t previous;            /* whose MAC it names */
	int half, at;
	int part_count, page_count;
	bool has_left_over;
	struct part part[OBJECTS];
	int8_t part_of[OBJECTS];      /* -1: none */
	uint16_t page_extent[TXN_PAGES];
	uint16_t expected[OBJECTS];   /* headers of the state after it */
	const char *wrong;            /* that state never was */
};

struct position {
	uint32_t start_seq, session;
	uint16_t previous;
	int half;
};

struct ledger {
	struct position position;
	uint16_t row[OBJECTS];        /* headers; 0: none */
};

struct half {
	uint32_t first, last;
	uint16_t before;
	bool is_free;
	uint16_t touched, deleted;    /* objects that a checkpoint flushes */
};

/* --- what should be ----------------------------------------- */

struct names {
	uint32_t op;
	uint8_t slot[OBJECTS][BLOCKS], nlink[OBJECTS], primary[OBJECTS];
	uint32_t links[OBJECTS];
};

/* A name that replaced another, and the content that must come with it. */
struct replaced {
	uint32_t names_op, op;
	uint8_t object;
};

/* --- threads ----------------------------------------- */

struct model;
struct thread;
typedef bool ready_fn(struct model *m, int arg);

struct waiter {
	bool is_waiting, has_failed;
	bool until_settled;           /* besides, no truncation of it is unapplied */
	bool is_flushed;              /* what a parked rename waits for */
	uint32_t names_op, op[OBJECTS];
};

struct job {
	uint8_t object;
	bool *done;                   /* of a parked rename; may be NULL */
};

struct trace {
	const char *what;
	int a, b, c;
};

enum thread_number { THREAD_COMMITTER, THREAD_APPLIER, THREAD_FLUSHER, THREAD_WORKER,
		     THREADS = THREAD_WORKER + WORKERS };

struct model {
	enum broken broken;
	uint64_t random;
	struct thread *threads;
	int current;                  /* thread that runs */
	bool is_over;                 /* out of room: the run ends */
	const char *violation;

	struct sector disk[SECTORS];
	uint16_t pending[SECTORS];    /* sectors with more than one version */
	int pending_count;
	uint64_t durable[SECTORS];
	bool has_changed;             /* since the last cut that was looked at */
	int fail_in;                  /* backing calls until one fails; 0: none does */
	enum failing failing;         /* ... of these */
	bool has_journal_error;       /* that its next flush tells */
	bool is_frozen;

	struct node node[OBJECTS];
	struct extent extent[EXTENTS];
	struct header header[HEADERS];
	struct txn txn[TXNS];         /* 0: before everything */
	int extent_count, header_count, txn_count, object_count;

	uint32_t clock, names_op, flushed_names_op, epoch, session;
	bool names_busy;
	uint32_t seq, gathered_seq, applied_seq, flushed_seq;
	uint16_t last;                /* transaction appended last */
	uint16_t by_seq[TXNS];
	struct half half[2];
	int current_half, offset;
	bool anchor_dirty;

	struct ledger ledger;         /* as it is committed */
	uint16_t row[OBJECTS];        /* with what is not */
	bool is_checkpoint_wanted, is_applier_wanted;
	bool is_urgent, is_everything, is_idle_checkpoint;
	struct waiter waiter[WORKERS];
	struct job job[4 * OBJECTS];
	int job_count;
	enum style style;
	int ops_left, idle_workers;
	int cut[2];                   /* turns at which the power is cut and the run goes on */

	struct names names[STATES];
	int names_count;
	struct replaced replaced[RENAMES];
	int replaced_count;
	uint32_t acknowledged[OBJECTS], acknowledged_names;

	struct trace trace[TRACE];
	int trace_count;
};

/* --- commit_model.c ----------------------------------------- */

extern uint64_t states;           /* explored */
uint64_t draw(struct model *m);
static inline int below(struct model *m, int max)
{
	return (int)(draw(m) % (unsigned int)max);
}
void trace(struct model *m, const char *what, int a, int b, int c);
void violate(struct model *m, const char *what);

/* --- commit_model_thread.c ----------------------------------------- */

/* Begin all threads anew; what they did is abandoned. */
void threads_begin(struct model *m);
/* Let a thread that can go on do so up to its next step; false: none can. */
bool threads_turn(struct model *m);
/* Of a thread: let others go on. */
void step(struct model *m);
/* Of a thread: go on when `ready` says so. */
void wait_for(struct model *m, ready_fn *ready, int arg);

/* --- commit_model_disk.c ----------------------------------------- */

void disk_begin(struct model *m, const struct image *image);
/* Written at once, not durable: all in which the image differs. */
void disk_add(struct model *m, const struct image *image);
uint64_t disk_read(const struct model *m, int at);
/* Backing calls: false if the call failed; a failed write wrote any part. */
bool disk_write(struct model *m, int at, const uint64_t *values, int count);
bool disk_zero(struct model *m, int at, int count);
bool disk_set(struct model *m, int at, uint64_t value);
bool disk_flush(struct model *m, int at, int count);
bool disk_flush_new(struct model *m);
bool disk_flush_shard(struct model *m, int object);
bool disk_flush_all(struct model *m);
/* What a power cut leaves, way by way. */
enum choice { CHOOSE_OLDEST, CHOOSE_NEWEST, CHOOSE_BITS, CHOOSE_ANY, CHOOSE_MOSTLY_NEW,
	      CHOOSE_MOSTLY_OLD, CHOOSE_BY_FILE,
	      CHOOSE_KILLED /* what was written stays, but for half of an anchor slot */ };
void disk_image(struct model *m, enum choice choice, uint64_t bits, struct image *image);

/* --- commit_model_tree.c ----------------------------------------- */

void tree_begin(struct tree *tree, int levels);
/* A tree whose pages all are in memory, of a content. */
void tree_build(struct tree *tree, int size, bool is_inline, const uint16_t content[BLOCKS]);
/* Pages that a call below must find in memory. */
unsigned int tree_shrink_needs(const struct tree *tree, int size);
void tree_shrink(struct tree *tree, int size);
void tree_grow(struct tree *tree, int size);
void tree_set_entry(struct tree *tree, int block, uint64_t entry);
/* Leaf 0 becomes an inline body, or (0) begins from zeroes. */
void tree_set_leaf0(struct tree *tree, uint64_t body);
/* Hash changed pages upward; sets the root. */
void tree_collect(struct tree *tree);
uint64_t tree_hash(int page, const uint64_t body[FANOUT]);
int tree_top(const struct tree *tree);

/* --- commit_model_content.c ----------------------------------------- */

int node_new(struct model *m, enum kind kind);
void node_changed(struct model *m, int object);
void node_names_changed(struct model *m, int object);
uint16_t extent_new(struct model *m, enum extent_kind kind, uint32_t meaning);
void content_write(struct model *m, int object, int offset, int len, bool is_large, uint32_t meaning);
void content_truncate(struct model *m, int object, int size);
void content_punch(struct model *m, int object, int block);
bool content_open_file(struct model *m, int object, enum entry create);
bool content_has_unflushed(const struct model *m, const struct node *node);
void content_cut_now(struct model *m, int object);
/* Up to here the object is in place: its own part may be, before the rest of its transaction. */
uint32_t content_applied_seq(const struct model *m, int object);
/* Is anything cut off that is not applied? */
bool content_is_unsettled(const struct model *m, int object);
void content_cut(struct node *node, struct cut *cut);
void content_set_ready(struct node *node, struct cut *cut);
/* Does the live state read as it should? */
bool content_reads_well(const struct model *m, int object);
/* The content that was the state at `op`. */
const struct state *state_at(const struct node *node, uint32_t op);
/* Take what it says now as a state. */
void state_now(struct model *m, int object, const struct state *state);

/* --- commit_model_names.c ----------------------------------------- */

void names_create(struct model *m, int dir, int slot, enum kind kind);
void names_link(struct model *m, int object, int dir, int slot);
void names_unlink(struct model *m, int dir, int slot);
void names_rename(struct model *m, int dir, int slot, int new_dir, int new_slot);
void names_release(struct model *m, int object);
void names_bury(struct model *m, int object);
/* What is at a name; 0: nothing. */
int names_find(const struct model *m, int dir, int slot);
bool names_is_directory(const struct model *m, int object);
uint32_t names_links(const struct model *m, int object);
void names_snapshot(struct model *m);
const struct names *names_at(const struct model *m, uint32_t op);

/* --- commit_model_gather.c, commit_model_commit.c ----------------------------------------- */

void gather(struct model *m, struct txn *txn, bool everything);
bool seal(struct model *m, struct txn *txn);
void freeze(struct model *m);
void committer_main(struct model *m);
/* A worker waits until an object, or (-1) everything, is flushed; false: frozen. */
bool committer_wait(struct model *m, int worker, int object);
/* The same until its truncations are applied; promises nothing. */
void committer_wait_settled(struct model *m, int worker, int object);
bool journal_switch(struct model *m);

/* --- commit_model_apply.c ----------------------------------------- */

void applier_main(struct model *m);
void flusher_main(struct model *m);
void flusher_request(struct model *m, int object);
void flusher_request_then(struct model *m, int object, bool *done);
void flusher_request_all(struct model *m);

/* --- commit_model_recover.c, commit_model_replay.c ----------------------------------------- */

struct recovery {
	struct image *image;
	int writes_left;              /* until the power is cut once more; negative: it is not */
	struct ledger ledger;
	const char *damage;           /* NULL: all is well */
	uint16_t last;                /* transaction that is the state */
	uint32_t seq;
	uint16_t chain[TXNS];
	int count, last_half;
};
/* Recover an image; what is there and in `ledger` afterwards is what the next mount sees. */
void recover(struct model *m, struct recovery *r);
void recovery_write(struct recovery *r, int at, uint64_t value);
void replay(struct model *m, struct recovery *r, int object);

/* --- commit_model_check.c, commit_model_work.c ----------------------------------------- */

/* Cut the power here, many ways. */
void explore(struct model *m);
void remount(struct model *m);
/* Of the state after a transaction: NULL, or what never was so. */
const char *check_appended(const struct model *m, const struct txn *txn);
void worker_main(struct model *m);

#endif

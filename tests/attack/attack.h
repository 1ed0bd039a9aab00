/*
 * Attacks on a volume's files: an attacker edits the ciphertext directory, the
 * state directory, or both, and the volume is mounted again.
 *
 *     attack_history.c   the volume under attack, and moments of its life
 *     attack_moment.c    moments, images of them, what lies where in one
 *     attack_disk.c      edits of a disk's files
 *     attack_walk.c      all that a mount shows, beside what it should show
 *     attack_run.c       one case: attack, mount, walk
 *     attack_batch.c     several attacks with one mount
 *     attack_judge.c     what must come of an attack, and what came
 *     attack_objects.c, attack_swap.c, attack_rollback.c, attack_journal.c,
 *     attack_anchor.c, attack_ledger.c, attack_rows.c, attack_whole.c,
 *     attack_tricks.c, attack_epochs.c, attack_former.c, attack_locked.c
 *                        the kinds of attacks
 *     attack_real.c      images on real directories, for attack_tricks.c
 *     attack_kinds.c     their table
 *
 * A kind edits the image it is given and says what must come of it.  What is
 * not said is a violation: a finding of another sort or about another object,
 * none where one must be, anything shown that the untouched twin does not show.
 */
#ifndef PHIFS_TESTS_ATTACK_H
#define PHIFS_TESTS_ATTACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/journal_record.h"
#include "store/ledger.h"
#include "world.h"

/* --- findings --------------------------------------------------------------------- */

#define F_TAMPERED   0x001u
#define F_ROLLBACK   0x002u
#define F_LEDGER_OLD 0x004u
#define F_DELETED    0x008u
#define F_UNKNOWN    0x010u
#define F_FORMAT     0x020u
#define F_VERSION    0x040u
#define F_UNPROVEN   0x080u
#define F_NOT_FOUND  0x100u /* "it holds no volume": only opening may say so */
#define F_STALE      0x200u /* more or fewer names than links: only store_check says so */
#define F_OTHER      0x400u /* never right */
/* What an object may be that is of another time than its row. */
#define ANY_AGE (F_ROLLBACK | F_LEDGER_OLD | F_TAMPERED | F_DELETED | F_UNKNOWN)

/* The bit of an error. */
uint32_t finding_bit(enum err err);

/* --- what lies where ------------------------------------------------------------------- */

enum page_kind { PAGE_ZERO, PAGE_TREE, PAGE_DATA };

/* A page of an object that its tree leads to. */
struct page {
	uint64_t at; /* number of the page in the file */
	enum page_kind kind;
	int level;      /* of a tree page; 1 for page 0 */
	uint64_t index; /* in the level; the block of a data page */
};

/* One object as it lies on the disk. */
struct target {
	struct object_id id;
	uint64_t number;
	char path[OBJECT_PATH_LEN];
	struct object_header header;
	struct page *pages;
	size_t page_count;
};

/* One transaction that a recovery would read. */
struct txn_place {
	uint64_t at; /* in the file "journal" */
	struct journal_header header;
};

/* The volume's files at one time, and what a mount of them shows. */
struct moment {
	const char *name;
	struct backing *ciphertext, *state;
	uint8_t *ledger; /* the file ledger.db */
	size_t ledger_len;
	const struct keyring *keyring;
	uint64_t generation; /* of the slot file that the keyring is of */
	bool is_clean; /* nothing to recover */
	struct ledger_position position;
	struct anchor anchor;
	struct target *targets;
	size_t target_count;
	struct txn_place *txns;
	size_t txn_count;
	struct truth *truth;
};

/* From a closed or an open world, which stays; `choice` as of backing_sim_crash. */
struct moment *moment_take(struct world *world, const char *name, const struct keyring *keyring,
			   uint64_t generation, uint64_t choice);
void moment_free(struct moment *moment);
/* A world of its own to be edited and mounted. */
void moment_image(const struct moment *moment, struct world *image);
/*
 * The same on real directories: "c" and "s" below the one that is returned, which
 * is freed (temp_dir_free) after the world.
 */
char *real_image(const struct moment *moment, struct world *image);
/* NULL: it has no such object. */
const struct target *moment_find(const struct moment *moment, uint64_t number);

/* --- the volume ---------------------------------------------------------------------------- */

#define EARLIER 4
#define EPOCHS  3 /* keys were rotated behind the second and the third of the earlier ones */

struct history {
	struct keyring *keyrings[EPOCHS]; /* of each epoch's time */
	struct moment *earlier[EARLIER]; /* the oldest first; closed, clean */
	struct moment *closed;           /* what is attacked: closed, clean */
	struct moment *applied;          /* transactions in place, nothing check-pointed */
	struct moment *pending;          /* the same transactions, none in place */
	struct moment *other_half;       /* after a checkpoint; transactions in the other half */
	struct moment *branch;           /* went another way from the last of `earlier` */
	struct moment *foreign;          /* the same work under other keys */
};

void history_make(struct history *history, uint64_t seed);
void history_free(struct history *history);

/* --- what a mount shows ------------------------------------------------------------------------ */

#define FINDINGS_MAX 512

struct finding {
	uint64_t number;
	enum err what;
	uint64_t directory; /* of a failed lookup; 0 */
};

struct sight {
	struct finding findings[FINDINGS_MAX]; /* as the audit trail is told */
	size_t finding_count;
	struct finding errors[FINDINGS_MAX];   /* what calls returned */
	size_t error_count;
	uint64_t differing[FINDINGS_MAX];      /* objects with other attributes than the twin's */
	size_t differing_count;
	char why[256];                         /* what is shown that should not be; "" */
	uint64_t why_number;                   /* of which object */
};

/* Everything that a fresh mount of `store` shows. */
struct truth *truth_new(struct store *store);
void truth_free(struct truth *truth);
/* Looks every name up and keeps the reference, as a kernel does. */
void truth_hold(const struct truth *truth, struct store *store);
/* Looks at everything again; what differs goes to `sight`. */
void truth_compare(const struct truth *truth, struct store *store, struct sight *sight);
/* Do both show the same?  For what the history says is the same. */
bool truth_equal(const struct truth *one, const struct truth *other);
/* That object holds the node's extended attributes and further names. */
void truth_relate(struct truth *truth, uint64_t number, uint64_t attributes);
/* The number of a path; 0: there is none. */
uint64_t truth_number(const struct truth *truth, const char *path);
/* The attributes object of a node; 0. */
uint64_t truth_attributes(const struct truth *truth, uint64_t number);

/* --- one case ----------------------------------------------------------------------------------- */

enum outcome { OUTCOME_SEEN, OUTCOME_HARMLESS, OUTCOME_KNOWN, OUTCOME_VIOLATION, OUTCOME_COUNT };

enum need {
	NEED_EITHER, /* seen as described, or without effect */
	NEED_SEEN,
	NEED_HARMLESS,
	NEED_KNOWN,  /* documented as not seen: must show something else than the twin */
};

#define TOUCHES_MAX 8

struct attack {
	const struct history *history;
	const struct moment *base;
	struct world image;
	char *root;        /* IS_REAL: the directory of the image's; NULL */
	/* What its slot file gives. */
	const struct keyring *keyring;
	uint64_t generation;
	uint64_t random;
	uint64_t turn;     /* counts the cases of this kind: to go through a list */
	char what[256];    /* was done */
	/* What must come of it. */
	enum need need;
	uint32_t findings; /* permitted ones about touched objects */
	uint32_t refusals; /* permitted answers of opening and unlocking */
	uint64_t touched[TOUCHES_MAX];
	size_t touched_count;
	bool touches_all;
	/* One of several in one mount: files only, and none that another one has (attack_batch.c). */
	const struct attack *beside;
	size_t beside_count;
	uint32_t check_findings; /* those that only store_check can see, about anything */
};

/* False: not possible with what was drawn; draw again. */
typedef bool attack_kind(struct attack *attack);

#define ON_CLOSED    0x01u /* attacks the clean moment */
#define ON_DIRTY     0x02u /* ... those with transactions to recover */
#define WHILE_OPEN   0x04u /* may also happen to an open volume */
#define WHILE_LOCKED 0x08u /* ... to a mounted, locked one, which may have been open before */
#define AFTER_OPEN   0x400u /* only to one that was open, and is locked */
#define IS_HELD      0x800u /* ... and all its names are known to the kernel */
#define HELD_HIDES   0x1000u /* what it changes is in memory as long as the kernel knows the name */
#define ON_OTHER_HALF 0x20u /* only that one */
#define ON_PENDING   0x40u
#define ON_APPLIED   0x80u /* one where they are in place */
#define IS_REAL      0x100u /* on real directories: links, fifos ... (attack_tricks.c) */
#define IS_ALONE     0x200u /* touches more than it draws: never one of several */
#define IS_OBJECT    0x10u /* edits objects: what a recovery writes again is healed */

struct kind {
	const char *name;
	attack_kind *attack;
	unsigned int flags;
	unsigned int weight;
	const char *known; /* where it is documented that this is not seen; NULL */
};

extern const struct kind kinds[];
extern const size_t kind_count;

/* Runs one; `why` says what is wrong. */
enum outcome attack_run(const struct history *history, const struct kind *kind, uint64_t seed,
			uint64_t turn, char *why, size_t size);
/* The same mount without an attack: OUTCOME_HARMLESS or a violation. */
enum outcome twin_run(const struct history *history, uint64_t seed, char *why, size_t size);
enum outcome attack_judge(const struct attack *attack, enum err refusal, const struct sight *sight,
			  char *why, size_t size);

/* --- several at once ----------------------------------------------------------------------------- */

#define BATCH_MAX 12

struct batch {
	const struct kind *kinds[BATCH_MAX];
	struct attack attacks[BATCH_MAX];
	enum outcome outcomes[BATCH_MAX];
	size_t count;
};
/*
 * Attacks of different objects of the clean moment, with one mount for all:
 * each is judged by what is found about what it touched; anything else is a
 * violation of the first.
 */
void batch_run(const struct history *history, const struct kind *first, struct batch *batch,
	       uint64_t seed, uint64_t turn, char *why, size_t size);
bool batch_may(const struct kind *kind);
/* Is the object, or what belongs to it, touched by the attack? */
bool attack_is_near(const struct attack *attack, const struct finding *error);
/* Mount the closed image; what it tells goes to `sight`. */
enum err attack_mount(struct attack *attack, struct sight *sight);

/* --- for kinds ------------------------------------------------------------------------------------- */

uint64_t draw(struct attack *attack);
uint64_t below(struct attack *attack, uint64_t limit);
void describe(struct attack *attack, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What must come of it; `number` 0: of the whole volume. */
void expect(struct attack *attack, enum need need, uint32_t findings, uint64_t number);
void touch(struct attack *attack, uint64_t number);
void expect_refusal(struct attack *attack, enum need need, uint32_t refusals);
/* A random object of the base. */
const struct target *any_target(struct attack *attack);
/* One of a kind's pages; NULL: it has none. */
const struct page *any_page(struct attack *attack, const struct target *target,
			    enum page_kind kind);
/* An earlier moment. */
const struct moment *any_earlier(struct attack *attack);

/* False: there is no such file.  The others end the program when they fail. */
bool peek(struct backing *disk, const char *path, void *data, size_t len, uint64_t offset);
bool poke(struct backing *disk, const char *path, const void *data, size_t len, uint64_t offset);
bool flip(struct attack *attack, struct backing *disk, const char *path, uint64_t offset);
uint64_t file_size(struct backing *disk, const char *path); /* 0: there is none */
void resize(struct backing *disk, const char *path, uint64_t size);
void punch(struct backing *disk, const char *path, uint64_t offset, uint64_t len);
bool is_there(struct backing *disk, const char *path);
/* Removes what is there. */
void remove_file(struct backing *disk, const char *path);
/* The whole of `path` from one disk to another; false: it is not there. */
bool copy_file(struct backing *from, const char *path, struct backing *to, const char *to_path);
void must(enum err err, const char *what);

#endif

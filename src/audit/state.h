/*
 * What the trail must remember between two lives of the daemon: the secret that
 * signs the next seal, the keys of segments that were not yet delivered, the
 * bookmarks of the forwarder, the pseudonym key.
 *
 * The file has two preallocated slots with checksums.  A commit writes the
 * older one and waits for it, then overwrites the other with the same, so that
 * an erased secret is gone from both; it is never truncated nor renamed.
 * FORMAT.md "State".
 *
 * Not locked: the drain thread owns it once the trail is open.
 */
#ifndef PHIFS_AUDIT_STATE_H
#define PHIFS_AUDIT_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/segment.h"
#include "base/err.h"

/* Segments whose key is kept because something of them is not yet delivered. */
#define STATE_KEYS_MAX 1600

struct sign_key {
	uint8_t public_key[SIGN_PUBLIC_LEN];
	uint8_t secret[SIGN_SECRET_LEN];
};

struct segment_key {
	uint32_t segment;
	uint8_t key[AUDIT_KEY_LEN];
};

struct audit_state {
	uint64_t generation;
	uint8_t journal_id[AUDIT_ID_LEN];
	uint8_t boot_id[AUDIT_ID_LEN];
	bool is_clean;                  /* stopped with a seal, nothing after it */
	bool is_forwarding;             /* the bookmarks mean something */
	uint32_t epoch;                 /* of `current` */
	struct sign_key current;        /* signs the next seal */
	struct sign_key next;           /* named by the next seal: durable before it is used */
	uint8_t pseudonym_key[AUDIT_KEY_LEN];
	struct position sealed;         /* behind the last seal, or the last recovery's end ... */
	uint32_t counts[32];            /* ... and the records by type between those two */
	struct position delivered;      /* the collector had read it a few seconds ago */
	struct position settled;        /* ... a minute ago: where to go on after a power loss */
	uint32_t key_count;
	struct segment_key keys[STATE_KEYS_MAX];
};

struct state_file;

/* Makes the file `state` in `dir_fd` with its first content. */
enum err state_create(int dir_fd, const struct audit_state *state) MUST_CHECK;

/*
 * Opens it (flock: ERR_BUSY if another process has it) and gives the newest
 * valid slot.  ERR_TAMPERED if none is.  `*state` is in secret memory.
 */
enum err state_open(int dir_fd, struct state_file **file, struct audit_state **state) MUST_CHECK;
void state_close(struct state_file *file, struct audit_state *state);

/* Read without locking or changing anything; for the verifier. */
enum err state_peek(int dir_fd, struct audit_state **state) MUST_CHECK;

/* Makes `state` durable, its generation counted up. */
enum err state_commit(struct state_file *file, struct audit_state *state) MUST_CHECK;

/* The seal signed by `current` was made: erase it, go over to `next`, draw a new `next`. */
void state_next_epoch(struct audit_state *state);

/* The key of a segment, or NULL. */
const uint8_t *state_key(const struct audit_state *state, uint32_t segment);
/*
 * ERR_FULL: STATE_KEYS_MAX segments are waiting for the collector.  Takes the
 * place of a key of the same segment: of a run that was killed before that
 * segment's header was written.
 */
enum err state_add_key(struct audit_state *state, uint32_t segment,
		       const uint8_t key[AUDIT_KEY_LEN]) MUST_CHECK;
/* Wipes the keys of all segments before `segment`. */
void state_drop_keys(struct audit_state *state, uint32_t segment);

#endif

/*
 * Bytes of the audit journal: segment headers, record headers, seals.  Pure;
 * FORMAT.md "Audit journal" describes every byte.
 *
 * A segment file is a header, then records back to back, then zeroes (the
 * preallocated rest) until the segment is closed and cut to its length.
 */
#ifndef PHIFS_AUDIT_SEGMENT_H
#define PHIFS_AUDIT_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/audit.h"
#include "audit/body.h"
#include "base/err.h"
#include "crypto/aead.h"
#include "crypto/box.h"
#include "crypto/hash.h"
#include "crypto/sign.h"

#define AUDIT_VERSION      1
#define AUDIT_ID_LEN       16
#define AUDIT_KEY_LEN      32
#define AUDITORS_MAX       8
/* What is sealed to an auditor: a key of the segment, then the pseudonym key. */
#define SEALED_KEYS_LEN    (2 * AUDIT_KEY_LEN)
#define SEALED_BOX_LEN     (SEALED_KEYS_LEN + BOX_SEAL_OVERHEAD)
#define EVIDENCE_LEN       (8 + 32 + 8 + 32 + 32)

#define SEGMENT_HEADER_MAX 4096
#define RECORD_HEADER_LEN  20
#define RECORD_OVERHEAD    (RECORD_HEADER_LEN + AEAD_NONCE_LEN + AEAD_TAG_LEN)
#define RECORD_MAX         (RECORD_OVERHEAD + BODY_MAX)

/* The end of a chain: its last record and the hash after it. */
struct chain {
	uint64_t seq;
	uint8_t hash[SHA256_LEN];
};

/* A place between two records, with what is needed to go on reading there. */
struct position {
	uint32_t segment;
	uint64_t offset;        /* in the segment's file */
	struct chain chain;
};

struct auditor_boxes {
	uint8_t auditor[BOX_PUBLIC_LEN];
	uint8_t segment_key[SEALED_BOX_LEN]; /* opens every record */
	uint8_t path_key[SEALED_BOX_LEN];    /* opens forwarded paths; forwarded itself */
};

struct segment_header {
	uint8_t journal_id[AUDIT_ID_LEN];
	uint32_t number;                     /* from 1, without gaps */
	uint64_t first_seq;
	int64_t wall_ns, boot_ns;
	uint8_t boot_id[AUDIT_ID_LEN];
	uint8_t previous_hash[SHA256_LEN];
	uint32_t epoch;                      /* of the key that signs this header */
	uint8_t sign_public[SIGN_PUBLIC_LEN];
	struct audit_evidence evidence;
	uint16_t auditor_count;
	struct auditor_boxes auditors[AUDITORS_MAX];
};

/* Encodes and signs; returns the length, 0 if `size` is too small. */
size_t segment_header_encode(const struct segment_header *header,
			     const uint8_t sign_secret[SIGN_SECRET_LEN], uint8_t *out, size_t size);

/*
 * Takes the header at the start of `data` apart and checks its signature with
 * the key it names itself; whether that key is the right one only the chain of
 * seals tells.  ERR_FORMAT, ERR_VERSION, ERR_TAMPERED (signature).
 */
enum err segment_header_decode(const uint8_t *data, size_t available,
			       struct segment_header *header, size_t *len) MUST_CHECK;

/* The chain continues over a segment's header. */
void chain_add(struct chain *chain, const void *data, size_t len);

/* The keys of one segment, all derived from the one that is sealed to auditors. */
struct segment_keys {
	uint8_t record[AUDIT_KEY_LEN];
	uint8_t nonce[AUDIT_KEY_LEN];
	uint8_t path[AUDIT_KEY_LEN];
};
enum err segment_keys_derive(const uint8_t segment_key[AUDIT_KEY_LEN],
			     struct segment_keys *keys) MUST_CHECK;

#define RECORD_CLEAR 0x01 /* flag: the body is signed instead of encrypted */

struct record_header {
	uint16_t len;           /* header, nonce, body, tag */
	uint8_t type;
	uint8_t flags;
	uint64_t seq;
	int64_t wall_ns;
};

/* False if it is malformed or the record does not fit into `available`. */
bool record_header_decode(const uint8_t *data, size_t available, struct record_header *header);
void record_header_encode(const struct record_header *header, uint8_t out[RECORD_HEADER_LEN]);

/*
 * Encrypt `body` as the chain's next record to `out` (`len` + RECORD_OVERHEAD
 * bytes) and move the chain on.  The nonce is a keyed hash of all that goes in,
 * so that even two resumed copies of one machine use one nonce twice only for
 * the same record.
 */
enum err record_seal(struct aead *aead, const struct segment_keys *keys, struct chain *chain,
		     enum audit_type type, int64_t wall_ns, const uint8_t *body, size_t len,
		     uint8_t *out) MUST_CHECK;

/*
 * Check that `record`, whose header is `header`, follows `chain` and move the
 * chain on.  With `keys` the body is verified and decrypted to `body` (of
 * BODY_MAX bytes); without, or for a clear record, only the sequence is checked
 * and `*len` is 0.  ERR_TAMPERED leaves the chain alone.
 */
enum err record_open(struct aead *aead, const struct segment_keys *keys, struct chain *chain,
		     const struct record_header *header, const uint8_t *record, uint8_t *body,
		     size_t *len) MUST_CHECK;

/* Why a seal was made. */
enum seal_kind { SEAL_PERIODIC, SEAL_ROTATE, SEAL_LOCK, SEAL_STOP, SEAL_KIND_COUNT };

struct seal {
	enum seal_kind kind;
	uint32_t epoch;
	uint32_t segment;
	uint64_t seq;                   /* the record before the seal ... */
	uint8_t hash[SHA256_LEN];       /* ... and the chain's hash after it */
	int64_t boot_ns;
	uint8_t boot_id[AUDIT_ID_LEN];
	uint32_t type_count;
	uint32_t counts[32];            /* records by type since the last seal */
	struct audit_evidence evidence;
	uint8_t next_public[SIGN_PUBLIC_LEN];
};

#define SEAL_RECORD_MAX 640

/* The whole record, signed; moves the chain on.  Returns its length. */
size_t seal_encode(const struct seal *seal, const uint8_t journal_id[AUDIT_ID_LEN],
		   const uint8_t sign_secret[SIGN_SECRET_LEN], int64_t wall_ns, struct chain *chain,
		   uint8_t out[SEAL_RECORD_MAX]);

/* Takes a SEAL record apart and checks its signature; the rest is the verifier's. */
enum err seal_decode(const uint8_t *record, const struct record_header *header,
		     const uint8_t journal_id[AUDIT_ID_LEN],
		     const uint8_t sign_public[SIGN_PUBLIC_LEN], struct seal *seal) MUST_CHECK;

void evidence_encode(const struct audit_evidence *evidence, uint8_t out[EVIDENCE_LEN]);

#endif

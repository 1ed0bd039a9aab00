/*
 * Reading a journal back: the only way to its records goes through the
 * verifier, there is no index to be trusted.  For auditors' tools and tests.
 */
#ifndef PHIFS_AUDIT_READER_H
#define PHIFS_AUDIT_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "audit/auditor_key.h"
#include "audit/body.h"
#include "audit/verify.h"

struct audit_record {
	uint32_t segment;
	uint64_t seq;
	int64_t wall_ns;
	enum audit_type type;
	uint8_t hash[SHA256_LEN];       /* of the chain after this record */
	const struct body *body;        /* NULL without a key, and for seals */
	const struct seal *seal;        /* seals */
};

struct audit_reader;

/*
 * Open the journal in `directory`.  `key` NULL: chain and seals only.
 * ERR_NOT_FOUND: no journal there; ERR_DENIED: the key reads none of its
 * segments; ERR_TAMPERED: its identity does not verify.
 */
enum err audit_reader_open(const char *directory, const struct auditor_key *key,
			   audit_found *found, void *ctx, struct audit_reader **reader) MUST_CHECK;
void audit_reader_close(struct audit_reader *reader);

/* The next record, valid until the next call; ERR_NOT_FOUND at the end. */
enum err audit_reader_next(struct audit_reader *reader, struct audit_record *record) MUST_CHECK;

struct audit_summary {
	char fingerprint[FINGERPRINT_LEN];
	uint32_t segments, first_segment, last_segment;
	uint32_t unreadable;            /* segments not sealed to this key */
	uint64_t records, last_seq, sealed_seq;
	int64_t sealed_wall_ns;
	bool is_live;
	enum err worst;                 /* OK, UNPROVEN, TAMPERED; whole after the last record */
};
void audit_reader_summary(const struct audit_reader *reader, struct audit_summary *summary);

/* ERR_TAMPERED, with a finding, if the journal is not the one of `fingerprint`. */
enum err audit_reader_check_fingerprint(struct audit_reader *reader,
					const char *fingerprint) MUST_CHECK;

/* The auditors of the journal, as fingerprints. */
size_t audit_reader_auditors(const struct audit_reader *reader,
			     char fingerprints[AUDITORS_MAX][FINGERPRINT_LEN]);

#endif

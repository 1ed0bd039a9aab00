/*
 * The verifier: every segment header, record and seal passes through it in
 * order; what does not fit becomes a finding with a name.  It decides nothing
 * about keys of auditors and reads no files: reader.c feeds it.
 */
#ifndef PHIFS_AUDIT_VERIFY_H
#define PHIFS_AUDIT_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "audit/identity.h"
#include "audit/segment.h"
#include "audit/state.h"

enum audit_verdict {
#define VERDICT(name, err, text) VERDICT_##name,
#include "audit/verdicts.def"
#undef VERDICT
	VERDICT_COUNT
};

struct audit_finding {
	enum audit_verdict verdict;
	uint32_t segment;       /* 0: none in particular */
	uint64_t seq;           /* the first record concerned; 0: none */
	char detail[160];
};
typedef void audit_found(void *ctx, const struct audit_finding *finding);

const char *audit_verdict_name(enum audit_verdict verdict);
const char *audit_verdict_text(enum audit_verdict verdict);
enum err audit_verdict_err(enum audit_verdict verdict);

struct verifier {
	const struct identity *identity;
	audit_found *found;
	void *ctx;
	enum err worst;                 /* OK, UNPROVEN or TAMPERED */

	struct chain chain;             /* where the next record must fit */
	uint32_t segment;               /* of the last header, 0 before the first */
	bool is_lost;                   /* something did not fit; the next header begins anew */
	bool is_key_known;              /* `sign_public` is the one that must sign next */
	uint32_t epoch;
	uint8_t sign_public[SIGN_PUBLIC_LEN];
	uint32_t counts[32];            /* since the last seal */
	bool are_counts_known;
	bool is_ended;                  /* the last record was a rotate or stop seal */
	bool is_stopped;                /* ... a stop seal */
	bool expects_recover;           /* the segment before had no end */
	bool is_recovered;              /* and this one says why */
	uint32_t in_segment;            /* records so far */
	struct audit_evidence evidence; /* of the last seal or header */
	uint64_t sealed_seq;
	int64_t sealed_wall_ns;
	int64_t wall_minus_boot_ns;     /* of the last header or seal of this boot */
	uint8_t boot_id[AUDIT_ID_LEN];
};

void verifier_init(struct verifier *verifier, const struct identity *identity, audit_found *found,
		   void *ctx);
__attribute__((format(printf, 4, 5))) void verifier_find(struct verifier *verifier,
							  enum audit_verdict verdict, uint64_t seq,
							  const char *format, ...);

/* The next segment; `torn` bytes followed the last record of the one before. */
void verifier_header(struct verifier *verifier, const struct segment_header *header,
		     const uint8_t *bytes, size_t len, uint64_t torn);
/* Does this segment begin exactly where the records read so far end? */
bool verifier_follows(const struct verifier *verifier, const struct segment_header *header);
/* A header that could not be taken apart. */
void verifier_bad_header(struct verifier *verifier, uint32_t number, enum err err);

/*
 * The next record, already opened with its key or not: `before` is the chain
 * before it.  False: a seal that does not verify; found and counted.
 */
bool verifier_record(struct verifier *verifier, const struct record_header *header,
		     const uint8_t *record, const struct chain *before, struct seal *seal);

/* The record at this place did not fit (`err` of record_open or of the segment's reader). */
void verifier_bad_record(struct verifier *verifier, const struct record_header *header,
			 enum err err);

/*
 * The end.  `state`: as it was before reading began, or NULL; `is_live`: a
 * daemon is writing the journal right now.
 */
void verifier_end(struct verifier *verifier, const struct audit_state *state, bool is_live,
		  uint64_t torn, int64_t now_wall_ns);

#endif

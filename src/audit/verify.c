#include "audit/verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* A running daemon seals every minute; half a minute for its disk. */
#define LIVE_SEAL_NS  (90 * NS_PER_SECOND)
#define CLOCK_STEP_NS (2 * NS_PER_SECOND)

static const struct {
	const char *name, *text;
	enum err err;
} verdicts[] = {
#define VERDICT(name, err, text) {#name, text, err},
#include "audit/verdicts.def"
#undef VERDICT
};

const char *audit_verdict_name(enum audit_verdict verdict)
{
	return verdicts[verdict].name;
}

const char *audit_verdict_text(enum audit_verdict verdict)
{
	return verdicts[verdict].text;
}

enum err audit_verdict_err(enum audit_verdict verdict)
{
	return verdicts[verdict].err;
}

void verifier_init(struct verifier *verifier, const struct identity *identity, audit_found *found,
		   void *ctx)
{
	*verifier = (struct verifier){.identity = identity, .found = found, .ctx = ctx,
				      .is_key_known = true, .are_counts_known = true};
	memcpy(verifier->chain.hash, identity->hash, SHA256_LEN);
	memcpy(verifier->sign_public, identity->genesis, SIGN_PUBLIC_LEN);
}

void verifier_find(struct verifier *verifier, enum audit_verdict verdict, uint64_t seq,
		   const char *format, ...)
{
	struct audit_finding finding = {.verdict = verdict, .segment = verifier->segment,
					.seq = seq};
	enum err err = verdicts[verdict].err;
	va_list args;

	va_start(args, format);
	vsnprintf(finding.detail, sizeof(finding.detail), format, args);
	va_end(args);
	if (err == ERR_TAMPERED || (err == ERR_UNPROVEN && verifier->worst == ERR_OK))
		verifier->worst = err;
	if (verifier->found != NULL)
		verifier->found(verifier->ctx, &finding);
}

/* Nothing that follows in this segment can be judged. */
static void lose(struct verifier *verifier)
{
	verifier->is_lost = true;
	verifier->expects_recover = false;
	verifier->is_key_known = false;
	verifier->are_counts_known = false;
}

/* How the segment before this header ended, if at all. */
static void check_end_before(struct verifier *verifier, const struct segment_header *header,
			     uint64_t torn)
{
	verifier->expects_recover = verifier->segment != 0 && !verifier->is_ended &&
				    !verifier->is_lost;
	if (torn > 0 && !verifier->expects_recover && !verifier->is_lost)
		verifier_find(verifier, VERDICT_GARBAGE, 0,
			      "%" PRIu64 " bytes behind the segment's end", torn);
	if (header->first_seq == verifier->chain.seq + 1 &&
	    memcmp(header->previous_hash, verifier->chain.hash, SHA256_LEN) == 0)
		return;
	if (header->first_seq > verifier->chain.seq + 1)
		verifier_find(verifier, VERDICT_TAIL_CUT, verifier->chain.seq + 1,
			      "records %" PRIu64 " to %" PRIu64 " are missing before segment %u",
			      verifier->chain.seq + 1, header->first_seq - 1, header->number);
	else
		verifier_find(verifier, VERDICT_FOREIGN, header->first_seq,
			      "segment %u does not follow segment %u", header->number,
			      verifier->segment);
	lose(verifier);
}

static void check_signer(struct verifier *verifier, const struct segment_header *header)
{
	if (verifier->is_key_known &&
	    (header->epoch != verifier->epoch ||
	     memcmp(header->sign_public, verifier->sign_public, SIGN_PUBLIC_LEN) != 0)) {
		verifier_find(verifier, VERDICT_HEADER, header->first_seq,
			      "signed with the key of epoch %u, not of %u", header->epoch,
			      verifier->epoch);
	}
	verifier->epoch = header->epoch;
	memcpy(verifier->sign_public, header->sign_public, SIGN_PUBLIC_LEN);
	verifier->is_key_known = true;
}

static void check_evidence(struct verifier *verifier, const struct audit_evidence *evidence,
			   uint64_t seq)
{
	const struct audit_evidence *before = &verifier->evidence;

	/* A locked volume gives none: zeroes. */
	if (evidence->store_seq != 0 && evidence->store_seq < before->store_seq)
		verifier_find(verifier, VERDICT_ROLLBACK, seq,
			      "store sequence %" PRIu64 " after %" PRIu64, evidence->store_seq,
			      before->store_seq);
	if (evidence->slots_generation != 0 &&
	    evidence->slots_generation < before->slots_generation)
		verifier_find(verifier, VERDICT_ROLLBACK, seq,
			      "slot generation %" PRIu64 " after %" PRIu64,
			      evidence->slots_generation, before->slots_generation);
	if (evidence->store_seq != 0)
		verifier->evidence.store_seq = evidence->store_seq;
	if (evidence->slots_generation != 0)
		verifier->evidence.slots_generation = evidence->slots_generation;
}

/* Wall clock against boot clock, within one boot. */
static void check_clock(struct verifier *verifier, const uint8_t boot_id[AUDIT_ID_LEN],
			int64_t wall_ns, int64_t boot_ns, uint64_t seq)
{
	int64_t difference = wall_ns - boot_ns;
	int64_t step = difference - verifier->wall_minus_boot_ns;

	if (memcmp(verifier->boot_id, boot_id, AUDIT_ID_LEN) == 0 &&
	    (step > CLOCK_STEP_NS || step < -CLOCK_STEP_NS))
		verifier_find(verifier, VERDICT_CLOCK, seq, "by %+lld s",
			      (long long)(step / NS_PER_SECOND));
	memcpy(verifier->boot_id, boot_id, AUDIT_ID_LEN);
	verifier->wall_minus_boot_ns = difference;
}

static void check_first(struct verifier *verifier, const struct segment_header *header)
{
	if (verifier->segment != 0 || header->number == 1)
		return;
	verifier_find(verifier, VERDICT_HEAD_CUT, 1,
		      "the first segment is number %u, the first record %" PRIu64, header->number,
		      header->first_seq);
	lose(verifier);
}

void verifier_header(struct verifier *verifier, const struct segment_header *header,
		     const uint8_t *bytes, size_t len, uint64_t torn)
{
	check_first(verifier, header);
	if (verifier->segment != 0 && header->number != verifier->segment + 1) {
		verifier_find(verifier, VERDICT_MISSING, verifier->chain.seq + 1,
			      "segments %u to %u", verifier->segment + 1, header->number - 1);
		lose(verifier);
	}
	if (memcmp(header->journal_id, verifier->identity->journal_id, AUDIT_ID_LEN) != 0) {
		verifier_find(verifier, VERDICT_FOREIGN, header->first_seq,
			      "segment %u is of another journal", header->number);
		lose(verifier);
	}
	if (!verifier->is_lost)
		check_end_before(verifier, header, torn);
	check_signer(verifier, header);
	verifier->segment = header->number;
	check_evidence(verifier, &header->evidence, header->first_seq);
	check_clock(verifier, header->boot_id, header->wall_ns, header->boot_ns,
		    header->first_seq);
	verifier->chain.seq = header->first_seq - 1;
	memcpy(verifier->chain.hash, header->previous_hash, SHA256_LEN);
	chain_add(&verifier->chain, bytes, len);
	verifier->is_lost = verifier->is_ended = verifier->is_stopped = false;
	verifier->is_recovered = false;
	verifier->in_segment = 0;
}

void verifier_bad_header(struct verifier *verifier, uint32_t number, enum err err)
{
	verifier->segment = number;
	verifier_find(verifier, VERDICT_HEADER, verifier->chain.seq + 1, "%s", err_text(err));
	lose(verifier);
}

static const char *check_seal(const struct verifier *verifier, const struct seal *seal,
			      const struct chain *before)
{
	if (seal->epoch != verifier->epoch)
		return "its epoch is not the next one";
	if (seal->segment != verifier->segment)
		return "it belongs to another segment";
	if (seal->seq != before->seq || memcmp(seal->hash, before->hash, SHA256_LEN) != 0)
		return "it seals other records";
	if (verifier->are_counts_known &&
	    memcmp(seal->counts, verifier->counts, sizeof(seal->counts)) != 0)
		return "its counts are not those of the records";
	return NULL;
}

static bool accept_seal(struct verifier *verifier, const struct record_header *header,
			const uint8_t *record, const struct chain *before, struct seal *seal)
{
	enum err err = seal_decode(record, header, verifier->identity->journal_id,
				   verifier->sign_public, seal);
	const char *wrong = err != ERR_OK ? err_text(err) : check_seal(verifier, seal, before);

	if (wrong != NULL) {
		verifier_find(verifier, VERDICT_SEAL, header->seq, "%s", wrong);
		lose(verifier);
		return false;
	}
	check_evidence(verifier, &seal->evidence, header->seq);
	check_clock(verifier, seal->boot_id, header->wall_ns, seal->boot_ns, header->seq);
	memcpy(verifier->sign_public, seal->next_public, SIGN_PUBLIC_LEN);
	verifier->epoch++;
	memset(verifier->counts, 0, sizeof(verifier->counts));
	verifier->are_counts_known = true;
	verifier->sealed_seq = header->seq;
	verifier->sealed_wall_ns = header->wall_ns;
	verifier->is_stopped = seal->kind == SEAL_STOP;
	verifier->is_ended = seal->kind == SEAL_ROTATE || verifier->is_stopped;
	return true;
}

/* The segment before had no end: its successor must say so in its second record. */
static void check_recover(struct verifier *verifier, const struct record_header *header)
{
	if (!verifier->expects_recover || verifier->in_segment != 2)
		return;
	verifier->expects_recover = false;
	verifier->is_recovered = header->type == AUDIT_RECOVER;
	if (verifier->is_recovered)
		verifier_find(verifier, VERDICT_UNCLEAN, header->seq,
			      "the run before segment %u was killed or lost power; the collector's "
			      "copy tells whether records are missing before %" PRIu64,
			      verifier->segment, header->seq - 1);
	else
		verifier_find(verifier, VERDICT_TAIL_CUT, header->seq - 1,
			      "the segment before %u has no seal at its end", verifier->segment);
}

bool verifier_follows(const struct verifier *verifier, const struct segment_header *header)
{
	return header->number == verifier->segment + 1 &&
	       header->first_seq == verifier->chain.seq + 1 &&
	       memcmp(header->previous_hash, verifier->chain.hash, SHA256_LEN) == 0;
}

bool verifier_record(struct verifier *verifier, const struct record_header *header,
		     const uint8_t *record, const struct chain *before, struct seal *seal)
{
	bool was_ended = verifier->is_ended;

	verifier->in_segment++;
	verifier->is_ended = verifier->is_stopped = false;
	if (was_ended) {
		verifier_find(verifier, VERDICT_SEQUENCE, header->seq,
			      "a record behind the segment's last seal");
		lose(verifier);
		return false;
	}
	if (header->type == AUDIT_SEAL)
		return accept_seal(verifier, header, record, before, seal);
	if (header->type < AUDIT_TYPE_COUNT)
		verifier->counts[header->type]++;
	check_recover(verifier, header);
	return true;
}

void verifier_bad_record(struct verifier *verifier, const struct record_header *header,
			 enum err err)
{
	uint64_t expected = verifier->chain.seq + 1;

	if (err == ERR_FORMAT)
		verifier_find(verifier, VERDICT_GARBAGE, expected, "where record %" PRIu64
			      " is expected", expected);
	else if (header->seq != expected)
		verifier_find(verifier, VERDICT_SEQUENCE, expected,
			      "record %" PRIu64 " stands where %" PRIu64 " is expected",
			      header->seq, expected);
	else
		verifier_find(verifier, VERDICT_EDITED, expected, "%s", err_text(err));
	lose(verifier);
}

static void check_state(struct verifier *verifier, const struct audit_state *state)
{
	if (state == NULL) {
		verifier_find(verifier, VERDICT_STATE, 0, "compare with the collector's copy");
		return;
	}
	if (state->sealed.segment > verifier->segment)
		verifier_find(verifier, VERDICT_MISSING, verifier->chain.seq + 1,
			      "the journal went up to segment %u", state->sealed.segment);
	else if (!verifier->is_lost && state->sealed.chain.seq > verifier->chain.seq)
		verifier_find(verifier, VERDICT_TAIL_CUT, verifier->chain.seq + 1,
			      "the journal went up to record %" PRIu64, state->sealed.chain.seq);
}

void verifier_end(struct verifier *verifier, const struct audit_state *state, bool is_live,
		  uint64_t torn, int64_t now_wall_ns)
{
	uint64_t open = verifier->chain.seq - verifier->sealed_seq;

	check_state(verifier, state);
	if (verifier->is_lost || verifier->segment == 0)
		return;
	if (torn > 0 && !is_live)
		verifier_find(verifier, verifier->is_ended ? VERDICT_GARBAGE : VERDICT_UNCLEAN,
			      verifier->chain.seq + 1, "%" PRIu64 " bytes that are no record", torn);
	if (is_live) {
		if (now_wall_ns - verifier->sealed_wall_ns > LIVE_SEAL_NS)
			verifier_find(verifier, VERDICT_UNSEALED, verifier->sealed_seq + 1,
				      "a daemon is running, but its last seal is %lld s old",
				      (long long)((now_wall_ns - verifier->sealed_wall_ns) /
						  NS_PER_SECOND));
		else if (open > 0)
			verifier_find(verifier, VERDICT_RECENT, verifier->sealed_seq + 1,
				      "%" PRIu64 " of them", open);
	} else if (!verifier->is_stopped) {
		verifier_find(verifier, VERDICT_UNSEALED, verifier->sealed_seq + 1,
			      "no stop seal: the daemon was killed, or the end was cut off");
	}
}

#include "audit/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "audit/segment_file.h"
#include "base/clock.h"
#include "base/secmem.h"

/* A live daemon's write may be seen in halves: look again before judging. */
#define LIVE_RETRIES  5
#define LIVE_RETRY_NS (100 * NS_PER_MS)
#define SCAN_SIZE     (256 << 10)

struct audit_reader {
	int dir_fd;
	struct identity identity;
	const struct auditor_key *key;
	struct audit_state *state;      /* as it was at the start, or NULL */
	bool is_live;
	struct segment_range range;
	uint32_t next_segment;
	uint32_t unreadable;
	uint64_t records;
	bool is_at_end;
	uint64_t torn;                  /* bytes behind the last record of the segment before */
	/* What stood there; a power cut's work if the next segment follows all the same. */
	bool has_bad;
	struct record_header bad_header;
	enum err bad_err;

	struct verifier verifier;
	struct aead *aead;
	struct segment_reader *segment;
	struct segment_keys *keys;      /* secret memory */
	bool has_keys;                  /* of the segment at hand */
	struct body *body;
	uint8_t *plain;
	struct seal seal;
};

/* Somebody who holds the state's lock is writing. */
static bool is_live(int dir_fd)
{
	int fd = openat(dir_fd, "state", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool is_locked;

	if (fd < 0)
		return false;
	is_locked = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	close(fd);
	return is_locked;
}

/* The boxes of a segment, opened with the auditor's key; false if none is ours. */
static bool open_box(const struct auditor_key *key, const struct segment_header *header,
		     struct segment_keys *keys)
{
	uint8_t *plain = secmem_alloc(SEALED_KEYS_LEN);
	bool is_open = false;

	for (size_t i = 0; plain != NULL && i < header->auditor_count && !is_open; i++) {
		const struct auditor_boxes *boxes = &header->auditors[i];

		if (memcmp(boxes->auditor, key->public_key, BOX_PUBLIC_LEN) == 0)
			is_open = box_open(key->public_key, key->secret, boxes->segment_key,
					   SEALED_BOX_LEN, plain) == ERR_OK &&
				  segment_keys_derive(plain, keys) == ERR_OK;
	}
	secmem_free(plain);
	return is_open;
}

/*
 * Is the key one of the auditors of any segment?  Headers only; one that does
 * not verify is no reason to blame the key: the verifier will name it.
 */
static enum err check_key(struct audit_reader *reader)
{
	bool is_damaged = false;

	for (uint32_t number = reader->range.first;
	     reader->range.count > 0 && number <= reader->range.last; number++) {
		struct segment_reader *segment;

		if (segment_reader_open(reader->dir_fd, number, &segment) != ERR_OK) {
			is_damaged = true;
			continue;
		}
		reader->has_keys = open_box(reader->key, &segment->header, reader->keys);
		segment_reader_close(segment);
		if (reader->has_keys)
			return ERR_OK;
	}
	return reader->range.count == 0 || is_damaged ? ERR_OK : ERR_DENIED;
}

static enum err open_journal(struct audit_reader *reader, const char *directory)
{
	enum err err;

	reader->dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (reader->dir_fd < 0)
		return err_from_errno(errno);
	err = identity_load(reader->dir_fd, &reader->identity);
	if (err != ERR_OK)
		return err;
	/* The state first: the segments may only have grown since. */
	reader->is_live = is_live(reader->dir_fd);
	if (state_peek(reader->dir_fd, &reader->state) != ERR_OK)
		reader->state = NULL;
	err = segment_range_read(reader->dir_fd, &reader->range);
	reader->next_segment = reader->range.first;
	if (err == ERR_OK && reader->key != NULL)
		err = check_key(reader);
	return err;
}

enum err audit_reader_open(const char *directory, const struct auditor_key *key,
			   audit_found *found, void *ctx, struct audit_reader **out)
{
	struct audit_reader *reader = calloc(1, sizeof(*reader));
	enum err err;

	if (reader == NULL)
		return ERR_NO_MEMORY;
	reader->dir_fd = -1;
	reader->key = key;
	reader->body = body_new();
	reader->plain = malloc(BODY_MAX);
	reader->keys = secmem_alloc(sizeof(*reader->keys));
	err = aead_new(&reader->aead);
	if (reader->body == NULL || reader->plain == NULL || reader->keys == NULL)
		err = ERR_NO_MEMORY;
	if (err == ERR_OK)
		err = open_journal(reader, directory);
	if (err != ERR_OK) {
		audit_reader_close(reader);
		return err;
	}
	verifier_init(&reader->verifier, &reader->identity, found, ctx);
	if (key == NULL)
		verifier_find(&reader->verifier, VERDICT_NO_KEY, 0, "chain and seals were");
	*out = reader;
	return ERR_OK;
}

void audit_reader_close(struct audit_reader *reader)
{
	if (reader == NULL)
		return;
	segment_reader_close(reader->segment);
	state_close(NULL, reader->state);
	aead_free(reader->aead);
	secmem_free(reader->keys);
	body_free(reader->body);
	free(reader->plain);
	if (reader->dir_fd >= 0)
		close(reader->dir_fd);
	free(reader);
}

static enum err next_segment(struct audit_reader *reader)
{
	enum err err;

	segment_reader_close(reader->segment);
	reader->segment = NULL;
	while (reader->range.count > 0 && reader->next_segment <= reader->range.last) {
		uint32_t number = reader->next_segment++;

		err = segment_reader_open(reader->dir_fd, number, &reader->segment);
		if (err == ERR_NOT_FOUND)
			continue; /* the next header will not fit */
		if (err == ERR_OK && reader->segment->header.number != number) {
			segment_reader_close(reader->segment);
			reader->segment = NULL;
			err = ERR_TAMPERED;
		}
		if (err != ERR_OK) {
			verifier_bad_header(&reader->verifier, number, err);
			continue;
		}
		if (reader->has_bad &&
		    !verifier_follows(&reader->verifier, &reader->segment->header))
			verifier_bad_record(&reader->verifier, &reader->bad_header,
					    reader->bad_err);
		reader->has_bad = false;
		verifier_header(&reader->verifier, &reader->segment->header,
				reader->segment->header_bytes, reader->segment->header_len,
				reader->torn);
		reader->torn = 0;
		reader->has_keys = reader->key != NULL &&
				   open_box(reader->key, &reader->segment->header, reader->keys);
		reader->unreadable += reader->key != NULL && !reader->has_keys;
		return ERR_OK;
	}
	return ERR_NOT_FOUND;
}

/* A live journal may have begun another segment meanwhile. */
static bool has_grown(struct audit_reader *reader)
{
	uint32_t last = reader->range.last;

	return reader->is_live && segment_range_read(reader->dir_fd, &reader->range) == ERR_OK &&
	       reader->range.last > last;
}

static void end(struct audit_reader *reader)
{
	if (reader->is_at_end)
		return;
	reader->is_at_end = true;
	verifier_end(&reader->verifier, reader->state, reader->is_live, reader->torn,
		     clock_wall_ns());
}

static enum err open_record(struct audit_reader *reader, const struct record_header *header,
			    const uint8_t *raw, struct chain *chain, size_t *len)
{
	if (header->type >= AUDIT_TYPE_COUNT)
		return ERR_TAMPERED;
	return record_open(reader->aead, reader->has_keys ? reader->keys : NULL, chain, header,
			   raw, reader->plain, len);
}

/* The next raw record and its opened body; ERR_NOT_FOUND: the segment ends here. */
static enum err read_record(struct audit_reader *reader, struct record_header *header,
			    const uint8_t **raw, size_t *len)
{
	bool is_last = reader->is_live && reader->next_segment > reader->range.last;
	uint64_t offset = reader->segment->offset;
	struct chain chain;
	enum err err;

	for (int try = 0;; try++) {
		chain = reader->verifier.chain;
		memset(header, 0, sizeof(*header));
		err = segment_reader_next(reader->segment, SEGMENT_NO_LIMIT, header, raw);
		if (err == ERR_OK)
			err = open_record(reader, header, *raw, &chain, len);
		if (err == ERR_OK || err == ERR_NOT_FOUND || !is_last || try == LIVE_RETRIES)
			break;
		clock_sleep_ns(LIVE_RETRY_NS);
		segment_reader_seek(reader->segment, offset);
	}
	if (err == ERR_OK)
		reader->verifier.chain = chain;
	return err;
}

/*
 * Is there a seal behind this place, signed with the key that is due?  Then
 * the records here were once whole, and what is wrong is no power cut's work.
 */
static bool seal_follows(struct audit_reader *reader)
{
	struct segment_reader *segment = reader->segment;
	const uint64_t start = segment->offset;
	uint8_t *data = malloc(SCAN_SIZE);
	struct record_header header;
	bool is_found = false;
	ssize_t got = 0;

	for (uint64_t at = start; data != NULL && !is_found; at += (uint64_t)got - SEAL_RECORD_MAX) {
		got = pread(segment->fd, data, SCAN_SIZE, (off_t)at);
		for (ssize_t i = 0; i + RECORD_HEADER_LEN < got && !is_found; i++)
			is_found = data[i + 2] == AUDIT_SEAL && data[i + 3] == RECORD_CLEAR &&
				   record_header_decode(data + i, (size_t)(got - i), &header) &&
				   seal_decode(data + i, &header, reader->identity.journal_id,
					       reader->verifier.sign_public,
					       &reader->seal) == ERR_OK;
		if (got < SCAN_SIZE)
			break;
	}
	free(data);
	return is_found;
}

/*
 * Was this place once durable and sealed?  The state was made durable after
 * the seal that it names.  Earlier segments do not ask: what a power cut left
 * of them, a recovery has accepted since.
 */
static bool was_sealed(const struct audit_reader *reader)
{
	const struct audit_state *state = reader->state;

	return state != NULL && state->sealed.segment == reader->verifier.segment &&
	       state->sealed.chain.seq > reader->verifier.chain.seq;
}

/* No more records can be read from this segment; what is it that stands there? */
static void leave_segment(struct audit_reader *reader, const struct record_header *header,
			  enum err err)
{
	bool is_last = reader->next_segment > reader->range.last;

	reader->torn = 0;
	/* Where a daemon will write next. */
	if (err == ERR_NOT_FOUND && reader->is_live && is_last)
		return;
	if (segment_reader_rest(reader->segment, &reader->torn) != ERR_OK)
		reader->torn = 0;
	if (err == ERR_NOT_FOUND && reader->torn == 0)
		return;
	if (reader->verifier.is_ended && err == ERR_NOT_FOUND)
		return; /* bytes behind the end: the next header, or the end, says so */
	/* A power cut leaves half a record, never a whole one with another number. */
	if (reader->verifier.is_ended || (reader->is_live && is_last) ||
	    (err == ERR_TAMPERED && (header->seq != reader->verifier.chain.seq + 1 ||
				     was_sealed(reader))) ||
	    seal_follows(reader)) {
		verifier_bad_record(&reader->verifier, header,
				    err == ERR_NOT_FOUND ? ERR_FORMAT : err);
		return;
	}
	reader->has_bad = true;
	reader->bad_header = *header;
	reader->bad_err = err == ERR_NOT_FOUND ? ERR_FORMAT : err;
}

/* False: nothing more can be read from this segment. */
static bool take_record(struct audit_reader *reader, struct audit_record *record)
{
	const struct chain before = reader->verifier.chain;
	struct record_header header;
	uint64_t offset = reader->segment->offset;
	const uint8_t *raw;
	size_t len;
	enum err err = read_record(reader, &header, &raw, &len);

	if (err != ERR_OK) {
		segment_reader_seek(reader->segment, offset);
		leave_segment(reader, &header, err);
		return false;
	}
	if (!verifier_record(&reader->verifier, &header, raw, &before, &reader->seal))
		return false;
	*record = (struct audit_record){.segment = reader->verifier.segment, .seq = header.seq,
					.wall_ns = header.wall_ns,
					.type = (enum audit_type)header.type};
	memcpy(record->hash, reader->verifier.chain.hash, SHA256_LEN);
	if (header.type == AUDIT_SEAL) {
		record->seal = &reader->seal;
	} else if (reader->has_keys) {
		if (body_decode(record->type, reader->plain, len, reader->body) != ERR_OK) {
			verifier_bad_record(&reader->verifier, &header, ERR_FORMAT);
			return false;
		}
		record->body = reader->body;
	}
	reader->records++;
	return true;
}

enum err audit_reader_next(struct audit_reader *reader, struct audit_record *record)
{
	enum err err;

	for (;;) {
		if (reader->segment != NULL && take_record(reader, record))
			return ERR_OK;
		err = next_segment(reader);
		if (err == ERR_NOT_FOUND && has_grown(reader))
			continue;
		if (err != ERR_OK) {
			end(reader);
			return err;
		}
	}
}

void audit_reader_summary(const struct audit_reader *reader, struct audit_summary *summary)
{
	*summary = (struct audit_summary){.segments = reader->range.count,
					  .first_segment = reader->range.first,
					  .last_segment = reader->range.last,
					  .unreadable = reader->unreadable,
					  .records = reader->records,
					  .last_seq = reader->verifier.chain.seq,
					  .sealed_seq = reader->verifier.sealed_seq,
					  .sealed_wall_ns = reader->verifier.sealed_wall_ns,
					  .is_live = reader->is_live,
					  .worst = reader->verifier.worst};
	fingerprint_text(reader->identity.hash, summary->fingerprint);
}

enum err audit_reader_check_fingerprint(struct audit_reader *reader, const char *fingerprint)
{
	char text[FINGERPRINT_LEN];

	fingerprint_text(reader->identity.hash, text);
	if (strcmp(text, fingerprint) == 0)
		return ERR_OK;
	verifier_find(&reader->verifier, VERDICT_FINGERPRINT, 0, "it is %s", text);
	return ERR_TAMPERED;
}

size_t audit_reader_auditors(const struct audit_reader *reader,
			     char fingerprints[AUDITORS_MAX][FINGERPRINT_LEN])
{
	for (size_t i = 0; i < reader->identity.auditor_count; i++)
		auditor_fingerprint(reader->identity.auditors[i], fingerprints[i]);
	return reader->identity.auditor_count;
}

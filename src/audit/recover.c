#include "audit/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/body.h"
#include "audit/segment_file.h"
#include "base/io.h"
#include "base/log.h"
#include "base/secmem.h"

struct walk {
	int dir_fd;
	const struct identity *identity;
	struct audit_state *state;
	struct recovery *result;
	struct aead *aead;
	struct segment_keys *keys;      /* of result->end.segment */
	struct segment_reader *reader;  /* of the same */
	int fd;                         /* the same for writing, or -1 */
	uint8_t *body;
};

/* A seal continues the chain of keys; one that the state does not know yet moves it on. */
static enum err accept_seal(struct walk *walk, const struct chain *before,
			    const struct record_header *header, const uint8_t *record)
{
	struct audit_state *state = walk->state;
	struct seal seal;
	enum err err = seal_decode(record, header, state->journal_id, state->current.public_key,
				   &seal);

	if (err != ERR_OK)
		return err;
	if (seal.epoch != state->epoch || seal.segment != walk->result->end.segment ||
	    seal.seq != before->seq || memcmp(seal.hash, before->hash, SHA256_LEN) != 0 ||
	    memcmp(seal.next_public, state->next.public_key, SIGN_PUBLIC_LEN) != 0)
		return ERR_TAMPERED;
	memset(walk->result->counts, 0, sizeof(walk->result->counts));
	state_next_epoch(state);
	return ERR_OK;
}

static enum err accept_record(struct walk *walk, const struct record_header *header,
			      const uint8_t *record)
{
	struct position *end = &walk->result->end;
	struct chain chain = end->chain;
	size_t len;
	enum err err;

	if (header->type >= AUDIT_TYPE_COUNT)
		return ERR_TAMPERED;
	err = record_open(walk->aead, walk->keys, &chain, header, record, walk->body, &len);
	secmem_wipe(walk->body, err == ERR_OK ? len : 0);
	if (err == ERR_OK && header->type == AUDIT_SEAL)
		err = accept_seal(walk, &end->chain, header, record);
	else if (err == ERR_OK)
		walk->result->counts[header->type]++;
	if (err != ERR_OK)
		return err;
	end->chain = chain;
	end->offset += header->len;
	return ERR_OK;
}

/* Does this header follow what was read so far?  If so the walk goes on behind it. */
static enum err accept_header(struct walk *walk, const struct segment_header *header,
			      const uint8_t *bytes, size_t len)
{
	struct position *end = &walk->result->end;
	const uint8_t *key = state_key(walk->state, header->number);

	if (header->number != end->segment + 1 || header->first_seq != end->chain.seq + 1 ||
	    header->epoch != walk->state->epoch || key == NULL ||
	    memcmp(header->journal_id, walk->state->journal_id, AUDIT_ID_LEN) != 0 ||
	    memcmp(header->previous_hash, end->chain.hash, SHA256_LEN) != 0 ||
	    memcmp(header->sign_public, walk->state->current.public_key, SIGN_PUBLIC_LEN) != 0)
		return ERR_TAMPERED;
	chain_add(&end->chain, bytes, len);
	end->segment = header->number;
	end->offset = len;
	return segment_keys_derive(key, walk->keys);
}

static enum err open_segment(struct walk *walk, uint32_t number)
{
	segment_reader_close(walk->reader);
	walk->reader = NULL;
	return segment_reader_open(walk->dir_fd, number, &walk->reader);
}

/* The segment of the sealed position, from its start: it must lead to the hash we know. */
static enum err check_sealed(struct walk *walk)
{
	const struct position *sealed = &walk->state->sealed;
	struct record_header header;
	const uint8_t *record;
	struct chain chain = {.seq = 0};
	size_t len;
	enum err err = open_segment(walk, sealed->segment);

	if (err != ERR_OK)
		return err;
	chain.seq = walk->reader->header.first_seq - 1;
	memcpy(chain.hash, walk->reader->header.previous_hash, SHA256_LEN);
	chain_add(&chain, walk->reader->header_bytes, walk->reader->header_len);
	while (err == ERR_OK && walk->reader->offset < sealed->offset) {
		walk->result->end.chain.seq = chain.seq;
		err = segment_reader_next(walk->reader, sealed->offset, &header, &record);
		if (err == ERR_OK)
			err = record_open(walk->aead, NULL, &chain, &header, record, NULL, &len);
	}
	if (err == ERR_OK && (walk->reader->offset != sealed->offset ||
			      memcmp(&chain, &sealed->chain, sizeof(chain)) != 0 ||
			      walk->reader->header.number != sealed->segment))
		err = ERR_TAMPERED;
	if (err != ERR_OK)
		return err == ERR_NOT_FOUND ? ERR_TAMPERED : err;
	walk->result->end = *sealed;
	return ERR_OK;
}

/* Records behind the sealed position, as far as the files go. */
static enum err walk_files(struct walk *walk)
{
	struct record_header header;
	const uint8_t *record;
	enum err err;

	for (;;) {
		if (walk->reader != NULL) {
			err = segment_reader_next(walk->reader, SEGMENT_NO_LIMIT, &header, &record);
			if (err == ERR_OK)
				err = accept_record(walk, &header, record);
			if (err == ERR_OK)
				continue;
			if (err != ERR_NOT_FOUND)
				return err;
		}
		err = open_segment(walk, walk->result->end.segment + 1);
		if (err == ERR_NOT_FOUND)
			return ERR_OK;
		if (err == ERR_OK)
			err = accept_header(walk, &walk->reader->header,
					    walk->reader->header_bytes, walk->reader->header_len);
		if (err != ERR_OK)
			return err;
	}
}

static enum err open_for_writing(struct walk *walk)
{
	char name[SEGMENT_NAME_MAX];

	if (walk->fd >= 0)
		return ERR_OK;
	segment_name(walk->result->end.segment, name);
	walk->fd = openat(walk->dir_fd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	return walk->fd < 0 ? err_from_errno(errno) : ERR_OK;
}

static enum err ring_record(struct walk *walk, const struct ring_entry *entry)
{
	uint64_t offset = walk->result->end.offset;
	struct record_header header;
	enum err err;

	if (!record_header_decode(entry->data, entry->len, &header) || header.len != entry->len)
		return ERR_TAMPERED;
	/* Written, but not yet released when the process was killed. */
	if (header.seq <= walk->result->end.chain.seq)
		return ERR_OK;
	err = accept_record(walk, &header, entry->data);
	if (err == ERR_OK)
		err = open_for_writing(walk);
	if (err == ERR_OK)
		err = io_pwrite_all(walk->fd, entry->data, entry->len, (off_t)offset);
	if (err == ERR_OK)
		walk->result->from_ring++;
	return err;
}

static enum err close_written(struct walk *walk)
{
	enum err err = ERR_OK;

	if (walk->fd < 0)
		return ERR_OK;
	if (ftruncate(walk->fd, (off_t)walk->result->end.offset) < 0)
		err = err_from_errno(errno);
	else
		err = io_fsync(walk->fd);
	close(walk->fd);
	walk->fd = -1;
	return err;
}

static enum err ring_header(struct walk *walk, const struct ring_entry *entry)
{
	struct segment_header header;
	char name[SEGMENT_NAME_MAX];
	size_t len;
	enum err err = segment_header_decode(entry->data, entry->len, &header, &len);

	if (err != ERR_OK || len != entry->len)
		return ERR_TAMPERED;
	if (header.number <= walk->result->end.segment)
		return ERR_OK;
	err = close_written(walk);
	if (err == ERR_OK)
		err = accept_header(walk, &header, entry->data, len);
	segment_name(header.number, name);
	if (err == ERR_OK)
		err = io_create_file(walk->dir_fd, name, entry->data, len, 0600);
	return err == ERR_OK ? io_fsync(walk->dir_fd) : err;
}

static enum err walk_ring(struct walk *walk, const struct ring *ring)
{
	uint64_t position = ring_drained(ring), end = ring_head(ring);
	struct ring_entry entry;
	enum err err = ERR_OK;

	while (position < end && err == ERR_OK) {
		err = ring_get(ring, position, &entry);
		if (err == ERR_OK && entry.kind == RING_RECORD)
			err = ring_record(walk, &entry);
		else if (err == ERR_OK && entry.kind == RING_HEADER)
			err = ring_header(walk, &entry);
		position = entry.next;
	}
	return err == ERR_OK ? close_written(walk) : err;
}

/*
 * Half a record must not stay: it would end the walk of the next recovery if that
 * comes before a seal, and who reads without a key cannot tell it from a whole one.
 * How much it was is told by the RECOVER record.
 */
static enum err cut_torn(struct walk *walk)
{
	enum err err = open_for_writing(walk);

	return err == ERR_OK ? close_written(walk) : err;
}

/* What is left behind the last whole record of the last segment. */
static enum err measure_torn(struct walk *walk)
{
	const struct position *end = &walk->result->end;
	enum err err;

	if (end->segment == 0)
		return ERR_OK;
	err = open_segment(walk, end->segment);
	if (err != ERR_OK)
		return err;
	segment_reader_seek(walk->reader, end->offset);
	return segment_reader_rest(walk->reader, &walk->result->torn);
}

/* The segments are numbered without a gap, and the walk has come to the last one. */
static enum err check_names(struct walk *walk)
{
	struct segment_range range;
	enum err err = segment_range_read(walk->dir_fd, &range);

	if (err != ERR_OK)
		return err;
	if (range.count != 0 && range.last - range.first + 1 != range.count)
		return ERR_TAMPERED;
	return range.last == walk->result->end.segment ? ERR_OK : ERR_TAMPERED;
}

static enum err walk_all(struct walk *walk, const struct ring *ring, enum ring_found found,
			 bool is_same_boot)
{
	const uint8_t *key = state_key(walk->state, walk->state->sealed.segment);
	enum err err = ERR_OK;
	bool is_bad;

	walk->result->end = walk->state->sealed;
	memcpy(walk->result->counts, walk->state->counts, sizeof(walk->result->counts));
	if (walk->state->sealed.segment != 0)
		err = check_sealed(walk);
	/* After a clean stop the key is gone, and no record may follow. */
	if (err == ERR_OK && key != NULL)
		err = segment_keys_derive(key, walk->keys);
	if (err != ERR_OK)
		return err;
	err = walk_files(walk);
	is_bad = err == ERR_TAMPERED || err == ERR_FORMAT;
	if (err != ERR_OK && !is_bad)
		return err;
	if (found == RING_OLD)
		err = walk_ring(walk, ring);
	if (err == ERR_OK || is_bad)
		err = measure_torn(walk);
	if (err == ERR_OK)
		err = check_names(walk);
	if (err != ERR_OK)
		return err;
	/*
	 * The page cache survives a kill: in the same boot nothing can be torn,
	 * unless the ring that held the rest was removed.
	 */
	if (walk->result->torn > 0 && ((is_same_boot && found != RING_NEW) || walk->state->is_clean))
		return ERR_TAMPERED;
	if (walk->state->is_clean && memcmp(&walk->result->end.chain, &walk->state->sealed.chain,
					    sizeof(struct chain)) != 0)
		return ERR_TAMPERED;
	return walk->result->torn > 0 ? cut_torn(walk) : ERR_OK;
}

static void explain(const char *volume, const struct position *end, enum err err)
{
	if (err == ERR_TAMPERED || err == ERR_FORMAT || err == ERR_NOT_FOUND ||
	    err == ERR_VERSION) {
		log_error("the audit journal of %s does not verify: segment %" PRIu32
			  ", record %" PRIu64 " (torn after power loss is excluded)",
			  volume, end->segment, end->chain.seq + 1);
	} else {
		log_error("the audit journal of %s cannot be read: %s", volume, err_text(err));
	}
}

enum err recover_trail(int dir_fd, const char *volume, const struct identity *identity,
		       struct audit_state *state, struct ring *ring, enum ring_found found,
		       const uint8_t boot_id[AUDIT_ID_LEN], struct recovery *recovery)
{
	struct walk walk = {.dir_fd = dir_fd, .identity = identity, .state = state,
			    .result = recovery, .fd = -1};
	bool is_same_boot = memcmp(state->boot_id, boot_id, AUDIT_ID_LEN) == 0;
	enum err err = aead_new(&walk.aead);

	memset(recovery, 0, sizeof(*recovery));
	walk.keys = secmem_alloc(sizeof(*walk.keys));
	walk.body = malloc(BODY_MAX);
	if (err == ERR_OK && (walk.keys == NULL || walk.body == NULL))
		err = ERR_NO_MEMORY;
	if (err == ERR_OK)
		err = walk_all(&walk, ring, found, is_same_boot);
	if (err != ERR_OK)
		explain(volume, &recovery->end, err);
	recovery->was_clean = state->is_clean;
	if (walk.fd >= 0)
		close(walk.fd);
	segment_reader_close(walk.reader);
	free(walk.body);
	secmem_free(walk.keys);
	aead_free(walk.aead);
	return err == ERR_FORMAT || err == ERR_NOT_FOUND ? ERR_TAMPERED : err;
}

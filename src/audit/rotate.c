#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/segment_file.h"
#include "audit/trail.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/secmem.h"
#include "crypto/box.h"
#include "crypto/random.h"

static const char spare_name[] = "spare";

/*
 * Called without any lock: the callback takes the store's, and the store's
 * owner may be inside audit_append.
 */
static void get_evidence(struct audit *audit, struct audit_evidence *evidence)
{
	memset(evidence, 0, sizeof(*evidence));
	if (audit->config.evidence != NULL)
		audit->config.evidence(audit->config.ctx, evidence);
}

static enum err put_seal(struct audit *audit, enum seal_kind kind,
			 const struct audit_evidence *evidence)
{
	struct appender *append = &audit->append;
	struct audit_state *state = audit->state;
	const struct chain before = append->chain;
	struct seal seal = {.kind = kind,
			    .epoch = state->epoch,
			    .segment = append->segment,
			    .seq = append->chain.seq,
			    .boot_ns = clock_boot_ns(),
			    .type_count = AUDIT_TYPE_COUNT,
			    .evidence = *evidence};
	uint8_t record[SEAL_RECORD_MAX];
	size_t len;
	enum err err;

	memcpy(seal.hash, append->chain.hash, SHA256_LEN);
	memcpy(seal.boot_id, audit->boot_id, AUDIT_ID_LEN);
	memcpy(seal.counts, append->counts, sizeof(append->counts));
	memcpy(seal.next_public, state->next.public_key, SIGN_PUBLIC_LEN);
	len = seal_encode(&seal, state->journal_id, state->current.secret, clock_wall_ns(),
			  &append->chain, record);
	err = len == 0 ? ERR_SYSTEM : ring_put(append->ring, RING_RECORD, record, len, true);
	if (err != ERR_OK) {
		append->chain = before;
		return err;
	}
	append->segment_end += len;
	memset(append->counts, 0, sizeof(append->counts));
	if (kind == SEAL_STOP)
		append->is_closed = true;
	atomic_store(&append->appended, append->chain.seq);
	memset(state->counts, 0, sizeof(state->counts));
	state->sealed = (struct position){append->segment, append->segment_end, append->chain};
	state_next_epoch(state);
	return ERR_OK;
}

enum err rotate_seal(struct audit *audit, enum seal_kind kind)
{
	struct audit_evidence evidence;
	enum err err;

	get_evidence(audit, &evidence);
	pthread_mutex_lock(&audit->append.lock);
	err = put_seal(audit, kind, &evidence);
	pthread_mutex_unlock(&audit->append.lock);
	return err;
}

/* Seals {key, pseudonym key} to every auditor. */
static enum err seal_boxes(struct audit *audit, const uint8_t *segment_key,
			   const struct segment_keys *keys, struct segment_header *header)
{
	const size_t size = SEALED_KEYS_LEN;
	uint8_t *plain = secmem_alloc(2 * size);
	enum err err = ERR_OK;

	if (plain == NULL)
		return ERR_NO_MEMORY;
	memcpy(plain, segment_key, AUDIT_KEY_LEN);
	memcpy(plain + AUDIT_KEY_LEN, audit->state->pseudonym_key, AUDIT_KEY_LEN);
	memcpy(plain + size, keys->path, AUDIT_KEY_LEN);
	memcpy(plain + size + AUDIT_KEY_LEN, audit->state->pseudonym_key, AUDIT_KEY_LEN);
	header->auditor_count = audit->identity.auditor_count;
	for (size_t i = 0; i < header->auditor_count && err == ERR_OK; i++) {
		struct auditor_boxes *boxes = &header->auditors[i];

		memcpy(boxes->auditor, audit->identity.auditors[i], BOX_PUBLIC_LEN);
		err = box_seal(boxes->auditor, plain, size, boxes->segment_key);
		if (err == ERR_OK)
			err = box_seal(boxes->auditor, plain + size, size, boxes->path_key);
	}
	secmem_free(plain);
	return err;
}

/* A fresh key for the next segment, in the state before anything uses it. */
static enum err new_segment_key(struct audit *audit, uint32_t number, struct segment_keys *keys,
				struct segment_header *header)
{
	uint8_t *key = secmem_alloc(AUDIT_KEY_LEN);
	enum err err;

	if (key == NULL)
		return ERR_NO_MEMORY;
	random_bytes(key, AUDIT_KEY_LEN);
	err = segment_keys_derive(key, keys);
	if (err == ERR_OK)
		err = seal_boxes(audit, key, keys, header);
	if (err == ERR_OK) {
		pthread_mutex_lock(&audit->drain.lock);
		err = state_add_key(audit->state, number, key);
		pthread_mutex_unlock(&audit->drain.lock);
	}
	secmem_free(key);
	return err == ERR_OK ? state_commit(audit->state_file, audit->state) : err;
}

/* With append.lock held: header, SEGMENT record, and what else begins a segment. */
static enum err put_header(struct audit *audit, struct segment_header *header,
			   const struct segment_keys *keys, const char *recovery)
{
	struct appender *append = &audit->append;
	uint8_t bytes[SEGMENT_HEADER_MAX];
	size_t len;
	enum err err;

	header->number = append->segment + 1;
	header->first_seq = append->chain.seq + 1;
	header->epoch = audit->state->epoch;
	memcpy(header->previous_hash, append->chain.hash, SHA256_LEN);
	memcpy(header->sign_public, audit->state->current.public_key, SIGN_PUBLIC_LEN);
	len = segment_header_encode(header, audit->state->current.secret, bytes, sizeof(bytes));
	if (len == 0)
		return ERR_SYSTEM;
	err = ring_put(append->ring, RING_HEADER, bytes, len, true);
	if (err != ERR_OK)
		return err;
	chain_add(&append->chain, bytes, len);
	append->segment = header->number;
	append->segment_end = len;
	memcpy(append->keys, keys, sizeof(*keys));
	err = append_own(append, AUDIT_SEGMENT, NULL);
	if (err == ERR_OK && recovery != NULL)
		err = append_own(append, AUDIT_RECOVER, recovery);
	return err;
}

enum err rotate_segment(struct audit *audit, bool is_rotation, const char *recovery)
{
	struct segment_header header = {.wall_ns = clock_wall_ns(), .boot_ns = clock_boot_ns()};
	struct segment_keys *keys = secmem_alloc(sizeof(*keys));
	enum err err;

	if (keys == NULL)
		return ERR_NO_MEMORY;
	memcpy(header.journal_id, audit->identity.journal_id, AUDIT_ID_LEN);
	memcpy(header.boot_id, audit->boot_id, AUDIT_ID_LEN);
	get_evidence(audit, &header.evidence);
	/* Only this thread changes append.segment, so it may be read without the lock. */
	err = new_segment_key(audit, audit->append.segment + 1, keys, &header);
	if (err == ERR_OK)
		err = rotate_prepare_spare(audit);
	if (err == ERR_OK) {
		pthread_mutex_lock(&audit->append.lock);
		if (is_rotation)
			err = put_seal(audit, SEAL_ROTATE, &header.evidence);
		if (err == ERR_OK)
			err = put_header(audit, &header, keys, recovery);
		pthread_mutex_unlock(&audit->append.lock);
	}
	secmem_free(keys);
	audit->drain.segment_since_ns = clock_boot_ns();
	return err;
}

enum err rotate_prepare_spare(struct audit *audit)
{
	int fd, result;
	enum err err;

	if (audit->drain.spare_fd >= 0)
		return ERR_OK;
	if (unlinkat(audit->dir_fd, spare_name, 0) < 0 && errno != ENOENT)
		return err_from_errno(errno);
	fd = openat(audit->dir_fd, spare_name,
		    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_from_errno(errno);
	/* Preallocated and flushed now: its blocks are there whatever happens. */
	result = posix_fallocate(fd, 0, (off_t)audit->config.segment_size);
	err = result != 0 ? err_from_errno(result) : io_fsync(fd);
	if (err != ERR_OK) {
		unlinkat(audit->dir_fd, spare_name, 0);
		close(fd);
		return err;
	}
	audit->drain.spare_fd = fd;
	return ERR_OK;
}

enum err rotate_take_spare(struct audit *audit, uint32_t number, const uint8_t *header, size_t len)
{
	struct drain *drain = &audit->drain;
	char name[SEGMENT_NAME_MAX];
	enum err err = rotate_prepare_spare(audit);

	/* A file that bears a segment's name has a whole header, whatever happens. */
	if (err == ERR_OK)
		err = io_pwrite_all(drain->spare_fd, header, len, 0);
	if (err == ERR_OK) {
		drain->offset = drain->cleared = len;
		drain->allocated = audit->config.segment_size;
		err = drain_clear_ahead(drain, drain->spare_fd);
	}
	if (err == ERR_OK)
		err = io_fdatasync(drain->spare_fd);
	segment_name(number, name);
	if (err == ERR_OK && faccessat(audit->dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		err = ERR_EXISTS;
	if (err == ERR_OK && renameat(audit->dir_fd, spare_name, audit->dir_fd, name) < 0)
		err = err_from_errno(errno);
	if (err == ERR_OK)
		err = io_fsync(audit->dir_fd);
	if (err != ERR_OK)
		return err;
	drain->fd = drain->spare_fd;
	drain->spare_fd = -1;
	drain->segment = number;
	return ERR_OK;
}

/* The first segment whose key must stay. */
static uint32_t first_needed(const struct audit *audit)
{
	const struct drain *drain = &audit->drain;

	if (audit->config.forward != NULL && !drain->is_all_delivered)
		return drain->settled.segment;
	return audit->state->is_clean ? UINT32_MAX : drain->segment;
}

enum err rotate_commit(struct audit *audit)
{
	struct drain *drain = &audit->drain;
	struct audit_state *state = audit->state;

	pthread_mutex_lock(&drain->lock);
	state->is_forwarding = audit->config.forward != NULL;
	state->delivered = drain->delivered;
	state->settled = drain->settled;
	drain->is_bookmark_new = false;
	state_drop_keys(state, first_needed(audit));
	pthread_mutex_unlock(&drain->lock);
	drain->committed_at_ns = clock_boot_ns();
	return state_commit(audit->state_file, state);
}

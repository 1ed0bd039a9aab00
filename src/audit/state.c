#include "audit/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/secmem.h"
#include "crypto/sign.h"

#define SLOT_SIZE (64u << 10)
#define SLOT_HEAD 24 /* magic, version, length, generation */

static const char state_name[] = "state";
static const char state_magic[8] = "phifsAS1";

_Static_assert(sizeof(struct audit_state) < SLOT_SIZE - 1024, "the state fits into a slot");

struct state_file {
	int fd;
	uint8_t *slot; /* secret memory of SLOT_SIZE */
	size_t used;   /* bytes of the slots that may hold something */
};

static void put_position(struct writer *w, const struct position *position)
{
	writer_u32(w, position->segment);
	writer_u64(w, position->offset);
	writer_u64(w, position->chain.seq);
	writer_bytes(w, position->chain.hash, SHA256_LEN);
}

static void get_position(struct reader *r, struct position *position)
{
	position->segment = reader_u32(r);
	position->offset = reader_u64(r);
	position->chain.seq = reader_u64(r);
	reader_bytes(r, position->chain.hash, SHA256_LEN);
}

static size_t encode(const struct audit_state *state, uint8_t *out)
{
	struct writer w;
	struct hash_part part = {out, 0};
	uint8_t digest[SHA256_LEN];

	writer_init(&w, out, SLOT_SIZE);
	writer_bytes(&w, state_magic, sizeof(state_magic));
	writer_u32(&w, AUDIT_VERSION);
	writer_u32(&w, 0);
	writer_u64(&w, state->generation);
	writer_bytes(&w, state->journal_id, AUDIT_ID_LEN);
	writer_bytes(&w, state->boot_id, AUDIT_ID_LEN);
	writer_u8(&w, state->is_clean);
	writer_u8(&w, state->is_forwarding);
	writer_u32(&w, state->epoch);
	writer_bytes(&w, state->current.public_key, SIGN_PUBLIC_LEN);
	writer_bytes(&w, state->current.secret, SIGN_SECRET_LEN);
	writer_bytes(&w, state->next.public_key, SIGN_PUBLIC_LEN);
	writer_bytes(&w, state->next.secret, SIGN_SECRET_LEN);
	writer_bytes(&w, state->pseudonym_key, AUDIT_KEY_LEN);
	put_position(&w, &state->sealed);
	for (size_t i = 0; i < 32; i++)
		writer_u32(&w, state->counts[i]);
	put_position(&w, &state->delivered);
	put_position(&w, &state->settled);
	writer_u32(&w, state->key_count);
	for (uint32_t i = 0; i < state->key_count; i++) {
		writer_u32(&w, state->keys[i].segment);
		writer_bytes(&w, state->keys[i].key, AUDIT_KEY_LEN);
	}
	store_u32(out + 12, (uint32_t)w.len);
	part.len = w.len;
	sha256(&part, 1, digest);
	writer_bytes(&w, digest, sizeof(digest));
	return w.len;
}

static void get_fields(struct reader *r, struct audit_state *state)
{
	state->generation = reader_u64(r);
	reader_bytes(r, state->journal_id, AUDIT_ID_LEN);
	reader_bytes(r, state->boot_id, AUDIT_ID_LEN);
	state->is_clean = reader_u8(r) != 0;
	state->is_forwarding = reader_u8(r) != 0;
	state->epoch = reader_u32(r);
	reader_bytes(r, state->current.public_key, SIGN_PUBLIC_LEN);
	reader_bytes(r, state->current.secret, SIGN_SECRET_LEN);
	reader_bytes(r, state->next.public_key, SIGN_PUBLIC_LEN);
	reader_bytes(r, state->next.secret, SIGN_SECRET_LEN);
	reader_bytes(r, state->pseudonym_key, AUDIT_KEY_LEN);
	get_position(r, &state->sealed);
	for (size_t i = 0; i < 32; i++)
		state->counts[i] = reader_u32(r);
	get_position(r, &state->delivered);
	get_position(r, &state->settled);
	state->key_count = reader_u32(r);
}

static enum err decode(const uint8_t *slot, struct audit_state *state)
{
	struct reader r;
	struct hash_part part = {slot, load_u32(slot + 12)};
	uint8_t digest[SHA256_LEN];

	if (memcmp(slot, state_magic, sizeof(state_magic)) != 0 || part.len < SLOT_HEAD ||
	    part.len > SLOT_SIZE - SHA256_LEN)
		return ERR_TAMPERED;
	sha256(&part, 1, digest);
	if (memcmp(digest, slot + part.len, SHA256_LEN) != 0)
		return ERR_TAMPERED;
	if (load_u32(slot + 8) != AUDIT_VERSION)
		return ERR_VERSION;
	reader_init(&r, slot, part.len);
	reader_skip(&r, 16);
	get_fields(&r, state);
	if (state->key_count > STATE_KEYS_MAX)
		return ERR_TAMPERED;
	for (uint32_t i = 0; i < state->key_count; i++) {
		state->keys[i].segment = reader_u32(&r);
		reader_bytes(&r, state->keys[i].key, AUDIT_KEY_LEN);
	}
	return reader_done(&r) ? ERR_OK : ERR_TAMPERED;
}

enum err state_create(int dir_fd, const struct audit_state *state)
{
	uint8_t *slots = secmem_alloc(2 * SLOT_SIZE);
	enum err err;

	if (slots == NULL)
		return ERR_NO_MEMORY;
	encode(state, slots);
	memcpy(slots + SLOT_SIZE, slots, SLOT_SIZE);
	err = io_create_file(dir_fd, state_name, slots, 2 * SLOT_SIZE, 0600);
	secmem_free(slots);
	return err;
}

/* The newest valid slot of `fd`. */
static enum err load(int fd, uint8_t *slot, struct audit_state *state)
{
	struct audit_state *other = secmem_alloc(sizeof(*other));
	enum err err, result = ERR_TAMPERED;

	if (other == NULL)
		return ERR_NO_MEMORY;
	for (unsigned i = 0; i < 2; i++) {
		err = io_pread_all(fd, slot, SLOT_SIZE, (off_t)i * SLOT_SIZE);
		if (err == ERR_OK)
			err = decode(slot, other);
		if (err == ERR_OK && (result != ERR_OK || other->generation > state->generation)) {
			memcpy(state, other, sizeof(*state));
			result = ERR_OK;
		} else if (err == ERR_VERSION && result != ERR_OK) {
			result = err;
		}
	}
	secmem_free(other);
	return result;
}

static enum err open_and_load(int dir_fd, int flags, struct state_file **out_file,
			      struct audit_state **out_state)
{
	struct state_file *file = calloc(1, sizeof(*file));
	struct audit_state *state = secmem_alloc(sizeof(*state));
	enum err err = ERR_OK;

	if (file == NULL || state == NULL || (file->slot = secmem_alloc(SLOT_SIZE)) == NULL) {
		secmem_free(state);
		free(file);
		return ERR_NO_MEMORY;
	}
	file->fd = openat(dir_fd, state_name, flags | O_CLOEXEC | O_NOFOLLOW);
	if (file->fd < 0)
		err = err_from_errno(errno);
	else if (flags == O_RDWR && flock(file->fd, LOCK_EX | LOCK_NB) < 0)
		err = errno == EWOULDBLOCK ? ERR_BUSY : err_from_errno(errno);
	file->used = SLOT_SIZE;
	if (err == ERR_OK)
		err = load(file->fd, file->slot, state);
	if (err != ERR_OK) {
		state_close(file, state);
		return err;
	}
	*out_file = file;
	*out_state = state;
	return ERR_OK;
}

enum err state_open(int dir_fd, struct state_file **file, struct audit_state **state)
{
	return open_and_load(dir_fd, O_RDWR, file, state);
}

enum err state_peek(int dir_fd, struct audit_state **state)
{
	struct state_file *file;
	enum err err = open_and_load(dir_fd, O_RDONLY, &file, state);

	if (err == ERR_OK)
		state_close(file, NULL);
	return err;
}

void state_close(struct state_file *file, struct audit_state *state)
{
	secmem_free(state);
	if (file == NULL)
		return;
	if (file->fd >= 0)
		close(file->fd);
	secmem_free(file->slot);
	free(file);
}

enum err state_commit(struct state_file *file, struct audit_state *state)
{
	size_t len;
	enum err err;

	state->generation++;
	len = encode(state, file->slot);
	/* A state that got shorter overwrites all of the longer one: its keys are gone. */
	memset(file->slot + len, 0, SLOT_SIZE - len);
	if (len > file->used)
		file->used = len;
	for (unsigned i = 0; i < 2; i++) {
		off_t offset = (off_t)((state->generation + i) % 2) * SLOT_SIZE;

		err = io_pwrite_all(file->fd, file->slot, file->used, offset);
		if (err == ERR_OK && i == 0)
			err = io_fdatasync(file->fd);
		if (err != ERR_OK)
			return err;
	}
	file->used = len;
	return ERR_OK;
}

void state_next_epoch(struct audit_state *state)
{
	state->current = state->next;
	state->epoch++;
	sign_keypair(state->next.public_key, state->next.secret);
}

const uint8_t *state_key(const struct audit_state *state, uint32_t segment)
{
	for (uint32_t i = 0; i < state->key_count; i++) {
		if (state->keys[i].segment == segment)
			return state->keys[i].key;
	}
	return NULL;
}

enum err state_add_key(struct audit_state *state, uint32_t segment,
		       const uint8_t key[AUDIT_KEY_LEN])
{
	uint32_t at = 0;

	while (at < state->key_count && state->keys[at].segment != segment)
		at++;
	if (at == STATE_KEYS_MAX)
		return ERR_FULL;
	if (at == state->key_count)
		state->key_count++;
	state->keys[at].segment = segment;
	memcpy(state->keys[at].key, key, AUDIT_KEY_LEN);
	return ERR_OK;
}

void state_drop_keys(struct audit_state *state, uint32_t segment)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < state->key_count; i++) {
		if (state->keys[i].segment >= segment)
			state->keys[kept++] = state->keys[i];
	}
	secmem_wipe(&state->keys[kept], (state->key_count - kept) * sizeof(state->keys[0]));
	state->key_count = kept;
}

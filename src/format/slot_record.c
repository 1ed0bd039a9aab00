#include "format/slot_record.h"

#include <stdbool.h>
#include <string.h>

#include "base/buf.h"

#define SLOTS_MAGIC  "phifsSLT"
#define SLOTS_FORMAT 1u

struct slot_record *slot_file_find(struct slot_file *file, uint32_t id)
{
	for (uint32_t i = 0; i < file->slot_count; i++) {
		if (file->slots[i].id == id)
			return &file->slots[i];
	}
	return NULL;
}

size_t slot_file_len(const struct slot_file *file)
{
	return SLOTS_HEADER_LEN + file->slot_count * SLOT_RECORD_LEN +
	       file->epoch_count * SLOT_WRAPPED_LEN + SLOTS_TRAILER_LEN;
}

/* --- rules: the same for both directions ------------------------------------------ */

static bool is_zero(const void *data, size_t len)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != 0)
			return false;
	}
	return true;
}

/* 1 to SLOT_NAME_MAX bytes without control characters, zeroes behind them. */
static bool name_is_valid(const char name[SLOT_NAME_MAX + 1])
{
	size_t len = strnlen(name, SLOT_NAME_MAX + 1);

	if (len == 0 || len > SLOT_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
			return false;
	}
	return is_zero(name + len, SLOT_NAME_MAX + 1 - len);
}

static bool cost_is_valid(const struct slot_record *slot)
{
	if (slot->kind != SLOT_PASSPHRASE)
		return slot->kdf_ops == 0 && slot->kdf_mem == 0;
	return slot->kdf_ops >= PASSPHRASE_KDF_OPS_MIN && slot->kdf_ops <= PASSPHRASE_KDF_OPS_MAX &&
	       slot->kdf_mem >= PASSPHRASE_KDF_MEM_MIN && slot->kdf_mem <= PASSPHRASE_KDF_MEM_MAX;
}

static bool slot_is_valid(const struct slot_record *slot)
{
	if (slot->id == 0 || slot->kind < SLOT_PASSPHRASE || slot->kind > SLOT_RECOVERY)
		return false;
	if (slot->rights == 0 || (slot->rights & ~SLOT_RIGHTS_ALL) != 0)
		return false;
	if ((slot->rights & SLOT_RIGHT_KEY_ADMIN) == 0 &&
	    !is_zero(slot->sign_public, sizeof(slot->sign_public)))
		return false;
	if ((slot->rights & SLOT_RIGHT_UNLOCK) == 0 && !is_zero(slot->vk_box, sizeof(slot->vk_box)))
		return false;
	return slot->created >= 0 && name_is_valid(slot->name) && cost_is_valid(slot);
}

static bool counts_are_valid(const struct slot_file *file)
{
	return file->slot_count >= 1 && file->slot_count <= SLOTS_MAX && file->epoch_count >= 1 &&
	       file->epoch_count <= SLOTS_EPOCHS_MAX;
}

/* After counts_are_valid. */
static bool file_is_valid(const struct slot_file *file)
{
	uint32_t last_id = 0;

	if (file->generation == 0 || file->generation > SLOTS_GENERATION_MAX ||
	    file->changed < 0 || file->signer == 0)
		return false;
	for (uint32_t i = 0; i < file->slot_count; i++) {
		const struct slot_record *slot = &file->slots[i];

		if (!slot_is_valid(slot) || slot->id <= last_id || slot->id >= file->next_id)
			return false;
		last_id = slot->id;
	}
	return true;
}

/* --- bytes ------------------------------------------------------------------------- */

static void put_slot(struct writer *w, const struct slot_record *slot)
{
	writer_u32(w, slot->id);
	writer_u8(w, slot->kind);
	writer_u8(w, slot->rights);
	writer_u16(w, 0);
	writer_u64(w, (uint64_t)slot->created);
	writer_bytes(w, slot->name, sizeof(slot->name));
	writer_u32(w, slot->kdf_ops);
	writer_u64(w, slot->kdf_mem);
	writer_bytes(w, slot->salt, sizeof(slot->salt));
	writer_bytes(w, slot->box_public, sizeof(slot->box_public));
	writer_bytes(w, slot->sign_public, sizeof(slot->sign_public));
	writer_bytes(w, slot->nonce, sizeof(slot->nonce));
	writer_bytes(w, slot->sealed, sizeof(slot->sealed));
	writer_bytes(w, slot->vk_box, sizeof(slot->vk_box));
}

static bool get_slot(struct reader *r, struct slot_record *slot)
{
	uint16_t unused;

	slot->id = reader_u32(r);
	slot->kind = reader_u8(r);
	slot->rights = reader_u8(r);
	unused = reader_u16(r);
	slot->created = (int64_t)reader_u64(r);
	reader_bytes(r, slot->name, sizeof(slot->name));
	slot->kdf_ops = reader_u32(r);
	slot->kdf_mem = reader_u64(r);
	reader_bytes(r, slot->salt, sizeof(slot->salt));
	reader_bytes(r, slot->box_public, sizeof(slot->box_public));
	reader_bytes(r, slot->sign_public, sizeof(slot->sign_public));
	reader_bytes(r, slot->nonce, sizeof(slot->nonce));
	reader_bytes(r, slot->sealed, sizeof(slot->sealed));
	reader_bytes(r, slot->vk_box, sizeof(slot->vk_box));
	return unused == 0;
}

enum err slot_file_encode(const struct slot_file *file, uint8_t out[SLOTS_FILE_MAX])
{
	struct writer w;

	if (!counts_are_valid(file) || !file_is_valid(file))
		return ERR_INVALID;
	writer_init(&w, out, SLOTS_FILE_MAX);
	writer_bytes(&w, SLOTS_MAGIC, 8);
	writer_u16(&w, SLOTS_FORMAT);
	writer_u16(&w, 0);
	writer_bytes(&w, file->fs_id, sizeof(file->fs_id));
	writer_u64(&w, file->generation);
	writer_u64(&w, (uint64_t)file->changed);
	writer_u32(&w, file->signer);
	writer_u32(&w, file->next_id);
	writer_u32(&w, file->slot_count);
	writer_u32(&w, file->epoch_count);
	writer_u32(&w, 0);
	for (uint32_t i = 0; i < file->slot_count; i++)
		put_slot(&w, &file->slots[i]);
	for (uint32_t i = 0; i < file->epoch_count; i++) {
		writer_bytes(&w, file->epochs[i].nonce, AEAD_NONCE_LEN);
		writer_bytes(&w, file->epochs[i].sealed, sizeof(file->epochs[i].sealed));
	}
	writer_bytes(&w, file->mac, sizeof(file->mac));
	writer_bytes(&w, file->signature, sizeof(file->signature));
	return w.failed || w.len != slot_file_len(file) ? ERR_INVALID : ERR_OK;
}

static enum err get_header(struct reader *r, struct slot_file *file)
{
	uint8_t magic[8];
	uint16_t format, unused;

	reader_bytes(r, magic, sizeof(magic));
	format = reader_u16(r);
	if (r->failed || memcmp(magic, SLOTS_MAGIC, sizeof(magic)) != 0)
		return ERR_FORMAT;
	if (format != SLOTS_FORMAT)
		return ERR_VERSION;
	unused = reader_u16(r);
	reader_bytes(r, file->fs_id, sizeof(file->fs_id));
	file->generation = reader_u64(r);
	file->changed = (int64_t)reader_u64(r);
	file->signer = reader_u32(r);
	file->next_id = reader_u32(r);
	file->slot_count = reader_u32(r);
	file->epoch_count = reader_u32(r);
	if (unused != 0 || reader_u32(r) != 0 || r->failed)
		return ERR_FORMAT;
	return counts_are_valid(file) ? ERR_OK : ERR_FORMAT;
}

enum err slot_file_decode(const uint8_t *data, size_t len, struct slot_file *file)
{
	struct reader r;
	bool is_right = true;
	enum err err;

	memset(file, 0, sizeof(*file));
	reader_init(&r, data, len);
	err = get_header(&r, file);
	if (err != ERR_OK)
		return err;
	if (len != slot_file_len(file))
		return ERR_FORMAT;
	for (uint32_t i = 0; i < file->slot_count; i++)
		is_right &= get_slot(&r, &file->slots[i]);
	for (uint32_t i = 0; i < file->epoch_count; i++) {
		reader_bytes(&r, file->epochs[i].nonce, AEAD_NONCE_LEN);
		reader_bytes(&r, file->epochs[i].sealed, sizeof(file->epochs[i].sealed));
	}
	reader_bytes(&r, file->mac, sizeof(file->mac));
	reader_bytes(&r, file->signature, sizeof(file->signature));
	return is_right && reader_done(&r) && file_is_valid(file) ? ERR_OK : ERR_FORMAT;
}

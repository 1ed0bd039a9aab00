#include "keys/keyring.h"

#include <stdlib.h>
#include <string.h>

#include "base/secmem.h"
#include "crypto/hash.h"

/* One locked region: keys never lie anywhere else in this layer. */
struct keyring {
	uint8_t fs_id[FS_ID_LEN];
	uint32_t epochs;
	uint8_t volume_key[MASTER_KEY_LEN];
	uint8_t master_keys[]; /* epochs * MASTER_KEY_LEN */
};

enum err keyring_new(const uint8_t fs_id[FS_ID_LEN], const uint8_t volume_key[MASTER_KEY_LEN],
		     const uint8_t *master_keys, uint32_t epochs, struct keyring **keyring)
{
	size_t len = (size_t)epochs * MASTER_KEY_LEN;
	struct keyring *made;

	if (epochs == 0 || epochs > EPOCHS_MAX)
		return ERR_INVALID;
	made = secmem_alloc(sizeof(*made) + len);
	if (made == NULL)
		return ERR_NO_MEMORY;
	memcpy(made->fs_id, fs_id, FS_ID_LEN);
	memcpy(made->volume_key, volume_key, MASTER_KEY_LEN);
	memcpy(made->master_keys, master_keys, len);
	made->epochs = epochs;
	*keyring = made;
	return ERR_OK;
}

void keyring_free(struct keyring *keyring)
{
	secmem_free(keyring);
}

const uint8_t *keyring_fs_id(const struct keyring *keyring)
{
	return keyring->fs_id;
}

const uint8_t *keyring_volume_key(const struct keyring *keyring)
{
	return keyring->volume_key;
}

uint32_t keyring_epoch(const struct keyring *keyring)
{
	return keyring->epochs;
}

const uint8_t *keyring_master_key(const struct keyring *keyring, uint32_t epoch)
{
	if (epoch == 0 || epoch > keyring->epochs)
		return NULL;
	return keyring->master_keys + (size_t)(epoch - 1) * MASTER_KEY_LEN;
}

/* HKDF(MK_epoch, label || fs id || id); `id` may be NULL. */
static enum err derive(const struct keyring *keyring, uint32_t epoch, const char *label,
		       const uint8_t *id, uint8_t *out, size_t out_len)
{
	const uint8_t *key = keyring_master_key(keyring, epoch);
	const struct hash_part info[] = {
		{label, strlen(label)},
		{keyring->fs_id, FS_ID_LEN},
		{id, OBJECT_ID_LEN},
	};

	if (key == NULL)
		return ERR_UNKNOWN;
	return hkdf_sha256(key, MASTER_KEY_LEN, NULL, 0, info, id == NULL ? 2 : 3, out, out_len);
}

enum err keyring_object_key(const struct keyring *keyring, uint32_t epoch,
			    const uint8_t id[OBJECT_ID_LEN], uint8_t out[OBJECT_KEY_LEN])
{
	return derive(keyring, epoch, "obj", id, out, OBJECT_KEY_LEN);
}

enum err keyring_journal_key(const struct keyring *keyring, uint32_t epoch, uint8_t out[32])
{
	return derive(keyring, epoch, "journal", NULL, out, 32);
}

enum err keyring_anchor_key(const struct keyring *keyring, uint32_t epoch, uint8_t out[32])
{
	return derive(keyring, epoch, "anchor", NULL, out, 32);
}

enum err keyring_ledger_key(const struct keyring *keyring, uint8_t out[32])
{
	return derive(keyring, 1, "ledger", NULL, out, 32);
}

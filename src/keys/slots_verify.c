/* What makes a slot file authentic: wrapped keys, MAC, signature. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/secmem.h"
#include "crypto/random.h"
#include "keys/slots_private.h"

/* --- wrapped master keys ---------------------------------------------------------- */

#define WRAP_AD_LEN (FS_ID_LEN + 4u)

static void wrap_ad(const struct slot_file *file, uint32_t epoch, uint8_t ad[WRAP_AD_LEN])
{
	memcpy(ad, file->fs_id, FS_ID_LEN);
	store_u32(ad + FS_ID_LEN, epoch);
}

enum err slots_wrap(struct slot_file *file, const struct keyring *keyring)
{
	uint8_t ad[WRAP_AD_LEN], *key = secmem_alloc(AEAD_KEY_LEN);
	struct aead *aead = NULL;
	enum err err = key != NULL ? aead_new(&aead) : ERR_NO_MEMORY;

	if (err == ERR_OK)
		err = volume_subkey(keyring_volume_key(keyring), "wrap", key);
	file->epoch_count = keyring_epoch(keyring);
	for (uint32_t epoch = 1; epoch <= file->epoch_count && err == ERR_OK; epoch++) {
		struct slot_wrapped *wrapped = &file->epochs[epoch - 1];

		wrap_ad(file, epoch, ad);
		random_bytes(wrapped->nonce, sizeof(wrapped->nonce));
		err = aead_seal(aead, key, wrapped->nonce, ad, sizeof(ad),
				keyring_master_key(keyring, epoch), SLOT_KEY_LEN, wrapped->sealed,
				wrapped->sealed + SLOT_KEY_LEN);
	}
	aead_free(aead);
	secmem_free(key);
	return err;
}

/* `master_keys` has room for all epochs. */
static enum err unwrap_all(const struct slot_file *file, const uint8_t *volume_key,
			   uint8_t *master_keys)
{
	uint8_t ad[WRAP_AD_LEN], *key = secmem_alloc(AEAD_KEY_LEN);
	struct aead *aead = NULL;
	enum err err = key != NULL ? aead_new(&aead) : ERR_NO_MEMORY;

	if (err == ERR_OK)
		err = volume_subkey(volume_key, "wrap", key);
	for (uint32_t epoch = 1; epoch <= file->epoch_count && err == ERR_OK; epoch++) {
		const struct slot_wrapped *wrapped = &file->epochs[epoch - 1];

		wrap_ad(file, epoch, ad);
		err = aead_open(aead, key, wrapped->nonce, ad, sizeof(ad), wrapped->sealed,
				SLOT_KEY_LEN, wrapped->sealed + SLOT_KEY_LEN,
				master_keys + (size_t)(epoch - 1) * SLOT_KEY_LEN);
	}
	aead_free(aead);
	secmem_free(key);
	return err;
}

enum err slots_unwrap(const struct slot_file *file, const uint8_t volume_key[SLOT_KEY_LEN],
		      const uint8_t origin[SHA256_LEN], struct keyring **keyring)
{
	uint8_t *master_keys = secmem_alloc((size_t)file->epoch_count * SLOT_KEY_LEN);
	uint8_t expected[SHA256_LEN];
	struct keyring *made = NULL;
	enum err err = ERR_NO_MEMORY;

	if (master_keys != NULL)
		err = unwrap_all(file, volume_key, master_keys);
	if (err == ERR_OK)
		err = keyring_new(file->fs_id, volume_key, master_keys, file->epoch_count, &made);
	if (err == ERR_OK)
		err = slot_origin(made, expected);
	if (err == ERR_OK && !secmem_equal(expected, origin, sizeof(expected)))
		err = ERR_TAMPERED;
	if (err == ERR_OK)
		*keyring = made;
	else
		keyring_free(made);
	secmem_wipe(expected, sizeof(expected));
	secmem_free(master_keys);
	return err;
}

/* --- MAC and signature ------------------------------------------------------------- */

/* The bytes that MAC and signature cover, malloc'd. */
static enum err signed_bytes(const struct slot_file *file, uint8_t **data, size_t *len)
{
	uint8_t *bytes = malloc(SLOTS_FILE_MAX);
	enum err err = bytes != NULL ? slot_file_encode(file, bytes) : ERR_NO_MEMORY;

	if (err != ERR_OK) {
		free(bytes);
		return err;
	}
	*data = bytes;
	*len = slot_file_len(file) - SLOTS_TRAILER_LEN;
	return ERR_OK;
}

static enum err file_mac(const uint8_t *volume_key, const uint8_t *data, size_t len,
			 uint8_t mac[SHA256_LEN])
{
	const struct hash_part part = {data, len};
	uint8_t *key = secmem_alloc(32);
	enum err err = key != NULL ? volume_subkey(volume_key, "slots", key) : ERR_NO_MEMORY;

	if (err == ERR_OK)
		hmac_sha256(key, 32, &part, 1, mac);
	secmem_free(key);
	return err;
}

enum err slots_seal(struct slot_file *file, const uint8_t volume_key[SLOT_KEY_LEN],
		    const struct slots_signer *signer)
{
	int64_t now = clock_wall_ns() / NS_PER_SECOND;
	uint8_t *data = NULL;
	size_t len = 0;
	enum err err;

	if (file->generation == SLOTS_GENERATION_MAX)
		return ERR_FULL;
	file->generation++;
	file->changed = now > 0 ? now : 0;
	file->signer = signer->slot;
	if ((err = signed_bytes(file, &data, &len)) != ERR_OK)
		return err;
	if ((err = file_mac(volume_key, data, len, file->mac)) == ERR_OK)
		sign_detached(signer->secret, data, len, file->signature);
	free(data);
	return err;
}

/* By the key-admin of `trusted` whose number the file names. */
static enum err check_signature(const struct slot_file *file, const struct slot_file *trusted,
				const uint8_t *data, size_t len)
{
	for (uint32_t i = 0; i < trusted->slot_count; i++) {
		const struct slot_record *slot = &trusted->slots[i];

		if (slot->id == file->signer && (slot->rights & SLOT_RIGHT_KEY_ADMIN))
			return sign_verify(slot->sign_public, data, len, file->signature);
	}
	return ERR_TAMPERED;
}

enum err slots_verify(const struct slot_file *file, const uint8_t volume_key[SLOT_KEY_LEN])
{
	uint8_t mac[SHA256_LEN], *data;
	size_t len;
	enum err err = signed_bytes(file, &data, &len);

	if (err != ERR_OK)
		return err;
	err = file_mac(volume_key, data, len, mac);
	if (err == ERR_OK && !secmem_equal(mac, file->mac, sizeof(mac)))
		err = ERR_TAMPERED;
	if (err == ERR_OK)
		err = check_signature(file, file, data, len);
	free(data);
	return err;
}

bool slots_is_successor(const struct slot_file *newer, const struct slot_file *older)
{
	uint8_t *data;
	size_t len;
	bool is_signed;

	if (newer->generation <= older->generation ||
	    memcmp(newer->fs_id, older->fs_id, FS_ID_LEN) != 0 ||
	    signed_bytes(newer, &data, &len) != ERR_OK)
		return false;
	is_signed = check_signature(newer, older, data, len) == ERR_OK;
	free(data);
	return is_signed;
}

/* One slot: made, opened. */
#include <string.h>

#include "base/clock.h"
#include "base/secmem.h"
#include "crypto/random.h"
#include "keys/slots_private.h"

_Static_assert(sizeof(struct slot_secrets) == SLOT_SECRET_LEN, "sealed as it lies in memory");
_Static_assert(SLOT_KEY_LEN == MASTER_KEY_LEN, "a wrapped key is a master key");
_Static_assert(SLOTS_EPOCHS_MAX == EPOCHS_MAX, "a slot file holds a full keyring");

enum err volume_subkey(const uint8_t volume_key[SLOT_KEY_LEN], const char *label, uint8_t out[32])
{
	const struct hash_part info = {label, strlen(label)};

	return hkdf_sha256(volume_key, SLOT_KEY_LEN, NULL, 0, &info, 1, out, 32);
}

enum err slot_origin(const struct keyring *keyring, uint8_t out[SHA256_LEN])
{
	const struct hash_part info[] = {{"origin", 6}, {keyring_fs_id(keyring), FS_ID_LEN}};

	return hkdf_sha256(keyring_master_key(keyring, 1), MASTER_KEY_LEN, NULL, 0, info, 2, out,
			   SHA256_LEN);
}

enum err signer_new(const struct slot_record *slot, const struct slot_secrets *secrets,
		    struct slots_signer **signer)
{
	struct slots_signer *made = secmem_alloc(sizeof(*made));

	if (made == NULL)
		return ERR_NO_MEMORY;
	made->slot = slot->id;
	sign_keypair_from_seed(secrets->seed, made->public_key, made->secret);
	*signer = made;
	return ERR_OK;
}

void slots_signer_free(struct slots_signer *signer)
{
	secmem_free(signer);
}

/* --- making ------------------------------------------------------------------------- */

static enum err describe(const struct slots_new *new_slot, uint32_t id, struct slot_record *slot)
{
	size_t name_len = strnlen(new_slot->name, SLOT_NAME_MAX + 1);
	int64_t now = clock_wall_ns() / NS_PER_SECOND;
	enum err err = factor_check(&new_slot->factor);

	if (err != ERR_OK)
		return err;
	if (name_len == 0 || name_len > SLOT_NAME_MAX)
		return ERR_INVALID;
	memset(slot, 0, sizeof(*slot));
	slot->id = id;
	slot->kind = (uint8_t)new_slot->factor.kind;
	slot->rights = new_slot->rights;
	slot->created = now > 0 ? now : 0;
	memcpy(slot->name, new_slot->name, name_len);
	if (slot->kind == SLOT_PASSPHRASE) {
		slot->kdf_ops = new_slot->cost.ops != 0 ? new_slot->cost.ops : SLOTS_KDF_OPS;
		slot->kdf_mem = new_slot->cost.mem_bytes != 0 ? new_slot->cost.mem_bytes
							      : SLOTS_KDF_MEM;
	}
	random_bytes(slot->salt, sizeof(slot->salt));
	random_bytes(slot->nonce, sizeof(slot->nonce));
	return ERR_OK;
}

static enum err make_secrets(const struct keyring *keyring, struct slot_record *slot,
			     struct slot_secrets *secrets)
{
	box_keypair(slot->box_public, secrets->box);
	memset(secrets->seed, 0, sizeof(secrets->seed));
	if (slot->rights & SLOT_RIGHT_KEY_ADMIN)
		random_bytes(secrets->seed, sizeof(secrets->seed));
	return slot_origin(keyring, secrets->origin);
}

/* Sets the public signing key, which is that of the seed. */
static enum err publish_signer(struct slot_record *slot, const struct slot_secrets *secrets)
{
	struct slots_signer *signer;
	enum err err;

	if ((slot->rights & SLOT_RIGHT_KEY_ADMIN) == 0)
		return ERR_OK;
	if ((err = signer_new(slot, secrets, &signer)) != ERR_OK)
		return err;
	memcpy(slot->sign_public, signer->public_key, SIGN_PUBLIC_LEN);
	slots_signer_free(signer);
	return ERR_OK;
}

/* The salt, and with it the key, is fresh: nonce and key are never used twice. */
static enum err seal_secrets(const struct slots_factor *factor, const uint8_t *fs_id,
			     struct slot_record *slot, const struct slot_secrets *secrets)
{
	uint8_t *key = secmem_alloc(AEAD_KEY_LEN);
	struct aead *aead = NULL;
	enum err err = key != NULL ? aead_new(&aead) : ERR_NO_MEMORY;

	if (err == ERR_OK)
		err = factor_key(factor, slot, fs_id, key);
	if (err == ERR_OK)
		err = aead_seal(aead, key, slot->nonce, NULL, 0, secrets, SLOT_SECRET_LEN,
				slot->sealed, slot->sealed + SLOT_SECRET_LEN);
	aead_free(aead);
	secmem_free(key);
	return err;
}

enum err slot_seal_volume_key(struct slot_record *slot, const uint8_t volume_key[SLOT_KEY_LEN])
{
	return box_seal(slot->box_public, volume_key, SLOT_KEY_LEN, slot->vk_box);
}

enum err slot_make(const struct slots_new *new_slot, uint32_t id, const struct keyring *keyring,
		   struct slot_record *slot, struct slot_secrets *secrets)
{
	enum err err = describe(new_slot, id, slot);

	if (err == ERR_OK)
		err = make_secrets(keyring, slot, secrets);
	if (err == ERR_OK)
		err = publish_signer(slot, secrets);
	if (err == ERR_OK && (slot->rights & SLOT_RIGHT_UNLOCK))
		err = slot_seal_volume_key(slot, keyring_volume_key(keyring));
	if (err == ERR_OK)
		err = seal_secrets(&new_slot->factor, keyring_fs_id(keyring), slot, secrets);
	return err;
}

/* --- opening ------------------------------------------------------------------------ */

/* The public keys in the file are believed only if they belong to the secrets. */
static enum err check_public_keys(const struct slot_record *slot,
				  const struct slot_secrets *secrets)
{
	struct slot_record expected = *slot;
	enum err err;

	box_public_from_secret(secrets->box, expected.box_public);
	if ((err = publish_signer(&expected, secrets)) != ERR_OK)
		return err;
	return memcmp(slot->box_public, expected.box_public, BOX_PUBLIC_LEN) == 0 &&
			       memcmp(slot->sign_public, expected.sign_public, SIGN_PUBLIC_LEN) == 0
		       ? ERR_OK
		       : ERR_TAMPERED;
}

enum err slot_open(const struct slot_record *slot, const struct slots_factor *factor,
		   const uint8_t fs_id[FS_ID_LEN], struct slot_secrets *secrets)
{
	uint8_t *key = secmem_alloc(AEAD_KEY_LEN);
	struct aead *aead = NULL;
	enum err err = key != NULL ? aead_new(&aead) : ERR_NO_MEMORY;

	if (err == ERR_OK)
		err = factor_key(factor, slot, fs_id, key);
	if (err == ERR_OK) {
		err = aead_open(aead, key, slot->nonce, NULL, 0, slot->sealed, SLOT_SECRET_LEN,
				slot->sealed + SLOT_SECRET_LEN, secrets);
		/* An edited salt, cost or secret looks the same. */
		if (err == ERR_TAMPERED)
			err = ERR_PASSPHRASE;
	}
	if (err == ERR_OK)
		err = check_public_keys(slot, secrets);
	aead_free(aead);
	secmem_free(key);
	return err;
}

#include <pthread.h>
#include <string.h>

#include "base/buf.h"
#include "base/secmem.h"
#include "keys/slots_private.h"

/* Argon2 takes hundreds of MiB: never twice at a time in a process. */
static pthread_mutex_t one_argon2 = PTHREAD_MUTEX_INITIALIZER;

/* From what was given to 32 bytes of key material in secmem. */
typedef enum err stretch(const struct slots_factor *factor, const struct slot_record *slot,
			 uint8_t out[32]);

static enum err stretch_passphrase(const struct slots_factor *factor,
				   const struct slot_record *slot, uint8_t out[32])
{
	enum err err;

	pthread_mutex_lock(&one_argon2);
	err = passphrase_kdf(factor->bytes, factor->len, slot->salt, slot->kdf_ops, slot->kdf_mem,
			     out);
	pthread_mutex_unlock(&one_argon2);
	return err;
}

/* The factors below are random: one HKDF makes a key of them. */
static enum err stretch_keyfile(const struct slots_factor *factor, const struct slot_record *slot,
				uint8_t out[32])
{
	const struct hash_part info = {"keyfile", 7};

	return hkdf_sha256(factor->bytes, factor->len, slot->salt, sizeof(slot->salt), &info, 1, out,
			   32);
}

static enum err stretch_recovery(const struct slots_factor *factor, const struct slot_record *slot,
				 uint8_t out[32])
{
	const struct hash_part info = {"recovery", 8};
	uint8_t secret[RECOVERY_SECRET_LEN];
	enum err err = ERR_INVALID;

	if (recovery_key_parse(factor->bytes, factor->len, secret))
		err = hkdf_sha256(secret, sizeof(secret), slot->salt, sizeof(slot->salt), &info, 1,
				  out, 32);
	secmem_wipe(secret, sizeof(secret));
	return err;
}

static const struct kind {
	const char *word;
	size_t min, max; /* bytes of the factor */
	stretch *stretch;
} kinds[] = {
	[SLOT_PASSPHRASE] = {"passphrase", 1, SLOTS_PASSPHRASE_MAX, stretch_passphrase},
	[SLOT_KEYFILE] = {"keyfile", SLOTS_KEYFILE_MIN, SLOTS_KEYFILE_MAX, stretch_keyfile},
	[SLOT_RECOVERY] = {"recovery", 1, SLOTS_PASSPHRASE_MAX, stretch_recovery},
};

static const struct kind *find_kind(unsigned int kind)
{
	if (kind == 0 || kind >= sizeof(kinds) / sizeof(kinds[0]))
		return NULL;
	return &kinds[kind];
}

const char *slot_kind_word(uint8_t kind)
{
	const struct kind *found = find_kind(kind);

	return found != NULL ? found->word : "?";
}

const char *slot_rights_words(uint8_t rights)
{
	static const char *const words[] = {"", "unlock", "key-admin", "unlock key-admin"};

	return words[rights & SLOT_RIGHTS_ALL];
}

enum err factor_check(const struct slots_factor *factor)
{
	const struct kind *kind = find_kind(factor->kind);

	if (kind == NULL || factor->bytes == NULL || factor->len < kind->min ||
	    factor->len > kind->max)
		return ERR_INVALID;
	if (factor->kind == SLOT_RECOVERY && !slots_recovery_is_valid(factor->bytes, factor->len))
		return ERR_INVALID;
	return ERR_OK;
}

/* Who is asked for a passphrase may type the recovery key. */
bool factor_fits(const struct slots_factor *factor, const struct slot_record *slot)
{
	if (factor->slot != 0 && factor->slot != slot->id)
		return false;
	if (factor->kind == SLOT_PASSPHRASE && slot->kind == SLOT_RECOVERY)
		return slots_recovery_is_valid(factor->bytes, factor->len);
	return factor->kind == slot->kind;
}

enum err factor_key(const struct slots_factor *factor, const struct slot_record *slot,
		    const uint8_t fs_id[FS_ID_LEN], uint8_t key[AEAD_KEY_LEN])
{
	const struct kind *kind = find_kind(slot->kind);
	uint8_t id[4], *stretched;
	const struct hash_part info[] = {
		{"slot", 4},
		{&slot->kind, 1},
		{fs_id, FS_ID_LEN},
		{id, sizeof(id)},
	};
	enum err err;

	if (kind == NULL)
		return ERR_INVALID;
	if ((stretched = secmem_alloc(32)) == NULL)
		return ERR_NO_MEMORY;
	store_u32(id, slot->id);
	err = kind->stretch(factor, slot, stretched);
	if (err == ERR_OK)
		err = hkdf_sha256(stretched, 32, NULL, 0, info, 4, key, AEAD_KEY_LEN);
	secmem_free(stretched);
	return err;
}

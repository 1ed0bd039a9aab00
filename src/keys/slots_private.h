/* What the files behind slots.h share.  Private to src/keys. */
#ifndef PHIFS_KEYS_SLOTS_PRIVATE_H
#define PHIFS_KEYS_SLOTS_PRIVATE_H

#include "keys/slots.h"

struct slots {
	struct slot_file *file;  /* the newest copy; after unlock the verified one */
	struct slot_file *other; /* the other copy if it differs, until unlock; or NULL */
	bool needs_save;         /* the directories do not both hold `file` */
	bool is_open;            /* `file` was verified under a keyring, or made here */
};

/* What a slot's factor protects; lies in secmem.  Exactly SLOT_SECRET_LEN bytes. */
struct slot_secrets {
	uint8_t box[BOX_SECRET_LEN];
	uint8_t seed[SIGN_SEED_LEN]; /* zero without SLOT_RIGHT_KEY_ADMIN */
	uint8_t origin[SHA256_LEN];  /* HKDF(MK_1, "origin" || fs id) */
};

/* In secmem. */
struct slots_signer {
	uint32_t slot;
	uint8_t public_key[SIGN_PUBLIC_LEN];
	uint8_t secret[SIGN_SECRET_LEN];
};

/* --- factor.c ------------------------------------------------------------------------ */

#define RECOVERY_SECRET_LEN 23u

/* False: not a recovery key.  `secret` is secmem. */
bool recovery_key_parse(const char *text, size_t len, uint8_t secret[RECOVERY_SECRET_LEN]);

/* ERR_INVALID: too short, too long, no recovery key, unknown kind. */
enum err factor_check(const struct slots_factor *factor) MUST_CHECK;
/* Whether it makes sense to try the factor on a slot. */
bool factor_fits(const struct slots_factor *factor, const struct slot_record *slot);
/*
 * The key of the slot's sealed secrets, by the slot's kind; `key` is secmem.
 * ERR_INVALID: factor or cost out of bounds; ERR_NO_MEMORY.
 */
enum err factor_key(const struct slots_factor *factor, const struct slot_record *slot,
		    const uint8_t fs_id[FS_ID_LEN], uint8_t key[AEAD_KEY_LEN]) MUST_CHECK;

/* --- slot.c -------------------------------------------------------------------------- */

/* HKDF(VK, label), 32 bytes. */
enum err volume_subkey(const uint8_t volume_key[SLOT_KEY_LEN], const char *label,
		       uint8_t out[32]) MUST_CHECK;
enum err slot_origin(const struct keyring *keyring, uint8_t out[SHA256_LEN]) MUST_CHECK;

/* A new slot of number `id`; `secrets` is secmem and holds it afterwards. */
enum err slot_make(const struct slots_new *new_slot, uint32_t id, const struct keyring *keyring,
		   struct slot_record *slot, struct slot_secrets *secrets) MUST_CHECK;
/* Seal VK to the slot's public key. */
enum err slot_seal_volume_key(struct slot_record *slot, const uint8_t volume_key[SLOT_KEY_LEN])
	MUST_CHECK;
/*
 * ERR_PASSPHRASE: the factor is not the slot's; ERR_TAMPERED: it is, but the
 * public keys are not those of the secrets.
 */
enum err slot_open(const struct slot_record *slot, const struct slots_factor *factor,
		   const uint8_t fs_id[FS_ID_LEN], struct slot_secrets *secrets) MUST_CHECK;

enum err signer_new(const struct slot_record *slot, const struct slot_secrets *secrets,
		    struct slots_signer **signer) MUST_CHECK;

/* --- slots_verify.c -------------------------------------------------------------------- */

/* Wrap every master key of the keyring under its VK into the file. */
enum err slots_wrap(struct slot_file *file, const struct keyring *keyring) MUST_CHECK;
/* The opposite; checks "origin" too.  ERR_TAMPERED. */
enum err slots_unwrap(const struct slot_file *file, const uint8_t volume_key[SLOT_KEY_LEN],
		      const uint8_t origin[SHA256_LEN], struct keyring **keyring) MUST_CHECK;
/* Sets generation, time and signer, then MAC and signature. */
enum err slots_seal(struct slot_file *file, const uint8_t volume_key[SLOT_KEY_LEN],
		    const struct slots_signer *signer) MUST_CHECK;
/* MAC under VK, then the signature by the signer that the file names.  ERR_TAMPERED. */
enum err slots_verify(const struct slot_file *file,
		      const uint8_t volume_key[SLOT_KEY_LEN]) MUST_CHECK;
/* Whether `newer` was signed by a key-admin of `older`: then it is a real successor. */
bool slots_is_successor(const struct slot_file *newer, const struct slot_file *older);

#endif

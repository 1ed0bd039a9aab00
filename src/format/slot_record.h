/*
 * The slot file: bytes <-> struct.  FORMAT.md, "Slot file".
 *
 * Pure.  Everything has a fixed length and unused fields are zero, so that one
 * struct has exactly one encoding: what is hashed and signed is what is there.
 * Nothing here tells whether a file is authentic; src/keys/slots.h does.
 */
#ifndef PHIFS_FORMAT_SLOT_RECORD_H
#define PHIFS_FORMAT_SLOT_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "crypto/aead.h"
#include "crypto/box.h"
#include "crypto/hash.h"
#include "crypto/passphrase_kdf.h"
#include "crypto/sign.h"

#define SLOTS_MAX        32u  /* slots of a file */
#define SLOTS_EPOCHS_MAX 256u /* wrapped master keys of a file */
#define SLOT_NAME_MAX    63u  /* bytes */
#define SLOT_KEY_LEN     32u  /* VK, a master key */
#define SLOT_SECRET_LEN  96u  /* X25519 secret 32 || Ed25519 seed 32 || origin 32 */
#define SLOT_VK_BOX_LEN  (SLOT_KEY_LEN + BOX_SEAL_OVERHEAD)

#define SLOTS_GENERATION_MAX ((uint64_t)INT64_MAX) /* what the ledger can remember */

#define SLOTS_HEADER_LEN  64u
#define SLOT_RECORD_LEN   376u
#define SLOT_WRAPPED_LEN  (AEAD_NONCE_LEN + SLOT_KEY_LEN + AEAD_TAG_LEN)
#define SLOTS_TRAILER_LEN (SHA256_LEN + SIGN_SIGNATURE_LEN)
#define SLOTS_FILE_MAX                                                                   \
	(SLOTS_HEADER_LEN + SLOTS_MAX * SLOT_RECORD_LEN + SLOTS_EPOCHS_MAX * SLOT_WRAPPED_LEN + \
	 SLOTS_TRAILER_LEN)

enum slot_kind { SLOT_PASSPHRASE = 1, SLOT_KEYFILE = 2, SLOT_RECOVERY = 3 };

#define SLOT_RIGHT_UNLOCK    0x01u
#define SLOT_RIGHT_KEY_ADMIN 0x02u
#define SLOT_RIGHTS_ALL      (SLOT_RIGHT_UNLOCK | SLOT_RIGHT_KEY_ADMIN)

struct slot_record {
	uint32_t id;    /* 1 and up, never used twice in a volume's life */
	uint8_t kind;   /* enum slot_kind */
	uint8_t rights; /* SLOT_RIGHT_*, at least one */
	int64_t created; /* seconds since 1970, UTC */
	char name[SLOT_NAME_MAX + 1];
	/* passphrase only, else 0; within the bounds of crypto/passphrase_kdf.h */
	uint32_t kdf_ops;
	uint64_t kdf_mem; /* bytes */
	uint8_t salt[PASSPHRASE_KDF_SALT_LEN];
	uint8_t box_public[BOX_PUBLIC_LEN];
	uint8_t sign_public[SIGN_PUBLIC_LEN]; /* zero without SLOT_RIGHT_KEY_ADMIN */
	uint8_t nonce[AEAD_NONCE_LEN];        /* the sealed secret's */
	uint8_t sealed[SLOT_SECRET_LEN + AEAD_TAG_LEN];
	uint8_t vk_box[SLOT_VK_BOX_LEN]; /* zero without SLOT_RIGHT_UNLOCK */
};

/* MK_e under the wrap key. */
struct slot_wrapped {
	uint8_t nonce[AEAD_NONCE_LEN];
	uint8_t sealed[SLOT_KEY_LEN + AEAD_TAG_LEN];
};

/* About 28 KiB, no secrets. */
struct slot_file {
	uint8_t fs_id[16];
	uint64_t generation; /* 1 and up: one more with every change */
	int64_t changed;     /* seconds since 1970, UTC */
	uint32_t signer;     /* id of the key-admin slot that made the signature */
	uint32_t next_id;    /* of the next new slot */
	uint32_t slot_count; /* 1 to SLOTS_MAX, by rising id */
	uint32_t epoch_count; /* 1 to SLOTS_EPOCHS_MAX, epoch 1 first */
	struct slot_record slots[SLOTS_MAX];
	struct slot_wrapped epochs[SLOTS_EPOCHS_MAX];
	uint8_t mac[SHA256_LEN];
	uint8_t signature[SIGN_SIGNATURE_LEN];
};

/* Bytes of the encoding; what MAC and signature cover is SLOTS_TRAILER_LEN less. */
size_t slot_file_len(const struct slot_file *file);

/*
 * `out` gets slot_file_len() bytes.  ERR_INVALID: the struct breaks a rule that
 * slot_file_decode would refuse.
 */
enum err slot_file_encode(const struct slot_file *file, uint8_t out[SLOTS_FILE_MAX]) MUST_CHECK;

/*
 * ERR_FORMAT: truncated, too long, a count, kind, right, name or cost out of
 * bounds, ids that do not rise, unused fields that are not zero.  ERR_VERSION:
 * a format of a later version.
 */
enum err slot_file_decode(const uint8_t *data, size_t len, struct slot_file *file) MUST_CHECK;

/* NULL if there is none. */
struct slot_record *slot_file_find(struct slot_file *file, uint32_t id);

#endif

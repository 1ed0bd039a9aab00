/*
 * The slot file of a volume: who can open it, and who can change that.
 * DESIGN.md "Keys", FORMAT.md "Slot file".
 *
 *	factor -> slot secrets (X25519, Ed25519, origin) -> VK -> MK_1 ... MK_e
 *
 * A slot has the right `unlock` (VK is sealed to its public key), `key-admin`
 * (it signs changes), or both.  The file carries an HMAC under VK and a
 * key-admin's signature over the same bytes; both are checked before VK is used
 * for anything else, and again before every change.  Every slot also holds,
 * under its factor, a value derived from MK_1 ("origin"): a file that somebody
 * made from the public keys alone does not open.
 *
 * The file lies twice, as "slots" in the ciphertext and in the state directory;
 * the newest copy that verifies wins.
 *
 * What this does not do: a holder of VK who can write both directories can
 * make a file with other key-admins.  The generation, which the ledger and the
 * audit trail keep, shows that there was a change.
 *
 * Threads: a struct slots belongs to one thread at a time.  One Argon2 runs at
 * a time in the process; a second caller waits.
 */
#ifndef PHIFS_KEYS_SLOTS_H
#define PHIFS_KEYS_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "format/slot_record.h"
#include "keys/keyring.h"

#define SLOTS_FILE_NAME "slots"

/* --- factors -------------------------------------------------------------------- */

#define SLOTS_PASSPHRASE_MAX 1024u /* bytes */
#define SLOTS_KEYFILE_MIN    32u
#define SLOTS_KEYFILE_MAX    4096u

/* What somebody has or knows.  The bytes are the caller's, in secmem. */
struct slots_factor {
	enum slot_kind kind;
	const void *bytes; /* passphrase; content of the key file; recovery key as text */
	size_t len;
	uint32_t slot;     /* try this slot only; 0: whichever fits */
};

/*
 * Recovery keys: 184 random bits and 16 check bits as eight groups of five
 * letters and digits of RFC 4648 base32 in lower case, "kfndu-gtbeh-...".
 * Where they are read, capitals, blanks and dashes do not matter, and 0, 1 and 8
 * are taken for o, l and b.  A recovery key is also accepted where a factor
 * says SLOT_PASSPHRASE.
 */
#define SLOTS_RECOVERY_LEN 47u /* characters, without the NUL */
/* `text` is secmem of SLOTS_RECOVERY_LEN + 1 bytes. */
void slots_recovery_new(char *text);
/* Whether it is a recovery key without typing mistakes, of any volume. */
bool slots_recovery_is_valid(const char *text, size_t len);

/* --- making and loading ----------------------------------------------------------- */

/* Cost of Argon2id for a new passphrase slot; zeroes: SLOTS_KDF_OPS, SLOTS_KDF_MEM. */
struct slots_cost {
	uint32_t ops;       /* PASSPHRASE_KDF_OPS_MIN .. MAX */
	uint64_t mem_bytes; /* PASSPHRASE_KDF_MEM_MIN .. MAX */
};
#define SLOTS_KDF_OPS 3u
#define SLOTS_KDF_MEM (256ull << 20)

/* A slot to be made. */
struct slots_new {
	const char *name; /* 1 to SLOT_NAME_MAX bytes without control characters */
	uint8_t rights;   /* SLOT_RIGHT_* */
	struct slots_factor factor;
	struct slots_cost cost;
};

struct slots;

/*
 * A slot file for a new volume, generation 1: fresh VK and MK_1, and `count`
 * slots, the first with both rights (it signs).  In memory; slots_save writes it.
 * ERR_INVALID: a name, right, factor or cost out of bounds.
 */
enum err slots_create(const uint8_t fs_id[FS_ID_LEN], const struct slots_new *news, size_t count,
		      struct slots **slots, struct keyring **keyring) MUST_CHECK;

/*
 * Read the copies in the two directories (`state` may be NULL).  One that is
 * missing or malformed is logged if the other is there.  ERR_NOT_FOUND: neither
 * is there; ERR_FORMAT, ERR_VERSION, ERR_IO: none can be read.  Nothing is
 * verified yet: slots_unlock does that.
 */
enum err slots_load(const char *ciphertext, const char *state, struct slots **slots) MUST_CHECK;

/*
 * Write both copies, each of them whole at any instant and durable when this
 * returns; the state directory's first.  Root gives them to the directories' owners.  ERR_FULL, ERR_IO...: the copies may
 * then differ, which the next slots_unlock settles.
 */
enum err slots_save(struct slots *slots, const char *ciphertext,
		    const char *state) MUST_CHECK;

/* NULL is harmless. */
void slots_free(struct slots *slots);

/*
 * Keep other programs from changing the slot file until close(*fd): flock of
 * "slots.lock" in the state directory (the directories themselves are locked by
 * a running store).  ERR_BUSY: somebody does already; nobody should hold it while
 * a person is asked for something.  The daemon holds it from slots_load until the
 * volume is unlocked, a tool from a last look at daemon and generation until it has
 * saved: so no volume opens under keys that are being replaced.
 */
enum err slots_hold(const char *state, int *fd) MUST_CHECK;

/* --- looking ---------------------------------------------------------------------- */

/* Before slots_unlock these tell what the newest copy claims. */
const uint8_t *slots_fs_id(const struct slots *slots);
uint64_t slots_generation(const struct slots *slots);
/* Epochs, the newest of which is in use. */
uint32_t slots_epoch(const struct slots *slots);
size_t slots_count(const struct slots *slots);
/* Slot `index` of slots_count, by rising id; valid until the next change or slots_free. */
const struct slot_record *slots_at(const struct slots *slots, size_t index);
/* By id; NULL if there is none. */
const struct slot_record *slots_find(const struct slots *slots, uint32_t id);
/* The two copies differ, or one is missing: slots_save after slots_unlock mends that. */
bool slots_need_save(const struct slots *slots);

/* "passphrase", "keyfile", "recovery"; "?" for others. */
const char *slot_kind_word(uint8_t kind);
/* "unlock", "key-admin", "unlock key-admin". */
const char *slot_rights_words(uint8_t rights);

/* --- opening ---------------------------------------------------------------------- */

/* The right to sign changes, until it is freed. */
struct slots_signer;

struct slots_opened {
	uint32_t slot;
	char name[SLOT_NAME_MAX + 1];
	uint64_t generation;
};

/*
 * Open the volume's keys.  `minimum_generation` is the highest that is known
 * (the ledger's or the audit trail's; 0: not known yet, then slots_check_generation
 * when it is).  A newer one is accepted: the caller records it.
 *
 * `signer`, if not NULL, gets the signing right if the slot has it, else NULL.
 * `opened` may be NULL.
 *
 * ERR_PASSPHRASE: the factor opens no slot; ERR_DENIED: it opens one without
 * the right to unlock; ERR_TAMPERED: something does not verify; ERR_ROLLBACK:
 * older than minimum_generation.  Takes a third of a second for each passphrase
 * slot that is tried.
 */
enum err slots_unlock(struct slots *slots, const struct slots_factor *factor,
		      uint64_t minimum_generation, struct slots_opened *opened,
		      struct slots_signer **signer, struct keyring **keyring) MUST_CHECK;

/* ERR_ROLLBACK if the file that was opened is older. */
enum err slots_check_generation(const struct slots *slots, uint64_t minimum) MUST_CHECK;

/*
 * The signing right alone, by a slot that need not unlock; after slots_unlock.
 * ERR_PASSPHRASE; ERR_DENIED: not a key-admin; ERR_TAMPERED.
 */
enum err slots_sign_in(const struct slots *slots, const struct slots_factor *factor,
		       struct slots_opened *opened, struct slots_signer **signer) MUST_CHECK;

/* Wipes; NULL is harmless. */
void slots_signer_free(struct slots_signer *signer);

/* --- changing ----------------------------------------------------------------------- */

/*
 * All take the keyring that slots_unlock (or slots_create) gave and check MAC
 * and signature again.  They change memory only; slots_save makes it so.  After
 * an error nothing has changed.
 *
 * ERR_LOCKED: slots was not unlocked; ERR_TAMPERED; ERR_DENIED: the signer is
 * not a key-admin of this file.
 */

/* ERR_FULL: SLOTS_MAX; ERR_INVALID: as slots_create.  `*id` may be NULL. */
enum err slots_add(struct slots *slots, const struct keyring *keyring,
		   const struct slots_signer *signer, const struct slots_new *new_slot,
		   uint32_t *id) MUST_CHECK;

/*
 * New VK and new epoch, sealed to the remaining slots' public keys: their
 * factors are not needed.  `*renewed` is the new keyring.  ERR_NOT_FOUND: no
 * such slot; ERR_DENIED: it is the signer's own, or the last that unlocks;
 * ERR_FULL: no more epochs.
 */
enum err slots_remove(struct slots *slots, const struct keyring *keyring,
		      const struct slots_signer *signer, uint32_t id,
		      struct keyring **renewed) MUST_CHECK;

/* The same without removing anybody. */
enum err slots_rotate(struct slots *slots, const struct keyring *keyring,
		      const struct slots_signer *signer, struct keyring **renewed) MUST_CHECK;

#endif

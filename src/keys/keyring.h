/*
 * The keys of an unlocked volume: the volume key VK and the master keys MK_e,
 * one for each epoch.  All in locked memory; opaque.  Derivation is
 * HKDF-SHA256 (RFC 5869), labels as in FORMAT.md, "Keys".
 *
 * Immutable after it is made, so any number of threads may derive from it.
 */
#ifndef PHIFS_KEYS_KEYRING_H
#define PHIFS_KEYS_KEYRING_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define FS_ID_LEN      16
#define OBJECT_ID_LEN  16
#define MASTER_KEY_LEN 32
#define OBJECT_KEY_LEN 64  /* data key 32 || header key 32 */
#define EPOCHS_MAX     256 /* master keys of one volume */

struct keyring;

/*
 * A keyring of given parts, for the slot file's unlock and for tests.
 * `master_keys` holds `epochs` (1 to EPOCHS_MAX) keys of 32 bytes, epoch 1
 * first; copied.  ERR_INVALID, ERR_NO_MEMORY.
 */
enum err keyring_new(const uint8_t fs_id[FS_ID_LEN], const uint8_t volume_key[MASTER_KEY_LEN],
		     const uint8_t *master_keys, uint32_t epochs,
		     struct keyring **keyring) MUST_CHECK;

/* Wipe and free; NULL is harmless. */
void keyring_free(struct keyring *keyring);

const uint8_t *keyring_fs_id(const struct keyring *keyring);
/* VK itself, for the slot file's authentication and rotation. */
const uint8_t *keyring_volume_key(const struct keyring *keyring);
/* The newest epoch, which everything new is sealed under (1 is the first). */
uint32_t keyring_epoch(const struct keyring *keyring);
/* MK_epoch itself, for wrapping it in the slot file; NULL if there is no such epoch. */
const uint8_t *keyring_master_key(const struct keyring *keyring, uint32_t epoch);

/*
 * Keys below MK_e.  ERR_UNKNOWN if the keyring has no such epoch.
 * The outputs are secrets: the caller keeps them in locked memory.
 */
enum err keyring_object_key(const struct keyring *keyring, uint32_t epoch,
			    const uint8_t id[OBJECT_ID_LEN],
			    uint8_t out[OBJECT_KEY_LEN]) MUST_CHECK;
enum err keyring_journal_key(const struct keyring *keyring, uint32_t epoch,
			     uint8_t out[32]) MUST_CHECK;
enum err keyring_anchor_key(const struct keyring *keyring, uint32_t epoch,
			    uint8_t out[32]) MUST_CHECK;
/*
 * Authenticates the ledger's rows: HKDF(MK_1, "ledger" || fs id).  Under MK_1,
 * which every slot file of the volume keeps, and not under VK, so that rotating
 * VK or beginning an epoch rewrites no row.  The price: who was removed from
 * the slots and kept MK_1 can still forge rows if they can write the state
 * directory; the anchor, under the newest epoch, is what they cannot forge.
 */
enum err keyring_ledger_key(const struct keyring *keyring, uint8_t out[32]) MUST_CHECK;

#endif

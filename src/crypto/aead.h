/*
 * AES-256-GCM (NIST SP 800-38D) through libgcrypt.
 *
 * A context is one libgcrypt cipher handle, re-keyed when the key changes
 * (0.11 us), so that no handle per file is needed.  Use aead_thread() on the
 * hot path: one context for each thread, made at its first use and freed when
 * the thread ends.  A context is not thread-safe.
 */
#ifndef PHIFS_CRYPTO_AEAD_H
#define PHIFS_CRYPTO_AEAD_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define AEAD_KEY_LEN   32
#define AEAD_NONCE_LEN 12
#define AEAD_TAG_LEN   16

struct aead;

enum err aead_new(struct aead **aead) MUST_CHECK;
/* Wipes the expanded key; NULL is harmless. */
void aead_free(struct aead *aead);

/* This thread's context, or NULL when memory is exhausted. */
struct aead *aead_thread(void);

/*
 * Forget the expanded keys of every context of every thread.  For the lock:
 * no other thread may be inside a function of this file, except with a context
 * that was given to aead_exempt().
 */
void aead_wipe_all(void);

/*
 * aead_wipe_all() leaves this context alone: the audit trail goes on, with its
 * own keys, while the volume locks.
 */
void aead_exempt(struct aead *aead);

/*
 * Encrypt `len` bytes from `plain` to `cipher` (which may be the same place)
 * and put the tag to `tag`.  A (key, nonce) pair must never be used twice.
 */
enum err aead_seal(struct aead *aead, const uint8_t key[AEAD_KEY_LEN],
		   const uint8_t nonce[AEAD_NONCE_LEN], const void *ad, size_t ad_len,
		   const void *plain, size_t len, void *cipher,
		   uint8_t tag[AEAD_TAG_LEN]) MUST_CHECK;

/*
 * Decrypt and verify.  ERR_TAMPERED if the tag does not fit: `plain` is then
 * wiped and holds zeroes.
 */
enum err aead_open(struct aead *aead, const uint8_t key[AEAD_KEY_LEN],
		   const uint8_t nonce[AEAD_NONCE_LEN], const void *ad, size_t ad_len,
		   const void *cipher, size_t len, const uint8_t tag[AEAD_TAG_LEN],
		   void *plain) MUST_CHECK;

#endif

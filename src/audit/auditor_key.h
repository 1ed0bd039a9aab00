/*
 * The key pair of an auditor: an X25519 secret that stays off the server, and
 * a public key that goes there.  Both are text files of a few lines.
 */
#ifndef PHIFS_AUDIT_AUDITOR_KEY_H
#define PHIFS_AUDIT_AUDITOR_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/identity.h"
#include "audit/segment.h"
#include "base/err.h"

struct auditor_key {
	uint8_t public_key[BOX_PUBLIC_LEN];
	uint8_t secret[BOX_SECRET_LEN];
};

/* SHA-256 of a public key as text. */
void auditor_fingerprint(const uint8_t public_key[BOX_PUBLIC_LEN], char text[FINGERPRINT_LEN]);

/*
 * Make a pair: `path` (mode 0600, must not exist) and `path`.pub.  `passphrase`
 * NULL: the secret lies in the file as it is.
 */
enum err auditor_key_create(const char *path, const char *passphrase, size_t passphrase_len,
			    char fingerprint[FINGERPRINT_LEN]) MUST_CHECK;

/* ERR_FORMAT if `path` is not a public key file. */
enum err auditor_public_load(const char *path, uint8_t public_key[BOX_PUBLIC_LEN]) MUST_CHECK;

/* Whether the secret file needs a passphrase. */
enum err auditor_key_needs_passphrase(const char *path, bool *needs) MUST_CHECK;

/* `*key` is secret memory (secmem_free).  ERR_PASSPHRASE, ERR_FORMAT. */
enum err auditor_key_load(const char *path, const char *passphrase, size_t passphrase_len,
			  struct auditor_key **key) MUST_CHECK;

#endif

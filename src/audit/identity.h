/*
 * The file `journal`: what never changes about a trail.  Its SHA-256 is the
 * journal's fingerprint, noted at `phifs-volume init`, and begins the chain.
 */
#ifndef PHIFS_AUDIT_IDENTITY_H
#define PHIFS_AUDIT_IDENTITY_H

#include <stddef.h>
#include <stdint.h>

#include "audit/segment.h"
#include "base/err.h"

/* "SHA256:", 43 characters of base64 and a NUL. */
#define FINGERPRINT_LEN 52

struct identity {
	uint8_t journal_id[AUDIT_ID_LEN];
	uint8_t genesis[SIGN_PUBLIC_LEN];       /* signs the first segment and the first seal */
	int64_t created_ns;
	uint16_t auditor_count;
	uint8_t auditors[AUDITORS_MAX][BOX_PUBLIC_LEN];
	uint8_t hash[SHA256_LEN];               /* of the file; not stored */
};

/* Signs, writes and fills in `hash`.  ERR_EXISTS if there is one. */
enum err identity_create(int dir_fd, struct identity *identity,
			 const uint8_t sign_secret[SIGN_SECRET_LEN]) MUST_CHECK;
/* ERR_NOT_FOUND, ERR_FORMAT, ERR_VERSION, ERR_TAMPERED. */
enum err identity_load(int dir_fd, struct identity *identity) MUST_CHECK;

void fingerprint_text(const uint8_t hash[SHA256_LEN], char text[FINGERPRINT_LEN]);

#endif

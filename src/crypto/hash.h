/*
 * Hashes and message authentication: SHA-256 (FIPS 180-4), HMAC-SHA256
 * (RFC 2104), HKDF-SHA256 (RFC 5869), keyed BLAKE2b (RFC 7693), SipHash-2-4.
 */
#ifndef PHIFS_CRYPTO_HASH_H
#define PHIFS_CRYPTO_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SHA256_LEN 32
#define SHORT_HASH_KEY_LEN 16

/* A piece of a message that lies in several places. */
struct hash_part {
	const void *data;
	size_t len;
};

void sha256(const struct hash_part *parts, size_t count, uint8_t out[SHA256_LEN]);

void hmac_sha256(const void *key, size_t key_len, const struct hash_part *parts, size_t count,
		 uint8_t out[SHA256_LEN]);

/* HMAC over pieces as they come; one context is one message. */
struct hmac;
enum err hmac_new(const void *key, size_t key_len, struct hmac **hmac) MUST_CHECK;
void hmac_add(struct hmac *hmac, const void *data, size_t len);
/* Gives the MAC and frees the context. */
void hmac_finish(struct hmac *hmac, uint8_t out[SHA256_LEN]);

/* Extract (empty salt unless given) and expand to `out_len` <= 255 * 32 bytes. */
enum err hkdf_sha256(const void *key, size_t key_len, const void *salt, size_t salt_len,
		     const struct hash_part *info, size_t count, void *out,
		     size_t out_len) MUST_CHECK;

/* Keyed BLAKE2b of 16 to 64 bytes of output: pseudonyms. */
void keyed_hash(const void *key, size_t key_len, const struct hash_part *parts, size_t count,
		void *out, size_t out_len);

/* SipHash-2-4: a keyed 64-bit hash for in-memory tables. */
uint64_t short_hash(const uint8_t key[SHORT_HASH_KEY_LEN], const void *data, size_t len);

#endif

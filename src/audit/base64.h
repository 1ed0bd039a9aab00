/* Base64 (RFC 4648 section 4, without padding): keys, fingerprints, sealed paths in messages. */
#ifndef PHIFS_AUDIT_BASE64_H
#define PHIFS_AUDIT_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters for `len` bytes, without the NUL. */
#define BASE64_LEN(len) (((len) * 4 + 2) / 3)

/* `out` gets BASE64_LEN(len) characters and a NUL. */
void base64_encode(const void *data, size_t len, char *out);

/*
 * Decodes `text_len` characters; false if they are not exactly the encoding of
 * something of at most `max` bytes.
 */
bool base64_decode(const char *text, size_t text_len, void *out, size_t max, size_t *len);

/* Base32 (RFC 4648 section 6) in lower case for 10 bytes: 16 characters and a NUL. */
#define BASE32_10_LEN 16
void base32_encode_10(const uint8_t data[10], char out[BASE32_10_LEN + 1]);

#endif

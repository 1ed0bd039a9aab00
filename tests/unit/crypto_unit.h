/* Published vectors are written as hexadecimal text, as their sources have them. */
#ifndef PHIFS_TESTS_CRYPTO_UNIT_H
#define PHIFS_TESTS_CRYPTO_UNIT_H

#include <string.h>

#include "base/buf.h"
#include "crypto/crypto.h"
#include "unit.h"

/* Fails the case unless `text` is hexadecimal and fits; the number of bytes. */
static inline size_t from_hex(const char *text, uint8_t *out, size_t max)
{
	size_t len = strlen(text) / 2;

	ck_assert_uint_le(len, max);
	ck_assert_msg(hex_decode(text, out, len), "not hexadecimal: %s", text);
	return len;
}

/* Fails the case unless `len` bytes at `data` are the ones `expected` names. */
static inline void assert_hex(const void *data, size_t len, const char *expected)
{
	char text[2 * 256 + 1];

	ck_assert_uint_le(len, 256);
	hex_encode(data, len, text);
	ck_assert_str_eq(text, expected);
}

#endif

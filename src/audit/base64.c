#include "audit/base64.h"

#include <string.h>

static const char digits64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char digits32[] = "abcdefghijklmnopqrstuvwxyz234567";

void base64_encode(const void *data, size_t len, char *out)
{
	const uint8_t *bytes = data;
	uint32_t bits = 0;
	unsigned count = 0;

	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | bytes[i];
		for (count += 8; count >= 6; count -= 6)
			*out++ = digits64[bits >> (count - 6) & 63];
	}
	if (count > 0)
		*out++ = digits64[bits << (6 - count) & 63];
	*out = '\0';
}

bool base64_decode(const char *text, size_t text_len, void *out, size_t max, size_t *len)
{
	uint8_t *bytes = out;
	uint32_t bits = 0;
	unsigned count = 0;
	size_t done = 0;

	for (size_t i = 0; i < text_len; i++) {
		const char *digit = text[i] == '\0' ? NULL : strchr(digits64, text[i]);

		if (digit == NULL)
			return false;
		bits = bits << 6 | (uint32_t)(digit - digits64);
		count += 6;
		if (count < 8)
			continue;
		count -= 8;
		if (done == max)
			return false;
		bytes[done++] = (uint8_t)(bits >> count);
	}
	/* A lone character, or bits that no byte carries: not ours. */
	if (count >= 6 || (bits & ((1u << count) - 1)) != 0)
		return false;
	*len = done;
	return true;
}

void base32_encode_10(const uint8_t data[10], char out[BASE32_10_LEN + 1])
{
	uint32_t bits = 0;
	unsigned count = 0;

	for (size_t i = 0; i < 10; i++) {
		bits = bits << 8 | data[i];
		for (count += 8; count >= 5; count -= 5)
			*out++ = digits32[bits >> (count - 5) & 31];
	}
	*out = '\0';
}

/*
 * A recovery key is 25 bytes in base32: 23 random ones and the first two of
 * SHA-256("phifs recovery" || them), so that a typing mistake is told apart
 * from a key of another volume before anything is tried.
 */
#include <string.h>

#include "base/secmem.h"
#include "crypto/random.h"
#include "keys/slots_private.h"

#define CHECK_LEN    2u
#define CODE_LEN     (RECOVERY_SECRET_LEN + CHECK_LEN)
#define LETTERS      40u /* CODE_LEN * 8 / 5 */
#define GROUP        5u
#define TYPED_MAX    128u

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";

static void add_check(uint8_t code[CODE_LEN])
{
	const struct hash_part parts[] = {{"phifs recovery", 14}, {code, RECOVERY_SECRET_LEN}};
	uint8_t hash[SHA256_LEN];

	sha256(parts, 2, hash);
	memcpy(code + RECOVERY_SECRET_LEN, hash, CHECK_LEN);
}

/* The 5 bits from bit `5 * letter` on. */
static unsigned int get_bits(const uint8_t code[CODE_LEN], unsigned int letter)
{
	unsigned int bits = 0;

	for (unsigned int i = 5 * letter; i < 5 * letter + 5; i++)
		bits = bits << 1 | (code[i / 8] >> (7 - i % 8) & 1u);
	return bits;
}

static void put_bits(uint8_t code[CODE_LEN], unsigned int letter, unsigned int bits)
{
	for (unsigned int i = 0; i < 5; i++) {
		unsigned int at = 5 * letter + i;

		code[at / 8] |= (uint8_t)((bits >> (4 - i) & 1u) << (7 - at % 8));
	}
}

void slots_recovery_new(char *text)
{
	uint8_t code[CODE_LEN];
	size_t len = 0;

	random_bytes(code, RECOVERY_SECRET_LEN);
	add_check(code);
	for (unsigned int letter = 0; letter < LETTERS; letter++) {
		if (letter > 0 && letter % GROUP == 0)
			text[len++] = '-';
		text[len++] = alphabet[get_bits(code, letter)];
	}
	text[len] = '\0';
	secmem_wipe(code, sizeof(code));
}

/* The value of a typed letter; -1: skip it, -2: not one. */
static int letter_value(char typed)
{
	static const char mistaken[] = "018", meant[] = "olb";
	const char *found;

	if (typed == '-' || typed == ' ' || typed == '\t' || typed == '\r')
		return -1;
	if (typed >= 'A' && typed <= 'Z')
		typed = (char)(typed - 'A' + 'a');
	if (typed != '\0' && (found = strchr(mistaken, typed)) != NULL)
		typed = meant[found - mistaken];
	found = typed != '\0' ? strchr(alphabet, typed) : NULL;
	return found != NULL ? (int)(found - alphabet) : -2;
}

bool recovery_key_parse(const char *text, size_t len, uint8_t secret[RECOVERY_SECRET_LEN])
{
	uint8_t code[CODE_LEN] = {0}, typed_check[CHECK_LEN];
	unsigned int letters = 0;
	bool is_right = len <= TYPED_MAX;

	for (size_t i = 0; i < len && is_right; i++) {
		int value = letter_value(text[i]);

		if (value == -1)
			continue;
		if (value < 0 || letters == LETTERS)
			is_right = false;
		else
			put_bits(code, letters++, (unsigned int)value);
	}
	memcpy(typed_check, code + RECOVERY_SECRET_LEN, CHECK_LEN);
	add_check(code);
	is_right = is_right && letters == LETTERS &&
		   memcmp(typed_check, code + RECOVERY_SECRET_LEN, CHECK_LEN) == 0;
	if (is_right)
		memcpy(secret, code, RECOVERY_SECRET_LEN);
	secmem_wipe(code, sizeof(code));
	return is_right;
}

bool slots_recovery_is_valid(const char *text, size_t len)
{
	uint8_t secret[RECOVERY_SECRET_LEN];
	bool is_right = recovery_key_parse(text, len, secret);

	secmem_wipe(secret, sizeof(secret));
	return is_right;
}

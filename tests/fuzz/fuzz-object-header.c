/*
 * Object headers: as they come from the disk, and as somebody who has the key
 * (or a bug of ours) could have sealed them.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "crypto/crypto.h"
#include "format/object_header.h"

#define CLEAR_LEN 80u /* FORMAT.md, "Object header": where the sealed part begins */
#define NONCE_AT  32u
#define TAG_AT	  44u
#define CIPHER_AT 60u

const unsigned int fuzz_iterations = 60000;
bool fuzz_accepted;

static uint8_t key[64];
static uint8_t valid[OBJECT_HEADER_LEN];

static struct object_header sample(void)
{
	struct object_header header;

	memset(&header, 0, sizeof(header));
	header.epoch = 1;
	header.id.bytes[0] = 9;
	header.attr.mode = 0100600;
	header.attr.size = 3000;
	header.attr.nlink = 1;
	header.name_len = 8;
	memcpy(header.name, "scan.dcm", 8);
	return header;
}

void fuzz_corpus(void)
{
	struct object_header header = sample();
	uint8_t nonce[AEAD_NONCE_LEN] = {1};

	FUZZ_CHECK(crypto_init() == ERR_OK);
	memset(key, 0x42, sizeof(key));
	FUZZ_CHECK(object_header_seal(&header, key, nonce, valid) == ERR_OK);
	fuzz_seed(valid, sizeof(valid));
	header.is_inline = true;
	FUZZ_CHECK(object_header_seal(&header, key, nonce, valid) == ERR_OK);
	fuzz_seed(valid, sizeof(valid));
}

/* Puts the input's sealed part under a good seal. */
static void reseal(uint8_t header[OBJECT_HEADER_LEN])
{
	uint8_t ad[NONCE_AT + CLEAR_LEN - CIPHER_AT];

	memcpy(header, valid, CLEAR_LEN);
	memcpy(ad, header, NONCE_AT);
	memcpy(ad + NONCE_AT, header + CIPHER_AT, CLEAR_LEN - CIPHER_AT);
	FUZZ_CHECK(aead_seal(aead_thread(), key + 32, header + NONCE_AT, ad, sizeof(ad),
			     header + CLEAR_LEN, OBJECT_HEADER_LEN - CLEAR_LEN,
			     header + CLEAR_LEN, header + TAG_AT) == ERR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t bytes[OBJECT_HEADER_LEN] = {0};
	struct object_header header;
	bool is_valid = size == sizeof(valid) && memcmp(data, valid, size) == 0;

	memcpy(bytes, data, size < sizeof(bytes) ? size : sizeof(bytes));
	fuzz_accepted = object_header_open(bytes, key, &header) == ERR_OK;
	FUZZ_CHECK(fuzz_accepted || !is_valid);
	reseal(bytes);
	if (object_header_open(bytes, key, &header) != ERR_OK)
		return 0;
	fuzz_accepted = true;
	FUZZ_CHECK(header.attr.size <= (header.is_inline ? INLINE_MAX : FILE_SIZE_MAX));
	FUZZ_CHECK(strlen(header.name) == header.name_len);
	FUZZ_CHECK(header.attr.mtime.tv_nsec < 1000000000);
	return 0;
}

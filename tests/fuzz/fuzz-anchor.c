/* The anchor, as found and under a good HMAC. */
#include "fuzz.h"

#include "crypto/crypto.h"
#include "crypto/hash.h"
#include "format/journal_record.h"

#define MAC_AT (ANCHOR_LEN - SHA256_LEN)

const unsigned int fuzz_iterations = 40000;
bool fuzz_accepted;

static const uint8_t key[32] = "the key of the anchor of epoch 1";
static const uint8_t fs_id[16] = "this file system";

void fuzz_corpus(void)
{
	struct anchor anchor = {.seq = 99, .epoch = 1};
	uint8_t bytes[ANCHOR_LEN];

	FUZZ_CHECK(crypto_init() == ERR_OK);
	memcpy(anchor.fs_id, fs_id, sizeof(fs_id));
	anchor_encode(&anchor, key, bytes);
	fuzz_seed(bytes, sizeof(bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t bytes[ANCHOR_LEN] = {0}, again[ANCHOR_LEN];
	struct hash_part part = {bytes, MAC_AT};
	struct anchor anchor;

	memcpy(bytes, data, size < sizeof(bytes) ? size : sizeof(bytes));
	(void)anchor_peek_epoch(bytes);
	for (int round = 0; round < 2; round++) {
		if (anchor_decode(bytes, fs_id, key, &anchor) == ERR_OK) {
			fuzz_accepted = true;
			anchor_encode(&anchor, key, again);
			FUZZ_CHECK(memcmp(bytes, again, sizeof(bytes)) == 0);
		}
		hmac_sha256(key, sizeof(key), &part, 1, bytes + MAC_AT);
	}
	return 0;
}

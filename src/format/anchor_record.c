#include <string.h>

#include "base/secmem.h"
#include "crypto/hash.h"
#include "format/journal_record.h"

#define ANCHOR_MAGIC "phiA"
#define MAC_AT       (ANCHOR_LEN - SHA256_LEN)

/* magic 4, fs id 16, seq 8, epoch 4, journal MAC 32, HMAC 32: 96 bytes. */
void anchor_encode(const struct anchor *anchor, const uint8_t key[32], uint8_t out[ANCHOR_LEN])
{
	struct hash_part part = {out, MAC_AT};
	struct writer w;

	writer_init(&w, out, MAC_AT);
	writer_bytes(&w, ANCHOR_MAGIC, 4);
	writer_bytes(&w, anchor->fs_id, sizeof(anchor->fs_id));
	writer_u64(&w, anchor->seq);
	writer_u32(&w, anchor->epoch);
	writer_bytes(&w, anchor->journal_mac, JOURNAL_MAC_LEN);
	hmac_sha256(key, 32, &part, 1, out + MAC_AT);
}

uint32_t anchor_peek_epoch(const uint8_t in[ANCHOR_LEN])
{
	return memcmp(in, ANCHOR_MAGIC, 4) == 0 ? load_u32(in + 28) : 0;
}

enum err anchor_decode(const uint8_t in[ANCHOR_LEN], const uint8_t fs_id[16],
		       const uint8_t key[32], struct anchor *anchor)
{
	struct hash_part part = {in, MAC_AT};
	uint8_t mac[SHA256_LEN];
	struct reader r;

	if (memcmp(in, ANCHOR_MAGIC, 4) != 0)
		return ERR_FORMAT;
	hmac_sha256(key, 32, &part, 1, mac);
	if (!secmem_equal(mac, in + MAC_AT, sizeof(mac)))
		return ERR_TAMPERED;
	reader_init(&r, in + 4, MAC_AT - 4);
	reader_bytes(&r, anchor->fs_id, sizeof(anchor->fs_id));
	anchor->seq = reader_u64(&r);
	anchor->epoch = reader_u32(&r);
	reader_bytes(&r, anchor->journal_mac, JOURNAL_MAC_LEN);
	return memcmp(anchor->fs_id, fs_id, sizeof(anchor->fs_id)) == 0 ? ERR_OK : ERR_TAMPERED;
}

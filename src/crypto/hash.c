#include "crypto/hash.h"

#include <gcrypt.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/secmem.h"

#define PARTS_MAX 16

/* libgcrypt's own description of scattered input. */
static size_t to_buffers(const struct hash_part *parts, size_t count, gcry_buffer_t *buffers)
{
	for (size_t i = 0; i < count; i++)
		buffers[i] = (gcry_buffer_t){.size = parts[i].len, .len = parts[i].len,
					     .data = (void *)(uintptr_t)parts[i].data};
	return count;
}

void sha256(const struct hash_part *parts, size_t count, uint8_t out[SHA256_LEN])
{
	gcry_buffer_t buffers[PARTS_MAX];

	if (count > PARTS_MAX ||
	    gcry_md_hash_buffers(GCRY_MD_SHA256, 0, out, buffers,
				 (int)to_buffers(parts, count, buffers)) != 0)
		abort();
}

void hmac_sha256(const void *key, size_t key_len, const struct hash_part *parts, size_t count,
		 uint8_t out[SHA256_LEN])
{
	gcry_buffer_t buffers[PARTS_MAX + 1];

	if (count > PARTS_MAX)
		abort();
	/* With the HMAC flag the first buffer is the key. */
	buffers[0] = (gcry_buffer_t){.size = key_len, .len = key_len,
				     .data = (void *)(uintptr_t)key};
	to_buffers(parts, count, buffers + 1);
	if (gcry_md_hash_buffers(GCRY_MD_SHA256, GCRY_MD_FLAG_HMAC, out, buffers,
				 (int)count + 1) != 0)
		abort();
}

struct hmac {
	gcry_md_hd_t handle;
};

enum err hmac_new(const void *key, size_t key_len, struct hmac **out)
{
	struct hmac *hmac = calloc(1, sizeof(*hmac));

	if (hmac == NULL)
		return ERR_NO_MEMORY;
	if (gcry_md_open(&hmac->handle, GCRY_MD_SHA256, GCRY_MD_FLAG_HMAC) != 0) {
		free(hmac);
		return ERR_NO_MEMORY;
	}
	if (gcry_md_setkey(hmac->handle, key, key_len) != 0) {
		gcry_md_close(hmac->handle);
		free(hmac);
		return ERR_SYSTEM;
	}
	*out = hmac;
	return ERR_OK;
}

void hmac_add(struct hmac *hmac, const void *data, size_t len)
{
	gcry_md_write(hmac->handle, data, len);
}

void hmac_finish(struct hmac *hmac, uint8_t out[SHA256_LEN])
{
	memcpy(out, gcry_md_read(hmac->handle, GCRY_MD_SHA256), SHA256_LEN);
	gcry_md_close(hmac->handle);
	free(hmac);
}

/* RFC 5869 section 2. */
enum err hkdf_sha256(const void *key, size_t key_len, const void *salt, size_t salt_len,
		     const struct hash_part *info, size_t count, void *out, size_t out_len)
{
	static const uint8_t no_salt[SHA256_LEN];
	struct hash_part input = {key, key_len};
	struct hash_part parts[PARTS_MAX];
	uint8_t extracted[SHA256_LEN], block[SHA256_LEN];
	uint8_t *next = out;
	uint8_t counter = 0;

	if (out_len > 255 * SHA256_LEN || count > PARTS_MAX - 2)
		return ERR_INVALID;
	hmac_sha256(salt_len > 0 ? salt : no_salt, salt_len > 0 ? salt_len : sizeof(no_salt),
		    &input, 1, extracted);
	memcpy(parts + 1, info, count * sizeof(*info));
	parts[count + 1] = (struct hash_part){&counter, 1};
	while (out_len > 0) {
		size_t len = out_len < SHA256_LEN ? out_len : SHA256_LEN;

		parts[0] = (struct hash_part){block, counter == 0 ? 0 : SHA256_LEN};
		counter++;
		hmac_sha256(extracted, sizeof(extracted), parts, count + 2, block);
		memcpy(next, block, len);
		next += len;
		out_len -= len;
	}
	secmem_wipe(extracted, sizeof(extracted));
	secmem_wipe(block, sizeof(block));
	return ERR_OK;
}

void keyed_hash(const void *key, size_t key_len, const struct hash_part *parts, size_t count,
		void *out, size_t out_len)
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, key, key_len, out_len);
	for (size_t i = 0; i < count; i++)
		crypto_generichash_update(&state, parts[i].data, parts[i].len);
	crypto_generichash_final(&state, out, out_len);
	secmem_wipe(&state, sizeof(state));
}

uint64_t short_hash(const uint8_t key[SHORT_HASH_KEY_LEN], const void *data, size_t len)
{
	uint8_t out[crypto_shorthash_BYTES];
	uint64_t value;

	crypto_shorthash(out, data, len, key);
	memcpy(&value, out, sizeof(value));
	return value;
}

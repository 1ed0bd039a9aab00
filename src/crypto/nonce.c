#include "crypto/nonce.h"

#include <stdatomic.h>
#include <string.h>

#include "crypto/random.h"

static atomic_uint_fast32_t counter;

enum err nonce_source_init(struct nonce_source *source)
{
	random_bytes(source->salt, sizeof(source->salt));
	return ERR_OK;
}

void nonce_next(const struct nonce_source *source, uint8_t nonce[AEAD_NONCE_LEN])
{
	uint32_t count = (uint32_t)atomic_fetch_add_explicit(&counter, 1, memory_order_relaxed);

	memcpy(nonce, source->salt, sizeof(source->salt));
	memcpy(nonce + sizeof(source->salt), &count, sizeof(count));
}

#include "store/scratch.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/secmem.h"
#include "store/volume.h"

struct scratch {
	uint8_t *cipher;
	uint8_t *plain;
	void *plan;
};

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void scratch_free(void *memory)
{
	struct scratch *scratch = memory;

	free(scratch->cipher);
	secmem_free(scratch->plain);
	free(scratch->plan);
	free(scratch);
}

static void make_key(void)
{
	if (pthread_key_create(&key, scratch_free) != 0)
		abort();
}

static struct scratch *mine(void)
{
	struct scratch *scratch;

	pthread_once(&once, make_key);
	scratch = pthread_getspecific(key);
	if (scratch == NULL) {
		scratch = calloc(1, sizeof(*scratch));
		pthread_setspecific(key, scratch);
	}
	return scratch;
}

uint8_t *scratch_cipher(void)
{
	struct scratch *scratch = mine();

	if (scratch != NULL && scratch->cipher == NULL)
		scratch->cipher = aligned_alloc(BLOCK_SIZE, CHUNK_LEN);
	return scratch != NULL ? scratch->cipher : NULL;
}

uint8_t *scratch_plain(void)
{
	struct scratch *scratch = mine();

	if (scratch != NULL && scratch->plain == NULL)
		scratch->plain = secmem_alloc(BLOCK_SIZE);
	return scratch != NULL ? scratch->plain : NULL;
}

void *scratch_plan(size_t size)
{
	struct scratch *scratch = mine();

	if (scratch != NULL && scratch->plan == NULL)
		scratch->plan = malloc(size);
	return scratch != NULL ? scratch->plan : NULL;
}

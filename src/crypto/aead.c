#include "crypto/aead.h"

#include <gcrypt.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/secmem.h"

struct aead {
	gcry_cipher_hd_t handle;
	uint8_t *key;              /* the one the handle has; locked memory */
	bool has_key;
	bool is_listed;
	struct aead *next, *previous; /* all contexts; protected by registry_mutex */
};

static pthread_mutex_t registry_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct aead *registry;
static pthread_key_t thread_key;
static pthread_once_t thread_once = PTHREAD_ONCE_INIT;

enum err aead_new(struct aead **out)
{
	struct aead *aead = calloc(1, sizeof(*aead));

	if (aead == NULL)
		return ERR_NO_MEMORY;
	aead->key = secmem_alloc(AEAD_KEY_LEN);
	if (aead->key == NULL ||
	    gcry_cipher_open(&aead->handle, GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_GCM, 0) != 0) {
		secmem_free(aead->key);
		free(aead);
		return ERR_NO_MEMORY;
	}
	pthread_mutex_lock(&registry_mutex);
	aead->next = registry;
	if (registry != NULL)
		registry->previous = aead;
	registry = aead;
	aead->is_listed = true;
	pthread_mutex_unlock(&registry_mutex);
	*out = aead;
	return ERR_OK;
}

void aead_exempt(struct aead *aead)
{
	pthread_mutex_lock(&registry_mutex);
	if (aead->is_listed) {
		if (aead->previous != NULL)
			aead->previous->next = aead->next;
		else
			registry = aead->next;
		if (aead->next != NULL)
			aead->next->previous = aead->previous;
		aead->is_listed = false;
	}
	pthread_mutex_unlock(&registry_mutex);
}

void aead_free(struct aead *aead)
{
	if (aead == NULL)
		return;
	aead_exempt(aead);
	gcry_cipher_close(aead->handle);
	secmem_free(aead->key);
	free(aead);
}

static void free_of_thread(void *aead)
{
	aead_free(aead);
}

static void make_thread_key(void)
{
	if (pthread_key_create(&thread_key, free_of_thread) != 0)
		abort();
}

struct aead *aead_thread(void)
{
	struct aead *aead;

	pthread_once(&thread_once, make_thread_key);
	aead = pthread_getspecific(thread_key);
	if (aead == NULL && aead_new(&aead) == ERR_OK)
		pthread_setspecific(thread_key, aead);
	return aead;
}

void aead_wipe_all(void)
{
	static const uint8_t no_key[AEAD_KEY_LEN];

	pthread_mutex_lock(&registry_mutex);
	for (struct aead *aead = registry; aead != NULL; aead = aead->next) {
		/* The expanded key of nothing takes the place of the real one. */
		gcry_cipher_setkey(aead->handle, no_key, AEAD_KEY_LEN);
		gcry_cipher_reset(aead->handle);
		secmem_wipe(aead->key, AEAD_KEY_LEN);
		aead->has_key = false;
	}
	pthread_mutex_unlock(&registry_mutex);
}

static enum err begin(struct aead *aead, const uint8_t key[AEAD_KEY_LEN],
		      const uint8_t nonce[AEAD_NONCE_LEN], const void *ad, size_t ad_len)
{
	if (aead == NULL)
		return ERR_NO_MEMORY;
	if (!aead->has_key || !secmem_equal(aead->key, key, AEAD_KEY_LEN)) {
		if (gcry_cipher_setkey(aead->handle, key, AEAD_KEY_LEN) != 0)
			return ERR_SYSTEM;
		memcpy(aead->key, key, AEAD_KEY_LEN);
		aead->has_key = true;
	}
	if (gcry_cipher_setiv(aead->handle, nonce, AEAD_NONCE_LEN) != 0 ||
	    (ad_len > 0 && gcry_cipher_authenticate(aead->handle, ad, ad_len) != 0))
		return ERR_SYSTEM;
	return ERR_OK;
}

enum err aead_seal(struct aead *aead, const uint8_t key[AEAD_KEY_LEN],
		   const uint8_t nonce[AEAD_NONCE_LEN], const void *ad, size_t ad_len,
		   const void *plain, size_t len, void *cipher, uint8_t tag[AEAD_TAG_LEN])
{
	enum err err = begin(aead, key, nonce, ad, ad_len);

	if (err != ERR_OK)
		return err;
	if (cipher == plain)
		plain = NULL;
	if (gcry_cipher_final(aead->handle) != 0 ||
	    gcry_cipher_encrypt(aead->handle, cipher, len, plain, plain != NULL ? len : 0) != 0 ||
	    gcry_cipher_gettag(aead->handle, tag, AEAD_TAG_LEN) != 0)
		return ERR_SYSTEM;
	return ERR_OK;
}

enum err aead_open(struct aead *aead, const uint8_t key[AEAD_KEY_LEN],
		   const uint8_t nonce[AEAD_NONCE_LEN], const void *ad, size_t ad_len,
		   const void *cipher, size_t len, const uint8_t tag[AEAD_TAG_LEN], void *plain)
{
	enum err err = begin(aead, key, nonce, ad, ad_len);
	gcry_error_t verdict;

	if (err != ERR_OK)
		return err;
	if (plain == cipher)
		cipher = NULL;
	if (gcry_cipher_final(aead->handle) != 0 ||
	    gcry_cipher_decrypt(aead->handle, plain, len, cipher, cipher != NULL ? len : 0) != 0)
		return ERR_SYSTEM;
	verdict = gcry_cipher_checktag(aead->handle, tag, AEAD_TAG_LEN);
	if (verdict != 0) {
		secmem_wipe(plain, len);
		return gcry_err_code(verdict) == GPG_ERR_CHECKSUM ? ERR_TAMPERED : ERR_SYSTEM;
	}
	return ERR_OK;
}

#include "store_fixture.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "crypto/crypto.h"
#include "temp_dir.h"

static void open_backings(struct fixture *f)
{
	ck_assert_int_eq(backing_real_new(temp_path(f->dir, "c"), &f->ciphertext), ERR_OK);
	ck_assert_int_eq(backing_real_new(temp_path(f->dir, "s"), &f->state), ERR_OK);
}

static void open_store(struct fixture *f)
{
	f->config.ciphertext = f->ciphertext;
	f->config.state = f->state;
	f->config.state_path = temp_path(f->dir, "s");
	ck_assert_int_eq(store_open(&f->config, &f->store), ERR_OK);
	ck_assert_int_eq(store_unlock(f->store, f->keyring, &f->recovery), ERR_OK);
}

void fixture_new(struct fixture *f)
{
	uint8_t fs_id[FS_ID_LEN] = {1}, vk[MASTER_KEY_LEN] = {2}, mk[MASTER_KEY_LEN] = {3};

	memset(f, 0, sizeof(*f));
	ck_assert_int_eq(crypto_init(), ERR_OK);
	f->dir = temp_dir_new();
	ck_assert_int_eq(mkdir(temp_path(f->dir, "c"), 0700), 0);
	ck_assert_int_eq(mkdir(temp_path(f->dir, "s"), 0700), 0);
	ck_assert_int_eq(keyring_new(fs_id, vk, mk, 1, &f->keyring), ERR_OK);
	open_backings(f);
	ck_assert_int_eq(store_create(f->ciphertext, f->state, temp_path(f->dir, "s"), f->keyring,
				      0, 0, 0755),
			 ERR_OK);
	open_store(f);
}

void fixture_reopen(struct fixture *f)
{
	struct store_lock_report report;

	store_lock(f->store, 30000, &report);
	ck_assert_int_eq(report.err, ERR_OK);
	store_close(f->store);
	open_backings(f);
	open_store(f);
	ck_assert(f->recovery.was_clean);
}

void fixture_free(struct fixture *f)
{
	store_close(f->store);
	keyring_free(f->keyring);
	temp_dir_free(f->dir);
}

/* --- waiting ------------------------------------------------------------------- */

struct waiting {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	bool is_done;
	enum err err;
};

static void wake(void *ctx, enum err err, size_t bytes)
{
	struct waiting *waiting = ctx;

	(void)bytes;
	pthread_mutex_lock(&waiting->mutex);
	waiting->err = err;
	waiting->is_done = true;
	pthread_cond_signal(&waiting->cond);
	pthread_mutex_unlock(&waiting->mutex);
}

#define WAITING {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, ERR_OK}

static enum err wait_for(struct waiting *waiting)
{
	pthread_mutex_lock(&waiting->mutex);
	while (!waiting->is_done)
		pthread_cond_wait(&waiting->cond, &waiting->mutex);
	pthread_mutex_unlock(&waiting->mutex);
	return waiting->err;
}

enum err fixture_write(struct fixture *f, uint64_t number, uint64_t offset, const void *data,
		       size_t len, bool durable)
{
	struct waiting waiting = WAITING;

	store_write(f->store, number, offset, data, len, durable, wake, &waiting);
	return wait_for(&waiting);
}

enum err fixture_fsync(struct fixture *f, uint64_t number)
{
	struct waiting waiting = WAITING;

	store_fsync(f->store, number, wake, &waiting);
	return wait_for(&waiting);
}

enum err fixture_sync(struct fixture *f)
{
	struct waiting waiting = WAITING;

	store_sync(f->store, wake, &waiting);
	return wait_for(&waiting);
}

enum err fixture_rename(struct fixture *f, uint64_t dir, const char *name, uint64_t new_dir,
			const char *new_name, uint32_t flags)
{
	struct waiting waiting = WAITING;

	store_rename(f->store, dir, name, new_dir, new_name, flags, wake, &waiting);
	return wait_for(&waiting);
}

/* --- files ---------------------------------------------------------------------- */

uint64_t fixture_create(struct fixture *f, uint64_t dir, const char *name)
{
	struct store_attr attr;

	ck_assert_int_eq(store_create_node(f->store, dir, name, S_IFREG | 0644, 0, 0, 0, &attr),
			 ERR_OK);
	ck_assert_int_eq(store_open_node(f->store, attr.number, false), ERR_OK);
	return attr.number;
}

uint64_t fixture_find(struct fixture *f, uint64_t dir, const char *name)
{
	struct store_attr attr;
	enum err err = store_lookup(f->store, dir, name, &attr);

	if (err == ERR_NOT_FOUND)
		return 0;
	ck_assert_int_eq(err, ERR_OK);
	store_forget(f->store, attr.number, 1);
	return attr.number;
}

void fixture_expect(struct fixture *f, uint64_t number, const void *data, size_t len)
{
	uint8_t *buffer = malloc(len + 1);
	struct store_attr attr;
	size_t got;

	ck_assert_ptr_nonnull(buffer);
	ck_assert_int_eq(store_getattr(f->store, number, &attr), ERR_OK);
	ck_assert_uint_eq(attr.object.size, len);
	ck_assert_int_eq(store_read(f->store, number, 0, buffer, len + 1, &got), ERR_OK);
	ck_assert_uint_eq(got, len);
	for (size_t i = 0; i < len; i++)
		if (buffer[i] != ((const uint8_t *)data)[i])
			ck_abort_msg("byte %zu of %zu differs", i, len);
	free(buffer);
}

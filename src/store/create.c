/* A new volume. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/secmem.h"
#include "crypto/random.h"
#include "store/content.h"
#include "store/committer.h"
#include "store/journal.h"
#include "store/node.h"
#include "store/store.h"

#define FORMAT_DEADLINE_MS 60000

static enum err make_directories(struct backing *backing)
{
	char path[sizeof("objects/xx")];
	enum err err = backing->ops->mkdir(backing, "objects");

	if (err == ERR_OK)
		err = backing->ops->mkdir(backing, "objects/new");
	for (unsigned i = 0; i < 256 && err == ERR_OK; i++) {
		snprintf(path, sizeof(path), "objects/%02x", i);
		err = backing->ops->mkdir(backing, path);
	}
	if (err == ERR_OK)
		err = backing->ops->sync_dir(backing, "objects");
	return err == ERR_OK ? backing->ops->sync_dir(backing, ".") : err;
}

static enum err make_ledger(const char *state_path, const struct keyring *keyring)
{
	struct ledger_position position = {.start_seq = 1, .half = 0, .next_number = STORE_ROOT};
	uint8_t *key = secmem_alloc(32);
	enum err err = key == NULL ? ERR_NO_MEMORY : keyring_ledger_key(keyring, key);

	random_bytes(position.session, sizeof(position.session));
	if (err == ERR_OK)
		err = ledger_create(state_path, keyring_fs_id(keyring), key, &position);
	secmem_free(key);
	return err;
}

/* The first object of all gets the first number: STORE_ROOT. */
static enum err make_root(struct store *store, uint32_t uid, uint32_t gid, uint32_t mode)
{
	struct content *content;
	struct node *root;
	enum err err = node_new(store, S_IFDIR | (mode & 07777), 0, uid, gid, &root);

	if (err != ERR_OK)
		return err;
	err = root->number == STORE_ROOT ? content_get(store, root, &content) : ERR_EXISTS;
	if (err == ERR_OK) {
		pthread_mutex_lock(&root->mutex);
		root->attr.nlink = 2;
		node_changed(store, root);
		pthread_mutex_unlock(&root->mutex);
		content_put(store, content);
	}
	node_put(store, root);
	return err;
}

static enum err fill(struct backing *ciphertext, struct backing *state, const char *state_path,
		     const struct keyring *keyring, uint32_t uid, uint32_t gid, uint32_t mode)
{
	struct store_config config = {.ciphertext = ciphertext, .state = state,
				      .state_path = state_path};
	struct store_recovery recovery;
	struct store_lock_report report = {.err = ERR_OK};
	struct store *store;
	enum err err = store_open(&config, &store);

	if (err != ERR_OK)
		return err;
	err = store_unlock(store, keyring, &recovery);
	if (err == ERR_OK)
		err = make_root(store, uid, gid, mode);
	if (err == ERR_OK) {
		store_lock(store, FORMAT_DEADLINE_MS, &report);
		err = report.err;
	}
	/* The backings stay the caller's. */
	store->ciphertext = store->state = NULL;
	store_close(store);
	return err;
}

enum err store_create(struct backing *ciphertext, struct backing *state, const char *state_path,
		      const struct keyring *keyring, uint32_t uid, uint32_t gid, uint32_t mode)
{
	enum err err = make_directories(ciphertext);

	if (err == ERR_OK)
		err = journal_create(ciphertext, state, keyring);
	if (err == ERR_OK)
		err = make_ledger(state_path, keyring);
	return err == ERR_OK ? fill(ciphertext, state, state_path, keyring, uid, gid, mode) : err;
}

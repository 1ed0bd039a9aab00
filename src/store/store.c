/* The life of a store: open, unlock, lock, close. */
#include "store/store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/crew.h"
#include "base/log.h"
#include "crypto/random.h"
#include "store/ahead.h"
#include "store/apply.h"
#include "store/break.h"
#include "store/committer.h"
#include "store/content.h"
#include "store/flusher.h"
#include "store/node.h"
#include "store/node_table.h"
#include "store/recover.h"

#define KEYS_PER_CHUNK    1024
#define CLOSE_DEADLINE_MS 30000
#define ROOM_PAUSE_MS	  50

/* --- what may be done --------------------------------------------------------------- */

enum err store_may_read(struct store *store)
{
	return atomic_load(&store->unlocked) ? ERR_OK : ERR_LOCKED;
}

enum err store_may_change(struct store *store)
{
	if (!atomic_load(&store->unlocked))
		return ERR_LOCKED;
	if (store->read_only)
		return ERR_READ_ONLY;
	return atomic_load(&store->frozen) != ERR_OK ? ERR_FROZEN : ERR_OK;
}

void store_freeze(struct store *store, enum err why)
{
	enum err expected = ERR_OK;

	if (STORE_BREAK(I24_GO_ON) ||
	    !atomic_compare_exchange_strong(&store->frozen, &expected, why))
		return;
	log_error("the volume is frozen, nothing is changed any more: %s", err_text(why));
	/* Whoever waits for an apply that failed looks again. */
	store_announce_change(store);
	if (store->hooks.frozen != NULL)
		store->hooks.frozen(store->hooks.ctx, why);
	if (store->committer != NULL)
		committer_poke(store->committer);
}

bool store_awaits_room(struct store *store, enum err err)
{
	const struct timespec pause = {0, ROOM_PAUSE_MS * NS_PER_MS};

	if (err != ERR_FULL || atomic_load(&store->frozen) != ERR_OK || STORE_BREAK(I24_FULL_FREEZES))
		return false;
	if (space_release(store->space))
		return true;
	if (!atomic_exchange(&store->is_short, true))
		log_error("out of space: what is committed waits until there is room");
	nanosleep(&pause, NULL);
	return atomic_load(&store->frozen) == ERR_OK;
}

void store_report(struct store *store, struct node *node, enum err what, uint64_t block)
{
	/* Without keys nothing verifies. */
	if (atomic_load(&store->poisoned))
		return;
	/* Whoever still looks at what was deleted finds it deleted. */
	if (atomic_load(&node->is_gone) || atomic_exchange(&node->reported, true))
		return;
	atomic_fetch_add(&store->damaged, 1);
	log_warning("object %llu: block %llu: %s; only this file is affected",
		    (unsigned long long)node->number, (unsigned long long)block, err_text(what));
	if (store->hooks.integrity != NULL)
		store->hooks.integrity(store->hooks.ctx, node->number, what, block);
}

/* --- waiting for ranges and applies ---------------------------------------------------- */

uint64_t store_change_count(struct store *store)
{
	return atomic_load(&store->change_count);
}

void store_wait_change(struct store *store, uint64_t seen)
{
	atomic_fetch_add(&store->change_waiters, 1);
	pthread_mutex_lock(&store->change_mutex);
	while (atomic_load(&store->change_count) == seen)
		pthread_cond_wait(&store->change_cond, &store->change_mutex);
	pthread_mutex_unlock(&store->change_mutex);
	atomic_fetch_sub(&store->change_waiters, 1);
}

void store_announce_change(struct store *store)
{
	atomic_fetch_add(&store->change_count, 1);
	if (atomic_load(&store->change_waiters) == 0)
		return;
	pthread_mutex_lock(&store->change_mutex);
	pthread_cond_broadcast(&store->change_cond);
	pthread_mutex_unlock(&store->change_mutex);
}

/* --- open and close -------------------------------------------------------------------------- */

static void init_locks(struct store *store)
{
	pthread_rwlockattr_t attr;

	/* Else a stream of creates would starve the commit. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&store->names, &attr);
	pthread_rwlockattr_destroy(&attr);
	for (size_t i = 0; i < TABLE_SHARDS; i++) {
		pthread_mutex_init(&store->table[i].mutex, NULL);
		node_table_init(&store->table[i]);
	}
	pthread_mutex_init(&store->attributes, NULL);
	pthread_mutex_init(&store->dirty_mutex, NULL);
	pthread_mutex_init(&store->idle_mutex, NULL);
	pthread_mutex_init(&store->change_mutex, NULL);
	pthread_cond_init(&store->change_cond, NULL);
}

static void destroy_locks(struct store *store)
{
	pthread_rwlock_destroy(&store->names);
	for (size_t i = 0; i < TABLE_SHARDS; i++) {
		node_table_clear(&store->table[i]);
		pthread_mutex_destroy(&store->table[i].mutex);
	}
	pthread_mutex_destroy(&store->attributes);
	pthread_mutex_destroy(&store->dirty_mutex);
	pthread_mutex_destroy(&store->idle_mutex);
	pthread_mutex_destroy(&store->change_mutex);
	pthread_cond_destroy(&store->change_cond);
}

static void store_free(struct store *store)
{
	crew_free(store->crew);
	ledger_close(store->ledger);
	space_free(store->space);
	pages_clear(&store->pages);
	slab_free(store->keys);
	slab_free(store->copy_buffers);
	slab_free(store->ahead_buffers);
	destroy_locks(store);
	free(store);
}

/* The other half is for what is read, for journal, ledger and the daemon's own. */
static uint32_t half_of_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur > UINT32_MAX)
		return CONTENTS_MAX;
	return files.rlim_cur / 2 < CONTENTS_MAX ? (uint32_t)files.rlim_cur / 2 : CONTENTS_MAX;
}

static void configure(struct store *store, const struct store_config *config)
{
	store->ciphertext = config->ciphertext;
	store->state = config->state;
	store->hooks = config->hooks;
	store->read_only = config->read_only;
	store->commit_interval_ms = config->commit_interval_ms != 0 ? config->commit_interval_ms
								    : COMMIT_INTERVAL_MS;
	store->contents_max = half_of_files();
	store->dirty_max = config->dirty_max != 0 ? config->dirty_max : DIRTY_MAX;
	store->stream_threshold = config->stream_threshold != 0 ? config->stream_threshold
								: STREAM_THRESHOLD;
}

/* The directory below which a disk failed to be mounted is there, and empty: write nothing into it. */
static enum err look_for_journal(struct backing *ciphertext)
{
	int file = -1;
	enum err err = ciphertext->ops->open(ciphertext, "journal", BACKING_READ_ONLY, &file);

	if (err == ERR_OK)
		ciphertext->ops->close(ciphertext, file);
	return err;
}

enum err store_open(const struct store_config *config, struct store **out)
{
	struct store *store = calloc(1, sizeof(*store));
	enum err err;

	if (store == NULL)
		return ERR_NO_MEMORY;
	configure(store, config);
	init_locks(store);
	random_bytes(store->hash_key, sizeof(store->hash_key));
	err = pages_init(&store->pages);
	if (err == ERR_OK)
		err = look_for_journal(store->ciphertext);
	if (err == ERR_OK)
		err = slab_new(OBJECT_KEY_LEN, KEYS_PER_CHUNK, 0, &store->keys);
	if (err == ERR_OK)
		err = slab_new(WRITE_MAX, 1, 0, &store->copy_buffers);
	if (err == ERR_OK)
		err = slab_new(AHEAD_PIECE, AHEAD_PIECES / 2, 0, &store->ahead_buffers);
	if (err == ERR_OK)
		err = ledger_open(config->state_path, config->read_only, &store->ledger);
	if (err == ERR_OK)
		err = crew_new(crew_helpers_for_machine(), &store->crew);
	if (err == ERR_OK)
		err = space_new(store->ciphertext, store->state, config->read_only, &store->space);
	if (err != ERR_OK) {
		store_free(store);
		return err;
	}
	memcpy(store->fs_id, ledger_fs_id(store->ledger), FS_ID_LEN);
	*out = store;
	return ERR_OK;
}

void store_close(struct store *store)
{
	struct store_lock_report report;

	if (store == NULL)
		return;
	if (atomic_load(&store->unlocked))
		store_lock(store, CLOSE_DEADLINE_MS, &report);
	if (atomic_load(&store->poisoned))
		return; /* A thread still hangs in the backing: its memory must stay. */
	node_free_all(store);
	backing_free(store->ciphertext);
	backing_free(store->state);
	store_free(store);
}

/* --- unlock --------------------------------------------------------------------------------------- */

static enum err start_threads(struct store *store)
{
	enum err err = applier_start(store, &store->applier);

	if (err == ERR_OK)
		err = flusher_start(store, &store->flusher);
	if (err == ERR_OK)
		err = committer_start(store, &store->committer);
	return err;
}

/* In the order in which they hand work on. */
static void stop_threads(struct store *store)
{
	ahead_stop(store->ahead);
	flusher_stop(store->flusher);
	committer_stop(store->committer);
	applier_stop(store->applier);
	committer_free(store->committer);
	store->ahead = NULL;
	store->flusher = NULL;
	store->committer = NULL;
	store->applier = NULL;
}

static enum err set_ledger_key(struct store *store, const struct keyring *keyring)
{
	uint8_t *key = secmem_alloc(32);
	enum err err = key == NULL ? ERR_NO_MEMORY : keyring_ledger_key(keyring, key);

	if (err == ERR_OK)
		err = ledger_set_key(store->ledger, key);
	secmem_free(key);
	return err;
}

void store_set_slots_generation(struct store *store, uint64_t generation)
{
	store->slots_generation = generation;
}

/* Everything up to the threads.  Nothing of it is undone here. */
static enum err prepare(struct store *store, struct store_recovery *recovery)
{
	struct journal_start start;
	enum err err = set_ledger_key(store, store->keyring);

	if (err == ERR_OK)
		err = recover(store, &start, recovery);
	if (err == ERR_OK)
		err = ahead_start(store, &store->ahead);
	if (err != ERR_OK || store->read_only)
		return err;
	err = journal_open(store->ciphertext, store->state, store->keyring, &start,
			   &store->journal);
	/* The slot of the last transaction may be torn; the next one goes over the other. */
	if (err == ERR_OK)
		err = journal_write_anchor(store->journal);
	if (err == ERR_OK)
		err = journal_sync_anchor(store->journal);
	if (err != ERR_OK)
		return err;
	atomic_store(&store->frozen, ERR_OK);
	return start_threads(store);
}

static void undo_prepare(struct store *store)
{
	stop_threads(store);
	journal_close(store->journal);
	store->journal = NULL;
	ledger_abandon(store->ledger);
	slab_wipe_all(store->keys);
	store->keyring = NULL;
}

enum err store_unlock(struct store *store, const struct keyring *keyring,
		      struct store_recovery *recovery)
{
	struct store_lock_report report;
	enum err err;

	if (atomic_load(&store->unlocked) || atomic_load(&store->poisoned))
		return ERR_BUSY;
	if (memcmp(keyring_fs_id(keyring), store->fs_id, FS_ID_LEN) != 0)
		return ERR_TAMPERED;
	store->keyring = keyring;
	err = prepare(store, recovery);
	/* What was acknowledged finds room, here as in the applier. */
	if (err == ERR_FULL && space_release(store->space)) {
		undo_prepare(store);
		store->keyring = keyring;
		err = prepare(store, recovery);
	}
	if (err != ERR_OK) {
		undo_prepare(store);
		return err;
	}
	atomic_store(&store->unlocked, true);
	if (!store->read_only)
		err = delete_unlinked(store, recovery);
	if (err != ERR_OK)
		store_lock(store, CLOSE_DEADLINE_MS, &report);
	return err;
}

/* --- lock --------------------------------------------------------------------------------------------- */

/* What a frozen lookup can still be answered with: a hash of the name, not the name. */
static void freeze_name(void *ctx, struct node *node)
{
	struct store *store = ctx;

	if (node->name != NULL) {
		node->name_hash = short_hash(store->hash_key, node->name, strlen(node->name));
		node->frozen_parent = object_id_number(&node->parent);
	}
	node_forget_name(node);
	node->header_known = false;
	memset(&node->attributes, 0, sizeof(node->attributes));
}

struct node_list {
	struct store *store;
	struct node **nodes;
	size_t count, room;
};

static void list_content(void *ctx, struct node *node)
{
	struct node_list *list = ctx;

	if (node->content == NULL || list->count == list->room)
		return;
	node->refs++; /* node_walk holds the shard */
	list->nodes[list->count++] = node;
}

/* Contents hold nodes: they go first, outside the table's locks. */
static void drop_contents(struct store *store)
{
	struct node_list list = {.store = store, .room = 4096};

	list.nodes = calloc(list.room, sizeof(*list.nodes));
	if (list.nodes == NULL)
		return;
	do {
		list.count = 0;
		node_walk(store, list_content, &list);
		for (size_t i = 0; i < list.count; i++) {
			content_drop(store, list.nodes[i], true);
			node_put(store, list.nodes[i]);
		}
	} while (list.count > 0);
	free(list.nodes);
}

static void wipe(struct store *store)
{
	drop_contents(store);
	node_walk(store, freeze_name, store);
	slab_wipe_all(store->keys);
	slab_wipe_all(store->pages.slab);
	slab_wipe_all(store->copy_buffers);
	slab_wipe_all(store->ahead_buffers);
	journal_close(store->journal);
	store->journal = NULL;
	store->keyring = NULL;
}

/* For the next unlock (recover.c). */
static void note_left(struct store *store)
{
	store->slots_generation_seen = store->slots_generation;
	if (store->journal == NULL)
		return; /* read-only: somebody else may write it meanwhile */
	journal_last(store->journal, &store->left_seq, store->left_mac);
	store->has_left = true;
}

/* Everything committed, applied, checked-pointed: what is on disk needs no journal. */
static bool commit_all(struct store *store, int64_t deadline_ns)
{
	if (!committer_drain(store->committer, deadline_ns) ||
	    !applier_wait(store->applier, journal_seq(store->journal), false, deadline_ns))
		return false;
	/* Twice: one half may still hold an earlier stretch. */
	for (int i = 0; i < 2; i++) {
		(void)journal_switch(store->journal);
		applier_request_checkpoint(store->applier);
		if (!applier_wait(store->applier, journal_seq(store->journal), true, deadline_ns))
			return false;
	}
	return journal_sync_anchor(store->journal) == ERR_OK;
}

/* Of one shard.  Hung threads may still look at names: each goes under its node's mutex. */
static void forget_names(struct store *store, struct table_shard *shard)
{
	struct node **nodes;
	size_t count = 0;

	pthread_mutex_lock(&shard->mutex);
	nodes = calloc(shard->count + 1, sizeof(*nodes));
	for (struct node *node = NULL;
	     nodes != NULL && (node = node_table_next(shard, node)) != NULL;) {
		node->refs++;
		nodes[count++] = node;
	}
	pthread_mutex_unlock(&shard->mutex);
	for (size_t i = 0; i < count; i++) {
		pthread_mutex_lock(&nodes[i]->mutex);
		freeze_name(store, nodes[i]);
		pthread_mutex_unlock(&nodes[i]->mutex);
		node_put(store, nodes[i]);
	}
	free(nodes);
}

/*
 * Threads may hang in the backing: what they use is wiped under them, not freed.
 * The freeze comes first: what is sealed with wiped keys is not appended.  The
 * ledger's key stays: a commit that hangs may still need it, and it opens nothing.
 */
static void poison(struct store *store, enum err why)
{
	atomic_store(&store->poisoned, true);
	store_freeze(store, why);
	for (size_t i = 0; i < TABLE_SHARDS; i++)
		forget_names(store, &store->table[i]);
	if (store->journal != NULL)
		journal_wipe_keys(store->journal);
	slab_wipe_all(store->keys);
	slab_wipe_all(store->pages.slab);
	slab_wipe_all(store->copy_buffers);
	slab_wipe_all(store->ahead_buffers);
}

/* False: it was not committed in time, and the store is poisoned. */
static bool commit_before_lock(struct store *store, uint32_t deadline_ms,
			       struct store_lock_report *report)
{
	int64_t deadline_ns = clock_boot_ns() + deadline_ms * NS_PER_MS;
	bool is_clean;
	enum err why;

	ahead_end(store->ahead);
	is_clean = store->read_only || commit_all(store, deadline_ns);
	/* No request counts what is read ahead: it may hang in a disk that has all of a commit. */
	is_clean = is_clean && ahead_has_ended(store->ahead, deadline_ns);
	why = atomic_load(&store->frozen);
	atomic_store(&store->unlocked, false);
	if (is_clean)
		return true;
	report->bytes_given_up = pages_bytes(&store->pages);
	report->err = why != ERR_OK ? why : ERR_IO;
	poison(store, report->err);
	return false;
}

void store_lock(struct store *store, uint32_t deadline_ms, struct store_lock_report *report)
{
	*report = (struct store_lock_report){.err = ERR_OK};
	if (!atomic_load(&store->unlocked) || !commit_before_lock(store, deadline_ms, report))
		return;
	stop_threads(store);
	note_left(store);
	wipe(store);
	report->err = ledger_set_key(store->ledger, NULL);
}

void store_abandon(struct store *store, uint32_t deadline_ms, struct store_lock_report *report)
{
	*report = (struct store_lock_report){.err = ERR_OK};
	if (atomic_load(&store->unlocked) && commit_before_lock(store, deadline_ms, report))
		poison(store, ERR_IO);
}

/* --- status ----------------------------------------------------------------------------------------------- */

enum err store_statfs(struct store *store, struct store_statfs *st)
{
	struct backing_space space;
	uint64_t objects = ledger_count(store->ledger);
	enum err err = space_left(store->space, &space);

	if (err != ERR_OK)
		return err;
	st->block_size = BLOCK_SIZE;
	st->blocks = space.total_bytes / BLOCK_SIZE;
	st->blocks_free = space.free_bytes / BLOCK_SIZE;
	st->files = objects + space.free_inodes;
	st->files_free = space.free_inodes;
	return ERR_OK;
}

void store_status(struct store *store, struct store_status *status)
{
	*status = (struct store_status){
		.is_locked = !atomic_load(&store->unlocked),
		.is_frozen = atomic_load(&store->frozen) != ERR_OK,
		.objects = ledger_count(store->ledger),
		.dirty_bytes = pages_bytes(&store->pages),
		.commits = atomic_load(&store->commits),
		.checkpoints = atomic_load(&store->checkpoints),
		.damaged = atomic_load(&store->damaged)};
	if (!status->is_locked && store->journal != NULL)
		journal_last(store->journal, &status->journal_seq, status->journal_mac);
}

#include "store/node.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "crypto/random.h"
#include "store/content.h"
#include "store/dir.h"
#include "store/node_table.h"

static struct table_shard *shard_of(struct store *store, uint64_t number)
{
	return &store->table[number % TABLE_SHARDS];
}

/* Shard locked.  Adds a reference. */
static struct node *find_locked(struct table_shard *shard, uint64_t number)
{
	struct node *node = node_table_find(shard, number);

	if (node != NULL)
		node->refs++;
	return node;
}

struct node *node_find(struct store *store, uint64_t number)
{
	struct table_shard *shard = shard_of(store, number);
	struct node *node;

	pthread_mutex_lock(&shard->mutex);
	node = find_locked(shard, number);
	pthread_mutex_unlock(&shard->mutex);
	return node;
}

static void node_free(struct node *node)
{
	node_forget_name(node);
	pthread_mutex_destroy(&node->mutex);
	free(node);
}

static struct node *node_alloc(const struct object_id *id, uint32_t mode)
{
	struct node *node = calloc(1, sizeof(*node));

	if (node == NULL)
		return NULL;
	node->id = *id;
	node->type = mode & S_IFMT;
	node->number = object_id_number(id);
	node->refs = 1;
	pthread_mutex_init(&node->mutex, NULL);
	return node;
}

/* Put a new node into the table, unless another thread was faster. */
static struct node *insert(struct store *store, struct node *node)
{
	struct table_shard *shard = shard_of(store, node->number);
	struct node *other;

	pthread_mutex_lock(&shard->mutex);
	other = find_locked(shard, node->number);
	if (other == NULL)
		node_table_add(shard, node);
	pthread_mutex_unlock(&shard->mutex);
	if (other == NULL)
		return node;
	node_free(node);
	return other;
}

static enum err load(struct store *store, uint64_t number, struct node **out)
{
	struct ledger_row row;
	struct node *node;
	enum err err = ledger_get(store->ledger, number, &row);

	if (err == ERR_NOT_FOUND)
		return ERR_STALE;
	if (err != ERR_OK)
		return err;
	node = node_alloc(&row.id, row.attr.mode);
	if (node == NULL)
		return ERR_NO_MEMORY;
	node->attr = row.attr;
	node->epoch = row.epoch;
	*out = insert(store, node);
	return ERR_OK;
}

/* Of an object without a row to make a node of. */
static enum err report_row(struct store *store, uint64_t number, enum err what)
{
	atomic_fetch_add(&store->damaged, 1);
	log_warning("object %llu: %s; only this file is affected", (unsigned long long)number,
		    err_text(what));
	if (store->hooks.integrity != NULL)
		store->hooks.integrity(store->hooks.ctx, number, what, 0);
	return what;
}

enum err node_get(struct store *store, uint64_t number, const struct object_id *id,
		  struct node **out)
{
	struct node *node = node_find(store, number);
	enum err err;

	if (node == NULL) {
		if (!atomic_load(&store->unlocked))
			return ERR_LOCKED;
		err = load(store, number, &node);
		/* I17: what a directory names has a row, and so has the root. */
		if (err == ERR_STALE && (id != NULL || number == STORE_ROOT))
			err = report_row(store, number, ERR_UNKNOWN);
		else if (err_exit_code(err) == 8) /* the row was edited, or the ledger's file */
			err = report_row(store, number, err);
		if (err != ERR_OK)
			return err;
	}
	if (id != NULL && memcmp(&node->id, id, sizeof(*id)) != 0) {
		store_report(store, node, ERR_TAMPERED, 0);
		node_put(store, node);
		return ERR_TAMPERED;
	}
	*out = node;
	return ERR_OK;
}

void node_ref(struct store *store, struct node *node, uint64_t count)
{
	struct table_shard *shard = shard_of(store, node->number);

	pthread_mutex_lock(&shard->mutex);
	node->refs += count;
	pthread_mutex_unlock(&shard->mutex);
}

void node_drop(struct store *store, struct node *node, uint64_t count)
{
	struct table_shard *shard = shard_of(store, node->number);
	bool is_last;

	pthread_mutex_lock(&shard->mutex);
	if (count > node->refs) {
		log_error("node %llu: more references dropped than held",
			  (unsigned long long)node->number);
		count = node->refs;
	}
	node->refs -= count;
	is_last = node->refs == 0;
	if (is_last)
		node_table_remove(shard, node);
	pthread_mutex_unlock(&shard->mutex);
	if (is_last) {
		dir_free(node);
		node_free(node);
	}
}

void node_know(struct node *node)
{
	atomic_fetch_add(&node->lookups, 1);
}

bool node_is_held(const struct node *node)
{
	return node->opens > 0 || atomic_load(&node->lookups) > 0;
}

void node_put(struct store *store, struct node *node)
{
	if (node != NULL)
		node_drop(store, node, 1);
}

static void next_id(struct store *store, struct object_id *id)
{
	uint64_t number = atomic_fetch_add(&store->next_number, 1);

	store_u64(id->bytes, number);
	random_bytes(id->bytes + 8, 8);
}

enum err node_new(struct store *store, uint32_t mode, uint64_t rdev, uint32_t uid, uint32_t gid,
		  struct node **out)
{
	struct timespec now = clock_wall();
	struct object_id id;
	struct node *node;

	next_id(store, &id);
	node = node_alloc(&id, mode);
	if (node == NULL)
		return ERR_NO_MEMORY;
	node->attr = (struct object_attr){
		.mode = mode, .uid = uid, .gid = gid, .rdev = rdev, .nlink = 1,
		.atime = now, .mtime = now, .ctime = now, .btime = now};
	node->epoch = keyring_epoch(store->keyring);
	node->is_new = true;
	node->header_known = true;
	*out = insert(store, node);
	return ERR_OK;
}

void node_changed(struct store *store, struct node *node)
{
	node->op = store_tick(store);
	if (node->is_dirty || node->is_gone)
		return;
	node->is_dirty = true;
	node_ref(store, node, 1);
	atomic_fetch_add(&store->pending_bytes, INODE_RECORD_COST);
	pthread_mutex_lock(&store->dirty_mutex);
	node->dirty_prev = store->dirty_last;
	node->dirty_next = NULL;
	if (store->dirty_last != NULL)
		store->dirty_last->dirty_next = node;
	else
		store->dirty_first = node;
	store->dirty_last = node;
	if (store->dirty_count++ == 0)
		store->dirty_since_ns = clock_boot_ns();
	pthread_mutex_unlock(&store->dirty_mutex);
}

void node_names_changed(struct store *store, struct node *node)
{
	node_changed(store, node);
	node->named_op = node->op;
	atomic_store(&store->names_op, node->op);
}

void node_clean(struct store *store, struct node *node)
{
	if (!node->is_dirty)
		return;
	node->is_dirty = false;
	pthread_mutex_lock(&store->dirty_mutex);
	if (node->dirty_prev != NULL)
		node->dirty_prev->dirty_next = node->dirty_next;
	else
		store->dirty_first = node->dirty_next;
	if (node->dirty_next != NULL)
		node->dirty_next->dirty_prev = node->dirty_prev;
	else
		store->dirty_last = node->dirty_prev;
	store->dirty_count--;
	pthread_mutex_unlock(&store->dirty_mutex);
	node_put(store, node);
}

enum err node_list_dirty(struct store *store, struct node ***list, size_t *count)
{
	struct node **nodes;
	size_t n = 0;

	pthread_mutex_lock(&store->dirty_mutex);
	nodes = malloc((store->dirty_count + 1) * sizeof(*nodes));
	if (nodes != NULL) {
		for (struct node *node = store->dirty_first; node != NULL; node = node->dirty_next) {
			node_ref(store, node, 1);
			nodes[n++] = node;
		}
	}
	pthread_mutex_unlock(&store->dirty_mutex);
	if (nodes == NULL)
		return ERR_NO_MEMORY;
	*list = nodes;
	*count = n;
	return ERR_OK;
}

void node_forget_name(struct node *node)
{
	if (node->name == NULL)
		return;
	secmem_wipe(node->name, strlen(node->name));
	free(node->name);
	node->name = NULL;
}

enum err node_set_name(struct node *node, const struct object_id *parent, const char *name)
{
	char *copy;

	if (node->name != NULL && strcmp(node->name, name) == 0) {
		node->parent = *parent;
		return ERR_OK;
	}
	copy = strdup(name);
	if (copy == NULL)
		return ERR_NO_MEMORY;
	node_forget_name(node);
	node->name = copy;
	node->parent = *parent;
	return ERR_OK;
}

void node_attr(const struct node *node, struct store_attr *attr)
{
	attr->number = node->number;
	attr->object = node->attr;
}

void node_attr_now(struct node *node, struct store_attr *attr)
{
	pthread_mutex_lock(&node->mutex);
	node_attr(node, attr);
	pthread_mutex_unlock(&node->mutex);
}

uint32_t node_links_now(struct node *node)
{
	struct store_attr attr;

	node_attr_now(node, &attr);
	return attr.object.nlink;
}

void node_walk(struct store *store, node_each *each, void *ctx)
{
	for (size_t i = 0; i < TABLE_SHARDS; i++) {
		struct table_shard *shard = &store->table[i];

		pthread_mutex_lock(&shard->mutex);
		for (struct node *node = NULL; (node = node_table_next(shard, node)) != NULL;)
			each(ctx, node);
		pthread_mutex_unlock(&shard->mutex);
	}
}

void node_free_all(struct store *store)
{
	for (size_t i = 0; i < TABLE_SHARDS; i++) {
		struct table_shard *shard = &store->table[i];
		struct node *next;

		for (struct node *node = node_table_next(shard, NULL); node != NULL; node = next) {
			next = node_table_next(shard, node);
			node_table_remove(shard, node);
			dir_free(node);
			node_free(node);
		}
	}
}

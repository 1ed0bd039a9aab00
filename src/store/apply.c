#include "store/apply.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/content.h"
#include "store/committer.h"
#include "store/node.h"

struct applier {
	struct store *store;
	pthread_t thread;
	pthread_mutex_t mutex;     /* protects the rest */
	pthread_cond_t wake, done;
	struct txn *first, *last;  /* flushed, not applied */
	uint64_t applied_seq;
	bool is_checkpoint_wanted; /* soon: somebody waits for it */
	bool is_stopping;
	bool is_busy;
	struct touched touched[2]; /* by half; applier thread only */
	int64_t idle_since_ns;
	int64_t anchor_at_ns;      /* next anchor flush */
};

/* --- one part --------------------------------------------------------------------------- */

static enum err write_blocks(struct store *store, const struct txn *txn, const struct part *part,
			     int file)
{
	enum err err = ERR_OK;

	for (size_t i = 0; i < part->block_count && err == ERR_OK;) {
		const struct part_block *run = &part->blocks[i];
		size_t n = 1;

		while (i + n < part->block_count && run[n].block == run->block + n &&
		       run[n].page == run->page + n && run[n].block % TREE_FANOUT != 0)
			n++;
		err = store->ciphertext->ops->pwrite(
			store->ciphertext, file, txn->pages + (size_t)run->page * BLOCK_SIZE,
			n * BLOCK_SIZE, layout_page_of_block(run->block) * BLOCK_SIZE);
		i += n;
	}
	return err;
}

struct punching {
	struct store *store;
	const struct part *part;
	int file;
};

/* Free what a hole leaves behind; only space, the tree says what is a hole. */
static enum err punch_block(void *ctx, uint64_t block, struct extent *extent)
{
	struct punching *punching = ctx;
	struct backing *backing = punching->store->ciphertext;

	if (extent->kind != EXTENT_HOLE || extent->seq != punching->part->seq)
		return ERR_OK;
	return backing->ops->punch(backing, punching->file,
				   layout_page_of_block(block) * BLOCK_SIZE, BLOCK_SIZE);
}

static enum err write_tree_page(struct store *store, const struct part *part,
				const struct tree_page *page, int file)
{
	uint8_t bytes[BLOCK_SIZE];

	node_header_encode(&part->node->id, part->node->epoch, page->level, page->index, bytes);
	memcpy(bytes + NODE_HEADER_LEN, page->body, NODE_BODY_LEN);
	return store->ciphertext->ops->pwrite(
		store->ciphertext, file, bytes, sizeof(bytes),
		layout_page_of_node(page->level, page->index) * BLOCK_SIZE);
}

/* Header, and leaf 0 if it changed or the object is new. */
static enum err write_page0(struct store *store, const struct part *part,
			    const struct tree_page *leaf0, int file)
{
	uint8_t bytes[BLOCK_SIZE] = {0};
	bool whole = leaf0 != NULL || part->is_create;

	memcpy(bytes, part->header, OBJECT_HEADER_LEN);
	if (leaf0 != NULL)
		memcpy(bytes + OBJECT_HEADER_LEN, leaf0->body, NODE_BODY_LEN);
	return store->ciphertext->ops->pwrite(store->ciphertext, file, bytes,
					      whole ? BLOCK_SIZE : OBJECT_HEADER_LEN, 0);
}

static enum err write_tree(struct store *store, const struct part *part, int file)
{
	const struct tree_page *leaf0 = NULL;
	enum err err = ERR_OK;

	for (size_t i = 0; i < part->page_count && err == ERR_OK; i++) {
		const struct tree_page *page = part->pages[i].page;

		if (page->level == 1 && page->index == 0)
			leaf0 = page;
		else
			err = write_tree_page(store, part, page, file);
	}
	return err == ERR_OK ? write_page0(store, part, leaf0, file) : err;
}

static enum err put_in_place(struct store *store, const struct txn *txn, struct part *part)
{
	struct backing *backing = store->ciphertext;
	int file;
	enum err err = content_open_file(store, part->content,
					 part->is_create ? CONTENT_CREATE_SHARD
							 : CONTENT_EXISTING,
					 &file);

	if (err == ERR_OK && part->shrink != NO_SHRINK && !part->is_create)
		err = backing->ops->truncate(backing, file, layout_pages(part->shrink) * BLOCK_SIZE);
	if (err == ERR_OK)
		err = write_blocks(store, txn, part, file);
	if (err == ERR_OK) {
		struct punching punching = {store, part, file};

		err = overlay_walk(&part->overlay, punch_block, &punching);
	}
	if (err == ERR_OK)
		err = write_tree(store, part, file);
	if (err == ERR_OK)
		err = content_move_to_shard(store, part->content);
	return err;
}

static enum err remove_object(struct store *store, const struct part *part)
{
	char path[OBJECT_PATH_LEN];
	enum err err;

	content_path(part->content, path);
	err = store->ciphertext->ops->unlink(store->ciphertext, path);
	if (backing_is_gone(err))
		err = ERR_OK;
	return err == ERR_OK ? ledger_remove(store->ledger, part->node->number) : err;
}

/* What was acknowledged finds room: the ballast is for this, or it waits (DESIGN.md, I24). */
static enum err change_object(struct store *store, const struct txn *txn, struct part *part)
{
	enum err err;

	do {
		err = part->is_delete	  ? remove_object(store, part)
		      : part->is_left_out ? ERR_OK
					  : put_in_place(store, txn, part);
	} while (err != ERR_OK && store_awaits_room(store, err));
	return err;
}

static enum err put_row(struct store *store, const struct part *part)
{
	struct ledger_row row = {.id = part->node->id, .attr = part->attr,
				 .epoch = part->node->epoch};

	return ledger_put(store->ledger, &row);
}

/* Take the part off its content: what it carried is on disk now.  node->mutex held. */
static void retire(struct store *store, struct part *part)
{
	struct content *content = part->content;

	overlay_forget(&content->live, &part->overlay);
	content->applied_seq = part->seq;
	content->parts_first = part->content_next;
	if (content->parts_first == NULL)
		content->parts_last = NULL;
	if (content->parts_first == NULL && content->flushing == NULL && content->ready == NULL &&
	    overlay_is_empty(&content->live) && content->in_flight == NULL)
		content->high_block = layout_blocks(part->node->attr.size);
	content->apply_count++;
	content_settle(store, content);
}

static enum err apply_part(struct store *store, const struct txn *txn, struct part *part)
{
	struct node *node = part->node;
	bool is_gone = part->is_delete;
	enum err err;

	pthread_mutex_lock(&node->mutex);
	part->content->apply_count++;
	pthread_mutex_unlock(&node->mutex);
	err = change_object(store, txn, part);
	/* I6: rows are of applied states only. */
	if (err == ERR_OK && !part->is_delete && !part->is_left_out)
		err = put_row(store, part);
	pthread_mutex_lock(&node->mutex);
	if (err == ERR_OK)
		retire(store, part);
	pthread_mutex_unlock(&node->mutex);
	store_announce_change(store);
	if (err == ERR_OK && is_gone)
		content_drop(store, node, false);
	return err;
}

/* --- the thread ---------------------------------------------------------------------------- */

static enum err apply_txn(struct applier *applier, struct txn *txn)
{
	struct store *store = applier->store;
	enum err err = ERR_OK;

	for (struct part *part = txn->parts_first; part != NULL && err == ERR_OK;
	     part = part->next) {
		touched_add(&applier->touched[txn->half], part->node, part->is_delete);
		err = apply_part(store, txn, part);
	}
	return err;
}

static enum err run_checkpoint(struct applier *applier)
{
	struct store *store = applier->store;
	struct ledger_position position;
	uint64_t last_seq;

	if (!journal_full_half(store->journal, &last_seq, &position) ||
	    last_seq > applier->applied_seq)
		return ERR_OK;
	/* position.half is where the journal goes on: the full one is the other. */
	return checkpoint(store, &applier->touched[1 - position.half], applier->applied_seq);
}

/* The first transaction; it stays in the queue until it is in place.  Mutex not held. */
static enum err apply_first(struct applier *applier, struct txn *txn)
{
	enum err err = apply_txn(applier, txn);

	if (err != ERR_OK)
		return err; /* Its parts hang in their contents, which the freeze keeps. */
	pthread_mutex_lock(&applier->mutex);
	applier->applied_seq = txn->seq;
	applier->first = txn->next;
	if (applier->first == NULL)
		applier->last = NULL;
	pthread_mutex_unlock(&applier->mutex);
	txn_free(applier->store, txn);
	return ERR_OK;
}

/* Mutex held on entry and return.  True if something was done. */
static bool work(struct applier *applier)
{
	struct txn *txn = applier->first;
	enum err err = ERR_OK;

	if (txn == NULL && !applier->is_checkpoint_wanted)
		return false;
	if (txn == NULL)
		applier->is_checkpoint_wanted = false;
	applier->is_busy = true;
	pthread_mutex_unlock(&applier->mutex);
	if (txn != NULL)
		err = apply_first(applier, txn);
	if (err == ERR_OK)
		err = run_checkpoint(applier);
	if (err != ERR_OK)
		store_freeze(applier->store, err);
	committer_poke(applier->store->committer);
	pthread_mutex_lock(&applier->mutex);
	applier->is_busy = false;
	pthread_cond_broadcast(&applier->done);
	return true;
}

/* anchor = async: flushed every 10 ms or ten times as long as a flush takes. */
static void sync_anchor(struct applier *applier)
{
	int64_t before = clock_boot_ns(), took;
	enum err err;

	if (before < applier->anchor_at_ns)
		return;
	pthread_mutex_unlock(&applier->mutex);
	err = journal_sync_anchor(applier->store->journal);
	if (err != ERR_OK)
		store_freeze(applier->store, err);
	pthread_mutex_lock(&applier->mutex);
	took = 10 * (clock_boot_ns() - before);
	applier->anchor_at_ns = clock_boot_ns() +
				(took > ANCHOR_INTERVAL_MS * NS_PER_MS
					 ? took : ANCHOR_INTERVAL_MS * NS_PER_MS);
}

/* An idle volume is checked-pointed once, so that little is replayed after a power cut. */
static bool idle_checkpoint_due(struct applier *applier)
{
	if (applier->idle_since_ns == 0 ||
	    clock_boot_ns() - applier->idle_since_ns < CHECKPOINT_IDLE_MS * NS_PER_MS)
		return false;
	applier->idle_since_ns = 0;
	return true;
}

/* Short while the anchor may be due, long when nothing happens. */
static int64_t tick_ms(const struct applier *applier)
{
	bool active = applier->idle_since_ns != 0 &&
		      clock_boot_ns() - applier->idle_since_ns < NS_PER_SECOND;

	return active ? ANCHOR_INTERVAL_MS : 500;
}

static void *applier_main(void *ctx)
{
	struct applier *applier = ctx;

	pthread_mutex_lock(&applier->mutex);
	while (!applier->is_stopping || applier->first != NULL) {
		if (atomic_load(&applier->store->frozen) != ERR_OK && applier->is_stopping)
			break;
		sync_anchor(applier);
		if (atomic_load(&applier->store->frozen) == ERR_OK && work(applier)) {
			applier->idle_since_ns = clock_boot_ns();
			continue;
		}
		if (idle_checkpoint_due(applier)) {
			pthread_mutex_unlock(&applier->mutex);
			committer_checkpoint(applier->store->committer);
			pthread_mutex_lock(&applier->mutex);
			continue;
		}
		if (!applier->is_stopping)
			clock_cond_wait(&applier->wake, &applier->mutex,
				   clock_boot_ns() + tick_ms(applier) * NS_PER_MS);
	}
	pthread_mutex_unlock(&applier->mutex);
	return NULL;
}

enum err applier_start(struct store *store, struct applier **out)
{
	struct applier *applier = calloc(1, sizeof(*applier));

	if (applier == NULL)
		return ERR_NO_MEMORY;
	applier->store = store;
	applier->applied_seq = journal_seq(store->journal);
	pthread_mutex_init(&applier->mutex, NULL);
	clock_cond_init(&applier->wake);
	clock_cond_init(&applier->done);
	if (pthread_create(&applier->thread, NULL, applier_main, applier) != 0) {
		free(applier);
		return ERR_SYSTEM;
	}
	*out = applier;
	return ERR_OK;
}

void applier_push(struct applier *applier, struct txn *txn)
{
	pthread_mutex_lock(&applier->mutex);
	txn->next = NULL;
	if (applier->last != NULL)
		applier->last->next = txn;
	else
		applier->first = txn;
	applier->last = txn;
	pthread_mutex_unlock(&applier->mutex);
}

void applier_wake(struct applier *applier)
{
	pthread_mutex_lock(&applier->mutex);
	pthread_cond_signal(&applier->wake);
	pthread_mutex_unlock(&applier->mutex);
}

uint64_t applier_seq(struct applier *applier)
{
	uint64_t seq;

	pthread_mutex_lock(&applier->mutex);
	seq = applier->applied_seq;
	pthread_mutex_unlock(&applier->mutex);
	return seq;
}

uint64_t applier_seq_under_way(struct applier *applier)
{
	uint64_t seq;

	if (applier == NULL)
		return 0;
	pthread_mutex_lock(&applier->mutex);
	seq = applier->first != NULL ? applier->first->seq : applier->applied_seq;
	pthread_mutex_unlock(&applier->mutex);
	return seq;
}

void applier_request_checkpoint(struct applier *applier)
{
	pthread_mutex_lock(&applier->mutex);
	applier->is_checkpoint_wanted = true;
	pthread_cond_signal(&applier->wake);
	pthread_mutex_unlock(&applier->mutex);
}

bool applier_wait(struct applier *applier, uint64_t seq, bool checkpoint_too, int64_t deadline_ns)
{
	bool is_done = false;

	pthread_mutex_lock(&applier->mutex);
	for (;;) {
		is_done = applier->applied_seq >= seq && !applier->is_busy &&
			  (!checkpoint_too || !applier->is_checkpoint_wanted);
		if (is_done || atomic_load(&applier->store->frozen) != ERR_OK ||
		    clock_boot_ns() >= deadline_ns)
			break;
		clock_cond_wait(&applier->done, &applier->mutex, deadline_ns);
	}
	pthread_mutex_unlock(&applier->mutex);
	return is_done;
}

void applier_stop(struct applier *applier)
{
	if (applier == NULL)
		return;
	pthread_mutex_lock(&applier->mutex);
	applier->is_stopping = true;
	pthread_cond_signal(&applier->wake);
	pthread_mutex_unlock(&applier->mutex);
	pthread_join(applier->thread, NULL);
	while (applier->first != NULL) {
		struct txn *txn = applier->first;

		applier->first = txn->next;
		txn_free(applier->store, txn);
	}
	pthread_cond_destroy(&applier->wake);
	pthread_cond_destroy(&applier->done);
	pthread_mutex_destroy(&applier->mutex);
	free(applier);
}

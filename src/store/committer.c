#include "store/committer.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/apply.h"
#include "store/break.h"
#include "store/commit.h"
#include "store/content.h"
#include "store/flusher.h"
#include "store/node.h"

#define PRESS_MS 100

/* A writer over the dirty limit. */
struct memory_waiter {
	struct memory_waiter *next;
	store_done *done;
	void *ctx;
	size_t bytes;
};

struct committer {
	struct store *store;
	pthread_t thread;
	pthread_mutex_t mutex;       /* protects the rest */
	pthread_cond_t wake, idle;
	struct waiter *waiters;
	struct memory_waiter *memory_waiters;
	bool is_urgent;              /* a new waiter, a ready cut */
	bool is_everything;          /* take all that is ready */
	bool is_checkpoint_wanted;
	bool is_busy, is_stopping;
	bool has_pushed;             /* the applier is to be woken */
	uint64_t flushed_names_op;   /* namespace changes that are flushed */
	int64_t flushed_all_at_ns;   /* the timer's last tick */
	_Atomic int64_t asked_at_ns; /* the last waiter came; not protected */
};

/* --- one transaction ---------------------------------------------------------------- */

/* The journal's other half is still needed: let the applier free it. */
static enum err make_room(struct store *store, size_t len)
{
	enum err err = journal_place(store->journal, len);

	while (err == ERR_AGAIN) {
		struct ledger_position position;
		uint64_t last_seq = 0;

		if (atomic_load(&store->frozen) != ERR_OK)
			return ERR_FROZEN;
		(void)journal_full_half(store->journal, &last_seq, &position);
		applier_request_checkpoint(store->applier);
		(void)applier_wait(store->applier, last_seq, true, clock_boot_ns() + NS_PER_SECOND);
		err = journal_place(store->journal, len);
	}
	return err;
}

/* What is appended lies where an earlier attempt was. */
static enum err append(struct store *store, struct txn *txn)
{
	enum err err;

	do {
		err = journal_append(store->journal, txn);
	} while (err != ERR_OK && store_awaits_room(store, err));
	return err;
}

static enum err write_anchor(struct store *store)
{
	enum err err;

	do {
		err = journal_write_anchor(store->journal);
	} while (err != ERR_OK && store_awaits_room(store, err));
	return err;
}

/* The audit trail's flush runs beside the journal's own. */
static enum err append_and_flush(struct store *store, struct txn *txn)
{
	const struct store_hooks *hooks = &store->hooks;
	uint64_t ticket = hooks->flush_begin != NULL ? hooks->flush_begin(hooks->ctx) : 0;
	enum err err = append(store, txn);

	if (err == ERR_OK && STORE_BREAK(I6_ANCHOR_FIRST))
		err = write_anchor(store);
	/* I5: nobody is answered before this. */
	if (err == ERR_OK && !STORE_BREAK(I5_NO_FLUSH))
		err = journal_flush(store->journal);
	if (hooks->flush_wait != NULL && err == ERR_OK && !STORE_BREAK(I5_NO_AUDIT))
		err = hooks->flush_wait(hooks->ctx, ticket);
	return err == ERR_OK ? write_anchor(store) : err;
}

static void mark_flushed(struct txn *txn)
{
	for (struct part *part = txn->parts_first; part != NULL; part = part->next) {
		struct node *node = part->node;

		pthread_mutex_lock(&node->mutex);
		if (part->is_delete)
			node->flushed_op = UINT64_MAX;
		else if (part->op > node->flushed_op)
			node->flushed_op = part->op;
		pthread_mutex_unlock(&node->mutex);
	}
}

/* What one commit is to take, and what it did. */
struct round {
	bool everything, has_left_over;
	uint64_t names_op;
};

static enum err commit(struct committer *committer, struct round *round)
{
	struct store *store = committer->store;
	struct txn *txn = txn_new(journal_seq(store->journal) + 1);
	enum err err = txn == NULL ? ERR_NO_MEMORY : gather(store, txn, round->everything);

	if (err == ERR_OK && txn->part_count > 0) {
		err = seal(store, txn);
		/* A lock that gave up freezes, then wipes the keys: what was sealed is worth nothing. */
		if (err == ERR_OK && atomic_load(&store->frozen) != ERR_OK)
			err = ERR_FROZEN;
		if (err == ERR_OK)
			err = make_room(store, txn_len(txn));
		if (err == ERR_OK)
			err = append_and_flush(store, txn);
	}
	if (err != ERR_OK) {
		/* Its parts hang in their contents: the freeze keeps them for readers. */
		store_freeze(store, err);
		return err;
	}
	round->names_op = txn->names_op;
	round->has_left_over = txn->has_left_over;
	if (txn->part_count == 0) {
		txn_free(store, txn);
		return ERR_OK;
	}
	mark_flushed(txn);
	atomic_fetch_add(&store->commits, 1);
	applier_push(store->applier, txn);
	committer->has_pushed = true;
	return ERR_OK;
}

/* --- waiters ----------------------------------------------------------------------------- */

static void waiter_free(struct store *store, struct waiter *waiter)
{
	for (size_t i = 0; i < waiter->count; i++)
		node_put(store, waiter->want[i].node);
	free(waiter);
}

static bool is_satisfied(const struct committer *committer, struct waiter *waiter, enum err *err)
{
	bool satisfied = committer->flushed_names_op >= waiter->names_op;

	for (size_t i = 0; i < waiter->count && satisfied; i++) {
		struct node *node = waiter->want[i].node;

		pthread_mutex_lock(&node->mutex);
		satisfied = node->flushed_op >= waiter->want[i].op || node->damaged != ERR_OK;
		if (waiter->until_settled && node->content != NULL &&
		    content_is_unsettled(node->content))
			satisfied = node->damaged != ERR_OK;
		if (node->damaged != ERR_OK)
			*err = node->damaged;
		pthread_mutex_unlock(&node->mutex);
	}
	return satisfied;
}

/* Answer whoever is satisfied, or everybody with `err`.  Mutex held, released meanwhile. */
static void answer_waiters(struct committer *committer, enum err err)
{
	struct waiter **link = &committer->waiters, *answered = NULL;

	while (*link != NULL) {
		struct waiter *waiter = *link;
		enum err its_err = err;

		if (err == ERR_OK && !is_satisfied(committer, waiter, &its_err)) {
			link = &waiter->next;
			continue;
		}
		*link = waiter->next;
		waiter->next = answered;
		waiter->err = its_err;
		answered = waiter;
	}
	pthread_mutex_unlock(&committer->mutex);
	while (answered != NULL) {
		struct waiter *waiter = answered;

		answered = waiter->next;
		waiter->done(waiter->ctx, waiter->until_settled ? ERR_OK : waiter->err, waiter->bytes);
		waiter_free(committer->store, waiter);
	}
	pthread_mutex_lock(&committer->mutex);
}

static void answer_memory(struct committer *committer, enum err err)
{
	struct memory_waiter *list;

	if (committer->memory_waiters == NULL ||
	    (err == ERR_OK &&
	     pages_bytes(&committer->store->pages) > committer->store->dirty_max))
		return;
	list = committer->memory_waiters;
	committer->memory_waiters = NULL;
	pthread_mutex_unlock(&committer->mutex);
	while (list != NULL) {
		struct memory_waiter *waiter = list;

		list = waiter->next;
		waiter->done(waiter->ctx, err, err == ERR_OK ? waiter->bytes : 0);
		free(waiter);
	}
	pthread_mutex_lock(&committer->mutex);
}

/*
 * First those who wait: the applier would take the processor that their answer needs.
 * Mutex held, released meanwhile.
 */
static void answer(struct committer *committer, enum err err)
{
	answer_memory(committer, err);
	answer_waiters(committer, err);
	if (!committer->has_pushed)
		return;
	committer->has_pushed = false;
	pthread_mutex_unlock(&committer->mutex);
	applier_wake(committer->store->applier);
	pthread_mutex_lock(&committer->mutex);
}

/* --- the thread ------------------------------------------------------------------------------ */

/* When everything is to be committed, whoever waits or not. */
static int64_t everything_due_at(struct committer *committer)
{
	struct store *store = committer->store;
	int64_t at;

	if (committer->is_everything || committer->is_checkpoint_wanted ||
	    atomic_load(&store->pending_bytes) >= COMMIT_PENDING_MAX ||
	    (committer->memory_waiters != NULL && atomic_load(&store->pending_bytes) > 0))
		return 0;
	pthread_mutex_lock(&store->dirty_mutex);
	at = store->dirty_count > 0 ? store->dirty_since_ns : INT64_MAX;
	pthread_mutex_unlock(&store->dirty_mutex);
	/* I8 */
	if (at == INT64_MAX || STORE_BREAK(I8_NO_TIMER))
		return INT64_MAX;
	if (committer->flushed_all_at_ns > at)
		at = committer->flushed_all_at_ns;
	return at + store->commit_interval_ms * NS_PER_MS;
}

static int64_t due_at(struct committer *committer)
{
	return committer->is_urgent ? 0 : everything_due_at(committer);
}

static void run_commit(struct committer *committer)
{
	struct store *store = committer->store;
	bool checkpoint_wanted = committer->is_checkpoint_wanted;
	/* Those who ask for their own file, one after another, must not keep others waiting (I8). */
	struct round round = {.everything = committer->memory_waiters != NULL ||
					    everything_due_at(committer) <= clock_boot_ns()};
	enum err err;

	committer->is_urgent = committer->is_everything = committer->is_checkpoint_wanted = false;
	committer->is_busy = true;
	if (round.everything)
		committer->flushed_all_at_ns = clock_boot_ns();
	pthread_mutex_unlock(&committer->mutex);
	err = commit(committer, &round);
	if (round.everything && err == ERR_OK && !STORE_BREAK(R1_NO_TIMER))
		flusher_request_all(store);
	if (checkpoint_wanted && err == ERR_OK) {
		(void)journal_switch(store->journal);
		applier_request_checkpoint(store->applier);
	}
	pthread_mutex_lock(&committer->mutex);
	if (err == ERR_OK && round.names_op > committer->flushed_names_op)
		committer->flushed_names_op = round.names_op;
	if (round.has_left_over) {
		committer->is_urgent = true;
		committer->is_everything |= round.everything;
	}
	committer->is_busy = false;
	pthread_cond_broadcast(&committer->idle);
}

static void *committer_main(void *ctx)
{
	struct committer *committer = ctx;

	pthread_mutex_lock(&committer->mutex);
	while (!committer->is_stopping) {
		enum err frozen = atomic_load(&committer->store->frozen) != ERR_OK ? ERR_FROZEN
										    : ERR_OK;
		int64_t at;

		answer(committer, frozen);
		at = frozen != ERR_OK ? clock_boot_ns() + NS_PER_SECOND : due_at(committer);
		if (at > clock_boot_ns()) {
			int64_t tick = clock_boot_ns() + NS_PER_SECOND;

			clock_cond_wait(&committer->wake, &committer->mutex, at < tick ? at : tick);
			continue;
		}
		run_commit(committer);
	}
	answer(committer, ERR_LOCKED);
	pthread_mutex_unlock(&committer->mutex);
	return NULL;
}

static void wake(struct committer *committer, bool urgent, bool everything)
{
	pthread_mutex_lock(&committer->mutex);
	committer->is_urgent |= urgent;
	committer->is_everything |= everything;
	pthread_cond_signal(&committer->wake);
	pthread_mutex_unlock(&committer->mutex);
}

void committer_poke(struct committer *committer)
{
	wake(committer, false, false);
}

void committer_cut_ready(struct committer *committer)
{
	wake(committer, true, false);
}

void committer_checkpoint(struct committer *committer)
{
	pthread_mutex_lock(&committer->mutex);
	committer->is_checkpoint_wanted = true;
	pthread_cond_signal(&committer->wake);
	pthread_mutex_unlock(&committer->mutex);
}

static void add_waiter(struct committer *committer, struct waiter *waiter, bool everything)
{
	const struct store_hooks *hooks = &committer->store->hooks;
	bool is_idle;

	atomic_store_explicit(&committer->asked_at_ns, clock_boot_ns(), memory_order_relaxed);
	pthread_mutex_lock(&committer->mutex);
	is_idle = !committer->is_busy && !committer->is_urgent;
	waiter->next = committer->waiters;
	committer->waiters = waiter;
	committer->is_urgent = true;
	committer->is_everything |= everything;
	pthread_cond_signal(&committer->wake);
	pthread_mutex_unlock(&committer->mutex);
	/* The trail's flush takes longer than the journal's: ahead of the transaction, not with it. */
	if (is_idle && hooks->flush_begin != NULL)
		(void)hooks->flush_begin(hooks->ctx);
}

bool committer_was_asked(const struct committer *committer)
{
	int64_t at = atomic_load_explicit(&committer->asked_at_ns, memory_order_relaxed);

	return at != 0 && clock_boot_ns() - at < NS_PER_SECOND;
}

/* R2: what is wanted is the state as of now, by a cut made from here on. */
static enum err want(struct store *store, struct waiter *waiter, struct node *node, uint64_t op)
{
	enum err err = ERR_OK;

	node_ref(store, node, 1);
	waiter->want[waiter->count].node = node;
	waiter->want[waiter->count++].op = op;
	pthread_mutex_lock(&node->mutex);
	if (node->content != NULL && node->content->flushing != NULL && STORE_BREAK(R2_OLD_CUT))
		waiter->want[waiter->count - 1].op = op = node->content->flushing->op;
	if (op > node->wanted_op)
		node->wanted_op = op;
	if (node->content != NULL) {
		err = content_cut_now(node->content);
		flusher_request(store->flusher, node->content);
	}
	pthread_mutex_unlock(&node->mutex);
	return err;
}

/* Of `waiter`, which says what is wanted beyond the node's state; it goes to the list, or is freed. */
static enum err wait_node(struct committer *committer, struct node *node, uint64_t op,
			  const struct waiter *wanted)
{
	struct store *store = committer->store;
	struct waiter *waiter = calloc(1, sizeof(*waiter) + sizeof(waiter->want[0]));
	enum err err;

	if (waiter == NULL)
		return ERR_NO_MEMORY;
	*waiter = *wanted;
	waiter->names_op = atomic_load(&store->names_op);
	err = want(store, waiter, node, op);
	if (err == ERR_OK)
		add_waiter(committer, waiter, false);
	else
		waiter_free(store, waiter);
	return err;
}

void committer_wait_node(struct committer *committer, struct node *node, uint64_t op,
			 size_t bytes, store_done *done, void *ctx)
{
	const struct waiter wanted = {.done = done, .ctx = ctx, .bytes = bytes};
	enum err err = wait_node(committer, node, op, &wanted);

	if (err != ERR_OK)
		done(ctx, err, 0);
}

void committer_wait_settled(struct committer *committer, struct node *node, uint64_t op,
			    store_done *done, void *ctx)
{
	const struct waiter wanted = {.done = done, .ctx = ctx, .until_settled = true};

	if (wait_node(committer, node, op, &wanted) != ERR_OK)
		done(ctx, ERR_OK, 0);
}

void committer_wait_all(struct committer *committer, store_done *done, void *ctx)
{
	struct store *store = committer->store;
	struct waiter *waiter = NULL;
	struct node **nodes = NULL;
	size_t count = 0;
	enum err err = node_list_dirty(store, &nodes, &count);

	if (err == ERR_OK)
		waiter = calloc(1, sizeof(*waiter) + count * sizeof(waiter->want[0]));
	if (waiter != NULL) {
		waiter->done = done;
		waiter->ctx = ctx;
		waiter->names_op = atomic_load(&store->names_op);
	} else {
		err = ERR_NO_MEMORY;
	}
	for (size_t i = 0; i < count; i++) {
		uint64_t op;

		pthread_mutex_lock(&nodes[i]->mutex);
		op = nodes[i]->op;
		pthread_mutex_unlock(&nodes[i]->mutex);
		if (err == ERR_OK)
			err = want(store, waiter, nodes[i], op);
		node_put(store, nodes[i]);
	}
	free(nodes);
	if (err == ERR_OK) {
		add_waiter(committer, waiter, true);
		return;
	}
	if (waiter != NULL)
		waiter_free(store, waiter);
	done(ctx, err, 0);
}

void committer_wait_memory(struct committer *committer, size_t bytes, store_done *done, void *ctx)
{
	struct memory_waiter *waiter;

	if (pages_bytes(&committer->store->pages) <= committer->store->dirty_max ||
	    STORE_BREAK(I8_NO_LIMIT)) {
		if (atomic_load(&committer->store->pending_bytes) >= COMMIT_PENDING_MAX)
			committer_poke(committer);
		done(ctx, ERR_OK, bytes);
		return;
	}
	waiter = malloc(sizeof(*waiter));
	if (waiter == NULL) {
		done(ctx, ERR_NO_MEMORY, 0);
		return;
	}
	*waiter = (struct memory_waiter){NULL, done, ctx, bytes};
	pthread_mutex_lock(&committer->mutex);
	waiter->next = committer->memory_waiters;
	committer->memory_waiters = waiter;
	pthread_cond_signal(&committer->wake);
	pthread_mutex_unlock(&committer->mutex);
}

void committer_press(struct committer *committer)
{
	pthread_mutex_lock(&committer->mutex);
	committer->is_urgent = committer->is_everything = true;
	pthread_cond_signal(&committer->wake);
	clock_cond_wait(&committer->idle, &committer->mutex, clock_boot_ns() + PRESS_MS * NS_PER_MS);
	pthread_mutex_unlock(&committer->mutex);
}

static bool anything_dirty(struct store *store)
{
	bool dirty;

	pthread_mutex_lock(&store->dirty_mutex);
	dirty = store->dirty_count > 0;
	pthread_mutex_unlock(&store->dirty_mutex);
	return dirty;
}

bool committer_drain(struct committer *committer, int64_t deadline_ns)
{
	struct store *store = committer->store;
	bool is_idle;

	while (anything_dirty(store)) {
		if (atomic_load(&store->frozen) != ERR_OK || clock_boot_ns() >= deadline_ns)
			return false;
		flusher_request_all(store);
		if (!flusher_drain(store->flusher, deadline_ns))
			return false;
		pthread_mutex_lock(&committer->mutex);
		committer->is_urgent = committer->is_everything = true;
		pthread_cond_signal(&committer->wake);
		clock_cond_wait(&committer->idle, &committer->mutex,
				clock_boot_ns() + 100 * NS_PER_MS);
		pthread_mutex_unlock(&committer->mutex);
	}
	pthread_mutex_lock(&committer->mutex);
	while (committer->is_busy && clock_boot_ns() < deadline_ns)
		clock_cond_wait(&committer->idle, &committer->mutex, deadline_ns);
	is_idle = !committer->is_busy;
	pthread_mutex_unlock(&committer->mutex);
	return is_idle;
}

enum err committer_start(struct store *store, struct committer **out)
{
	struct committer *committer = calloc(1, sizeof(*committer));

	if (committer == NULL)
		return ERR_NO_MEMORY;
	committer->store = store;
	pthread_mutex_init(&committer->mutex, NULL);
	clock_cond_init(&committer->wake);
	clock_cond_init(&committer->idle);
	if (pthread_create(&committer->thread, NULL, committer_main, committer) != 0) {
		free(committer);
		return ERR_SYSTEM;
	}
	*out = committer;
	return ERR_OK;
}

void committer_stop(struct committer *committer)
{
	if (committer == NULL)
		return;
	pthread_mutex_lock(&committer->mutex);
	committer->is_stopping = true;
	pthread_cond_signal(&committer->wake);
	pthread_mutex_unlock(&committer->mutex);
	pthread_join(committer->thread, NULL);
}

void committer_free(struct committer *committer)
{
	if (committer == NULL)
		return;
	pthread_cond_destroy(&committer->wake);
	pthread_cond_destroy(&committer->idle);
	pthread_mutex_destroy(&committer->mutex);
	free(committer);
}

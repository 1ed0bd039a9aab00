#include "store/flusher.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/apply.h"
#include "store/break.h"
#include "store/committer.h"
#include "store/content.h"
#include "store/node.h"

/*
 * A long stream is handed to the disk in pieces, one after another, before it is
 * flushed: else the disk gets hundreds of MiB at once, and whoever makes something
 * small durable waits behind them.  Not if somebody waits for the file itself.
 */
#define PIECE_LEN     (1u << 20)
#define PIECE_IN_TURN (256u << 10) /* while somebody does */
#define LONG_STREAM   (4u << 20)   /* shorter ones are flushed as they are */
#define STRETCHES_MAX 16u /* what came meanwhile is written out too, but not for ever */

struct job {
	struct job *next;
	struct content *content; /* pinned */
	uint64_t offset, end;    /* bytes of the backing file still to be written out */
	unsigned int stretches;  /* so far */
	flusher_then *then;      /* may be NULL */
	void *ctx;
};

struct flusher {
	struct store *store;
	pthread_t thread;
	pthread_mutex_t mutex;   /* protects the rest */
	pthread_cond_t wake, done;
	struct job *first, *last;
	bool is_busy, is_stopping;
	atomic_bool is_hurried;  /* somebody waits for all of the queue */
};

/* Waits for a move under way: between the rename and the note of it neither is true. */
static bool lies_in_new(struct content *content)
{
	bool in_new;

	pthread_mutex_lock(&content->file_mutex);
	in_new = atomic_load(&content->in_new);
	pthread_mutex_unlock(&content->file_mutex);
	return in_new;
}

/* R6: the directory entry of a new object, wherever the applier has it by now. */
static enum err sync_name(struct store *store, struct content *content)
{
	while (!atomic_load(&content->name_durable) && !STORE_BREAK(R6_NO_DIRECTORY)) {
		bool in_new = lies_in_new(content);
		char path[OBJECT_PATH_LEN];
		enum err err;

		content_path(content, path);
		*strrchr(path, '/') = '\0';
		err = store->ciphertext->ops->sync_dir(store->ciphertext, path);
		if (err != ERR_OK)
			return err;
		if (lies_in_new(content) == in_new || STORE_BREAK(R6_ONCE))
			atomic_store(&content->name_durable, true);
	}
	return ERR_OK;
}

static enum err sync_content(struct store *store, struct content *content)
{
	int file;
	enum err err = content_open_file(store, content, CONTENT_EXISTING, &file);

	if (err == ERR_OK && !STORE_BREAK(R1_NO_FDATASYNC))
		err = store->ciphertext->ops->fdatasync(store->ciphertext, file);
	return err == ERR_OK ? sync_name(store, content) : err;
}

/* node->mutex held. */
static void forget_unwritten(struct content *content)
{
	content->unwritten_first = content->unwritten_end = content->unwritten_count = 0;
}

static enum err flush(struct store *store, struct content *content)
{
	struct node *node = content->node;
	/* I11: what was applied before the flush starts, the flush makes durable. */
	uint64_t base = applier_seq(store->applier);
	uint64_t streamed_op;
	enum err err = ERR_OK;

	pthread_mutex_lock(&node->mutex);
	content->flush_queued = false;
	/* Its own part of the one under way, too: it may have streamed where that had taken blocks away. */
	if (content->applied_seq > base && !STORE_BREAK(I11_WHOLE_TXNS))
		base = content->applied_seq;
	if (content_has_unflushed(content))
		err = cut_take(content, &content->flushing);
	forget_unwritten(content);
	streamed_op = content->streamed_op;
	pthread_mutex_unlock(&node->mutex);
	if (err != ERR_OK || content->flushing == NULL)
		return err;
	err = sync_content(store, content);
	if (STORE_BREAK(I11_LATE_BASE))
		base = applier_seq(store->applier);
	pthread_mutex_lock(&node->mutex);
	if (err == ERR_OK) {
		content->synced_op = streamed_op;
		if (base > content->base)
			content->base = base;
		content_set_ready(content, content->flushing);
		content->flushing = NULL;
	}
	pthread_mutex_unlock(&node->mutex);
	return err;
}

/* --- writing out in pieces -------------------------------------------------------------- */

/*
 * What has been streamed since, if that is much and lies together: a range that is
 * a hole for the most part has more pieces than there is time for.  node->mutex held.
 */
static void next_stretch(struct job *job)
{
	struct content *content = job->content;
	uint64_t first = content->unwritten_first, end = content->unwritten_end;
	uint64_t count = content->unwritten_count;

	job->offset = job->end = 0;
	forget_unwritten(content);
	if (count < LONG_STREAM / BLOCK_SIZE || end - first > 2 * count ||
	    job->stretches == STRETCHES_MAX)
		return;
	job->stretches++;
	job->offset = layout_page_of_block(first) * BLOCK_SIZE;
	job->end = layout_page_of_block(end) * BLOCK_SIZE;
}

/* Is there more of it, and nobody who waits for this file? */
static bool must_write_out(struct job *job)
{
	struct node *node = job->content->node;
	bool is_wanted;

	pthread_mutex_lock(&node->mutex);
	is_wanted = job->then != NULL || node->wanted_op > node->flushed_op ||
		    node->must_op > node->flushed_op;
	if (job->offset == job->end && !is_wanted)
		next_stretch(job);
	pthread_mutex_unlock(&node->mutex);
	return job->offset < job->end && !is_wanted;
}

/* The next piece; false: nothing is left to write out, or there is no time for it. */
static bool write_piece(struct flusher *flusher, struct job *job, enum err *err)
{
	struct store *store = flusher->store;
	uint64_t len = committer_was_asked(store->committer) ? PIECE_IN_TURN : PIECE_LEN;
	int file;

	if (atomic_load(&flusher->is_hurried) || !must_write_out(job))
		return false;
	if (job->end - job->offset < len)
		len = job->end - job->offset;
	*err = content_open_file(store, job->content, CONTENT_EXISTING, &file);
	if (*err == ERR_OK)
		*err = store->ciphertext->ops->write_out(store->ciphertext, file, job->offset, len);
	job->offset += len;
	return *err == ERR_OK;
}

static void push(struct flusher *flusher, struct job *job)
{
	if (flusher->last != NULL)
		flusher->last->next = job;
	else
		flusher->first = job;
	flusher->last = job;
}

static struct job *pop(struct flusher *flusher)
{
	struct job *job = flusher->first;

	flusher->first = job->next;
	if (flusher->first == NULL)
		flusher->last = NULL;
	job->next = NULL;
	return job;
}

/* Some of the job, or all of it; true: it is done. */
static bool work_on(struct flusher *flusher, struct job *job)
{
	struct store *store = flusher->store;
	enum err err = ERR_OK;

	/* A cut whose flush failed keeps its place: readers need its shrinks. */
	if (atomic_load(&store->frozen) == ERR_OK) {
		if (write_piece(flusher, job, &err))
			return false;
		if (err == ERR_OK)
			err = flush(store, job->content);
	}
	if (err != ERR_OK)
		store_freeze(store, err);
	content_put(store, job->content);
	committer_cut_ready(store->committer);
	if (job->then != NULL)
		job->then(job->ctx);
	return true;
}

static void *flusher_main(void *ctx)
{
	struct flusher *flusher = ctx;

	pthread_mutex_lock(&flusher->mutex);
	while (!flusher->is_stopping || flusher->first != NULL) {
		struct job *job;
		bool is_done;

		if (flusher->first == NULL) {
			pthread_cond_wait(&flusher->wake, &flusher->mutex);
			continue;
		}
		job = pop(flusher);
		flusher->is_busy = true;
		pthread_mutex_unlock(&flusher->mutex);
		is_done = work_on(flusher, job);
		if (is_done)
			free(job);
		pthread_mutex_lock(&flusher->mutex);
		if (!is_done)
			push(flusher, job);
		flusher->is_busy = false;
		pthread_cond_broadcast(&flusher->done);
	}
	pthread_mutex_unlock(&flusher->mutex);
	return NULL;
}

/* --- asking ------------------------------------------------------------------------------ */

static void enqueue(struct flusher *flusher, struct job *job)
{
	pthread_mutex_lock(&flusher->mutex);
	push(flusher, job);
	pthread_cond_signal(&flusher->wake);
	pthread_mutex_unlock(&flusher->mutex);
}

/* node->mutex held. */
static struct job *job_new(struct content *content, flusher_then *then, void *ctx)
{
	struct job *job = malloc(sizeof(*job));

	if (job != NULL) {
		*job = (struct job){.content = content, .then = then, .ctx = ctx};
		content->flush_queued = true;
		content_pin(content);
	}
	return job;
}

void flusher_request(struct flusher *flusher, struct content *content)
{
	struct job *job;

	if (content->flush_queued || !content_has_unflushed(content))
		return;
	job = job_new(content, NULL, NULL);
	if (job != NULL) /* else the timer asks again */
		enqueue(flusher, job);
}

bool flusher_request_then(struct flusher *flusher, struct content *content, flusher_then *then,
			  void *ctx)
{
	struct job *job;

	pthread_mutex_lock(&content->node->mutex);
	job = job_new(content, then, ctx);
	pthread_mutex_unlock(&content->node->mutex);
	if (job != NULL)
		enqueue(flusher, job);
	return job != NULL;
}

void flusher_request_all(struct store *store)
{
	struct node **list;
	size_t count;

	if (node_list_dirty(store, &list, &count) != ERR_OK)
		return; /* the timer asks again */
	for (size_t i = 0; i < count; i++) {
		struct node *node = list[i];

		pthread_mutex_lock(&node->mutex);
		if (node->content != NULL && node->is_dirty)
			flusher_request(store->flusher, node->content);
		pthread_mutex_unlock(&node->mutex);
		node_put(store, node);
	}
	free(list);
}

bool flusher_drain(struct flusher *flusher, int64_t deadline_ns)
{
	bool is_empty;

	atomic_store(&flusher->is_hurried, true);
	pthread_mutex_lock(&flusher->mutex);
	for (;;) {
		is_empty = flusher->first == NULL && !flusher->is_busy;
		if (is_empty || clock_boot_ns() >= deadline_ns)
			break;
		clock_cond_wait(&flusher->done, &flusher->mutex, deadline_ns);
	}
	pthread_mutex_unlock(&flusher->mutex);
	atomic_store(&flusher->is_hurried, false);
	return is_empty;
}

enum err flusher_start(struct store *store, struct flusher **out)
{
	struct flusher *flusher = calloc(1, sizeof(*flusher));

	if (flusher == NULL)
		return ERR_NO_MEMORY;
	flusher->store = store;
	pthread_mutex_init(&flusher->mutex, NULL);
	pthread_cond_init(&flusher->wake, NULL);
	clock_cond_init(&flusher->done);
	if (pthread_create(&flusher->thread, NULL, flusher_main, flusher) != 0) {
		free(flusher);
		return ERR_SYSTEM;
	}
	*out = flusher;
	return ERR_OK;
}

void flusher_stop(struct flusher *flusher)
{
	if (flusher == NULL)
		return;
	pthread_mutex_lock(&flusher->mutex);
	flusher->is_stopping = true;
	pthread_cond_signal(&flusher->wake);
	pthread_mutex_unlock(&flusher->mutex);
	pthread_join(flusher->thread, NULL);
	pthread_cond_destroy(&flusher->wake);
	pthread_cond_destroy(&flusher->done);
	pthread_mutex_destroy(&flusher->mutex);
	free(flusher);
}

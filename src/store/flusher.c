#include "store/flusher.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/apply.h"
#include "store/break.h"
#include "store/committer.h"
#include "store/content.h"
#include "store/node.h"

struct job {
	struct job *next;
	struct content *content; /* pinned */
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

static enum err flush(struct store *store, struct content *content)
{
	struct node *node = content->node;
	/* I11: what was applied before the flush starts, the flush makes durable. */
	uint64_t base = applier_seq(store->applier);
	uint64_t streamed_op;
	enum err err = ERR_OK;

	pthread_mutex_lock(&node->mutex);
	content->flush_queued = false;
	if (content_has_unflushed(content))
		err = cut_take(content, &content->flushing);
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

static void *flusher_main(void *ctx)
{
	struct flusher *flusher = ctx;

	pthread_mutex_lock(&flusher->mutex);
	while (!flusher->is_stopping || flusher->first != NULL) {
		struct job *job = flusher->first;
		enum err err = ERR_OK;

		if (job == NULL) {
			pthread_cond_wait(&flusher->wake, &flusher->mutex);
			continue;
		}
		flusher->first = job->next;
		if (flusher->first == NULL)
			flusher->last = NULL;
		flusher->is_busy = true;
		pthread_mutex_unlock(&flusher->mutex);
		/* A cut whose flush failed keeps its place: readers need its shrinks. */
		if (atomic_load(&flusher->store->frozen) == ERR_OK)
			err = flush(flusher->store, job->content);
		if (err != ERR_OK)
			store_freeze(flusher->store, err);
		content_put(flusher->store, job->content);
		committer_cut_ready(flusher->store->committer);
		if (job->then != NULL)
			job->then(job->ctx);
		free(job);
		pthread_mutex_lock(&flusher->mutex);
		flusher->is_busy = false;
		pthread_cond_broadcast(&flusher->done);
	}
	pthread_mutex_unlock(&flusher->mutex);
	return NULL;
}

static void push(struct flusher *flusher, struct job *job)
{
	pthread_mutex_lock(&flusher->mutex);
	if (flusher->last != NULL)
		flusher->last->next = job;
	else
		flusher->first = job;
	flusher->last = job;
	pthread_cond_signal(&flusher->wake);
	pthread_mutex_unlock(&flusher->mutex);
}

static struct job *job_new(struct content *content, flusher_then *then, void *ctx)
{
	struct job *job = malloc(sizeof(*job));

	if (job != NULL) {
		*job = (struct job){NULL, content, then, ctx};
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
		push(flusher, job);
}

bool flusher_request_then(struct flusher *flusher, struct content *content, flusher_then *then,
			  void *ctx)
{
	struct job *job;

	pthread_mutex_lock(&content->node->mutex);
	job = job_new(content, then, ctx);
	pthread_mutex_unlock(&content->node->mutex);
	if (job != NULL)
		push(flusher, job);
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

	pthread_mutex_lock(&flusher->mutex);
	for (;;) {
		is_empty = flusher->first == NULL && !flusher->is_busy;
		if (is_empty || clock_boot_ns() >= deadline_ns)
			break;
		clock_cond_wait(&flusher->done, &flusher->mutex, deadline_ns);
	}
	pthread_mutex_unlock(&flusher->mutex);
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

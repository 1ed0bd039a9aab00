#include "base/periodic.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"

struct periodic {
	periodic_work *work;
	void *ctx;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool is_stopping; /* under the mutex */
};

static void *run(void *arg)
{
	struct periodic *periodic = arg;
	int64_t deadline;

	pthread_mutex_lock(&periodic->mutex);
	while (!periodic->is_stopping) {
		pthread_mutex_unlock(&periodic->mutex);
		deadline = periodic->work(periodic->ctx);
		deadline += clock_boot_ns();
		pthread_mutex_lock(&periodic->mutex);
		while (!periodic->is_stopping && clock_boot_ns() < deadline)
			clock_cond_wait(&periodic->wake, &periodic->mutex, deadline);
	}
	pthread_mutex_unlock(&periodic->mutex);
	return NULL;
}

static void release(struct periodic *periodic)
{
	pthread_cond_destroy(&periodic->wake);
	pthread_mutex_destroy(&periodic->mutex);
	free(periodic);
}

enum err periodic_new(periodic_work *work, void *ctx, struct periodic **periodic)
{
	struct periodic *made = calloc(1, sizeof(*made));

	if (made == NULL)
		return ERR_NO_MEMORY;
	made->work = work;
	made->ctx = ctx;
	pthread_mutex_init(&made->mutex, NULL);
	clock_cond_init(&made->wake);
	if (pthread_create(&made->thread, NULL, run, made) != 0) {
		release(made);
		return ERR_NO_MEMORY;
	}
	*periodic = made;
	return ERR_OK;
}

void periodic_free(struct periodic *periodic)
{
	if (periodic == NULL)
		return;
	pthread_mutex_lock(&periodic->mutex);
	periodic->is_stopping = true;
	pthread_cond_signal(&periodic->wake);
	pthread_mutex_unlock(&periodic->mutex);
	pthread_join(periodic->thread, NULL);
	release(periodic);
}

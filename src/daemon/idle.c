#include "daemon/idle.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"

struct idle {
	struct idle_calls calls;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool is_stopping, is_asked; /* under the mutex */
};

/* Called with the mutex. */
static void wait_for(struct idle *idle, int64_t ms)
{
	int64_t deadline = clock_boot_ns() + (ms < IDLE_LOOK_MS ? ms : IDLE_LOOK_MS) * NS_PER_MS;

	while (!idle->is_stopping && !idle->is_asked && clock_boot_ns() < deadline)
		clock_cond_wait(&idle->wake, &idle->mutex, deadline);
	idle->is_asked = false;
}

static void *run(void *arg)
{
	struct idle *idle = arg;
	int64_t left;

	pthread_mutex_lock(&idle->mutex);
	while (!idle->is_stopping) {
		pthread_mutex_unlock(&idle->mutex);
		left = idle->calls.left_ms(idle->calls.ctx);
		if (left == 0)
			idle->calls.due(idle->calls.ctx);
		pthread_mutex_lock(&idle->mutex);
		/* What was due and did not help is not tried in a loop. */
		wait_for(idle, left == 0 ? IDLE_LOOK_MS : left);
	}
	pthread_mutex_unlock(&idle->mutex);
	return NULL;
}

static void release(struct idle *idle)
{
	pthread_cond_destroy(&idle->wake);
	pthread_mutex_destroy(&idle->mutex);
	free(idle);
}

enum err idle_new(const struct idle_calls *calls, struct idle **idle)
{
	struct idle *made = calloc(1, sizeof(*made));

	if (!made)
		return ERR_NO_MEMORY;
	made->calls = *calls;
	pthread_mutex_init(&made->mutex, NULL);
	clock_cond_init(&made->wake);
	if (pthread_create(&made->thread, NULL, run, made)) {
		release(made);
		return ERR_NO_MEMORY;
	}
	*idle = made;
	return ERR_OK;
}

void idle_free(struct idle *idle)
{
	if (!idle)
		return;
	pthread_mutex_lock(&idle->mutex);
	idle->is_stopping = true;
	pthread_cond_signal(&idle->wake);
	pthread_mutex_unlock(&idle->mutex);
	pthread_join(idle->thread, NULL);
	release(idle);
}

void idle_look(struct idle *idle)
{
	pthread_mutex_lock(&idle->mutex);
	idle->is_asked = true;
	pthread_cond_signal(&idle->wake);
	pthread_mutex_unlock(&idle->mutex);
}

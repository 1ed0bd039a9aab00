#include "daemon/watchdog.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"

struct watchdog {
	struct watchdog_calls calls;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool is_stopping;    /* under the mutex */
	bool is_aborted;     /* the thread's own */
	int64_t next_alive_ns;
};

/* A daemon whose invalidation hangs is not called alive: the manager may then end it. */
static void look(struct watchdog *watchdog)
{
	const struct watchdog_calls *calls = &watchdog->calls;
	bool is_stuck = calls->stuck_ns(calls->ctx) > calls->stuck_ms * NS_PER_MS;

	if (is_stuck && !watchdog->is_aborted)
		calls->abort(calls->ctx);
	watchdog->is_aborted = is_stuck;
	if (is_stuck || calls->alive_ns == 0 || clock_boot_ns() < watchdog->next_alive_ns)
		return;
	calls->alive(calls->ctx);
	watchdog->next_alive_ns = clock_boot_ns() + calls->alive_ns;
}

static int64_t look_ns(const struct watchdog_calls *calls)
{
	int64_t ns = WATCHDOG_LOOK_MS * NS_PER_MS;

	return calls->alive_ns > 0 && calls->alive_ns / 2 < ns ? calls->alive_ns / 2 : ns;
}

static void *run(void *arg)
{
	struct watchdog *watchdog = arg;
	int64_t deadline;

	pthread_mutex_lock(&watchdog->mutex);
	while (!watchdog->is_stopping) {
		pthread_mutex_unlock(&watchdog->mutex);
		look(watchdog);
		pthread_mutex_lock(&watchdog->mutex);
		deadline = clock_boot_ns() + look_ns(&watchdog->calls);
		while (!watchdog->is_stopping && clock_boot_ns() < deadline)
			clock_cond_wait(&watchdog->wake, &watchdog->mutex, deadline);
	}
	pthread_mutex_unlock(&watchdog->mutex);
	return NULL;
}

static void release(struct watchdog *watchdog)
{
	pthread_cond_destroy(&watchdog->wake);
	pthread_mutex_destroy(&watchdog->mutex);
	free(watchdog);
}

enum err watchdog_new(const struct watchdog_calls *calls, struct watchdog **watchdog)
{
	struct watchdog *made = calloc(1, sizeof(*made));

	if (!made)
		return ERR_NO_MEMORY;
	made->calls = *calls;
	pthread_mutex_init(&made->mutex, NULL);
	clock_cond_init(&made->wake);
	if (pthread_create(&made->thread, NULL, run, made)) {
		release(made);
		return ERR_NO_MEMORY;
	}
	*watchdog = made;
	return ERR_OK;
}

void watchdog_free(struct watchdog *watchdog)
{
	if (!watchdog)
		return;
	pthread_mutex_lock(&watchdog->mutex);
	watchdog->is_stopping = true;
	pthread_cond_signal(&watchdog->wake);
	pthread_mutex_unlock(&watchdog->mutex);
	pthread_join(watchdog->thread, NULL);
	release(watchdog);
}

#include "base/crew.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

/* On the stack of who has the work. */
struct job {
	struct job *next;
	crew_piece *each;
	void *ctx;
	unsigned int pieces, taken, done;
	pthread_cond_t finished;
};

struct crew {
	pthread_mutex_t mutex; /* guards all of this, and the jobs */
	pthread_cond_t wake;
	struct job *jobs;      /* with pieces that nobody took yet */
	unsigned int idle;     /* helpers that sleep */
	bool is_stopping;
	unsigned int helpers;
	pthread_t threads[CREW_HELPERS_MAX];
};

unsigned int crew_helpers_for_machine(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (cores <= 1)
		return 0;
	return cores - 1 < (long)CREW_HELPERS_MAX ? (unsigned int)(cores - 1) : CREW_HELPERS_MAX;
}

static void leave_list(struct crew *crew, struct job *job)
{
	struct job **link = &crew->jobs;

	while (*link != job)
		link = &(*link)->next;
	*link = job->next;
}

/* Takes a piece and does it; the mutex is held on entry and on return. */
static void do_piece(struct crew *crew, struct job *job)
{
	unsigned int piece = job->taken++;

	if (job->taken == job->pieces)
		leave_list(crew, job);
	pthread_mutex_unlock(&crew->mutex);
	job->each(job->ctx, piece);
	pthread_mutex_lock(&crew->mutex);
	if (++job->done == job->pieces)
		pthread_cond_signal(&job->finished);
}

static void *help(void *arg)
{
	struct crew *crew = arg;

	pthread_mutex_lock(&crew->mutex);
	while (!crew->is_stopping) {
		if (crew->jobs != NULL) {
			do_piece(crew, crew->jobs);
			continue;
		}
		crew->idle++;
		pthread_cond_wait(&crew->wake, &crew->mutex);
		crew->idle--;
	}
	pthread_mutex_unlock(&crew->mutex);
	return NULL;
}

void crew_run(struct crew *crew, unsigned int pieces, crew_piece *each, void *ctx)
{
	struct job job = {.each = each, .ctx = ctx, .pieces = pieces};

	if (crew->helpers == 0 || pieces < 2) {
		for (unsigned int i = 0; i < pieces; i++)
			each(ctx, i);
		return;
	}
	pthread_cond_init(&job.finished, NULL);
	pthread_mutex_lock(&crew->mutex);
	job.next = crew->jobs;
	crew->jobs = &job;
	for (unsigned int i = 1; i < pieces && i <= crew->idle; i++)
		pthread_cond_signal(&crew->wake);
	while (job.taken < pieces)
		do_piece(crew, &job);
	while (job.done < pieces)
		pthread_cond_wait(&job.finished, &crew->mutex);
	pthread_mutex_unlock(&crew->mutex);
	pthread_cond_destroy(&job.finished);
}

enum err crew_new(unsigned int helpers, struct crew **crew)
{
	struct crew *made = calloc(1, sizeof(*made));

	if (made == NULL)
		return ERR_NO_MEMORY;
	pthread_mutex_init(&made->mutex, NULL);
	pthread_cond_init(&made->wake, NULL);
	while (made->helpers < helpers && made->helpers < CREW_HELPERS_MAX) {
		if (pthread_create(&made->threads[made->helpers], NULL, help, made) != 0) {
			crew_free(made);
			return ERR_NO_MEMORY;
		}
		made->helpers++;
	}
	*crew = made;
	return ERR_OK;
}

void crew_free(struct crew *crew)
{
	if (crew == NULL)
		return;
	pthread_mutex_lock(&crew->mutex);
	crew->is_stopping = true;
	pthread_cond_broadcast(&crew->wake);
	pthread_mutex_unlock(&crew->mutex);
	for (unsigned int i = 0; i < crew->helpers; i++)
		pthread_join(crew->threads[i], NULL);
	pthread_cond_destroy(&crew->wake);
	pthread_mutex_destroy(&crew->mutex);
	free(crew);
}

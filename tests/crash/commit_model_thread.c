/* Coroutines: one for each thread of the store, and the workers. */
#include <stdlib.h>
#include <ucontext.h>

#include "commit_model.h"

#define STACK_LEN (64u << 10)

struct thread {
	ucontext_t context;
	ready_fn *ready;      /* NULL: it can go on */
	int arg;
	char stack[STACK_LEN];
};

/* makecontext passes nothing but int. */
static struct model *running;
static ucontext_t scheduler;

static void main_of(int number)
{
	struct model *m = running;

	if (number == THREAD_COMMITTER)
		committer_main(m);
	else if (number == THREAD_APPLIER)
		applier_main(m);
	else if (number == THREAD_FLUSHER)
		flusher_main(m);
	else
		worker_main(m);
	abort(); /* none returns */
}

void threads_begin(struct model *m)
{
	running = m;
	if (m->threads == NULL)
		m->threads = calloc(THREADS, sizeof(*m->threads));
	if (m->threads == NULL)
		abort();
	for (int i = 0; i < THREADS; i++) {
		struct thread *thread = &m->threads[i];

		getcontext(&thread->context);
		thread->context.uc_stack.ss_sp = thread->stack;
		thread->context.uc_stack.ss_size = STACK_LEN;
		thread->context.uc_link = &scheduler;
		thread->ready = NULL;
		makecontext(&thread->context, (void (*)(void))(void *)main_of, 1, i);
	}
}

static bool can_go_on(struct model *m, int number)
{
	const struct thread *thread = &m->threads[number];

	return thread->ready == NULL || thread->ready(m, thread->arg);
}

bool threads_turn(struct model *m)
{
	int able[THREADS], count = 0;

	for (int i = 0; i < THREADS; i++)
		if (can_go_on(m, i))
			able[count++] = i;
	if (count == 0)
		return false;
	m->current = able[below(m, count)];
	m->threads[m->current].ready = NULL;
	swapcontext(&scheduler, &m->threads[m->current].context);
	return true;
}

void step(struct model *m)
{
	swapcontext(&m->threads[m->current].context, &scheduler);
}

void wait_for(struct model *m, ready_fn *ready, int arg)
{
	while (!ready(m, arg)) {
		struct thread *thread = &m->threads[m->current];

		thread->ready = ready;
		thread->arg = arg;
		step(m);
	}
}

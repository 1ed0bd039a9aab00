#include "fsops/reply_buffer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/secmem.h"

/* Global because libfuse owns the threads: nothing else is handed from one request to the next. */
struct reply_memory {
	struct reply_memory *next, *previous;
	void *data;
	_Atomic size_t used; /* bytes that held something since the last wipe */
};

static pthread_mutex_t registry_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct reply_memory *registry; /* protected by registry_mutex */
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t at_thread_exit;
static _Thread_local struct reply_memory *this_memory;
static _Thread_local struct reply_loan *this_loan;

static void memory_free(struct reply_memory *memory)
{
	secmem_free(memory->data);
	free(memory);
}

static void thread_left(void *arg)
{
	struct reply_memory *memory = arg;

	pthread_mutex_lock(&registry_mutex);
	if (memory->next)
		memory->next->previous = memory->previous;
	if (memory->previous)
		memory->previous->next = memory->next;
	else
		registry = memory->next;
	pthread_mutex_unlock(&registry_mutex);
	memory_free(memory);
}

static void make_key(void)
{
	if (pthread_key_create(&at_thread_exit, thread_left))
		abort(); /* PTHREAD_KEYS_MAX is 1024, this program makes a handful */
}

static struct reply_memory *memory_new(void)
{
	struct reply_memory *memory = calloc(1, sizeof(*memory));

	if (!memory)
		return NULL;
	memory->data = secmem_alloc(REPLY_MAX);
	if (!memory->data) {
		free(memory);
		return NULL;
	}
	return memory;
}

static struct reply_memory *memory_register(void)
{
	struct reply_memory *memory = memory_new();

	if (!memory)
		return NULL;
	pthread_once(&key_once, make_key);
	if (pthread_setspecific(at_thread_exit, memory)) {
		memory_free(memory);
		return NULL;
	}
	pthread_mutex_lock(&registry_mutex);
	memory->next = registry;
	if (registry)
		registry->previous = memory;
	registry = memory;
	pthread_mutex_unlock(&registry_mutex);
	return memory;
}

void reply_buffer_lend(struct reply_loan *loan)
{
	this_loan = loan;
}

void *reply_buffer(size_t size)
{
	if (size > REPLY_MAX)
		return NULL;
	if (this_loan) {
		if (size > this_loan->used)
			this_loan->used = size;
		return this_loan->data;
	}
	if (!this_memory)
		this_memory = memory_register();
	if (!this_memory)
		return NULL;
	if (size > this_memory->used)
		this_memory->used = size;
	return this_memory->data;
}

void reply_buffers_wipe(void)
{
	pthread_mutex_lock(&registry_mutex);
	for (struct reply_memory *memory = registry; memory; memory = memory->next) {
		secmem_wipe(memory->data, memory->used);
		memory->used = 0;
	}
	pthread_mutex_unlock(&registry_mutex);
}

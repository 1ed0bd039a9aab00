#include "fsops/scope.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct scopes {
	pthread_mutex_t mutex;
	struct scope *current; /* has one user: this */
	_Atomic uint64_t generation;
};

static struct scope *scope_new(struct policy *policy, uint64_t generation)
{
	struct scope *scope = calloc(1, sizeof(*scope));

	if (scope == NULL) {
		policy_free(policy);
		return NULL;
	}
	scope->policy = policy;
	scope->generation = generation;
	atomic_init(&scope->users, 1);
	return scope;
}

enum err scopes_new(struct policy *policy, struct scopes **scopes)
{
	struct scope *first = scope_new(policy, 1);
	struct scopes *s;

	if (first == NULL)
		return ERR_NO_MEMORY;
	s = calloc(1, sizeof(*s));
	if (s == NULL) {
		scope_put(first);
		return ERR_NO_MEMORY;
	}
	pthread_mutex_init(&s->mutex, NULL);
	s->current = first;
	atomic_init(&s->generation, 1);
	*scopes = s;
	return ERR_OK;
}

void scopes_free(struct scopes *scopes)
{
	if (scopes == NULL)
		return;
	scope_put(scopes->current);
	pthread_mutex_destroy(&scopes->mutex);
	free(scopes);
}

/* With the mutex. */
static void put_in_force(struct scopes *scopes, struct scope *next)
{
	next->generation = scopes->current->generation + 1;
	scopes->current = next;
	/* After the policy: who sees the number finds what it stands for. */
	atomic_store(&scopes->generation, next->generation);
}

enum err scopes_set(struct scopes *scopes, struct policy *policy)
{
	struct scope *before, *next = scope_new(policy, 0);

	if (next == NULL)
		return ERR_NO_MEMORY;
	pthread_mutex_lock(&scopes->mutex);
	before = scopes->current;
	put_in_force(scopes, next);
	pthread_mutex_unlock(&scopes->mutex);
	scope_put(before);
	return ERR_OK;
}

enum err scopes_renew(struct scopes *scopes)
{
	struct scope *before, *next = calloc(1, sizeof(*next));

	if (next == NULL)
		return ERR_NO_MEMORY;
	atomic_init(&next->users, 1);
	pthread_mutex_lock(&scopes->mutex);
	before = scopes->current;
	next->policy = before->policy;
	next->owner = scope_hold(before->owner != NULL ? before->owner : before);
	put_in_force(scopes, next);
	pthread_mutex_unlock(&scopes->mutex);
	scope_put(before);
	return ERR_OK;
}

uint64_t scopes_generation(const struct scopes *scopes)
{
	return atomic_load_explicit(&scopes->generation, memory_order_acquire);
}

struct scope *scope_take(struct scopes *scopes)
{
	struct scope *scope;

	pthread_mutex_lock(&scopes->mutex);
	scope = scope_hold(scopes->current);
	pthread_mutex_unlock(&scopes->mutex);
	return scope;
}

struct scope *scope_hold(struct scope *scope)
{
	atomic_fetch_add(&scope->users, 1);
	return scope;
}

void scope_put(struct scope *scope)
{
	if (scope == NULL || atomic_fetch_sub(&scope->users, 1) > 1)
		return;
	if (scope->owner != NULL)
		scope_put(scope->owner);
	else
		policy_free(scope->policy);
	free(scope);
}

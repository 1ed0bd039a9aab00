#include "fsops/fsops.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/clock.h"
#include "base/log.h"
#include "fsops/private.h"
#include "fsops/guard_private.h"
#include "fsops/reply_buffer.h"

/* --- life --------------------------------------------------------------------------- */

static enum err make_parts(struct fsops *fsops)
{
	enum err err = scopes_new(fsops->config.policy, &fsops->scopes);

	fsops->config.policy = NULL; /* theirs, whatever happened */
	if (err == ERR_OK)
		err = callers_new(&fsops->callers);
	if (err == ERR_OK)
		err = places_new(fsops->store, &fsops->places);
	if (err == ERR_OK)
		err = handle_table_new(&fsops->handles);
	if (err == ERR_OK)
		err = refusals_new(fsops->config.audit, &fsops->refusals);
	if (err == ERR_OK)
		err = numbers_new(&fsops->filled);
	if (err == ERR_OK)
		err = guard_pool_new(&fsops->pool);
	return err;
}

enum err fsops_new(const struct fsops_config *config, struct fsops **fsops)
{
	struct fsops *f = calloc(1, sizeof(*f));
	enum err err;

	if (f == NULL) {
		policy_free(config->policy);
		return ERR_NO_MEMORY;
	}
	f->config = *config;
	f->store = config->store;
	f->reply = &reply_libfuse;
	err = make_parts(f);
	if (err == ERR_OK)
		err = ticker_start(f);
	if (err != ERR_OK) {
		fsops_free(f);
		return err;
	}
	*fsops = f;
	return ERR_OK;
}

static bool close_record(void *ctx, struct handle *handle)
{
	handle_record_close(ctx, handle);
	return true;
}

/* Handles that are still open (the mount was detached) end with it. */
void fsops_free(struct fsops *fsops)
{
	if (fsops == NULL)
		return;
	ticker_stop(fsops);
	if (fsops->handles != NULL)
		handle_walk(fsops->handles, close_record, fsops);
	if (fsops->refusals != NULL)
		refusals_flush(fsops->refusals);
	guard_pool_free(fsops->pool);
	numbers_free(fsops->filled);
	refusals_free(fsops->refusals);
	handle_table_free(fsops->handles);
	places_free(fsops->places);
	callers_free(fsops->callers);
	scopes_free(fsops->scopes);
	free(fsops);
}

/* --- policy ------------------------------------------------------------------------- */

static void invalidate_node(void *ctx, uint64_t number)
{
	struct fsops *fsops = ctx;

	fsops->config.filled(fsops->config.ctx, number, 0, 0);
}

/*
 * Pages that a process has mapped are read without us: they are dropped, and
 * whoever touches them again is asked again.
 */
enum err fsops_set_policy(struct fsops *fsops, struct policy *policy)
{
	enum err err = scopes_set(fsops->scopes, policy);

	if (err == ERR_OK && fsops->config.filled != NULL)
		numbers_each(fsops->filled, invalidate_node, fsops);
	return err;
}

/* --- mappings ----------------------------------------------------------------------- */

static bool find_writer(void *ctx, struct handle *handle)
{
	bool *is_writing = ctx;

	*is_writing = (handle->flags & O_ACCMODE) != O_RDONLY;
	return !*is_writing;
}

bool fsops_may_be_mapped(struct fsops *fsops, uint64_t number)
{
	bool is_writing = false;

	if (numbers_has(fsops->filled, number))
		handle_walk_node(fsops->handles, number, find_writer, &is_writing);
	return is_writing;
}

/* --- lock --------------------------------------------------------------------------- */

void fsops_each_filled(struct fsops *fsops, fsops_each_number *each, void *ctx)
{
	numbers_take(fsops->filled, each, ctx);
}

uint64_t fsops_writebacks(const struct fsops *fsops)
{
	return atomic_load(&fsops->writebacks);
}

/*
 * Who opened a handle stays: its CLOSE must say whose it was, and no path is in
 * it but the program's.  What it may is asked again at its next use.
 */
static bool forget_decision(void *ctx, struct handle *handle)
{
	(void)ctx;
	atomic_store(&handle->opener.generation, 0);
	pthread_mutex_lock(&handle->mutex);
	for (size_t i = 0; i < HANDLE_OTHERS_MAX; i++)
		atomic_store(&handle->others[i].generation, 0);
	pthread_mutex_unlock(&handle->mutex);
	return true;
}

void fsops_wipe(struct fsops *fsops)
{
	refusals_flush(fsops->refusals);
	callers_wipe(fsops->callers);
	places_wipe(fsops->places);
	handle_walk(fsops->handles, forget_decision, fsops);
	reply_buffers_wipe();
}

/* --- what phifsctl shows ------------------------------------------------------------ */

struct holding {
	struct fsops_holder holder;
	UT_hash_handle hh;
};

static struct holding *holding_of(struct holding **table, const struct audit_person *person)
{
	const char *base = strrchr(person->exe, '/');
	struct holding *holding;

	HASH_FIND(hh, *table, &person->pid, sizeof(person->pid), holding);
	if (holding != NULL)
		return holding;
	holding = calloc(1, sizeof(*holding));
	if (holding == NULL)
		return NULL;
	holding->holder.pid = person->pid;
	snprintf(holding->holder.command, sizeof(holding->holder.command), "%.31s",
		 base == NULL ? person->exe : base + 1);
	if (person->user[0] != '\0')
		snprintf(holding->holder.user, sizeof(holding->holder.user), "%s", person->user);
	else
		snprintf(holding->holder.user, sizeof(holding->holder.user), "%u", person->uid);
	snprintf(holding->holder.from, sizeof(holding->holder.from), "%s", person->from);
	HASH_ADD(hh, *table, holder.pid, sizeof(holding->holder.pid), holding);
	return holding;
}

static void count_holding(struct holding **table, const struct handle_user *user,
			  bool is_writing)
{
	struct holding *holding;

	if (user->caller == NULL || !caller_is_alive(user->caller))
		return;
	holding = holding_of(table, caller_person(user->caller));
	if (holding == NULL)
		return;
	holding->holder.open++;
	holding->holder.files += is_writing;
}

static bool add_holders(void *ctx, struct handle *handle)
{
	bool is_writing = (handle->flags & O_ACCMODE) != O_RDONLY;

	if (handle->is_directory)
		return true;
	pthread_mutex_lock(&handle->mutex);
	count_holding(ctx, &handle->opener, is_writing);
	for (size_t i = 0; i < HANDLE_OTHERS_MAX; i++)
		count_holding(ctx, &handle->others[i], is_writing);
	pthread_mutex_unlock(&handle->mutex);
	return true;
}

static void each_process(struct fsops *fsops, bool all, fsops_each_holder *each, void *ctx)
{
	struct holding *table = NULL, *holding, *next;

	handle_walk(fsops->handles, add_holders, &table);
	HASH_ITER(hh, table, holding, next) {
		HASH_DEL(table, holding);
		if (all || holding->holder.files > 0)
			each(ctx, &holding->holder);
		free(holding);
	}
}

void fsops_holders(struct fsops *fsops, fsops_each_holder *each, void *ctx)
{
	each_process(fsops, false, each, ctx);
}

void fsops_openers(struct fsops *fsops, fsops_each_holder *each, void *ctx)
{
	each_process(fsops, true, each, ctx);
}

void fsops_refusals(struct fsops *fsops, uid_t uid, fsops_each_refusal *each, void *ctx)
{
	refusals_each(fsops->refusals, uid, each, ctx);
}

bool fsops_note_refusal(struct fsops *fsops, const struct audit_event *event, const char *cause)
{
	return refusals_note(fsops->refusals, event, cause);
}

void fsops_status(struct fsops *fsops, struct fsops_status *status)
{
	*status = (struct fsops_status){
		.open_handles = handle_table_count(fsops->handles),
		.reads = atomic_load(&fsops->reads),
		.writes = atomic_load(&fsops->writes),
		.refused = refusals_total(fsops->refusals),
		.refused_across_classes = refusals_across_classes(fsops->refusals),
	};
}

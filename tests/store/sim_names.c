/*
 * The simulated disk: names.
 *
 * Every change of a name is an event that stays pending until its directory is
 * synced.  Pending events happen independently of each other in a crash, except
 * that an event needs those before it that concern the same name, the same
 * inode, or the directory it lies in.
 */
#include "sim_private.h"

#include <stdlib.h>
#include <string.h>

static struct sim_name *name_find(const struct sim *sim, const char *path)
{
	struct sim_name *name;

	HASH_FIND_STR(sim->names, path, name);
	return name;
}

enum err sim_directory_get(struct sim *sim, const char *path, struct sim_name **out)
{
	struct sim_name *name;

	*out = NULL;
	if (strcmp(path, ".") == 0)
		return ERR_OK;
	name = name_find(sim, path);
	if (name == NULL || name->now == NULL)
		return ERR_NOT_FOUND;
	*out = name;
	return name->now->is_directory ? ERR_OK : ERR_NOT_DIR;
}

static enum err parent_get(struct sim *sim, const char *path, struct sim_name **parent)
{
	const char *slash = strrchr(path, '/');
	char dir[SIM_PATH_MAX] = ".";

	if (strlen(path) >= SIM_PATH_MAX)
		return ERR_NAME_LENGTH;
	if (slash == path || path[0] == '\0' || strstr(path, "..") != NULL)
		return ERR_INVALID;
	if (slash != NULL) {
		memcpy(dir, path, (size_t)(slash - path));
		dir[slash - path] = '\0';
	}
	return sim_directory_get(sim, dir, parent);
}

enum err sim_name_get(struct sim *sim, const char *path, struct sim_name **out)
{
	struct sim_name *parent, *name;
	enum err err = parent_get(sim, path, &parent);

	if (err != ERR_OK)
		return err;
	name = name_find(sim, path);
	if (name == NULL) {
		name = sim_alloc(sizeof(*name));
		memcpy(name->path, path, strlen(path) + 1);
		name->parent = parent;
		HASH_ADD_STR(sim->names, path, name);
	}
	*out = name;
	return ERR_OK;
}

/* --- events -------------------------------------------------------------------- */

static struct sim_event *event_new(struct sim *sim, struct sim_name *directory)
{
	struct sim_event *event;

	sim->events =
		sim_grow(sim->events, sim->events_count, &sim->events_room, sizeof(*sim->events));
	event = &sim->events[sim->events_count++];
	*event = (struct sim_event){.when = ++sim->clock, .directory = directory};
	return event;
}

/* `inode` NULL: the name is taken from what has it. */
static void event_add(struct sim *sim, struct sim_event *event, struct sim_name *name,
		      struct sim_inode *inode)
{
	struct sim_inode *old = name->now;
	struct sim_change *change = &event->changes[event->count++];

	*change = (struct sim_change){name, inode, inode == NULL ? old : inode};
	sim_inode_use(change->moved);
	if (inode != NULL)
		sim_inode_use(inode);
	name->now = inode;
	sim_inode_release(sim, old);
}

void sim_name_change(struct sim *sim, struct sim_name *name, struct sim_inode *inode)
{
	event_add(sim, event_new(sim, name->parent), name, inode);
}

void sim_name_move(struct sim *sim, struct sim_name *from, struct sim_name *to)
{
	struct sim_event *event = event_new(sim, to->parent);

	event_add(sim, event, to, from->now);
	/* A file system without a journal adds the new name and then takes the old. */
	if (sim->rename_in_two)
		event = event_new(sim, from->parent);
	event_add(sim, event, from, NULL);
}

static void set_durable(struct sim *sim, struct sim_name *name, struct sim_inode *inode)
{
	struct sim_inode *old = name->durable;

	if (inode != NULL)
		sim_inode_use(inode);
	name->durable = inode;
	sim_inode_release(sim, old);
}

/* Events before this one that it needs are recognised by the marks it leaves. */
static void mark_event(struct sim_event *event)
{
	for (size_t i = 0; i < event->count; i++) {
		struct sim_name *name = event->changes[i].name;

		name->mark = true;
		event->changes[i].moved->mark = true;
		if (name->parent != NULL)
			name->parent->mark = true;
	}
}

static bool is_marked(const struct sim_event *event)
{
	for (size_t i = 0; i < event->count; i++)
		if (event->changes[i].name->mark || event->changes[i].moved->mark)
			return true;
	return false;
}

static void clear_marks(struct sim *sim)
{
	for (size_t i = 0; i < sim->events_count; i++) {
		struct sim_event *event = &sim->events[i];

		for (size_t j = 0; j < event->count; j++) {
			struct sim_name *name = event->changes[j].name;

			name->mark = false;
			event->changes[j].moved->mark = false;
			if (name->parent != NULL)
				name->parent->mark = false;
		}
	}
}

void sim_events_close(struct sim *sim)
{
	/* What an event needs lies before it, so one pass backwards finds all. */
	for (size_t i = sim->events_count; i-- > 0;) {
		struct sim_event *event = &sim->events[i];

		event->chosen = event->chosen || is_marked(event);
		if (event->chosen)
			mark_event(event);
	}
	clear_marks(sim);
}

static void event_happens(struct sim *sim, struct sim_event *event)
{
	for (size_t i = 0; i < event->count; i++)
		set_durable(sim, event->changes[i].name, event->changes[i].inode);
	for (size_t i = 0; i < event->count; i++)
		sim_inode_release(sim, event->changes[i].moved);
}

void sim_names_sync(struct sim *sim, struct sim_name *directory, bool all, uint64_t when)
{
	size_t kept = 0;

	for (size_t i = 0; i < sim->events_count; i++) {
		struct sim_event *event = &sim->events[i];

		event->chosen = event->when <= when && (all || event->directory == directory);
	}
	sim_events_close(sim);
	for (size_t i = 0; i < sim->events_count; i++) {
		if (sim->events[i].chosen)
			event_happens(sim, &sim->events[i]);
		else
			sim->events[kept++] = sim->events[i];
	}
	sim->events_count = kept;
}

void sim_names_free(struct sim *sim)
{
	struct sim_name *name, *next;

	free(sim->events);
	HASH_ITER(hh, sim->names, name, next)
	{
		HASH_DEL(sim->names, name);
		free(name);
	}
}

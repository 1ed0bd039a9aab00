#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "store/attributes.h"
#include "store/break.h"
#include "store/content.h"
#include "store/flusher.h"
#include "store/names.h"
#include "store/node.h"
#include "store/room.h"

/* One rename, possibly parked until a cut of its source is ready (R3). */
struct renaming {
	struct store *store;
	uint64_t dir_number, new_dir_number;
	char name[STORE_NAME_MAX + 1], new_name[STORE_NAME_MAX + 1];
	uint32_t flags;
	store_done *done;
	void *ctx;
	uint64_t cut_op;           /* 0: no cut was asked for yet */
	/* Of one attempt. */
	struct open_dir from, to;  /* the same directory: `to` is a copy of `from` */
	bool is_same_dir;
	struct dir_hit source_hit, target_hit;
	struct node *source, *target; /* pinned; target NULL: none */
	struct content *source_content, *target_content;
};

/* --- locking both directories by rising number ------------------------------------- */

static enum err lock_dirs(struct renaming *r)
{
	struct store *store = r->store;
	bool from_first = r->dir_number <= r->new_dir_number;
	struct open_dir *first = from_first ? &r->from : &r->to;
	struct open_dir *second = from_first ? &r->to : &r->from;
	enum err err = dir_open(store, r->dir_number, &r->from);

	if (err != ERR_OK)
		return err;
	r->is_same_dir = r->dir_number == r->new_dir_number;
	if (r->is_same_dir) {
		r->to = r->from;
		err = dir_lock_exclusive(store, &r->from);
		if (err != ERR_OK)
			dir_close(store, &r->from);
		return err;
	}
	err = dir_open(store, r->new_dir_number, &r->to);
	if (err != ERR_OK) {
		dir_close(store, &r->from);
		return err;
	}
	err = dir_lock_exclusive(store, first);
	if (err == ERR_OK) {
		err = dir_lock_exclusive(store, second);
		if (err != ERR_OK)
			dir_unlock(first);
	}
	if (err != ERR_OK) {
		dir_close(store, &r->from);
		dir_close(store, &r->to);
	}
	return err;
}

static void unlock_dirs(struct renaming *r)
{
	if (!r->is_same_dir) {
		dir_unlock(&r->to);
		dir_close(r->store, &r->to);
	}
	dir_unlock(&r->from);
	dir_close(r->store, &r->from);
}

/* --- what is renamed, and what it replaces --------------------------------------------- */

static enum err pin(struct store *store, const struct dir_hit *hit, bool for_removal,
		    struct node **node, struct content **content)
{
	enum err err = node_get(store, object_id_number(&hit->id), &hit->id, node);

	return err == ERR_OK ? names_pin_content(store, *node, for_removal, content) : err;
}

static enum err find_both(struct renaming *r)
{
	bool exchange = (r->flags & STORE_RENAME_EXCHANGE) != 0;
	enum err err = dir_find(r->store, &r->from, r->name, &r->source_hit);

	if (err == ERR_OK && node_links_now(r->to.node) == 0)
		err = ERR_NOT_FOUND;
	if (err == ERR_OK)
		err = pin(r->store, &r->source_hit, false, &r->source, &r->source_content);
	if (err != ERR_OK)
		return err;
	err = dir_find(r->store, &r->to, r->new_name, &r->target_hit);
	if (err == ERR_NOT_FOUND)
		return exchange ? ERR_NOT_FOUND : ERR_OK;
	if (err != ERR_OK)
		return err;
	if (r->flags & STORE_RENAME_NOREPLACE)
		return ERR_EXISTS;
	return pin(r->store, &r->target_hit, !exchange, &r->target, &r->target_content);
}

static enum err target_is_empty(struct renaming *r)
{
	struct open_dir dir;
	enum err err = dir_open(r->store, r->target->number, &dir);

	if (err != ERR_OK)
		return err;
	err = dir_lock_shared(r->store, &dir);
	if (err == ERR_OK) {
		err = dir_is_empty(&dir) ? ERR_OK : ERR_NOT_EMPTY;
		dir_unlock(&dir);
	}
	dir_close(r->store, &dir);
	return err;
}

static enum err check_types(struct renaming *r)
{
	bool source_is_dir = S_ISDIR(r->source->type);

	if (r->target == NULL || (r->flags & STORE_RENAME_EXCHANGE))
		return ERR_OK;
	if (source_is_dir && !S_ISDIR(r->target->type))
		return ERR_NOT_DIR;
	if (!source_is_dir && S_ISDIR(r->target->type))
		return ERR_IS_DIR;
	return source_is_dir ? target_is_empty(r) : ERR_OK;
}

/*
 * R3: before a name replaces another, what is behind it must be ready to go
 * into the same transaction.  ERR_AGAIN: a cut was asked for.
 */
static enum err source_is_ready(struct renaming *r)
{
	struct node *node = r->source;
	struct content *content = r->source_content;
	enum err err = ERR_OK;

	if (r->target == NULL || !S_ISREG(node->type) || STORE_BREAK(R3_NOT_PARKED))
		return ERR_OK;
	pthread_mutex_lock(&node->mutex);
	if (r->cut_op == 0)
		r->cut_op = node->op;
	err = content_cut_now(content);
	if (err != ERR_OK)
		goto out;
	if (content_has_unflushed(content) && node->appended_op < r->cut_op &&
	    (content->ready == NULL || content->ready->op < r->cut_op))
		err = ERR_AGAIN;
	else if (r->cut_op > node->appended_op && r->cut_op > node->must_op &&
		 !STORE_BREAK(I22_NO_MUST))
		node->must_op = r->cut_op; /* I22: the name's transaction brings it */
out:
	pthread_mutex_unlock(&node->mutex);
	return err;
}

/* --- changing ------------------------------------------------------------------------------ */

/* The header's name, or one of the further names, follows. */
static enum err follow_name(struct renaming *r, struct node *node, struct open_dir *from,
			    const char *name, struct open_dir *to, const char *new_name)
{
	struct store *store = r->store;
	enum err err = ERR_OK;
	bool has_links = !S_ISDIR(node->type) && node_links_now(node) > 1;

	if (has_links) {
		err = links_add(store, node, &to->node->id, new_name);
		if (err == ERR_OK)
			err = links_remove(store, node, &from->node->id, name);
	}
	pthread_mutex_lock(&node->mutex);
	if (!has_links)
		err = node_set_name(node, &to->node->id, new_name);
	node->attr.ctime = clock_wall();
	node_names_changed(store, node);
	pthread_mutex_unlock(&node->mutex);
	if (S_ISDIR(node->type) && from->node != to->node) {
		names_count_subdirectory(store, from->node, -1);
		names_count_subdirectory(store, to->node, 1);
	}
	return err;
}

static enum err exchange(struct renaming *r)
{
	struct store *store = r->store;
	uint8_t source_type = r->source_hit.type, target_type = r->target_hit.type;
	enum err err = dir_replace(store, &r->from, &r->source_hit, &r->target->id, target_type);

	if (err == ERR_OK)
		err = dir_replace(store, &r->to, &r->target_hit, &r->source->id, source_type);
	if (err == ERR_OK)
		err = follow_name(r, r->source, &r->from, r->name, &r->to, r->new_name);
	if (err == ERR_OK)
		err = follow_name(r, r->target, &r->to, r->new_name, &r->from, r->name);
	return err;
}

static enum err move(struct renaming *r)
{
	struct store *store = r->store;
	bool replaces_dir = r->target != NULL && S_ISDIR(r->target->type);
	enum err err;

	if (r->target != NULL)
		err = dir_replace(store, &r->to, &r->target_hit, &r->source->id,
				  r->source_hit.type);
	else
		err = dir_insert(store, &r->to, r->new_name, &r->source->id, r->source_hit.type);
	if (err == ERR_OK)
		err = dir_remove(store, &r->from, r->name, &r->source_hit);
	if (err == ERR_OK)
		err = follow_name(r, r->source, &r->from, r->name, &r->to, r->new_name);
	if (err == ERR_OK && r->target != NULL)
		err = names_drop(store, r->target, &r->to.node->id, r->new_name);
	if (err == ERR_OK && replaces_dir)
		names_count_subdirectory(store, r->to.node, -1);
	return err;
}

static void unpin(struct renaming *r)
{
	if (r->source_content != NULL)
		content_put(r->store, r->source_content);
	if (r->target_content != NULL)
		content_put(r->store, r->target_content);
	node_put(r->store, r->source);
	node_put(r->store, r->target);
	r->source = r->target = NULL;
	r->source_content = r->target_content = NULL;
}

/* One try under all locks.  ERR_AGAIN: a cut of the source must be made first. */
static enum err try_once(struct renaming *r)
{
	enum err err = names_begin(r->store, true);

	if (err != ERR_OK)
		return err;
	err = lock_dirs(r);
	if (err != ERR_OK)
		goto out_names;
	err = find_both(r);
	if (err == ERR_OK && r->target == r->source)
		goto out_dirs; /* two names of one file: POSIX says nothing happens */
	if (err == ERR_OK)
		err = check_types(r);
	if (err == ERR_OK)
		err = source_is_ready(r);
	if (err == ERR_OK)
		err = r->flags & STORE_RENAME_EXCHANGE ? exchange(r) : move(r);
out_dirs:
	unlock_dirs(r);
out_names:
	names_end(r->store);
	return err;
}

static void finish(struct renaming *r, enum err err)
{
	/* Before the answer: a lock that comes after it finds no names. */
	unpin(r);
	secmem_wipe(r->name, sizeof(r->name));
	secmem_wipe(r->new_name, sizeof(r->new_name));
	r->done(r->ctx, err, 0);
	free(r);
}

static void attempt(void *ctx)
{
	struct renaming *r = ctx;
	enum err err;

	unpin(r); /* what an earlier try left */
	err = try_once(r);
	/* Once it is handed over it may be finished, and a lock be over, before this returns. */
	if (err != ERR_AGAIN)
		finish(r, err);
	else if (!flusher_request_then(r->store->flusher, r->source_content, attempt, r))
		finish(r, ERR_NO_MEMORY);
}

void store_rename(struct store *store, uint64_t dir, const char *name, uint64_t new_dir,
		  const char *new_name, uint32_t flags, store_done *done, void *ctx)
{
	struct renaming *r;
	enum err err;

	if (strlen(name) > STORE_NAME_MAX || strlen(new_name) > STORE_NAME_MAX) {
		done(ctx, ERR_NAME_LENGTH, 0);
		return;
	}
	if (flags & ~(STORE_RENAME_NOREPLACE | STORE_RENAME_EXCHANGE)) {
		done(ctx, ERR_INVALID, 0);
		return;
	}
	/* Not in attempt(), which may run on the flusher's thread. */
	err = room_take(store, NULL, 0);
	r = err == ERR_OK ? calloc(1, sizeof(*r)) : NULL;
	if (r == NULL) {
		done(ctx, err != ERR_OK ? err : ERR_NO_MEMORY, 0);
		return;
	}
	r->store = store;
	r->dir_number = dir;
	r->new_dir_number = new_dir;
	strcpy(r->name, name);
	strcpy(r->new_name, new_name);
	r->flags = flags;
	r->done = done;
	r->ctx = ctx;
	attempt(r);
}

#include "store/names.h"

#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/attributes.h"
#include "store/committer.h"
#include "store/content.h"
#include "store/node.h"
#include "store/room.h"

#define LINKS_MAX 65000u

enum err names_begin(struct store *store, bool needs_room)
{
	enum err err = store_may_change(store);

	if (err == ERR_OK && needs_room)
		err = space_admit(store->space, atomic_load(&store->pending_bytes) + BLOCK_SIZE, 1);
	if (err == ERR_OK)
		pthread_rwlock_rdlock(&store->names);
	return err;
}

void names_end(struct store *store)
{
	pthread_rwlock_unlock(&store->names);
}

void names_count_subdirectory(struct store *store, struct node *dir, int change)
{
	pthread_mutex_lock(&dir->mutex);
	dir->attr.nlink += (uint32_t)change;
	node_names_changed(store, dir);
	pthread_mutex_unlock(&dir->mutex);
}

enum err names_pin_content(struct store *store, struct node *node, bool for_removal,
			   struct content **content)
{
	enum err err = content_get(store, node, content);

	if (err_exit_code(err) == 8 && for_removal)
		err = content_get_empty(store, node, content);
	return err;
}

void names_discard(struct store *store, struct node *node)
{
	struct content *content;
	bool is_discarded;

	pthread_mutex_lock(&node->mutex);
	content = node->content;
	is_discarded = node->is_new && !node->is_gone && node->attr.nlink == 0 &&
		       !node_is_held(node);
	if (is_discarded) {
		node->is_gone = true;
		node->flushed_op = UINT64_MAX;
		node_clean(store, node);
	}
	pthread_mutex_unlock(&node->mutex);
	if (!is_discarded || content == NULL || !atomic_load(&content->exists))
		return;
	/* Only this object's own: its id was never in a transaction. */
	content_remove_file(store, content);
}

void names_bury(struct store *store, struct node *node)
{
	struct content *content;

	if (store_may_change(store) != ERR_OK)
		return; /* The next mount deletes it (I23). */
	pthread_rwlock_rdlock(&store->names);
	if (names_pin_content(store, node, true, &content) == ERR_OK) {
		if (attributes_drop(store, node) != ERR_OK)
			log_warning("the attributes of a deleted object stay behind");
		pthread_mutex_lock(&node->mutex);
		node_changed(store, node);
		pthread_mutex_unlock(&node->mutex);
		names_discard(store, node);
		content_put(store, content);
	}
	pthread_rwlock_unlock(&store->names);
}

static enum err open_dir_exclusive(struct store *store, uint64_t number, struct open_dir *dir)
{
	enum err err = dir_open(store, number, dir);

	if (err != ERR_OK)
		return err;
	err = dir_lock_exclusive(store, dir);
	if (err == ERR_OK && node_links_now(dir->node) == 0) {
		dir_unlock(dir);
		err = ERR_NOT_FOUND;
	}
	if (err != ERR_OK)
		dir_close(store, dir);
	return err;
}

static enum err must_be_absent(struct store *store, struct open_dir *dir, const char *name)
{
	struct dir_hit hit;
	enum err err = dir_find(store, dir, name, &hit);

	if (err == ERR_OK)
		return ERR_EXISTS;
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* Enter a finished new node; the directory is locked exclusively. */
static enum err enter(struct store *store, struct open_dir *dir, const char *name,
		      struct node *node)
{
	bool is_dir = S_ISDIR(node->type);
	enum err err;

	pthread_mutex_lock(&node->mutex);
	err = node_set_name(node, &dir->node->id, name);
	if (err == ERR_OK && is_dir)
		node->attr.nlink = 2;
	pthread_mutex_unlock(&node->mutex);
	if (err == ERR_OK)
		err = dir_insert(store, dir, name, &node->id, (uint8_t)(node->type >> 12));
	if (err != ERR_OK)
		return err;
	pthread_mutex_lock(&node->mutex);
	node_names_changed(store, node);
	pthread_mutex_unlock(&node->mutex);
	if (is_dir)
		names_count_subdirectory(store, dir->node, 1);
	return ERR_OK;
}

/* A new node under a new name; `target` is a symlink's content. */
static enum err make(struct store *store, uint64_t dir_number, const char *name, uint32_t mode,
		     uint64_t rdev, uint32_t uid, uint32_t gid, const char *target,
		     struct store_attr *attr)
{
	struct content *content = NULL;
	struct node *node = NULL;
	struct open_dir dir;
	enum err err = room_take(store, NULL, 0);

	if (err == ERR_OK)
		err = names_begin(store, true);
	if (err != ERR_OK)
		return err;
	err = open_dir_exclusive(store, dir_number, &dir);
	if (err != ERR_OK)
		goto out_names;
	err = must_be_absent(store, &dir, name);
	if (err == ERR_OK)
		err = node_new(store, mode, rdev, uid, gid, &node);
	if (err == ERR_OK)
		err = content_get(store, node, &content);
	if (err == ERR_OK && target != NULL)
		err = content_write(store, content, 0, target, strlen(target), false);
	if (err == ERR_OK)
		err = enter(store, &dir, name, node);
	if (err == ERR_OK) {
		node_attr_now(node, attr);
		node_ref(store, node, 1);
		node_know(node);
	} else if (node != NULL) {
		pthread_mutex_lock(&node->mutex);
		node->attr.nlink = 0;
		pthread_mutex_unlock(&node->mutex);
		names_discard(store, node);
	}
	if (content != NULL)
		content_put(store, content);
	node_put(store, node);
	dir_unlock(&dir);
	dir_close(store, &dir);
out_names:
	names_end(store);
	return err;
}

enum err store_create_node(struct store *store, uint64_t dir, const char *name, uint32_t mode,
			   uint64_t rdev, uint32_t uid, uint32_t gid, struct store_attr *attr)
{
	return make(store, dir, name, mode, rdev, uid, gid, NULL, attr);
}

enum err store_symlink(struct store *store, uint64_t dir, const char *name, const char *target,
		       uint32_t uid, uint32_t gid, struct store_attr *attr)
{
	if (strlen(target) == 0 || strlen(target) > STORE_TARGET_MAX)
		return ERR_NAME_LENGTH;
	return make(store, dir, name, S_IFLNK | 0777, 0, uid, gid, target, attr);
}

/* Both are pinned and the directory is locked. */
static enum err add_link(struct store *store, struct open_dir *dir, const char *name,
			 struct node *node)
{
	enum err err = must_be_absent(store, dir, name);
	uint32_t links = node_links_now(node);

	if (err == ERR_OK && links >= LINKS_MAX)
		err = ERR_LINKS;
	if (err == ERR_OK && links == 0)
		err = ERR_NOT_FOUND;
	if (err == ERR_OK)
		err = links_add(store, node, &dir->node->id, name);
	if (err != ERR_OK)
		return err;
	err = dir_insert(store, dir, name, &node->id, (uint8_t)(node->type >> 12));
	if (err != ERR_OK)
		return links_remove(store, node, &dir->node->id, name) == ERR_OK ? err : ERR_IO;
	pthread_mutex_lock(&node->mutex);
	node->attr.nlink++;
	node->attr.ctime = clock_wall();
	node_names_changed(store, node);
	pthread_mutex_unlock(&node->mutex);
	return ERR_OK;
}

enum err store_link(struct store *store, uint64_t number, uint64_t dir_number, const char *name,
		    struct store_attr *attr)
{
	struct content *content;
	struct open_dir dir;
	struct node *node;
	enum err err = room_take(store, NULL, 0);

	if (err == ERR_OK)
		err = names_begin(store, true);
	if (err != ERR_OK)
		return err;
	err = node_get(store, number, NULL, &node);
	if (err != ERR_OK)
		goto out_names;
	err = S_ISDIR(node->type) ? ERR_NOT_OWNER : content_get(store, node, &content);
	if (err != ERR_OK)
		goto out_node;
	err = open_dir_exclusive(store, dir_number, &dir);
	if (err == ERR_OK) {
		err = add_link(store, &dir, name, node);
		dir_unlock(&dir);
		dir_close(store, &dir);
	}
	if (err == ERR_OK) {
		node_attr_now(node, attr);
		node_ref(store, node, 1);
		node_know(node);
	}
	content_put(store, content);
out_node:
	node_put(store, node);
out_names:
	names_end(store);
	return err;
}

enum err names_drop(struct store *store, struct node *node, const struct object_id *dir,
		    const char *name)
{
	bool has_others, is_last;
	enum err err = ERR_OK;

	pthread_mutex_lock(&node->mutex);
	if (S_ISDIR(node->type) || node->attr.nlink <= 1)
		node->attr.nlink = 0;
	else
		node->attr.nlink--;
	has_others = node->attr.nlink > 0;
	node->attr.ctime = clock_wall();
	node_names_changed(store, node);
	is_last = !has_others && !node_is_held(node);
	pthread_mutex_unlock(&node->mutex);
	if (has_others)
		err = links_remove(store, node, dir, name);
	if (is_last) {
		err = attributes_drop(store, node);
		names_discard(store, node);
		/* An attributes object that cannot be read is found by check, not in the way here. */
		if (err_exit_code(err) == 8)
			err = ERR_OK;
	}
	return err;
}

/* A directory to be removed must be empty, and stay so until it is gone. */
static enum err check_removable(struct store *store, struct node *node, bool want_dir)
{
	struct open_dir dir;
	enum err err;

	if (S_ISDIR(node->type) != want_dir)
		return want_dir ? ERR_NOT_DIR : ERR_IS_DIR;
	if (!want_dir)
		return ERR_OK;
	err = dir_open(store, node->number, &dir);
	if (err != ERR_OK)
		return err;
	err = dir_lock_shared(store, &dir);
	if (err == ERR_OK) {
		err = dir_is_empty(&dir) ? ERR_OK : ERR_NOT_EMPTY;
		dir_unlock(&dir);
	}
	dir_close(store, &dir);
	return err;
}

/* The directory is locked exclusively; the name was found. */
static enum err remove_hit(struct store *store, struct open_dir *dir, const char *name,
			   const struct dir_hit *hit, bool want_dir)
{
	struct content *content;
	struct node *node;
	enum err err = node_get(store, object_id_number(&hit->id), &hit->id, &node);

	if (err != ERR_OK)
		return err;
	err = check_removable(store, node, want_dir);
	if (err == ERR_OK)
		err = names_pin_content(store, node, !want_dir && node_links_now(node) <= 1,
					&content);
	if (err == ERR_OK) {
		err = dir_remove(store, dir, name, hit);
		if (err == ERR_OK)
			err = names_drop(store, node, &dir->node->id, name);
		if (err == ERR_OK && want_dir)
			names_count_subdirectory(store, dir->node, -1);
		content_put(store, content);
	}
	node_put(store, node);
	return err;
}

static enum err remove_name(struct store *store, uint64_t dir_number, const char *name,
			    bool want_dir)
{
	struct open_dir dir;
	struct dir_hit hit;
	enum err err = room_take(store, NULL, 0);

	/* It needs no room on disk: a full one can be emptied. */
	if (err == ERR_OK)
		err = names_begin(store, false);
	if (err != ERR_OK)
		return err;
	err = open_dir_exclusive(store, dir_number, &dir);
	if (err == ERR_OK) {
		err = dir_find(store, &dir, name, &hit);
		if (err == ERR_OK)
			err = remove_hit(store, &dir, name, &hit, want_dir);
		dir_unlock(&dir);
		dir_close(store, &dir);
	}
	names_end(store);
	return err;
}

enum err store_unlink(struct store *store, uint64_t dir, const char *name)
{
	return remove_name(store, dir, name, false);
}

enum err store_rmdir(struct store *store, uint64_t dir, const char *name)
{
	return remove_name(store, dir, name, true);
}

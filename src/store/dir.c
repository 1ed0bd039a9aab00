#include "store/dir.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/content.h"
#include "store/node.h"

#define SLOTS_PER_BLOCK 1024u
#define ROOM_MAX        255u

static uint32_t name_hash(const struct store *store, const char *name, size_t len)
{
	return (uint32_t)short_hash(store->hash_key, name, len);
}

static struct dir *dir_of(struct node *node)
{
	struct dir *dir;

	pthread_mutex_lock(&node->mutex);
	if (node->dir == NULL) {
		node->dir = calloc(1, sizeof(*node->dir));
		if (node->dir != NULL)
			pthread_rwlock_init(&node->dir->lock, NULL);
	}
	dir = node->dir;
	pthread_mutex_unlock(&node->mutex);
	return dir;
}

enum err dir_open(struct store *store, uint64_t number, struct open_dir *open)
{
	enum err err = node_get(store, number, NULL, &open->node);

	if (err != ERR_OK)
		return err;
	if (!S_ISDIR(open->node->type))
		err = ERR_NOT_DIR;
	if (err == ERR_OK)
		err = content_get(store, open->node, &open->content);
	if (err != ERR_OK) {
		node_put(store, open->node);
		return err;
	}
	open->dir = dir_of(open->node);
	if (open->dir == NULL) {
		dir_close(store, open);
		return ERR_NO_MEMORY;
	}
	return ERR_OK;
}

void dir_close(struct store *store, struct open_dir *open)
{
	content_put(store, open->content);
	node_put(store, open->node);
}

void dir_free(struct node *node)
{
	struct dir *dir = node->dir;

	if (dir == NULL)
		return;
	node->dir = NULL;
	dir_index_free(dir->index);
	free(dir->room);
	pthread_rwlock_destroy(&dir->lock);
	free(dir);
}

static enum err grow_room(struct dir *dir, uint32_t blocks)
{
	uint32_t size = dir->room_size == 0 ? 16 : dir->room_size;
	uint8_t *room;

	if (blocks <= dir->room_size)
		return ERR_OK;
	while (size < blocks)
		size *= 2;
	room = realloc(dir->room, size);
	if (room == NULL)
		return ERR_NO_MEMORY;
	dir->room = room;
	dir->room_size = size;
	return ERR_OK;
}

static void note_room(struct dir *dir, uint32_t block, const uint8_t data[BLOCK_SIZE])
{
	int room = dir_block_room(data);

	dir->room[block] = (uint8_t)(room < 0 ? 0 : room < (int)ROOM_MAX ? room : (int)ROOM_MAX);
	if (room > 16 && block < dir->hint)
		dir->hint = block;
}

static enum err index_block(struct store *store, struct dir *dir, uint32_t block,
			    const uint8_t data[BLOCK_SIZE])
{
	struct dir_entry entry;
	uint16_t slot = 0;

	if (dir_block_check(data) != ERR_OK)
		return ERR_FORMAT;
	while ((slot = dir_block_next(data, slot, &entry)) != DIR_SLOT_NONE) {
		struct dir_place place = {block, slot};
		enum err err = dir_index_add(dir->index,
					     name_hash(store, entry.name, entry.name_len), place);

		if (err != ERR_OK)
			return err;
		slot++;
	}
	note_room(dir, block, data);
	return ERR_OK;
}

/* Exclusive lock held. */
static enum err build(struct store *store, struct open_dir *open)
{
	struct dir *dir = open->dir;
	uint8_t data[BLOCK_SIZE];
	uint64_t blocks;
	enum err err = dir_index_new(&dir->index);

	if (err != ERR_OK)
		return err;
	pthread_mutex_lock(&open->node->mutex);
	blocks = layout_blocks(open->node->attr.size);
	pthread_mutex_unlock(&open->node->mutex);
	err = blocks > DIR_BLOCKS_MAX ? ERR_FORMAT : grow_room(dir, (uint32_t)blocks);
	dir->blocks = (uint32_t)blocks;
	dir->hint = 0;
	for (uint32_t i = 0; i < dir->blocks && err == ERR_OK; i++) {
		err = content_read_block(store, open->content, i, data);
		if (err == ERR_OK)
			err = index_block(store, dir, i, data);
	}
	secmem_wipe(data, sizeof(data));
	if (err != ERR_OK) {
		dir_index_free(dir->index);
		dir->index = NULL;
	}
	return err;
}

enum err dir_lock_exclusive(struct store *store, struct open_dir *open)
{
	enum err err = ERR_OK;

	pthread_rwlock_wrlock(&open->dir->lock);
	if (open->dir->index == NULL)
		err = build(store, open);
	if (err != ERR_OK)
		pthread_rwlock_unlock(&open->dir->lock);
	return err;
}

enum err dir_lock_shared(struct store *store, struct open_dir *open)
{
	for (;;) {
		enum err err;

		pthread_rwlock_rdlock(&open->dir->lock);
		if (open->dir->index != NULL)
			return ERR_OK;
		pthread_rwlock_unlock(&open->dir->lock);
		err = dir_lock_exclusive(store, open);
		if (err != ERR_OK)
			return err;
		pthread_rwlock_unlock(&open->dir->lock);
	}
}

void dir_unlock(struct open_dir *open)
{
	pthread_rwlock_unlock(&open->dir->lock);
}

enum err dir_find(struct store *store, struct open_dir *open, const char *name,
		  struct dir_hit *hit)
{
	size_t len = strlen(name), cursor = 0;
	uint8_t data[BLOCK_SIZE];
	enum err err = ERR_NOT_FOUND;

	if (len == 0 || len > STORE_NAME_MAX)
		return ERR_NAME_LENGTH;
	while (dir_index_find(open->dir->index, name_hash(store, name, len), &cursor,
			      &hit->place)) {
		struct dir_entry entry;

		err = content_read_block(store, open->content, hit->place.block, data);
		if (err != ERR_OK)
			break;
		err = ERR_NOT_FOUND;
		if (dir_block_get(data, hit->place.slot, &entry) && entry.name_len == len &&
		    memcmp(entry.name, name, len) == 0) {
			hit->id = entry.id;
			hit->type = entry.type;
			err = ERR_OK;
			break;
		}
	}
	secmem_wipe(data, sizeof(data));
	return err;
}

static enum err write_block(struct store *store, struct open_dir *open, uint32_t block,
			    uint8_t data[BLOCK_SIZE])
{
	enum err err = content_write(store, open->content, (uint64_t)block * BLOCK_SIZE, data,
				     BLOCK_SIZE, false);

	if (err == ERR_OK)
		note_room(open->dir, block, data);
	return err;
}

/* The first block that has room for a name of this length; dir->blocks: a new one. */
static uint32_t find_room(struct dir *dir, size_t len)
{
	for (uint32_t i = dir->hint; i < dir->blocks; i++) {
		if (dir->room[i] >= len)
			return i;
		if (i == dir->hint && dir->room[i] <= 16)
			dir->hint++;
	}
	return dir->blocks;
}

enum err dir_insert(struct store *store, struct open_dir *open, const char *name,
		    const struct object_id *id, uint8_t type)
{
	struct dir *dir = open->dir;
	size_t len = strlen(name);
	struct dir_entry entry = {.id = *id, .type = type, .name_len = (uint8_t)len, .name = name};
	struct dir_place place = {.block = find_room(dir, len)};
	uint8_t data[BLOCK_SIZE];
	enum err err;

	if (place.block == DIR_BLOCKS_MAX)
		return ERR_FULL;
	if (place.block == dir->blocks) {
		dir_block_init(data);
		err = grow_room(dir, dir->blocks + 1);
	} else {
		err = content_read_block(store, open->content, place.block, data);
	}
	if (err == ERR_OK) {
		place.slot = dir_block_insert(data, &entry);
		err = place.slot == DIR_SLOT_NONE ? ERR_FORMAT : ERR_OK;
	}
	if (err == ERR_OK)
		err = dir_index_add(dir->index, name_hash(store, name, len), place);
	if (err == ERR_OK) {
		err = write_block(store, open, place.block, data);
		if (err != ERR_OK)
			dir_index_remove(dir->index, name_hash(store, name, len), place);
	}
	if (err == ERR_OK && place.block == dir->blocks)
		dir->blocks++;
	secmem_wipe(data, sizeof(data));
	return err;
}

enum err dir_remove(struct store *store, struct open_dir *open, const char *name,
		    const struct dir_hit *hit)
{
	uint8_t data[BLOCK_SIZE];
	enum err err = content_read_block(store, open->content, hit->place.block, data);

	if (err == ERR_OK) {
		dir_block_remove(data, hit->place.slot);
		err = write_block(store, open, hit->place.block, data);
	}
	if (err == ERR_OK)
		dir_index_remove(open->dir->index, name_hash(store, name, strlen(name)),
				 hit->place);
	secmem_wipe(data, sizeof(data));
	return err;
}

enum err dir_replace(struct store *store, struct open_dir *open, const struct dir_hit *hit,
		     const struct object_id *id, uint8_t type)
{
	uint8_t data[BLOCK_SIZE];
	enum err err = content_read_block(store, open->content, hit->place.block, data);

	if (err == ERR_OK) {
		dir_block_replace(data, hit->place.slot, id, type);
		err = write_block(store, open, hit->place.block, data);
	}
	secmem_wipe(data, sizeof(data));
	return err;
}

bool dir_is_empty(const struct open_dir *open)
{
	return dir_index_count(open->dir->index) == 0;
}

enum err dir_walk(struct store *store, struct open_dir *open, uint64_t cookie, dir_each *each,
		  void *ctx)
{
	uint64_t block = cookie / SLOTS_PER_BLOCK;
	uint16_t slot = cookie % SLOTS_PER_BLOCK;
	uint8_t data[BLOCK_SIZE];
	bool go_on = true;
	enum err err = ERR_OK;

	for (; block < open->dir->blocks && go_on && err == ERR_OK; block++, slot = 0) {
		struct dir_entry entry;

		err = content_read_block(store, open->content, block, data);
		if (err != ERR_OK)
			break;
		while (go_on && (slot = dir_block_next(data, slot, &entry)) != DIR_SLOT_NONE) {
			go_on = each(ctx, &entry, block * SLOTS_PER_BLOCK + slot + 1);
			slot++;
		}
	}
	secmem_wipe(data, sizeof(data));
	return err;
}

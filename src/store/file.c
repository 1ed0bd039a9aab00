/* Operations on one node's content and attributes. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "store/ahead.h"
#include "store/committer.h"
#include "store/content.h"
#include "store/names.h"
#include "store/node.h"
#include "store/room.h"

#define COPY_MAX  (8u << 20)
#define PUNCH_MAX (256u << 20)

/* A node and its content, pinned for one call. */
struct open_file {
	struct node *node;
	struct content *content;
};

static enum err file_open(struct store *store, uint64_t number, struct open_file *file)
{
	enum err err = store_may_read(store);

	if (err == ERR_OK)
		err = node_get(store, number, NULL, &file->node);
	if (err != ERR_OK)
		return err;
	err = content_get(store, file->node, &file->content);
	if (err != ERR_OK)
		node_put(store, file->node);
	return err;
}

static void file_close(struct store *store, struct open_file *file)
{
	content_put(store, file->content);
	node_put(store, file->node);
}

static enum err must_be_regular(const struct node *node)
{
	if (S_ISDIR(node->type))
		return ERR_IS_DIR;
	return S_ISREG(node->type) ? ERR_OK : ERR_INVALID;
}

enum err store_getattr(struct store *store, uint64_t number, struct store_attr *attr)
{
	struct node *node;
	enum err err = node_get(store, number, NULL, &node);

	if (err == ERR_LOCKED && number == STORE_ROOT) {
		attr->number = number;
		return ledger_root_attr(store->ledger, &attr->object);
	}
	if (err != ERR_OK)
		return err;
	node_attr_now(node, attr);
	node_put(store, node);
	return ERR_OK;
}

static uint64_t size_of(struct node *node)
{
	uint64_t size;

	pthread_mutex_lock(&node->mutex);
	size = node->attr.size;
	pthread_mutex_unlock(&node->mutex);
	return size;
}

static void set_attributes(struct store *store, struct node *node, const struct store_setattr *set)
{
	struct object_attr *attr = &node->attr;

	attr->ctime = set->valid & STORE_SET_CTIME ? set->ctime : clock_wall();
	if (set->valid & STORE_SET_MODE)
		attr->mode = (attr->mode & S_IFMT) | (set->mode & 07777);
	if (set->valid & STORE_SET_UID)
		attr->uid = set->uid;
	if (set->valid & STORE_SET_GID)
		attr->gid = set->gid;
	if (set->valid & STORE_SET_ATIME)
		attr->atime = set->atime;
	if (set->valid & STORE_SET_MTIME)
		attr->mtime = set->mtime;
	node_changed(store, node);
}

enum err store_setattr(struct store *store, uint64_t number, const struct store_setattr *set,
		       struct store_attr *attr)
{
	struct open_file file;
	enum err err = store_may_change(store);

	if (err == ERR_OK)
		err = room_take(store, NULL, 0);
	if (err == ERR_OK)
		err = file_open(store, number, &file);
	if (err != ERR_OK)
		return err;
	if (set->valid & STORE_SET_SIZE) {
		err = must_be_regular(file.node);
		if (err == ERR_OK && set->size > size_of(file.node))
			err = space_admit(store->space, atomic_load(&store->pending_bytes), 0);
		if (err == ERR_OK)
			err = content_truncate(store, file.content, set->size);
	}
	pthread_mutex_lock(&file.node->mutex);
	if (err == ERR_OK && set->valid & ~(uint32_t)STORE_SET_SIZE)
		set_attributes(store, file.node, set);
	node_attr(file.node, attr);
	pthread_mutex_unlock(&file.node->mutex);
	file_close(store, &file);
	return err;
}

enum err store_open_node(struct store *store, uint64_t number, bool truncate)
{
	struct open_file file;
	enum err err = truncate ? store_may_change(store) : ERR_OK;

	if (err == ERR_OK)
		err = file_open(store, number, &file);
	if (err != ERR_OK)
		return err;
	if (truncate)
		err = content_truncate(store, file.content, 0);
	if (err == ERR_OK) {
		pthread_mutex_lock(&file.node->mutex);
		/* Deleted since it was looked up, perhaps since it was pinned above. */
		if (atomic_load(&file.node->is_gone))
			err = ERR_STALE;
		else
			file.node->opens++;
		pthread_mutex_unlock(&file.node->mutex);
	}
	if (err == ERR_OK) {
		node_ref(store, file.node, 1);
	}
	file_close(store, &file);
	return err;
}

void store_release_node(struct store *store, uint64_t number)
{
	struct node *node = node_find(store, number);
	bool is_last = false;

	if (node == NULL)
		return;
	pthread_mutex_lock(&node->mutex);
	if (node->opens > 0) {
		node->opens--;
		is_last = node->attr.nlink == 0 && !node_is_held(node);
	}
	pthread_mutex_unlock(&node->mutex);
	if (is_last)
		names_bury(store, node);
	/* The handle's own reference, and this call's. */
	node_drop(store, node, 2);
}

enum err store_read(struct store *store, uint64_t number, uint64_t offset, void *data, size_t len,
		    size_t *got)
{
	struct open_file file;
	uint64_t size;
	enum err err = file_open(store, number, &file);

	if (err != ERR_OK)
		return err;
	size = size_of(file.node);
	if (offset >= size)
		len = 0;
	else if (len > size - offset)
		len = (size_t)(size - offset);
	err = ahead_read(store->ahead, store, file.content, size, offset, data, len);
	if (err == ERR_OK)
		*got = len;
	file_close(store, &file);
	return err;
}

static uint64_t operation_of(struct node *node)
{
	uint64_t op;

	pthread_mutex_lock(&node->mutex);
	op = node->op;
	pthread_mutex_unlock(&node->mutex);
	return op;
}

static enum err write_with_room(struct store *store, struct content *content, uint64_t offset,
				const void *data, size_t len)
{
	enum err err = room_take(store, content, len);

	if (err != ERR_OK)
		return err;
	err = content_write(store, content, offset, data, len, true);
	room_give(store, len);
	return err;
}

void store_write(struct store *store, uint64_t number, uint64_t offset, const void *data,
		 size_t len, bool durable, store_done *done, void *ctx)
{
	struct open_file file;
	enum err err = store_may_change(store);

	if (err == ERR_OK)
		err = space_admit(store->space, atomic_load(&store->pending_bytes) + len, 0);
	if (err == ERR_OK)
		err = file_open(store, number, &file);
	if (err != ERR_OK) {
		done(ctx, err, 0);
		return;
	}
	err = must_be_regular(file.node);
	if (err == ERR_OK)
		err = write_with_room(store, file.content, offset, data, len);
	/* Once it is answered a lock may come, which frees contents, but no nodes. */
	content_put(store, file.content);
	if (err != ERR_OK)
		done(ctx, err, 0);
	else if (durable)
		committer_wait_node(store->committer, file.node, operation_of(file.node), len, done,
				    ctx);
	else
		committer_wait_memory(store->committer, len, done, ctx);
	node_put(store, file.node);
}

void store_fsync(struct store *store, uint64_t number, store_done *done, void *ctx)
{
	struct node *node;
	enum err err = store_may_read(store);

	if (err == ERR_OK)
		err = node_get(store, number, NULL, &node);
	if (err != ERR_OK) {
		done(ctx, err, 0);
		return;
	}
	committer_wait_node(store->committer, node, operation_of(node), 0, done, ctx);
	node_put(store, node);
}

void store_settle(struct store *store, uint64_t number, store_done *done, void *ctx)
{
	struct node *node = node_find(store, number);
	bool is_unsettled = false;
	uint64_t op = 0;

	if (node != NULL) {
		pthread_mutex_lock(&node->mutex);
		/* Streamed data would have to be flushed first: that takes longer than it saves. */
		is_unsettled = node->content != NULL && content_is_unsettled(node->content) &&
			       !content_has_unflushed(node->content);
		op = node->op;
		pthread_mutex_unlock(&node->mutex);
	}
	if (is_unsettled)
		committer_wait_settled(store->committer, node, op, done, ctx);
	else
		done(ctx, ERR_OK, 0);
	if (node != NULL)
		node_put(store, node);
}

void store_sync(struct store *store, store_done *done, void *ctx)
{
	enum err err = store_may_read(store);

	if (err != ERR_OK)
		done(ctx, err, 0);
	else
		committer_wait_all(store->committer, done, ctx);
}

enum err store_readlink(struct store *store, uint64_t number, char *target, size_t size)
{
	struct open_file file;
	size_t len;
	enum err err = file_open(store, number, &file);

	if (err != ERR_OK)
		return err;
	len = file.node->attr.size;
	if (!S_ISLNK(file.node->type))
		err = ERR_INVALID;
	else if (len > STORE_TARGET_MAX || len >= size)
		err = ERR_RANGE;
	else
		err = content_read(store, file.content, 0, target, len);
	if (err == ERR_OK)
		target[len] = '\0';
	file_close(store, &file);
	return err;
}

static enum err extend(struct store *store, struct open_file *file, uint64_t size)
{
	bool grows;

	pthread_mutex_lock(&file->node->mutex);
	grows = size > file->node->attr.size;
	pthread_mutex_unlock(&file->node->mutex);
	return grows ? content_truncate(store, file->content, size) : ERR_OK;
}

/* In pieces: the entries of a large range do not fit one transaction. */
static enum err punch(struct store *store, struct content *content, uint64_t offset, uint64_t len)
{
	uint64_t size = size_of(content->node);
	enum err err = ERR_OK;

	if (offset >= size)
		return ERR_OK;
	if (len > size - offset)
		len = size - offset;
	while (len > 0 && err == ERR_OK) {
		uint64_t to_border = PUNCH_MAX - offset % PUNCH_MAX;
		uint64_t piece = len < to_border ? len : to_border;

		err = room_take(store, content, 0);
		if (err == ERR_OK)
			err = content_punch(store, content, offset, piece);
		offset += piece;
		len -= piece;
	}
	return err;
}

/*
 * Space is checked, not reserved: what is written later is encrypted anew and
 * may go through the journal.
 */
enum err store_fallocate(struct store *store, uint64_t number, uint32_t mode, uint64_t offset,
			 uint64_t len)
{
	struct open_file file;
	enum err err = store_may_change(store);

	if (err == ERR_OK && (len == 0 || offset > FILE_SIZE_MAX || len > FILE_SIZE_MAX - offset))
		err = len == 0 ? ERR_INVALID : ERR_TOO_LARGE;
	if (err == ERR_OK && (mode & STORE_FALLOCATE_PUNCH) == 0)
		err = space_admit(store->space, atomic_load(&store->pending_bytes) + len, 0);
	if (err == ERR_OK)
		err = file_open(store, number, &file);
	if (err != ERR_OK)
		return err;
	err = must_be_regular(file.node);
	if (err == ERR_OK && mode & (STORE_FALLOCATE_PUNCH | STORE_FALLOCATE_ZERO))
		err = punch(store, file.content, offset, len);
	if (err == ERR_OK && (mode & STORE_FALLOCATE_KEEP_SIZE) == 0)
		err = extend(store, &file, offset + len);
	file_close(store, &file);
	return err;
}

/* The first block from `block` on that is data (or a hole); node->mutex held. */
static enum err seek_block(struct store *store, struct content *content, uint64_t block,
			   uint64_t end, bool data, uint64_t *found)
{
	for (; block < end; block++) {
		struct block_state state;
		bool reloaded = false, is_hole;
		uint64_t next;
		enum err err = content_skip_holes(store, content, block, &next);

		if (err == ERR_OK && next > block) {
			if (!data)
				break;
			block = next - 1;
			continue;
		}
		if (err == ERR_OK)
			err = content_block(store, content, block, &state, &reloaded);
		if (err != ERR_OK)
			return err;
		is_hole = state.extent != NULL ? state.extent->kind == EXTENT_HOLE
					       : entry_is_hole(state.entry);
		if (is_hole != data)
			break;
	}
	*found = block < end ? block : end;
	return ERR_OK;
}

enum err store_seek(struct store *store, uint64_t number, uint64_t offset, bool data,
		    uint64_t *found)
{
	struct open_file file;
	uint64_t size, block;
	enum err err = file_open(store, number, &file);

	if (err != ERR_OK)
		return err;
	pthread_mutex_lock(&file.node->mutex);
	size = file.node->attr.size;
	if (offset >= size)
		err = ERR_NO_OFFSET;
	if (err == ERR_OK)
		err = seek_block(store, file.content, offset / BLOCK_SIZE, layout_blocks(size),
				 data, &block);
	pthread_mutex_unlock(&file.node->mutex);
	file_close(store, &file);
	if (err != ERR_OK)
		return err;
	if (block >= layout_blocks(size)) {
		if (data)
			return ERR_NO_OFFSET;
		*found = size;
		return ERR_OK;
	}
	*found = block * BLOCK_SIZE > offset ? block * BLOCK_SIZE : offset;
	return ERR_OK;
}

static enum err copy(struct store *store, struct open_file *from, uint64_t from_offset,
		     struct open_file *to, uint64_t to_offset, uint64_t len, size_t *copied)
{
	uint8_t *buffer = slab_get(store->copy_buffers);
	enum err err = buffer == NULL ? ERR_NO_MEMORY : ERR_OK;

	while (*copied < len && err == ERR_OK) {
		size_t piece = len - *copied < WRITE_MAX ? (size_t)(len - *copied) : WRITE_MAX;

		err = content_read(store, from->content, from_offset + *copied, buffer, piece);
		if (err == ERR_OK)
			err = write_with_room(store, to->content, to_offset + *copied, buffer,
					      piece);
		if (err == ERR_OK)
			*copied += piece;
	}
	slab_put(store->copy_buffers, buffer);
	return err;
}

static enum err copy_range(struct store *store, uint64_t from, uint64_t from_offset, uint64_t to,
			   uint64_t to_offset, uint64_t len, size_t *copied)
{
	struct open_file source, target;
	uint64_t size;
	enum err err = file_open(store, from, &source);

	if (err != ERR_OK)
		return err;
	err = file_open(store, to, &target);
	if (err == ERR_OK) {
		size = size_of(source.node);
		if (from_offset >= size)
			len = 0;
		else if (len > size - from_offset)
			len = size - from_offset;
		err = must_be_regular(source.node);
		if (err == ERR_OK)
			err = must_be_regular(target.node);
		if (err == ERR_OK && from == to && from_offset < to_offset + len &&
		    to_offset < from_offset + len)
			err = ERR_INVALID;
		if (err == ERR_OK)
			err = copy(store, &source, from_offset, &target, to_offset, len, copied);
		file_close(store, &target);
	}
	file_close(store, &source);
	return err;
}

void store_copy_range(struct store *store, uint64_t from, uint64_t from_offset, uint64_t to,
		      uint64_t to_offset, uint64_t len, store_done *done, void *ctx)
{
	size_t copied = 0;
	enum err err = store_may_change(store);

	if (len > COPY_MAX)
		len = COPY_MAX;
	if (err == ERR_OK)
		err = space_admit(store->space, atomic_load(&store->pending_bytes) + len, 0);
	if (err == ERR_OK)
		err = copy_range(store, from, from_offset, to, to_offset, len, &copied);
	/* What was copied before something failed counts, as for write(2). */
	if (err != ERR_OK && copied == 0)
		done(ctx, err, 0);
	else
		committer_wait_memory(store->committer, copied, done, ctx);
}

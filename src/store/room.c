#include "store/room.h"

#include "store/committer.h"
#include "store/content.h"

/* What a gather would find, in journal bytes. */
static uint64_t backlog(struct store *store)
{
	uint64_t changed;

	pthread_mutex_lock(&store->dirty_mutex);
	changed = store->dirty_count;
	pthread_mutex_unlock(&store->dirty_mutex);
	return changed * INODE_RECORD_COST + pages_bytes(&store->pages);
}

static bool streams_too_far(struct content *content)
{
	bool too_far;

	pthread_mutex_lock(&content->node->mutex);
	too_far = content->load.streamed >= STREAMED_MAX;
	pthread_mutex_unlock(&content->node->mutex);
	return too_far;
}

static bool has_room(struct store *store, struct content *content, size_t len)
{
	uint64_t reserved = atomic_fetch_add(&store->reserved_bytes, len) + len;

	if (backlog(store) + reserved <= store->dirty_max + BACKLOG_MARGIN &&
	    atomic_load(&store->contents) < store->contents_max &&
	    (content == NULL || !streams_too_far(content)))
		return true;
	atomic_fetch_sub(&store->reserved_bytes, len);
	return false;
}

enum err room_take(struct store *store, struct content *content, size_t len)
{
	while (!has_room(store, content, len)) {
		enum err err = store_may_change(store);

		if (err != ERR_OK)
			return err;
		/* What was applied meanwhile waits for somebody to close it. */
		if (atomic_load(&store->contents) >= store->contents_max)
			content_trim(store, store->contents_max / 4);
		committer_press(store->committer);
	}
	return ERR_OK;
}

void room_give(struct store *store, size_t len)
{
	atomic_fetch_sub(&store->reserved_bytes, len);
}

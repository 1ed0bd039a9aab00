/*
 * A directory's entries: content of the directory's object, with an index in
 * memory (8 bytes for each entry) that is built at first use.
 *
 * dir_open pins the content and gives the directory; the caller takes
 * dir->lock: shared to look, exclusive to change.  The lock is held while
 * directory blocks are read.
 */
#ifndef PHIFS_STORE_DIR_H
#define PHIFS_STORE_DIR_H

#include "format/dir_block.h"
#include "store/volume.h"

struct dir {
	pthread_rwlock_t lock;    /* protects the rest */
	struct dir_index *index;  /* NULL: not built */
	uint32_t blocks;
	uint8_t *room;            /* by block: longest name that fits, at most 255 */
	uint32_t room_size;
	uint32_t hint;            /* no block below has room for a short name */
};

/* An open directory. */
struct open_dir {
	struct node *node;        /* pinned */
	struct content *content;  /* pinned */
	struct dir *dir;
};

/* ERR_NOT_DIR, ERR_STALE (removed).  Not locked yet. */
enum err dir_open(struct store *store, uint64_t number, struct open_dir *open) MUST_CHECK;
void dir_close(struct store *store, struct open_dir *open);
void dir_free(struct node *node);

/* Take the lock; builds the index if that was not done. */
enum err dir_lock_shared(struct store *store, struct open_dir *open) MUST_CHECK;
enum err dir_lock_exclusive(struct store *store, struct open_dir *open) MUST_CHECK;
void dir_unlock(struct open_dir *open);

struct dir_hit {
	struct object_id id;
	uint8_t type;             /* S_IF* >> 12 */
	struct dir_place place;
};
/* ERR_NOT_FOUND, ERR_NAME_LENGTH. */
enum err dir_find(struct store *store, struct open_dir *open, const char *name,
		  struct dir_hit *hit) MUST_CHECK;
enum err dir_insert(struct store *store, struct open_dir *open, const char *name,
		    const struct object_id *id, uint8_t type) MUST_CHECK;
enum err dir_remove(struct store *store, struct open_dir *open, const char *name,
		    const struct dir_hit *hit) MUST_CHECK;
enum err dir_replace(struct store *store, struct open_dir *open, const struct dir_hit *hit,
		     const struct object_id *id, uint8_t type) MUST_CHECK;
bool dir_is_empty(const struct open_dir *open);

/*
 * Entries from cookie on: block * 1024 + slot, plus one; 0 is the start.
 * `each` returns false to stop.
 */
typedef bool dir_each(void *ctx, const struct dir_entry *entry, uint64_t next_cookie);
enum err dir_walk(struct store *store, struct open_dir *open, uint64_t cookie, dir_each *each,
		  void *ctx) MUST_CHECK;

#endif

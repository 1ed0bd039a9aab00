/*
 * What a volume may look like after a crash: every state a file and the
 * namespace had, which of them somebody was told is durable, and the check of
 * a recovered volume against it.
 *
 * A file's content after a crash is one of its states, at or after the last one
 * acknowledged; so is the namespace, as a whole (I21); a name that replaced
 * another brings at least the content its file had at the rename (I22, R3).
 *
 * The driver changes the model *before* it asks the store, and acknowledges
 * after it was answered; a snapshot of what was acknowledged is taken before
 * the disk is copied, of what was issued after it.  Locked inside.
 */
#ifndef PHIFS_TESTS_CRASH_MODEL_H
#define PHIFS_TESTS_CRASH_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

#define MODEL_NODES_MAX 128
#define MODEL_SIZE_MAX  (3u << 20)
#define MODEL_NAME_MAX  16

struct model;

struct model *model_new(void);
void model_free(struct model *model);

/*
 * Each change can be told to somebody before it is made: who has been told them
 * all can make the same model again, in another process.
 */
enum model_change_kind {
	MODEL_CREATE,
	MODEL_NUMBER,
	MODEL_LINK,
	MODEL_UNLINK,
	MODEL_RENAME,
	MODEL_XATTR,
	MODEL_WRITE,
	MODEL_TRUNCATE,
	MODEL_ACKNOWLEDGE,
	MODEL_BEGIN_AGAIN,
	MODEL_KEEP,
	MODEL_HAS_BEGUN
};
struct model_change {
	enum model_change_kind kind;
	uint32_t type;         /* of a new node */
	size_t node;
	size_t dir, new_dir;
	char name[MODEL_NAME_MAX], new_name[MODEL_NAME_MAX];
	bool exchange;
	uint64_t value;        /* number, size or clock */
	uint64_t offset, len;  /* of a write; of an attribute's value */
};
/* `data` has the change's `len` bytes.  Called with the model locked. */
typedef void model_told(void *ctx, const struct model_change *change, const void *data);
void model_tell(struct model *model, model_told *told, void *ctx);
void model_make(struct model *model, const struct model_change *change, const void *data);

/* Nodes by small index; 0 is the root. */
enum model_type { MODEL_FILE, MODEL_DIRECTORY, MODEL_SYMLINK };
/* A new node with one name; its number is told when the store has answered. */
size_t model_create(struct model *model, size_t dir, const char *name, enum model_type type);
void model_set_number(struct model *model, size_t node, uint64_t number);
/* A name of the node, if it has one, and the directory it is in. */
bool model_name(const struct model *model, size_t node, size_t *dir, char name[MODEL_NAME_MAX]);
uint64_t model_number(const struct model *model, size_t node);
enum model_type model_type(const struct model *model, size_t node);
uint64_t model_size(const struct model *model, size_t node);
size_t model_node_count(const struct model *model);
/* -1: there is no such name. */
int model_find(const struct model *model, size_t dir, const char *name);
bool model_is_empty(const struct model *model, size_t dir);
bool model_is_below(const struct model *model, size_t node, size_t ancestor);
unsigned int model_links(const struct model *model, size_t node);

void model_link(struct model *model, size_t node, size_t dir, const char *name);
void model_unlink(struct model *model, size_t dir, const char *name);
void model_rename(struct model *model, size_t dir, const char *name, size_t new_dir,
		  const char *new_name, bool exchange);
void model_set_xattr(struct model *model, size_t node, const void *value, size_t len);
void model_write(struct model *model, size_t node, uint64_t offset, const void *data, size_t len);
void model_truncate(struct model *model, size_t node, uint64_t size);

/* A request to make durable and its answer. */
struct model_ticket {
	size_t node;       /* MODEL_NODES_MAX: everything */
	uint64_t clock;    /* of the request */
};
struct model_ticket model_request(struct model *model, size_t node);
void model_acknowledge(struct model *model, const struct model_ticket *ticket);

/*
 * Everything anew, with nodes, names and clock as of a new model.  What was there
 * is at hand until it has begun: a new node keeps the latest content of the old
 * one of its number, if the last check found that (false: it did not).
 */
void model_begin_again(struct model *model);
bool model_keep(struct model *model, size_t node);
void model_has_begun(struct model *model);

/* --- after a crash ------------------------------------------------------------------- */

struct model_bounds {
	uint64_t names_acknowledged, names_issued;
	uint64_t acknowledged[MODEL_NODES_MAX], issued[MODEL_NODES_MAX];
};
/* Before the disk is copied, and after. */
void model_bounds_begin(struct model *model, struct model_bounds *bounds);
void model_bounds_end(struct model *model, struct model_bounds *bounds);

/* True if `store` (unlocked) is in a permitted state; else `why` says what is not. */
bool model_check(struct model *model, const struct model_bounds *bounds, struct store *store,
		 char *why, size_t size);

/*
 * Where a volume goes on: the model becomes what is in `store`, all of it
 * acknowledged.  Contents that the last check found to be the latest are the
 * model's already and not read again.
 */
enum err model_from_store(struct model *model, struct store *store) MUST_CHECK;

#endif

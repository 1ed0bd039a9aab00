/*
 * The table of open handles, for the guard.  handle.h is the part that the
 * operations see.
 */
#ifndef PHIFS_FSOPS_HANDLE_TABLE_H
#define PHIFS_FSOPS_HANDLE_TABLE_H

#include <pthread.h>
#include <stdatomic.h>

#include "fsops/caller.h"
#include "fsops/handle.h"
#include "fsops/scope.h"
#include "format/object_header.h"

/* Processes besides the opener's whose last look is remembered, for each handle. */
#define HANDLE_OTHERS_MAX 4

/*
 * A process that uses a handle, and what it may.  Opener: changed under
 * handle->mutex; `generation` and `is_refused` are read without it.
 */
struct handle_user {
	struct caller *caller;        /* a reference; NULL: this place is free */
	struct scope *scope;          /* a reference: what it was decided under */
	_Atomic uint64_t generation;  /* of the scope; 0: to be decided anew */
	_Atomic bool is_refused;
	int class_index;
	struct policy_verdict verdict;
};

/* What was read or written: since the open, or since the last summary record. */
struct handle_count {
	_Atomic uint64_t requests, bytes;
	_Atomic uint64_t from, to;    /* summary: smallest offset, largest end */
};

struct handle {
	uint64_t number;
	uint64_t node;
	struct object_id object_id;
	int flags;
	unsigned int actions;         /* that the open asked for: 1u << ACTION_X */
	bool is_directory;
	bool is_created;              /* this open made the file: `create` covers all */
	bool is_cached;
	bool has_mmap;
	_Atomic bool is_summary;      /* class with audit = summary */
	struct handle_user opener;
	pthread_mutex_t mutex;        /* the opener's slow path, the others */
	struct handle_user others[HANDLE_OTHERS_MAX];
	unsigned int next_other;      /* to be displaced */
	struct handle_count reads, writes;                 /* since the open */
	struct handle_count summary_reads, summary_writes; /* class with audit = summary */
	/* Under the shard's lock: the list by node. */
	bool is_listed;
	struct handle *next, **back;
};

struct handle_table;

enum err handle_table_new(struct handle_table **table) MUST_CHECK;
/* Frees what is still open, too. */
void handle_table_free(struct handle_table *table);

/* A new handle with its number, not yet found by node.  ERR_FULL: HANDLES_MAX are open. */
enum err handle_new(struct handle_table *table, struct handle **handle) MUST_CHECK;
/* From now on it is found by `node`. */
void handle_list(struct handle_table *table, struct handle *handle, uint64_t node);
/* Nobody may be using it. */
void handle_free(struct handle_table *table, struct handle *handle);

/* NULL: no such handle.  No lock. */
struct handle *handle_find(struct handle_table *table, uint64_t number);
uint64_t handle_table_count(struct handle_table *table);

/* With the shard's lock held: must not call the table. False ends the walk. */
typedef bool handle_each(void *ctx, struct handle *handle);
void handle_walk_node(struct handle_table *table, uint64_t node, handle_each *each, void *ctx);
void handle_walk(struct handle_table *table, handle_each *each, void *ctx);

void handle_count_add(struct handle_count *count, uint64_t offset, uint64_t bytes);
/* Takes what was counted and begins anew; false: nothing was. */
bool handle_count_take(struct handle_count *count, uint64_t *requests, uint64_t *bytes,
		       uint64_t *from, uint64_t *to);
void handle_user_clear(struct handle_user *user);

#endif

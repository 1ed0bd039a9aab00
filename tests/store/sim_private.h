/*
 * The simulated disk's parts; see store/backing.h for what it promises.
 *
 *     backing_sim.c   the table of calls, files opened, the hook
 *     sim_data.c      content: pages, versions, sizes
 *     sim_names.c     names and directories: events
 *     sim_crash.c     the disk after a power cut
 *     sim_copy.c      pages taken over from another disk
 *
 * Content is kept in pages of 4 KiB that are never changed once made and are
 * shared, by count, between versions and between disks; a page of zeroes is
 * NULL.  A version is a whole page and says which of its eight sectors the
 * write changed, so any sector can be cut back on its own.
 */
#ifndef PHIFS_TESTS_SIM_PRIVATE_H
#define PHIFS_TESTS_SIM_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "store/backing.h"

#define SIM_PAGE	 4096u
#define SIM_SECTOR	 512u
#define SIM_SECTORS	 (SIM_PAGE / SIM_SECTOR)
#define SIM_VERSIONS_MAX 256u /* of a page or size; then older ones are joined */
#define SIM_PATH_MAX	 256u

struct sim_page {
	atomic_uint users;
	uint8_t data[SIM_PAGE];
};

struct sim_version {
	uint64_t when;	       /* sequence number of the write */
	struct sim_page *page; /* after it */
	uint8_t changed;       /* bit i: sector i differs from the version before */
};

/* One page of a file: what is durable and what came after. */
struct sim_cell {
	uint64_t index;
	struct sim_page *durable;
	struct sim_version *versions; /* rising */
	size_t count, room;
	UT_hash_handle hh;
};

struct sim_size {
	uint64_t when;
	uint64_t size;
};

/* A file or directory without its name. */
struct sim_inode {
	struct sim_inode *previous, *next;
	bool is_directory;
	unsigned int users; /* names (now and durable), events, open files */
	struct sim_cell *cells;
	struct sim_cell **dirty; /* cells with versions */
	size_t dirty_count, dirty_room;
	uint64_t size; /* now */
	uint64_t durable_size;
	struct sim_size *sizes; /* after the durable one, rising */
	size_t sizes_count, sizes_room;
	bool mark;
	struct sim_inode *copy; /* while a crash is made */
};

struct sim_name {
	char path[SIM_PATH_MAX];
	struct sim_name *parent; /* NULL: the top */
	struct sim_inode *now;	 /* NULL: there is none */
	struct sim_inode *durable;
	struct sim_inode *after; /* while a crash is made */
	bool mark;
	UT_hash_handle hh;
};

/* A change of one name, or of two at once (rename), not yet durable. */
struct sim_change {
	struct sim_name *name;
	struct sim_inode *inode; /* what it names now; NULL: nothing */
	struct sim_inode *moved; /* the inode concerned, also if it lost the name */
};

struct sim_event {
	uint64_t when;
	struct sim_name *directory; /* whose sync makes it durable; NULL: the top */
	struct sim_change changes[2];
	size_t count;
	bool chosen;
};

struct sim_file {
	struct sim_inode *inode; /* NULL: free */
	bool read_only;
};

struct sim {
	struct backing base;
	pthread_mutex_t lock;
	struct sim_inode *inodes;
	struct sim_name *names;
	struct sim_event *events; /* rising */
	size_t events_count, events_room;
	struct sim_file *files;
	size_t files_count;
	uint64_t clock;
	uint64_t calls;
	unsigned int active;  /* changing calls that have begun and not ended */
	unsigned int windows; /* syncs that have begun and not ended */
	bool rename_in_two;
	uint64_t bytes_max, bytes_used;
	uint64_t inodes_max, inodes_used;
	backing_sim_hook *hook;
	void *hook_ctx;
};

/* Memory is never short in a test: these abort. */
void *sim_alloc(size_t size);
void *sim_grow(void *array, size_t count, size_t *room, size_t size);

/* --- content, with sim->lock held ------------------------------------------ */

struct sim_inode *sim_inode_new(struct sim *sim, bool is_directory);
void sim_inode_use(struct sim_inode *inode);
/* Frees it with the last use; NULL is harmless. */
void sim_inode_release(struct sim *sim, struct sim_inode *inode);
void sim_inode_free(struct sim *sim, struct sim_inode *inode);

/* NULL in and out: zeroes. */
struct sim_page *sim_page_share(struct sim_page *page);
void sim_page_release(struct sim_page *page);
/* A page of that content; NULL if it is all zeroes. */
struct sim_page *sim_page_new(const uint8_t data[SIM_PAGE]);
const uint8_t *sim_page_data(const struct sim_page *page);

void sim_read(const struct sim_inode *inode, void *data, size_t len, uint64_t offset);
/* Does not change the size. */
void sim_write(struct sim *sim, struct sim_inode *inode, const void *data, size_t len,
	       uint64_t offset);
void sim_zero(struct sim *sim, struct sim_inode *inode, uint64_t from, uint64_t to);
void sim_resize(struct sim *sim, struct sim_inode *inode, uint64_t size);
/* Everything written up to `when` becomes durable. */
void sim_inode_sync(struct sim_inode *inode, uint64_t when);

/* --- names, with sim->lock held ------------------------------------------------ */

/* The name's place, made if it was never used; ERR_NOT_FOUND without its directory. */
enum err sim_name_get(struct sim *sim, const char *path, struct sim_name **name) MUST_CHECK;
/* A directory, NULL for the top; ERR_NOT_FOUND, ERR_NOT_DIR. */
enum err sim_directory_get(struct sim *sim, const char *path, struct sim_name **name) MUST_CHECK;
/* An event that is this change. */
void sim_name_change(struct sim *sim, struct sim_name *name, struct sim_inode *inode);
void sim_name_move(struct sim *sim, struct sim_name *from, struct sim_name *to);
/* Events of that directory up to `when`; with `all` of every one. */
void sim_names_sync(struct sim *sim, struct sim_name *directory, bool all, uint64_t when);
/* Extends `chosen` to what the chosen events need to have happened before. */
void sim_events_close(struct sim *sim);
void sim_names_free(struct sim *sim);

#endif

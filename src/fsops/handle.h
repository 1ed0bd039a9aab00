/*
 * Open handles: what an open was allowed, to whom, and what it did since.
 *
 * A handle is named by its number: in fi->fh, and in the audit trail, where
 * READ and WRITE records carry nothing else.  Numbers are never used twice
 * while the daemon runs; the low HANDLE_SLOT_BITS are the place in the table, so
 * that finding one takes no lock.  The kernel sends no request with a handle
 * after its RELEASE, so a handle that was found lives until the request ends.
 *
 * Handles are also found by node: the set of writable handles is what the
 * record of a page write-back says, and a program that made a file may do
 * everything to it while it holds the handle that made it.
 *
 * Locks: a table's shard (by node) for being listed; handle->mutex for the
 * slow path (new policy, another process).  Shard before handle.
 */
#ifndef PHIFS_FSOPS_HANDLE_H
#define PHIFS_FSOPS_HANDLE_H

#include <stdbool.h>
#include <stdint.h>

struct handle;

#define HANDLE_SLOT_BITS 20
#define HANDLES_MAX      (1u << HANDLE_SLOT_BITS)

uint64_t handle_number(const struct handle *handle);
/* The node it is open on. */
uint64_t handle_node(const struct handle *handle);
/* O_* as given to open; O_TRUNC and O_CREAT included. */
int handle_flags(const struct handle *handle);
/* The class has mmap = yes (of the policy at the open). */
bool handle_has_mmap(const struct handle *handle);
/*
 * The open reply chose the page cache (old kernels, classes with mmap = yes):
 * its fills are then not invalidated one by one.  To be called before
 * guard_end_open or guard_end_create.
 */
void handle_set_cached(struct handle *handle);
bool handle_is_cached(const struct handle *handle);

#endif

/*
 * A block device that keeps every write and every flush in their order.
 *
 * A process of its own serves a FUSE file, and a loop device lies on it.  It
 * serves one request after the other and answers each before it takes the
 * next.  A process, because a file system that waits for a server which is a
 * thread of the waiting program could never be killed.  It ends with its parent.
 *
 * The loop device announces a write cache without FUA, so the kernel sends a
 * FUA write as a write and a flush, and one with PREFLUSH as a flush and a
 * write: writes, flushes and ranges of zeroes are all there is.
 */
#ifndef PHIFS_TESTS_BLOCK_RECORDER_H
#define PHIFS_TESTS_BLOCK_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "block_disk.h"

enum block_entry_kind { BLOCK_WRITE, BLOCK_ZERO, BLOCK_FLUSH };

struct block_entry {
	enum block_entry_kind kind;
	uint64_t offset, len;
	const uint8_t *data; /* of a write */
};

struct block_recorder;

/*
 * A flush has arrived: everything recorded before it was answered, it was not
 * yet.  On a thread of the recorder; the disk waits for the return, so it must
 * not touch the file system on it.
 */
typedef void block_flushed(void *ctx);

/*
 * Serves `disk`, whose FUSE file lies in `directory`, which exists.  NULL: it
 * cannot be (no root, no FUSE, no loop device); says why on stderr.
 */
struct block_recorder *block_recorder_new(struct block_disk *disk, const char *directory);
/* Nothing may be mounted on it any more. */
void block_recorder_free(struct block_recorder *recorder);
/* "/dev/loopN" */
const char *block_recorder_device(const struct block_recorder *recorder);

/* Record from here on, the log is empty; `flushed` NULL: nobody wants to hear. */
void block_recorder_begin(struct block_recorder *recorder, block_flushed *flushed, void *ctx);
/* What was recorded stays until the next begin. */
void block_recorder_end(struct block_recorder *recorder);
size_t block_recorder_count(const struct block_recorder *recorder);
/* The log was full, something is missing. */
bool block_recorder_is_full(const struct block_recorder *recorder);
/* Its data is valid until the next begin. */
struct block_entry block_recorder_entry(const struct block_recorder *recorder, size_t index);

/* The disk's content was changed behind the kernel's back: forget what it knows. */
void block_recorder_changed(struct block_recorder *recorder);

#endif

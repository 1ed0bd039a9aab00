/* What block_recorder.c and its server process, block_server.c, share. */
#ifndef PHIFS_TESTS_BLOCK_SERVER_H
#define PHIFS_TESTS_BLOCK_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "block_recorder.h"

#define BLOCK_ENTRIES_MAX (1u << 18)
#define BLOCK_DATA_MAX	  (1ull << 30)

struct block_logged {
	enum block_entry_kind kind;
	uint64_t offset, len;
	size_t data; /* where it starts in block_shared.data */
};

/* In shared memory; written by the server but for the switches. */
struct block_shared {
	struct block_disk *disk;
	atomic_bool is_recording, is_heard, is_full;
	atomic_size_t count;
	size_t data_len;
	uint8_t *data; /* shared, BLOCK_DATA_MAX */
	struct block_logged entries[BLOCK_ENTRIES_MAX];
};

struct block_shared *block_shared_new(struct block_disk *disk);
void block_shared_free(struct block_shared *shared);
/* The log is empty, its memory given back. */
void block_shared_clear(struct block_shared *shared);

/*
 * Serves "disk" in `mountpoint` until it is unmounted.  Writes a byte to
 * `socket` when it is mounted; then one for each flush while is_heard, and
 * waits for one in return.  The exit status.
 */
int block_serve(struct block_shared *shared, const char *mountpoint, int socket);

#endif

/*
 * The content of a disk in shared memory, in two layers: a base, and above it
 * the pages that differ.  What lies above the base is forgotten or kept at
 * will, so that a thousand images of one disk cost only what they differ in.
 * Pages nobody wrote, or wrote zeroes to, take no memory.
 *
 * Shared with processes forked later; nothing is locked: one at a time.
 */
#ifndef PHIFS_TESTS_BLOCK_DISK_H
#define PHIFS_TESTS_BLOCK_DISK_H

#include <stddef.h>
#include <stdint.h>

#define BLOCK_SECTOR 512u
#define BLOCK_PAGE   4096u

struct block_disk;

/* All zeroes; `size` is a multiple of BLOCK_PAGE.  Aborts without memory. */
struct block_disk *block_disk_new(uint64_t size);
void block_disk_free(struct block_disk *disk);
uint64_t block_disk_size(const struct block_disk *disk);

/* Ranges within the disk. */
void block_disk_read(const struct block_disk *disk, uint64_t offset, void *data, size_t len);
/* Above the base. */
void block_disk_write(struct block_disk *disk, uint64_t offset, const void *data, size_t len);
void block_disk_zero(struct block_disk *disk, uint64_t offset, uint64_t len);

/* The disk is its base again. */
void block_disk_forget(struct block_disk *disk);
/* What lies above the base becomes part of it. */
void block_disk_keep(struct block_disk *disk);
/* `disk` gets the base of `from`, which is of the same size, and nothing above it. */
void block_disk_copy(struct block_disk *disk, const struct block_disk *from);
/* All of it as a sparse file, for whoever looks for the reason. */
int block_disk_export(const struct block_disk *disk, const char *path);

#endif

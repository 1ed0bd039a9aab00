/*
 * A place for a volume's directories that can be lost and found again: a plain
 * directory, or ext4 or xfs on a loop device over memory.
 *
 * Mounts are in a mount namespace of this process: they are gone with it,
 * however it ends, and nobody else sees them.  One thread.
 */
#ifndef PHIFS_TESTS_CRASH_DISK_H
#define PHIFS_TESTS_CRASH_DISK_H

#include <stdbool.h>
#include <stdint.h>

enum disk_kind { DISK_DIRECTORY, DISK_EXT4, DISK_XFS };
#define DISK_KINDS 3

/* "directory", "ext4", "xfs". */
const char *disk_kind_name(enum disk_kind kind);
/* NULL, or why there can be none here. */
const char *disk_kind_missing(enum disk_kind kind);

struct disk;

/* Mounted and empty; aborts on failure. */
struct disk *disk_new(enum disk_kind kind);
const char *disk_path(const struct disk *disk);
/* The file system stops as at a power cut; `flags` of the ioctl: 0, 1 or 2. */
bool disk_shut_down(struct disk *disk, uint32_t flags);
/* What a restart does: unmount and mount, the file system's own recovery included. */
bool disk_remount(struct disk *disk);
/* Unmounts and forgets; NULL is harmless. */
void disk_free(struct disk *disk);

#endif

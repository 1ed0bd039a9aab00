/*
 * Whole-buffer file helpers over descriptors and directory descriptors.
 * All retry on EINTR and short counts; all open with O_CLOEXEC and, for files
 * that an attacker may have replaced, O_NOFOLLOW.
 */
#ifndef PHIFS_BASE_IO_H
#define PHIFS_BASE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* Reads exactly `len` bytes; fewer (end of file) is ERR_FORMAT. */
enum err io_pread_all(int fd, void *data, size_t len, off_t offset) MUST_CHECK;
enum err io_pwrite_all(int fd, const void *data, size_t len, off_t offset) MUST_CHECK;
/* Writes to a pipe or socket. */
enum err io_write_all(int fd, const void *data, size_t len) MUST_CHECK;

/*
 * Reads a whole regular file of at most `max` bytes.  `*data` is malloc'd, has
 * a NUL after its last byte and is the caller's; larger is ERR_TOO_LARGE.
 */
enum err io_read_file(int dir_fd, const char *path, size_t max, uint8_t **data,
		      size_t *len) MUST_CHECK;

/* Creates `path`, which must not exist, with `mode`, writes and fsyncs it. */
enum err io_create_file(int dir_fd, const char *path, const void *data, size_t len,
			mode_t mode) MUST_CHECK;

/*
 * Replaces `path` so that after a power cut it is whole, old or new: temporary
 * file, fsync, rename, fsync of the directory.
 */
enum err io_replace_file(int dir_fd, const char *path, const void *data, size_t len,
			 mode_t mode) MUST_CHECK;

/*
 * fsync of a file or directory, fdatasync, syncfs.  A file system that goes down
 * meanwhile (by itself, after an I/O error of its own) may say that a sync went
 * well, and what was synced is lost: so a success is ERR_IO if it is down now.
 */
enum err io_fsync(int fd) MUST_CHECK;
enum err io_fdatasync(int fd) MUST_CHECK;
enum err io_syncfs(int fd) MUST_CHECK;

/* Something is mounted at `path`.  Asks no file system, so one that hangs is no obstacle. */
bool io_is_mount(const char *path);

#endif

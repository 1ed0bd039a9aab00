/*
 * The backing as it is in production: system calls below one directory.
 *
 * A file number is the descriptor itself, so pread and pwrite cost one system
 * call.  Paths are resolved by openat2(2), which refuses links and leaving the
 * directory in the kernel; where it is missing or filtered away, component by
 * component.
 */
#include "store/backing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"

#define FILE_MODE      0600
#define DIRECTORY_MODE 0700
#define PATH_LEN_MAX   1024u /* the store's own are below 64 */
#define RACE_TRIES     64    /* openat2 says EAGAIN while something else is renamed */

struct real {
	struct backing base;
	int dir_fd;
	bool has_openat2;
};

static struct real *real_of(struct backing *b)
{
	return (struct real *)b;
}

/* Relative, no component "..", none empty. */
static bool path_is_valid(const char *path)
{
	size_t len = strnlen(path, PATH_LEN_MAX);

	if (len == 0 || len == PATH_LEN_MAX || path[0] == '/' || path[len - 1] == '/')
		return false;
	for (const char *part = path; part != NULL;) {
		const char *end = strchr(part, '/');
		size_t part_len = end == NULL ? strlen(part) : (size_t)(end - part);

		if (part_len == 0 || (part_len == 2 && memcmp(part, "..", 2) == 0))
			return false;
		part = end == NULL ? NULL : end + 1;
	}
	return true;
}

static enum err err_from_path(int error_number)
{
	if (error_number == ELOOP || error_number == ENOTDIR || error_number == EXDEV ||
	    error_number == ENXIO)
		return ERR_TAMPERED;
	return err_from_errno(error_number);
}

static int openat2_below(int dir_fd, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned int)flags,
		.mode = (flags & O_CREAT) != 0 ? FILE_MODE : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	for (int tries = 0; tries < RACE_TRIES; tries++) {
		fd = (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EINTR && errno != EAGAIN))
			break;
	}
	return fd;
}

/* The same without openat2: one O_NOFOLLOW open for each component. */
static int walk_below(int dir_fd, const char *path, int flags)
{
	char part[NAME_MAX + 1];
	int at = dir_fd;
	int fd;

	for (const char *end; (end = strchr(path, '/')) != NULL; path = end + 1) {
		int next = -1;

		errno = ENAMETOOLONG;
		if ((size_t)(end - path) < sizeof(part)) {
			memcpy(part, path, (size_t)(end - path));
			part[end - path] = '\0';
			next = openat(at, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		}
		if (at != dir_fd)
			close(at);
		if (next < 0)
			return -1;
		at = next;
	}
	do {
		fd = openat(at, path, flags, FILE_MODE);
	} while (fd < 0 && errno == EINTR);
	if (at != dir_fd) {
		int saved = errno;

		close(at);
		errno = saved;
	}
	return fd;
}

static enum err open_below(const struct real *real, const char *path, int flags, int *fd)
{
	int opened;

	if (!path_is_valid(path))
		return ERR_INVALID;
	flags |= O_CLOEXEC | O_NOFOLLOW;
	opened = real->has_openat2 ? openat2_below(real->dir_fd, path, flags)
				   : walk_below(real->dir_fd, path, flags);
	if (opened < 0)
		return err_from_path(errno);
	*fd = opened;
	return ERR_OK;
}

/* Where a name lies: the directory (closed with parent_close) and the last component. */
struct parent {
	int fd;
	const char *name;
};

static enum err parent_open(const struct real *real, const char *path, struct parent *parent)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_LEN_MAX];

	if (!path_is_valid(path) || strcmp(slash == NULL ? path : slash + 1, ".") == 0)
		return ERR_INVALID;
	if (slash == NULL) {
		*parent = (struct parent){real->dir_fd, path};
		return ERR_OK;
	}
	memcpy(dir, path, (size_t)(slash - path));
	dir[slash - path] = '\0';
	parent->name = slash + 1;
	return open_below(real, dir, O_PATH | O_DIRECTORY, &parent->fd);
}

static void parent_close(const struct real *real, const struct parent *parent)
{
	if (parent->fd != real->dir_fd)
		close(parent->fd);
}

static enum err real_open(struct backing *b, const char *path, int flags, int *file)
{
	int how = (flags & BACKING_READ_ONLY) != 0 ? O_RDONLY : O_RDWR;
	struct stat st;
	enum err err;
	int fd;

	if ((flags & BACKING_CREATE) != 0)
		how |= O_CREAT | O_EXCL;
	/* O_NONBLOCK: a fifo put in a file's place must not make us wait. */
	err = open_below(real_of(b), path, how | O_NONBLOCK | O_NOCTTY, &fd);
	if (err == ERR_IS_DIR)
		return ERR_TAMPERED;
	if (err != ERR_OK)
		return err;
	if (fstat(fd, &st) < 0)
		err = err_from_errno(errno);
	else if (!S_ISREG(st.st_mode))
		err = ERR_TAMPERED;
	if (err != ERR_OK) {
		close(fd);
		return err;
	}
	*file = fd;
	return ERR_OK;
}

static void real_close(struct backing *b, int file)
{
	(void)b;
	close(file);
}

static bool range_is_valid(uint64_t offset, uint64_t len)
{
	return offset <= INT64_MAX && len <= INT64_MAX - offset;
}

static enum err real_pread(struct backing *b, int file, void *data, size_t len, uint64_t offset)
{
	uint8_t *next = data;

	(void)b;
	if (!range_is_valid(offset, len))
		return ERR_TOO_LARGE;
	while (len > 0) {
		ssize_t got = pread(file, next, len, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_from_errno(errno);
		if (got == 0) {
			memset(next, 0, len);
			break;
		}
		next += got;
		len -= (size_t)got;
		offset += (uint64_t)got;
	}
	return ERR_OK;
}

static enum err real_pwrite(struct backing *b, int file, const void *data, size_t len,
			    uint64_t offset)
{
	const uint8_t *next = data;

	(void)b;
	if (!range_is_valid(offset, len))
		return ERR_TOO_LARGE;
	while (len > 0) {
		ssize_t put = pwrite(file, next, len, (off_t)offset);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return err_from_errno(errno);
		if (put == 0)
			return ERR_IO;
		next += put;
		len -= (size_t)put;
		offset += (uint64_t)put;
	}
	return ERR_OK;
}

static enum err real_fdatasync(struct backing *b, int file)
{
	(void)b;
	return io_fdatasync(file);
}

static enum err real_write_out(struct backing *b, int file, uint64_t offset, uint64_t len)
{
	const unsigned int all = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
				 SYNC_FILE_RANGE_WAIT_AFTER;

	(void)b;
	if (!range_is_valid(offset, len))
		return ERR_TOO_LARGE;
	if (sync_file_range(file, (off_t)offset, (off_t)len, all) == 0)
		return ERR_OK;
	/* Where there is no such thing, fdatasync does it all. */
	return errno == ENOSYS || errno == ESPIPE || errno == EOPNOTSUPP ? ERR_OK
									 : err_from_errno(errno);
}

static enum err real_truncate(struct backing *b, int file, uint64_t size)
{
	int rc;

	(void)b;
	if (!range_is_valid(size, 0))
		return ERR_TOO_LARGE;
	do {
		rc = ftruncate(file, (off_t)size);
	} while (rc < 0 && errno == EINTR);
	return rc < 0 ? err_from_errno(errno) : ERR_OK;
}

static enum err real_punch(struct backing *b, int file, uint64_t offset, uint64_t len)
{
	int rc;

	(void)b;
	if (!range_is_valid(offset, len))
		return ERR_TOO_LARGE;
	if (len == 0)
		return ERR_OK;
	do {
		rc = fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
			       (off_t)len);
	} while (rc < 0 && errno == EINTR);
	if (rc < 0 && errno != EOPNOTSUPP && errno != ENOSYS)
		return err_from_errno(errno);
	return ERR_OK;
}

static enum err real_size(struct backing *b, int file, uint64_t *size)
{
	struct stat st;

	(void)b;
	if (fstat(file, &st) < 0)
		return err_from_errno(errno);
	*size = (uint64_t)st.st_size;
	return ERR_OK;
}

static enum err real_rename(struct backing *b, const char *from, const char *to)
{
	struct real *real = real_of(b);
	struct parent source, target;
	enum err err = parent_open(real, from, &source);

	if (err != ERR_OK)
		return err;
	err = parent_open(real, to, &target);
	if (err == ERR_OK) {
		if (renameat(source.fd, source.name, target.fd, target.name) < 0)
			err = err_from_errno(errno);
		parent_close(real, &target);
	}
	parent_close(real, &source);
	return err;
}

static enum err real_unlink(struct backing *b, const char *path)
{
	struct real *real = real_of(b);
	struct parent parent;
	enum err err = parent_open(real, path, &parent);

	if (err != ERR_OK)
		return err;
	if (unlinkat(parent.fd, parent.name, 0) < 0)
		err = err_from_errno(errno);
	parent_close(real, &parent);
	return err;
}

static enum err real_mkdir(struct backing *b, const char *path)
{
	struct real *real = real_of(b);
	struct parent parent;
	enum err err = parent_open(real, path, &parent);

	if (err != ERR_OK)
		return err;
	if (mkdirat(parent.fd, parent.name, DIRECTORY_MODE) < 0)
		err = err_from_errno(errno);
	parent_close(real, &parent);
	return err;
}

static enum err real_sync_dir(struct backing *b, const char *path)
{
	int fd;
	enum err err = open_below(real_of(b), path, O_RDONLY | O_DIRECTORY, &fd);

	if (err != ERR_OK)
		return err;
	err = io_fsync(fd);
	close(fd);
	return err;
}

static enum err real_sync_all(struct backing *b)
{
	return io_syncfs(real_of(b)->dir_fd);
}

static enum err real_space(struct backing *b, struct backing_space *space)
{
	struct statvfs st;

	if (fstatvfs(real_of(b)->dir_fd, &st) < 0)
		return err_from_errno(errno);
	space->free_bytes = (uint64_t)st.f_bavail * st.f_frsize;
	space->total_bytes = (uint64_t)st.f_blocks * st.f_frsize;
	space->free_inodes = st.f_files == 0 ? UINT64_MAX : st.f_favail;
	space->total_inodes = st.f_files;
	return ERR_OK;
}

static enum err list_open(struct real *real, const char *path, DIR **dir)
{
	int fd;
	enum err err = open_below(real, path, O_RDONLY | O_DIRECTORY, &fd);

	if (err != ERR_OK)
		return err;
	*dir = fdopendir(fd);
	if (*dir == NULL) {
		err = err_from_errno(errno);
		close(fd);
	}
	return err;
}

static enum err real_list(struct backing *b, const char *path, backing_name *each, void *ctx)
{
	DIR *dir;
	enum err err = list_open(real_of(b), path, &dir);

	if (err != ERR_OK)
		return err;
	for (;;) {
		const struct dirent *entry;

		errno = 0;
		entry = readdir(dir);
		if (entry == NULL)
			break;
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			each(ctx, entry->d_name);
	}
	err = err_from_errno(errno);
	closedir(dir);
	return err;
}

static void real_free(struct backing *b)
{
	close(real_of(b)->dir_fd);
	free(b);
}

static const struct backing_ops real_ops = {
	.open = real_open,
	.close = real_close,
	.pread = real_pread,
	.pwrite = real_pwrite,
	.fdatasync = real_fdatasync,
	.write_out = real_write_out,
	.truncate = real_truncate,
	.punch = real_punch,
	.size = real_size,
	.rename = real_rename,
	.unlink = real_unlink,
	.mkdir = real_mkdir,
	.sync_dir = real_sync_dir,
	.sync_all = real_sync_all,
	.space = real_space,
	.list = real_list,
	.free = real_free,
};

/* One mounter: two would write each other's journal.  Ends with the process. */
static enum err lock_directory(int dir_fd)
{
	if (flock(dir_fd, LOCK_EX | LOCK_NB) == 0)
		return ERR_OK;
	/* A file system that has no locks (some network ones) must do without. */
	return errno == EWOULDBLOCK ? ERR_BUSY : ERR_OK;
}

enum err backing_real_new(const char *path, struct backing **backing)
{
	struct real *real = calloc(1, sizeof(*real));
	enum err err;
	int probe;

	if (real == NULL)
		return ERR_NO_MEMORY;
	real->base.ops = &real_ops;
	real->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = real->dir_fd < 0 ? err_from_errno(errno) : lock_directory(real->dir_fd);
	if (err != ERR_OK) {
		if (real->dir_fd >= 0)
			close(real->dir_fd);
		free(real);
		return err;
	}
	probe = openat2_below(real->dir_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (probe >= 0) {
		real->has_openat2 = true;
		close(probe);
	}
	*backing = &real->base;
	return ERR_OK;
}

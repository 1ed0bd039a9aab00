#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum err io_pread_all(int fd, void *data, size_t len, off_t offset)
{
	uint8_t *next = data;

	while (len > 0) {
		ssize_t got = pread(fd, next, len, offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_from_errno(errno);
		if (got == 0)
			return ERR_FORMAT;
		next += got;
		len -= (size_t)got;
		offset += got;
	}
	return ERR_OK;
}

enum err io_pwrite_all(int fd, const void *data, size_t len, off_t offset)
{
	const uint8_t *next = data;

	while (len > 0) {
		ssize_t put = pwrite(fd, next, len, offset);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return err_from_errno(errno);
		next += put;
		len -= (size_t)put;
		offset += put;
	}
	return ERR_OK;
}

enum err io_write_all(int fd, const void *data, size_t len)
{
	const uint8_t *next = data;

	while (len > 0) {
		ssize_t put = write(fd, next, len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return err_from_errno(errno);
		next += put;
		len -= (size_t)put;
	}
	return ERR_OK;
}

enum err io_read_file(int dir_fd, const char *path, size_t max, uint8_t **data, size_t *len)
{
	enum err err = ERR_OK;
	uint8_t *content = NULL;
	struct stat st;
	int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return err_from_errno(errno == ELOOP ? EINVAL : errno);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		err = ERR_INVALID;
	else if ((uint64_t)st.st_size > max)
		err = ERR_TOO_LARGE;
	else if ((content = malloc((size_t)st.st_size + 1)) == NULL)
		err = ERR_NO_MEMORY;
	else
		err = io_pread_all(fd, content, (size_t)st.st_size, 0);
	if (err == ERR_OK) {
		content[st.st_size] = '\0';
		*data = content;
		*len = (size_t)st.st_size;
		content = NULL;
	}
	free(content);
	close(fd);
	return err;
}

/*
 * Asked for anything after they went down, ext4 and xfs say EIO.  This asks for what
 * costs nothing, and which they have of files and directories alike.
 */
static enum err result_of_sync(int fd, int rc)
{
	if (rc == 0 && (fgetxattr(fd, "user.phifs", NULL, 0) >= 0 || errno != EIO))
		return ERR_OK;
	return err_from_errno(errno);
}

enum err io_fsync(int fd)
{
	return result_of_sync(fd, fsync(fd));
}

enum err io_fdatasync(int fd)
{
	return result_of_sync(fd, fdatasync(fd));
}

enum err io_syncfs(int fd)
{
	return result_of_sync(fd, syncfs(fd));
}

enum err io_create_file(int dir_fd, const char *path, const void *data, size_t len, mode_t mode)
{
	enum err err;
	int fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);

	if (fd < 0)
		return err_from_errno(errno);
	err = io_pwrite_all(fd, data, len, 0);
	if (err == ERR_OK)
		err = io_fsync(fd);
	if (close(fd) < 0 && err == ERR_OK)
		err = err_from_errno(errno);
	if (err != ERR_OK)
		unlinkat(dir_fd, path, 0);
	return err;
}

/* The directory that holds `path`, for its fsync. */
static enum err fsync_parent(int dir_fd, const char *path)
{
	char parent[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t len = slash == NULL ? 0 : (size_t)(slash - path);
	enum err err;
	int fd;

	if (len >= sizeof(parent))
		return ERR_NAME_LENGTH;
	if (slash == NULL)
		strcpy(parent, ".");
	else if (len == 0)
		strcpy(parent, "/");
	else {
		memcpy(parent, path, len);
		parent[len] = '\0';
	}
	fd = openat(dir_fd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_from_errno(errno);
	err = io_fsync(fd);
	close(fd);
	return err;
}

enum err io_replace_file(int dir_fd, const char *path, const void *data, size_t len, mode_t mode)
{
	char temporary[PATH_MAX];
	enum err err;

	if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary))
		return ERR_NAME_LENGTH;
	unlinkat(dir_fd, temporary, 0);
	err = io_create_file(dir_fd, temporary, data, len, mode);
	if (err != ERR_OK)
		return err;
	if (renameat(dir_fd, temporary, dir_fd, path) < 0) {
		err = err_from_errno(errno);
		unlinkat(dir_fd, temporary, 0);
		return err;
	}
	return fsync_parent(dir_fd, path);
}

bool io_is_mount(const char *path)
{
	struct statx stx;

	return statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, 0,
		     &stx) == 0 &&
	       (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

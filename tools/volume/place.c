#include "tools/volume/place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/log.h"
#include "tools/cli/command.h"
#include "tools/volume/made.h"

#define FUSE_MAGIC 0x65735546 /* statfs(2): FUSE_SUPER_MAGIC */

bool place_has_mount(const char *path)
{
	struct statfs st;

	return statfs(path, &st) == 0 && st.f_type == FUSE_MAGIC;
}

/* Splits off the last component; both are in `copy`. */
static enum err split(char *copy, const char **parent, const char **name)
{
	size_t len = strlen(copy);
	char *slash;

	while (len > 1 && copy[len - 1] == '/')
		copy[--len] = '\0';
	slash = strrchr(copy, '/');
	*name = slash == NULL ? copy : slash + 1;
	*parent = slash == NULL ? "." : slash == copy ? "/" : copy;
	if (slash != NULL)
		*slash = '\0';
	return **name == '\0' || strcmp(*name, ".") == 0 || strcmp(*name, "..") == 0 ? ERR_INVALID
										      : ERR_OK;
}

enum err place_resolve(const char *path, char **resolved)
{
	char *copy = strdup(path), *directory = NULL;
	const char *parent, *name;
	enum err err = ERR_OK;

	if (copy == NULL)
		return cli_fail(ERR_NO_MEMORY, "out of memory");
	if (split(copy, &parent, &name) != ERR_OK) {
		err = cli_fail(ERR_USAGE, "'%s' cannot be used", path);
	} else if ((directory = realpath(parent, NULL)) == NULL) {
		err = cli_fail(ERR_NOT_FOUND, "%s: %s", parent, strerror(errno));
		log_hint("mkdir -p %s", parent);
	} else if (asprintf(resolved, "%s/%s", strcmp(directory, "/") == 0 ? "" : directory,
			    name) < 0) {
		err = cli_fail(ERR_NO_MEMORY, "out of memory");
	}
	free(directory);
	free(copy);
	return err;
}

enum err place_is_free(const char *path, const char *what)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? ERR_OK
				       : cli_fail(err_from_errno(errno), "%s: %s", path,
						  strerror(errno));
	return cli_fail(ERR_EXISTS, "the %s %s exists already: nothing is overwritten", what, path);
}

enum err place_is_empty(const char *path, const char *what)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? ERR_OK
				       : cli_fail(err_from_errno(errno), "%s: %s", path,
						  strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return cli_fail(ERR_EXISTS, "the %s %s is not a directory", what, path);
	if (place_has_mount(path))
		return cli_fail(ERR_BUSY, "something is mounted on the %s %s", what, path);
	if (made_is_empty(path))
		return ERR_OK;
	cli_fail(ERR_NOT_EMPTY, "the %s %s is not empty: nothing is overwritten", what, path);
	log_hint("take another directory, or look what is there: ls -la %s", path);
	return ERR_NOT_EMPTY;
}

enum err place_make_immutable(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), flags;
	bool is_set = fd >= 0 && ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0;

	if (is_set) {
		flags |= FS_IMMUTABLE_FL;
		is_set = ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
	}
	if (!is_set)
		cli_fail(ERR_UNSUPPORTED, "%s cannot be made immutable: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return is_set ? ERR_OK : ERR_UNSUPPORTED;
}

#include "daemon/mount.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"

#define FUSE_DEVICE "/dev/fuse"
#define FUSECTL     "/sys/fs/fuse/connections"

static enum err refuse_missing(const char *mountpoint)
{
	log_error("the mount point %s does not exist", mountpoint);
	log_hint("mkdir -m 000 %s", mountpoint);
	return ERR_CONFIG;
}

/* A killed daemon leaves "Transport endpoint is not connected" behind. */
static enum err take_dead_mount_away(const char *mountpoint)
{
	enum err err = mount_detach(mountpoint);

	if (err == ERR_OK)
		log_warning("took away the dead mount of an earlier daemon at %s", mountpoint);
	return err;
}

/* FORCE_SYNC: the kernel remembers the root of a mount that died a moment ago. */
static enum err check_directory(const char *mountpoint)
{
	struct statx stx;

	if (statx(AT_FDCWD, mountpoint,
		  AT_STATX_FORCE_SYNC | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE,
		  &stx) == 0) {
		if (S_ISDIR(stx.stx_mode))
			return ERR_OK;
		log_error("%s is not a directory", mountpoint);
		log_hint("ls -ld %s", mountpoint);
		return ERR_CONFIG;
	}
	if (errno == ENOENT)
		return refuse_missing(mountpoint);
	if (errno == ENOTCONN || errno == ECONNABORTED)
		return take_dead_mount_away(mountpoint);
	log_error("%s: %s", mountpoint, strerror(errno));
	return err_from_errno(errno);
}

static enum err check_empty(const char *mountpoint)
{
	DIR *dir = opendir(mountpoint);
	struct dirent *entry;
	bool is_empty = true;

	if (!dir) {
		log_error("%s: %s", mountpoint, strerror(errno));
		return err_from_errno(errno);
	}
	while (is_empty && (entry = readdir(dir)))
		is_empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	closedir(dir);
	if (is_empty)
		return ERR_OK;
	log_error("%s is not empty: files were written here while phifs was down", mountpoint);
	log_hint("move them away, start phifs, then copy them in: ls %s", mountpoint);
	return ERR_NOT_EMPTY;
}

/* Both are absolute and resolved. */
static bool is_inside(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* A directory that does not exist yet is judged by the nearest parent that does. */
static char *resolve(const char *path)
{
	char *copy = strdup(path);
	char *real = NULL;

	while (copy && !(real = realpath(copy, NULL)) && errno == ENOENT) {
		char *slash = strrchr(copy, '/');

		if (!slash || slash == copy)
			break;
		*slash = '\0';
	}
	free(copy);
	return real;
}

static enum err check_outside(const char *mountpoint, const char *what, const char *path)
{
	char *inner = resolve(path);
	char *outer = resolve(mountpoint);
	bool is_bad = !inner || !outer || is_inside(inner, outer);

	free(inner);
	free(outer);
	if (!is_bad)
		return ERR_OK;
	log_error("%s (%s) is inside the mount point %s", path, what, mountpoint);
	log_hint("move it, or mount elsewhere: [volume] mountpoint = DIRECTORY");
	return ERR_CONFIG;
}

enum err mount_check(const struct config *config)
{
	const char *mountpoint = config->mountpoint;
	const char *const places[][2] = {
		{"ciphertext", config->ciphertext},
		{"state", config->state},
		{"run-directory", config->run_directory},
		{"policy", config->policy},
	};
	enum err err = check_directory(mountpoint);

	for (size_t i = 0; !err && i < sizeof(places) / sizeof(places[0]); i++)
		err = check_outside(mountpoint, places[i][0], places[i][1]);
	return err ? err : check_empty(mountpoint);
}

/* Mask 0 and DONT_SYNC: answered by the kernel alone, whatever state the daemon is in. */
static enum err connection_number(const char *mountpoint, unsigned int *connection)
{
	struct statx stx;

	if (statx(AT_FDCWD, mountpoint, AT_STATX_DONT_SYNC | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
		  0, &stx))
		return err_from_errno(errno);
	*connection = stx.stx_dev_minor;
	return ERR_OK;
}

static enum err do_mount(const struct mount_options *options, int fd)
{
	unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOATIME;
	char data[256];

	if (options->is_read_only)
		flags |= MS_RDONLY;
	snprintf(data, sizeof(data),
		 "fd=%d,rootmode=040000,user_id=%u,group_id=%u,allow_other,default_permissions,"
		 "max_read=%u",
		 fd, options->uid, options->gid, MOUNT_REQUEST_MAX);
	if (mount(options->source, options->mountpoint, "fuse.phifs", flags, data) == 0)
		return ERR_OK;
	log_error("cannot mount at %s: %s", options->mountpoint, strerror(errno));
	return err_from_errno(errno);
}

enum err mount_attach(const struct mount_options *options, int *fd, unsigned int *connection)
{
	enum err err;
	int device = open(FUSE_DEVICE, O_RDWR | O_CLOEXEC);

	if (device < 0) {
		log_error("%s: %s", FUSE_DEVICE, strerror(errno));
		log_hint("modprobe fuse");
		return err_from_errno(errno);
	}
	err = do_mount(options, device);
	if (err)
		goto out;
	err = connection_number(options->mountpoint, connection);
	if (err) {
		(void)umount2(options->mountpoint, MNT_DETACH);
		goto out;
	}
	*fd = device;
	device = -1;
out:
	if (device >= 0)
		close(device);
	return err;
}

enum err mount_detach(const char *mountpoint)
{
	if (umount2(mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW) == 0 || errno == EINVAL ||
	    errno == ENOENT)
		return ERR_OK;
	log_error("cannot unmount %s: %s", mountpoint, strerror(errno));
	return err_from_errno(errno);
}

enum err mount_abort(unsigned int connection)
{
	char path[64];
	enum err err;
	int fd;

	snprintf(path, sizeof(path), FUSECTL "/%u/abort", connection);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && mount("fusectl", FUSECTL, "fusectl", 0, NULL) == 0)
		fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return err_from_errno(errno);
	err = io_write_all(fd, "1", 1);
	close(fd);
	return err;
}

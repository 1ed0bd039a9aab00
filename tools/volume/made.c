#include "tools/volume/made.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "tools/cli/command.h"

#define DEPTH_MAX 8 /* of what this program makes: objects/xx/file, audit/segment */

static bool is_kept(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "lost+found") == 0;
}

bool made_is_empty(const char *path)
{
	struct dirent *entry;
	DIR *dir = opendir(path);
	bool is_empty = dir != NULL;

	while (is_empty && (entry = readdir(dir)) != NULL)
		is_empty = is_kept(entry->d_name);
	if (dir != NULL)
		closedir(dir);
	return is_empty;
}

/* --- making --------------------------------------------------------------------- */

static enum err remember(struct made *made, int kind, const char *path, mode_t old_mode)
{
	char *copy = made->count < MADE_MAX ? strdup(path) : NULL;

	if (copy == NULL)
		return ERR_NO_MEMORY;
	made->item[made->count].kind = kind;
	made->item[made->count].path = copy;
	made->item[made->count].old_mode = old_mode;
	made->count++;
	return ERR_OK;
}

static enum err fail(enum err err, const char *path)
{
	return cli_fail(err, "cannot make %s: %s", path, err_text(err));
}

/* The name is not durable before its directory is. */
static enum err sync_parent(const char *path)
{
	char *copy = strdup(path), *slash = copy == NULL ? NULL : strrchr(copy, '/');
	enum err err = ERR_OK;
	int fd;

	if (slash == NULL) {
		free(copy);
		return copy == NULL ? ERR_NO_MEMORY : ERR_INVALID;
	}
	slash[slash == copy ? 1 : 0] = '\0';
	fd = open(copy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = fd < 0 ? err_from_errno(errno) : io_fsync(fd);
	if (fd >= 0)
		close(fd);
	free(copy);
	return err;
}

enum err made_file(struct made *made, const char *path, const void *data, size_t len, mode_t mode)
{
	enum err err = io_create_file(AT_FDCWD, path, data, len, mode);

	if (err == ERR_OK && (err = remember(made, MADE_FILE, path, 0)) != ERR_OK)
		unlink(path);
	/* Not what the caller's umask left of it. */
	if (err == ERR_OK && chmod(path, mode) < 0)
		err = err_from_errno(errno);
	if (err == ERR_OK)
		err = sync_parent(path);
	return err == ERR_OK ? ERR_OK : fail(err, path);
}

enum err made_directory(struct made *made, const char *path, mode_t mode)
{
	bool is_new = mkdir(path, 0700) == 0;
	struct stat st;
	enum err err = ERR_OK;

	if (!is_new && errno != EEXIST)
		return fail(err_from_errno(errno), path);
	if (lstat(path, &st) < 0)
		return fail(err_from_errno(errno), path);
	if (is_new)
		err = remember(made, MADE_DIRECTORY, path, 0);
	if (err == ERR_OK && !made_is_empty(path))
		err = ERR_NOT_EMPTY;
	if (err == ERR_OK)
		err = remember(made, MADE_CONTENT, path, st.st_mode & 07777);
	if (err == ERR_OK && chmod(path, mode) < 0)
		err = err_from_errno(errno);
	if (err == ERR_OK)
		err = sync_parent(path);
	return err == ERR_OK ? ERR_OK : fail(err, path);
}

/* --- taking back ------------------------------------------------------------------- */

static void empty_directory(int parent_fd, const char *name, int depth);

static void remove_entry(int dir_fd, const char *name, int depth)
{
	if (unlinkat(dir_fd, name, 0) == 0 || (errno != EISDIR && errno != EPERM) ||
	    depth == DEPTH_MAX)
		return;
	empty_directory(dir_fd, name, depth + 1);
	unlinkat(dir_fd, name, AT_REMOVEDIR);
}

/* Follows no symbolic link, so it can only remove what lies in the directory. */
static void empty_directory(int parent_fd, const char *name, int depth)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL)
		if (!is_kept(entry->d_name))
			remove_entry(fd, entry->d_name, depth);
	closedir(dir);
}

static void take_back(const struct made *made, size_t index)
{
	const char *path = made->item[index].path;
	bool is_gone = true;

	switch (made->item[index].kind) {
	case MADE_FILE:
		is_gone = unlink(path) == 0 || errno == ENOENT;
		break;
	case MADE_DIRECTORY:
		is_gone = rmdir(path) == 0 || errno == ENOENT;
		break;
	case MADE_CONTENT:
		chmod(path, 0700);
		empty_directory(AT_FDCWD, path, 0);
		is_gone = made_is_empty(path);
		chmod(path, made->item[index].old_mode);
		break;
	}
	if (!is_gone)
		log_warning("%s could not be removed", path);
}

void made_undo(struct made *made)
{
	for (size_t i = made->count; i > 0; i--)
		take_back(made, i - 1);
	made_keep(made);
}

void made_keep(struct made *made)
{
	while (made->count > 0)
		free(made->item[--made->count].path);
}

/* --- signals -------------------------------------------------------------------------- */

static volatile sig_atomic_t is_interrupted;

static void note_signal(int signal_number)
{
	(void)signal_number;
	is_interrupted = 1;
}

void made_catch_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	/* Without SA_RESTART: a question on the terminal ends. */
	struct sigaction action = {.sa_handler = note_signal};

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
}

enum err made_check(void)
{
	return is_interrupted ? cli_fail(ERR_INTERRUPTED, "interrupted") : ERR_OK;
}

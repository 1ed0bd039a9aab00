#include "keys/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/secmem.h"
#include "keys/slots.h"

static enum err credential_path(const char *name, char path[PATH_MAX])
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	int len;

	if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL)
		return ERR_INVALID;
	if (directory == NULL || directory[0] != '/')
		return ERR_NOT_FOUND;
	len = snprintf(path, PATH_MAX, "%s/%s", directory, name);
	return len > 0 && len < PATH_MAX ? ERR_OK : ERR_NAME_LENGTH;
}

static enum err check_file(int fd, size_t *len)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_from_errno(errno);
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)SLOTS_KEYFILE_MIN ||
	    st.st_size > (off_t)SLOTS_KEYFILE_MAX)
		return ERR_INVALID;
	/* Credentials are readable for a group that holds the service only. */
	if ((st.st_mode & (S_IWGRP | S_IRWXO)) != 0)
		return ERR_DENIED;
	*len = (size_t)st.st_size;
	return ERR_OK;
}

enum err keyfile_load(const char *where, uint8_t **bytes, size_t *len)
{
	size_t prefix = strlen(KEYFILE_CREDENTIAL), size = 0;
	char path[PATH_MAX];
	uint8_t *read = NULL;
	enum err err = ERR_OK;
	int fd;

	if (strncmp(where, KEYFILE_CREDENTIAL, prefix) == 0) {
		if ((err = credential_path(where + prefix, path)) != ERR_OK)
			return err;
		where = path;
	}
	fd = open(where, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return err_from_errno(errno);
	err = check_file(fd, &size);
	if (err == ERR_OK && (read = secmem_alloc(size)) == NULL)
		err = ERR_NO_MEMORY;
	if (err == ERR_OK)
		err = io_pread_all(fd, read, size, 0);
	close(fd);
	if (err != ERR_OK) {
		secmem_free(read);
		return err;
	}
	*bytes = read;
	*len = size;
	return ERR_OK;
}

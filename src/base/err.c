#include "base/err.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

struct err_row {
	enum err err;
	int error_number;
	int exit_code;
	const char *name;
	const char *text;
};

static const struct err_row rows[] = {
	{ERR_OK, 0, 0, "OK", "success"},
#define ERR(name, number, error_number, exit_code, text) \
	{ERR_##name, error_number, exit_code, #name, text},
#include "base/errors.def"
#undef ERR
};

static const struct err_row unknown_row = {ERR_SYSTEM, EIO, 1, "SYSTEM", "unknown error"};

static const struct err_row *row_of(enum err err)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].err == err)
			return &rows[i];
	return &unknown_row;
}

const char *err_text(enum err err)
{
	return row_of(err)->text;
}

const char *err_name(enum err err)
{
	return row_of(err)->name;
}

enum err err_from_name(const char *name)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].name, name) == 0)
			return rows[i].err;
	return unknown_row.err;
}

int err_errno(enum err err)
{
	return err == ERR_OK ? 0 : row_of(err)->error_number;
}

int err_exit_code(enum err err)
{
	return row_of(err)->exit_code;
}

enum err err_from_errno(int error_number)
{
	switch (error_number) {
	case 0:
		return ERR_OK;
	case ENOMEM:
		return ERR_NO_MEMORY;
	case ENOSPC:
	case EDQUOT:
		return ERR_FULL;
	case EINVAL:
		return ERR_INVALID;
	case EFBIG:
		return ERR_TOO_LARGE;
	case EOPNOTSUPP:
	case ENOSYS:
		return ERR_UNSUPPORTED;
	case EBUSY:
		return ERR_BUSY;
	case EAGAIN:
		return ERR_AGAIN;
	case EINTR:
		return ERR_INTERRUPTED;
	case ENOENT:
		return ERR_NOT_FOUND;
	case EEXIST:
		return ERR_EXISTS;
	case ENOTDIR:
		return ERR_NOT_DIR;
	case EISDIR:
		return ERR_IS_DIR;
	case ENOTEMPTY:
		return ERR_NOT_EMPTY;
	case ENAMETOOLONG:
		return ERR_NAME_LENGTH;
	case EACCES:
		return ERR_DENIED;
	case EPERM:
		return ERR_NOT_OWNER;
	case EROFS:
		return ERR_READ_ONLY;
	case EIO:
		return ERR_IO;
	default:
		return ERR_SYSTEM;
	}
}

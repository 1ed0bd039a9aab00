/* The two copies on disk. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "keys/slots_private.h"

#define FILE_MODE      0600
#define LOCK_FILE_NAME "slots.lock"

static enum err file_path(const char *directory, char path[PATH_MAX])
{
	int len = snprintf(path, PATH_MAX, "%s/" SLOTS_FILE_NAME, directory);

	return len > 0 && len < PATH_MAX ? ERR_OK : ERR_NAME_LENGTH;
}

/* --- loading ---------------------------------------------------------------------------- */

static enum err read_copy(const char *directory, struct slot_file **file)
{
	char path[PATH_MAX];
	struct slot_file *read;
	uint8_t *data = NULL;
	size_t len = 0;
	enum err err = file_path(directory, path);

	if (err == ERR_OK)
		err = io_read_file(AT_FDCWD, path, SLOTS_FILE_MAX, &data, &len);
	if (err != ERR_OK)
		return err == ERR_TOO_LARGE || err == ERR_INVALID ? ERR_FORMAT : err;
	read = malloc(sizeof(*read));
	err = read != NULL ? slot_file_decode(data, len, read) : ERR_NO_MEMORY;
	if (err == ERR_OK)
		*file = read;
	else
		free(read);
	free(data);
	return err;
}

static bool copies_are_equal(const struct slot_file *a, const struct slot_file *b)
{
	uint8_t *bytes_a = malloc(SLOTS_FILE_MAX), *bytes_b = malloc(SLOTS_FILE_MAX);
	bool is_equal = bytes_a != NULL && bytes_b != NULL &&
			slot_file_len(a) == slot_file_len(b) &&
			slot_file_encode(a, bytes_a) == ERR_OK &&
			slot_file_encode(b, bytes_b) == ERR_OK &&
			memcmp(bytes_a, bytes_b, slot_file_len(a)) == 0;

	free(bytes_a);
	free(bytes_b);
	return is_equal;
}

/* The newest becomes `file`; of two with one generation that of the state directory. */
static void arrange(struct slots *slots, struct slot_file *in_state, struct slot_file *in_cipher)
{
	bool cipher_is_newer = in_state == NULL || (in_cipher != NULL &&
			       in_cipher->generation > in_state->generation);

	slots->file = cipher_is_newer ? in_cipher : in_state;
	slots->other = cipher_is_newer ? in_state : in_cipher;
	if (slots->other != NULL && copies_are_equal(slots->file, slots->other)) {
		free(slots->other);
		slots->other = NULL;
		return;
	}
	slots->needs_save = true;
}

/* Of two failures, the one that says more than "not there". */
static enum err failure(enum err state, enum err cipher)
{
	return cipher == ERR_NOT_FOUND ? state : cipher;
}

enum err slots_load(const char *ciphertext, const char *state, struct slots **slots)
{
	struct slot_file *in_state = NULL, *in_cipher = NULL;
	enum err cipher_err = read_copy(ciphertext, &in_cipher);
	enum err state_err = state != NULL ? read_copy(state, &in_state) : ERR_NOT_FOUND;
	struct slots *made;

	if (cipher_err != ERR_OK && state_err != ERR_OK)
		return failure(state_err, cipher_err);
	if (cipher_err != ERR_OK)
		log_warning("the slot file in %s: %s", ciphertext, err_text(cipher_err));
	else if (state_err != ERR_OK && state != NULL)
		log_warning("the slot file in %s: %s", state, err_text(state_err));
	if ((made = calloc(1, sizeof(*made))) == NULL) {
		free(in_state);
		free(in_cipher);
		return ERR_NO_MEMORY;
	}
	arrange(made, in_state, in_cipher);
	*slots = made;
	return ERR_OK;
}

/* --- saving ----------------------------------------------------------------------------- */

/* Root's tools must not take a file away from a daemon that runs as somebody else. */
static enum err give_to_owner(const char *directory, const char *path)
{
	struct stat st;

	if (geteuid() != 0)
		return ERR_OK;
	if (stat(directory, &st) < 0 || lchown(path, st.st_uid, st.st_gid) < 0)
		return err_from_errno(errno);
	return ERR_OK;
}

static enum err write_copy(const char *directory, const uint8_t *data, size_t len)
{
	char path[PATH_MAX];
	enum err err = file_path(directory, path);

	if (err == ERR_OK)
		err = io_replace_file(AT_FDCWD, path, data, len, FILE_MODE);
	return err == ERR_OK ? give_to_owner(directory, path) : err;
}

enum err slots_save(struct slots *slots, const char *ciphertext, const char *state)
{
	uint8_t *data = malloc(SLOTS_FILE_MAX);
	enum err err = data != NULL ? slot_file_encode(slots->file, data) : ERR_NO_MEMORY;

	if (err == ERR_OK)
		err = write_copy(state, data, slot_file_len(slots->file));
	if (err == ERR_OK)
		err = write_copy(ciphertext, data, slot_file_len(slots->file));
	if (err == ERR_OK)
		slots->needs_save = false;
	free(data);
	return err;
}

enum err slots_hold(const char *state, int *fd)
{
	char path[PATH_MAX];
	int len = snprintf(path, sizeof(path), "%s/" LOCK_FILE_NAME, state);
	int opened;
	enum err err;

	if (len < 0 || len >= PATH_MAX)
		return ERR_NAME_LENGTH;
	opened = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, FILE_MODE);
	if (opened < 0)
		return err_from_errno(errno);
	err = give_to_owner(state, path);
	if (err == ERR_OK && flock(opened, LOCK_EX | LOCK_NB) < 0)
		err = errno == EWOULDBLOCK ? ERR_BUSY : err_from_errno(errno);
	if (err != ERR_OK) {
		close(opened);
		return err;
	}
	*fd = opened;
	return ERR_OK;
}

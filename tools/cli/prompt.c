#include "tools/cli/prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/secmem.h"
#include "tools/cli/command.h"

#define CONTROL_C 0x03 /* a byte like others while signals are switched off */

void passphrase_clear(struct passphrase *passphrase)
{
	secmem_free(passphrase->bytes);
	passphrase->bytes = NULL;
	passphrase->len = 0;
}

static enum err allocate(struct passphrase *passphrase, size_t max)
{
	passphrase->len = 0;
	passphrase->bytes = secmem_alloc(max + 1);
	return passphrase->bytes != NULL ? ERR_OK : cli_fail(ERR_NO_MEMORY, "out of memory");
}

static int open_terminal(void)
{
	return open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
}

bool prompt_has_terminal(void)
{
	int fd = open_terminal();

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/*
 * One line without its newline.  Byte by byte: what follows stays in the file
 * for the next prompt, and no copy is left in a buffer of stdio.
 */
static enum err read_line(int fd, char *line, size_t max, size_t *len)
{
	enum err err = ERR_OK;
	size_t used = 0;

	for (;;) {
		char byte;
		ssize_t got = read(fd, &byte, 1);

		/* EINTR: a signal that the caller catches, in order to end and clean up. */
		if (got < 0)
			return err_from_errno(errno);
		if (got == 0 && used == 0)
			return ERR_NOT_FOUND;
		if (got == 0 || byte == '\n')
			break;
		if (byte == CONTROL_C && isatty(fd))
			return ERR_INTERRUPTED;
		if (used < max)
			line[used++] = byte;
		else
			err = ERR_TOO_LARGE; /* read on to the end of the line */
	}
	line[used] = '\0';
	*len = used;
	return err;
}

/* Asks on the terminal; with `is_secret` without echo. */
static enum err ask(const char *question, bool is_secret, char *line, size_t max, size_t *len)
{
	struct termios before, during;
	enum err err = ERR_OK;
	int fd = open_terminal();

	if (fd < 0)
		return ERR_NOT_FOUND;
	if (is_secret && tcgetattr(fd, &before) == 0) {
		during = before;
		during.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ISIG);
		/* ^C ends the line like a newline, so that the echo is always restored. */
		during.c_cc[VEOL] = CONTROL_C;
		if (tcsetattr(fd, TCSAFLUSH, &during) < 0)
			err = err_from_errno(errno);
	} else {
		is_secret = false;
	}
	if (err == ERR_OK && (err = io_write_all(fd, question, strlen(question))) == ERR_OK)
		err = read_line(fd, line, max, len);
	if (is_secret) {
		tcsetattr(fd, TCSAFLUSH, &before);
		if (io_write_all(fd, "\n", 1) != ERR_OK)
			err = err == ERR_OK ? ERR_IO : err;
	}
	close(fd);
	return err;
}

/* --- passphrases ------------------------------------------------------------ */

static enum err explain(enum err err, const char *where)
{
	if (err == ERR_TOO_LARGE)
		return cli_fail(ERR_USAGE, "%s: a passphrase has at most %d bytes", where,
				PASSPHRASE_MAX);
	if (err == ERR_NOT_FOUND)
		return cli_fail(ERR_USAGE, "%s: no passphrase there", where);
	if (err == ERR_INTERRUPTED)
		return cli_fail(err, "interrupted");
	return cli_fail(err, "%s: %s", where, err_text(err));
}

static enum err from_terminal(const char *question, struct passphrase *passphrase)
{
	char text[256];
	enum err err;

	if (!prompt_has_terminal()) {
		cli_fail(ERR_USAGE, "no terminal to ask for the passphrase on");
		log_hint("give it with: --passphrase-file FILE (- is standard input)");
		return ERR_USAGE;
	}
	snprintf(text, sizeof(text), "%s: ", question);
	err = ask(text, true, passphrase->bytes, PASSPHRASE_MAX, &passphrase->len);
	if (err != ERR_OK)
		return explain(err, "terminal");
	return passphrase->len > 0 ? ERR_OK : cli_fail(ERR_USAGE, "an empty passphrase");
}

static void warn_if_readable(int fd, const char *file)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0177) != 0) {
		log_warning("%s can be read by others (mode %04o)", file,
			    (unsigned int)st.st_mode & 07777);
		log_hint("close it with: chmod 600 %s", file);
	}
}

static enum err from_file(const char *file, struct passphrase *passphrase)
{
	bool is_stdin = strcmp(file, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	enum err err;

	if (fd < 0)
		return cli_fail(ERR_USAGE, "cannot open %s: %s", file, strerror(errno));
	if (!is_stdin)
		warn_if_readable(fd, file);
	err = read_line(fd, passphrase->bytes, PASSPHRASE_MAX, &passphrase->len);
	if (!is_stdin)
		close(fd);
	if (err != ERR_OK)
		return explain(err, is_stdin ? "standard input" : file);
	return passphrase->len > 0 ? ERR_OK : cli_fail(ERR_USAGE, "%s: an empty passphrase", file);
}

enum err passphrase_get(const char *file, const char *question, struct passphrase *passphrase)
{
	enum err err = allocate(passphrase, PASSPHRASE_MAX);

	if (err == ERR_OK)
		err = file != NULL ? from_file(file, passphrase)
				   : from_terminal(question, passphrase);
	if (err != ERR_OK)
		passphrase_clear(passphrase);
	return err;
}

enum err passphrase_get_new(const char *file, const char *question, struct passphrase *passphrase)
{
	struct passphrase again = {NULL, 0};
	enum err err = passphrase_get(file, question, passphrase);

	if (err != ERR_OK || file != NULL)
		return err;
	err = passphrase_get(NULL, "Again", &again);
	if (err == ERR_OK && (again.len != passphrase->len ||
			      !secmem_equal(again.bytes, passphrase->bytes, again.len)))
		err = cli_fail(ERR_USAGE, "the two passphrases differ");
	passphrase_clear(&again);
	if (err != ERR_OK)
		passphrase_clear(passphrase);
	return err;
}

enum err keyfile_get(const char *file, struct passphrase *content)
{
	enum err err = allocate(content, KEYFILE_MAX + 1);
	int fd = -1;

	if (err != ERR_OK)
		return err;
	if ((fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY)) < 0) {
		err = cli_fail(ERR_USAGE, "cannot open %s: %s", file, strerror(errno));
		goto out;
	}
	warn_if_readable(fd, file);
	while (content->len <= KEYFILE_MAX) {
		ssize_t got = read(fd, content->bytes + content->len,
				   KEYFILE_MAX + 1 - content->len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			err = cli_fail(err_from_errno(errno), "%s: %s", file, strerror(errno));
		if (got <= 0)
			break;
		content->len += (size_t)got;
	}
	if (err == ERR_OK && (content->len < KEYFILE_MIN || content->len > KEYFILE_MAX))
		err = cli_fail(ERR_USAGE, "%s: a key file has %d to %d bytes", file, KEYFILE_MIN,
			       KEYFILE_MAX);
out:
	if (fd >= 0)
		close(fd);
	if (err != ERR_OK)
		passphrase_clear(content);
	return err;
}

/* --- other questions --------------------------------------------------------- */

static enum err no_terminal(enum err err)
{
	if (err == ERR_INTERRUPTED)
		return cli_fail(err, "interrupted");
	return err == ERR_NOT_FOUND ? cli_fail(ERR_USAGE, "no terminal to ask on")
				    : cli_fail(err, "terminal: %s", err_text(err));
}

enum err prompt_line(const char *question, char *line, size_t size)
{
	size_t len = 0, skip;
	enum err err = ask(question, false, line, size - 1, &len);

	if (err == ERR_TOO_LARGE)
		return cli_fail(ERR_TOO_LARGE, "at most %zu characters", size - 1);
	if (err != ERR_OK)
		return no_terminal(err);
	while (len > 0 && strchr(" \t\r", line[len - 1]) != NULL)
		line[--len] = '\0';
	skip = strspn(line, " \t");
	memmove(line, line + skip, len - skip + 1);
	return ERR_OK;
}

enum err prompt_yes_no(const char *question, bool *yes)
{
	char text[512], line[16];
	enum err err;

	snprintf(text, sizeof(text), "%s [y/N] ", question);
	err = prompt_line(text, line, sizeof(line));
	if (err == ERR_OK)
		*yes = strcmp(line, "y") == 0 || strcmp(line, "Y") == 0 || strcmp(line, "yes") == 0;
	return err;
}

enum err prompt_show(const char *text)
{
	int fd = open_terminal();
	enum err err;

	if (fd < 0)
		return no_terminal(ERR_NOT_FOUND);
	err = io_write_all(fd, text, strlen(text));
	close(fd);
	return err == ERR_OK ? ERR_OK : no_terminal(err);
}

/*
 * Asking people: passphrases, yes or no, a line.
 *
 * Questions go to /dev/tty, never to stdin or stdout, so that output can be
 * piped and input redirected.  Passphrases live in locked memory from the
 * first byte on.  All calls print their own errors and hints.
 */
#ifndef PHIFS_TOOLS_CLI_PROMPT_H
#define PHIFS_TOOLS_CLI_PROMPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PASSPHRASE_MAX 1024 /* bytes, the newline not counted */
#define KEYFILE_MAX    4096 /* bytes */
#define KEYFILE_MIN    32

/* A passphrase or the content of a key file; `bytes` is secmem, NUL-terminated. */
struct passphrase {
	char *bytes;
	size_t len;
};

/*
 * Get a passphrase that exists.  `file` NULL: ask `question` ("Passphrase for
 * root@pacs1") on the terminal.  Otherwise the first line of `file`; "-" is
 * stdin, of which each call takes one line.  The newline is not part of it; an
 * empty one is refused (ERR_USAGE); a file that others can read is warned about.
 */
enum err passphrase_get(const char *file, const char *question,
			struct passphrase *passphrase) MUST_CHECK;

/* Choose a new one: as above, but the terminal asks twice. */
enum err passphrase_get_new(const char *file, const char *question,
			    struct passphrase *passphrase) MUST_CHECK;

/* All of a key file, KEYFILE_MIN to KEYFILE_MAX bytes of any value. */
enum err keyfile_get(const char *file, struct passphrase *content) MUST_CHECK;

/* Wipes and frees; harmless on zeroes. */
void passphrase_clear(struct passphrase *passphrase);

/* "question [y/N] " on the terminal; anything but y or yes is no. */
enum err prompt_yes_no(const char *question, bool *yes) MUST_CHECK;

/* A visible line; cut of blanks at both ends; longer than `size` - 1 is ERR_TOO_LARGE. */
enum err prompt_line(const char *question, char *line, size_t size) MUST_CHECK;

/* Text on the terminal that must not end in a pipe: the recovery key. */
enum err prompt_show(const char *text) MUST_CHECK;

/* True if there is a terminal to ask on. */
bool prompt_has_terminal(void);

#endif

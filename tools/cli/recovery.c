#include "tools/cli/recovery.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/secmem.h"
#include "tools/cli/command.h"
#include "tools/cli/prompt.h"

#define KEY_MAX      128
#define LAST_COUNT   5
#define TRIES        3

enum err recovery_show(const char *key)
{
	size_t len = strnlen(key, KEY_MAX);
	const char *end = key + len - LAST_COUNT;
	char text[KEY_MAX + 96], line[64] = "";
	enum err err;

	if (len < LAST_COUNT || len == KEY_MAX)
		return cli_fail(ERR_INVALID, "not a recovery key");
	snprintf(text, sizeof(text),
		 "\nRecovery key, shown this once. Write it on paper:\n\n    %s\n\n", key);
	err = prompt_show(text);
	secmem_wipe(text, sizeof(text));
	for (int i = 0; i < TRIES && err == ERR_OK && strcmp(line, end) != 0; i++)
		err = prompt_line(i == 0 ? "Type the last five characters to show that you have it: "
					 : "Those are not the last five characters. Once more: ",
				  line, sizeof(line));
	if (err == ERR_OK && strcmp(line, end) != 0)
		err = cli_fail(ERR_USAGE, "those are not the last five characters: nothing was made");
	secmem_wipe(line, sizeof(line));
	return err;
}

enum err recovery_write(const char *key, const char *file)
{
	size_t len = strnlen(key, KEY_MAX);
	char *text = secmem_alloc(len + 1);
	enum err err;

	if (text == NULL)
		return cli_fail(ERR_NO_MEMORY, "out of memory");
	memcpy(text, key, len);
	text[len] = '\n';
	err = io_create_file(AT_FDCWD, file, text, len + 1, 0600);
	secmem_free(text);
	if (err == ERR_EXISTS) {
		cli_fail(err, "%s exists and is not overwritten", file);
		log_hint("give a new name");
	} else if (err != ERR_OK) {
		cli_fail(err, "cannot write %s: %s", file, err_text(err));
	}
	return err;
}

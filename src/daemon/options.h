/* The command line of phifsd; phifsd(8).  The one list of options is options.def. */
#ifndef PHIFS_DAEMON_OPTIONS_H
#define PHIFS_DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct options {
	const char *volume;        /* for config_load: NAME, a path with '/', or NULL */
	bool is_foreground;
	bool is_read_only;
	bool is_check;
	bool is_done;              /* help or version was printed: nothing left to do */
	uint64_t masked_init_flags;
};

/* ERR_USAGE after a message.  The strings are those of `argv`. */
enum err options_parse(int argc, char **argv, struct options *options) MUST_CHECK;

#endif

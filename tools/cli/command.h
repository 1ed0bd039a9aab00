/*
 * What every phifs tool shares: a table of commands, a table of options, one
 * dispatcher.  A tool is a main.c with both tables and one cmd_X.c for each
 * command:
 *
 *	static const struct cli_option options[] = {
 *	#define OPT(id, name, letter, argument, help) {name, letter, argument, help},
 *	#include "tools/ctl/options.def"
 *	#undef OPT
 *	};
 *	static const struct command commands[] = {
 *		{"lock", cmd_lock, "lock the volume", "[NAME] [--now]", CLI_BIT(OPT_NOW), 0, 0, true},
 *	};
 *	int main(int argc, char **argv)
 *	{
 *		static const struct tool tool = {"phifsctl", "...", options, N, commands, M};
 *		return cli_main(&tool, argc, argv);
 *	}
 *
 * The library adds --config, --help, --version and, for completions and the
 * docs-in-step test, the hidden --list-options and --list-commands.  Every
 * option may be given once, unless its argument is written "ARG...".
 *
 * Volume.  `TOOL COMMAND NAME operands`, `TOOL NAME COMMAND operands`, or
 * --config FILE instead of NAME, or neither on a host with one volume.  Where
 * a command's operands are optional, the first word is a NAME only if
 * /etc/phifs has that configuration or the operands would be too many.
 */
#ifndef PHIFS_TOOLS_CLI_COMMAND_H
#define PHIFS_TOOLS_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CLI_OPTIONS_MAX  56   /* of one tool; the rest of 64 bits is the library's */
#define CLI_REPEAT_MAX   16   /* values of one "ARG..." option */
#define CLI_OPERANDS_MAX 1024
#define CLI_BIT(id)      (UINT64_C(1) << (id))

struct cli_option {
	const char *name;     /* without the dashes */
	char letter;          /* 0: none */
	const char *argument; /* NULL: a switch; "FILE...": may be repeated */
	const char *help;     /* one sentence, lower case, no full stop; wrapped by the library */
};

/* One run of a command; everything in it lives as long as the call. */
struct call {
	const struct tool *tool;
	const struct command *command;
	const char *volume;   /* for config_load: NAME, a path with '/', or NULL */
	int operand_count;
	char **operands;
	struct cli_values *values; /* private */
};

/*
 * Does the work and says so: results on stdout, errors by log_error and
 * log_hint.  The result decides the exit code (err_exit_code).
 */
typedef enum err command_function(const struct call *call);

struct command {
	const char *name;
	command_function *function;
	const char *summary;  /* one line, lower case */
	const char *usage;    /* behind the command's name: "[NAME] PATH|OBJECT" */
	uint64_t options;     /* CLI_BIT of each option of the tool that it takes */
	int min_operands;     /* NAME not counted */
	int max_operands;
	bool has_volume;      /* takes NAME or --config */
};

struct tool {
	const char *name;
	const char *summary;
	const struct cli_option *options;
	size_t option_count;
	const struct command *commands;
	size_t command_count;
};

/* Parses, runs, flushes stdout; returns the exit status of the program. */
int cli_main(const struct tool *tool, int argc, char **argv);

/* The value of an option (the first one), or NULL if it was not given. */
const char *cli_value(const struct call *call, unsigned int id);
/* The same with a default. */
const char *cli_value_or(const struct call *call, unsigned int id, const char *fallback);
/* How often it was given; works for switches. */
size_t cli_count(const struct call *call, unsigned int id);
/* All values, cli_count of them. */
const char *const *cli_values(const struct call *call, unsigned int id);

/*
 * A whole number in [min, max] as the value of an option; `*number` keeps its
 * value if the option was not given.  ERR_USAGE after a message.
 */
enum err cli_number(const struct call *call, unsigned int id, long min, long max,
		    long *number) MUST_CHECK;

/* Says what is wrong and where help is; gives ERR_USAGE to return. */
enum err cli_usage_error(const struct call *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* log_error as a value: `return cli_fail(ERR_X, "...")`.  Hints follow by log_hint. */
enum err cli_fail(enum err err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * The volume as words of a command to be pasted: " ehr", " --config FILE" or
 * "".  For hints: log_hint("unlock it with: phifsctl unlock%s", ...).
 * A constant string for the life of the call.
 */
const char *cli_volume_words(const struct call *call);

#endif

/* Shared by command.c (parsing) and help.c (printing); nobody else includes it. */
#ifndef PHIFS_TOOLS_CLI_INTERNAL_H
#define PHIFS_TOOLS_CLI_INTERNAL_H

#include "tools/cli/command.h"

enum common_option {
#define OPT(id, name, letter, argument, help) COMMON_##id,
#include "tools/cli/common.def"
#undef OPT
	COMMON_COUNT
};
extern const struct cli_option cli_common_options[COMMON_COUNT];

/* `command` NULL: the whole tool. */
void help_print(const struct tool *tool, const struct command *command);
void help_list_options(const struct tool *tool, const struct command *command);
void help_list_commands(const struct tool *tool);

#endif

#include "tools/cli/internal.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS     80
#define TEXT_COLUMN 28 /* where the explanation of an option begins */

const struct cli_option cli_common_options[COMMON_COUNT] = {
#define OPT(id, name, letter, argument, help) {name, letter, argument, help},
#include "tools/cli/common.def"
#undef OPT
};

/* Words of `text` from `column` on, continued at `indent`, never past COLUMNS. */
static void print_wrapped(const char *text, size_t column, size_t indent)
{
	bool is_first = true;

	while (*text != '\0') {
		size_t word = strcspn(text, " ");

		if (!is_first && column + 1 + word > COLUMNS) {
			printf("\n%*s", (int)indent, "");
			column = indent;
		} else if (!is_first) {
			putchar(' ');
			column++;
		}
		printf("%.*s", (int)word, text);
		column += word;
		text += word;
		while (*text == ' ')
			text++;
		is_first = false;
	}
	putchar('\n');
}

static void print_option(const struct cli_option *option)
{
	char left[128];
	int len;

	if (option->help == NULL)
		return;
	len = snprintf(left, sizeof(left), "  %c%c%c --%s%s%s", option->letter ? '-' : ' ',
		       option->letter ? option->letter : ' ', option->letter ? ',' : ' ',
		       option->name, option->argument != NULL ? " " : "",
		       option->argument != NULL ? option->argument : "");
	if (len < TEXT_COLUMN - 1)
		printf("%-*s", TEXT_COLUMN, left);
	else
		printf("%s\n%*s", left, TEXT_COLUMN, "");
	print_wrapped(option->help, TEXT_COLUMN, TEXT_COLUMN);
}

static void print_usage(const struct tool *tool, const struct command *command)
{
	char head[128];
	int len = snprintf(head, sizeof(head), "Usage: %s %s ", tool->name,
			   command != NULL ? command->name : "COMMAND");

	fputs(head, stdout);
	print_wrapped(command != NULL ? command->usage : "[NAME] [options] [operands]", (size_t)len,
		      8);
}

static void print_command(const struct command *command)
{
	printf("  %-13s ", command->name);
	print_wrapped(command->summary, 16, 16);
}

void help_print(const struct tool *tool, const struct command *command)
{
	print_usage(tool, command);
	if (command == NULL) {
		print_wrapped(tool->summary, 0, 0);
		puts("\nCommands:");
		for (size_t i = 0; i < tool->command_count; i++)
			print_command(&tool->commands[i]);
	} else {
		print_wrapped(command->summary, 0, 0);
	}
	puts("\nOptions:");
	for (size_t i = 0; command != NULL && i < tool->option_count; i++) {
		if (command->options & CLI_BIT(i))
			print_option(&tool->options[i]);
	}
	for (size_t i = 0; i < COMMON_COUNT; i++) {
		if (i != COMMON_CONFIG || command == NULL || command->has_volume)
			print_option(&cli_common_options[i]);
	}
	if (command == NULL)
		printf("\nOptions of a command: %s COMMAND --help.  All of it: man %s\n",
		       tool->name, tool->name);
}

void help_list_options(const struct tool *tool, const struct command *command)
{
	for (size_t i = 0; i < tool->option_count; i++) {
		if (command == NULL || (command->options & CLI_BIT(i)))
			printf("--%s\n", tool->options[i].name);
	}
	for (size_t i = 0; i < COMMON_COUNT; i++) {
		if (cli_common_options[i].help != NULL &&
		    (i != COMMON_CONFIG || command == NULL || command->has_volume))
			printf("--%s\n", cli_common_options[i].name);
	}
}

void help_list_commands(const struct tool *tool)
{
	for (size_t i = 0; i < tool->command_count; i++)
		puts(tool->commands[i].name);
}

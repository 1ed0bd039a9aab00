#include "tools/cli/command.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/secmem.h"
#include "config/config.h"
#include "tools/cli/internal.h"

#define ALL_OPTIONS_MAX (CLI_OPTIONS_MAX + COMMON_COUNT)
/* What getopt_long returns for option i; above every character. */
#define OPTION_VALUE    1000

/* What was given for each option; the library's own stand behind the tool's. */
struct cli_values {
	struct {
		size_t count;
		const char *values[CLI_REPEAT_MAX];
	} option[ALL_OPTIONS_MAX];
	char volume_words[PATH_MAX + 16];
};

static const struct cli_option *option_at(const struct tool *tool, size_t index)
{
	return index < tool->option_count ? &tool->options[index]
					  : &cli_common_options[index - tool->option_count];
}

static size_t common_count(const struct call *call, enum common_option id)
{
	return call->values->option[call->tool->option_count + id].count;
}

enum err cli_fail(enum err err, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_error("%s", text);
	return err;
}

enum err cli_usage_error(const struct call *call, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_error("%s", text);
	if (call->command != NULL)
		log_hint("see: %s %s --help", call->tool->name, call->command->name);
	else
		log_hint("see: %s --help", call->tool->name);
	return ERR_USAGE;
}

/* --- parsing --------------------------------------------------------------- */

static bool may_repeat(const struct cli_option *option)
{
	size_t len = option->argument != NULL ? strlen(option->argument) : 0;

	return len > 3 && strcmp(option->argument + len - 3, "...") == 0;
}

static void make_getopt_tables(const struct tool *tool, struct option *long_options, char *letters)
{
	size_t count = tool->option_count + COMMON_COUNT;

	*letters++ = ':';
	for (size_t i = 0; i < count; i++) {
		const struct cli_option *option = option_at(tool, i);

		long_options[i].name = option->name;
		long_options[i].has_arg = option->argument ? required_argument : no_argument;
		long_options[i].val = OPTION_VALUE + (int)i;
		if (option->letter == 0)
			continue;
		*letters++ = option->letter;
		if (option->argument != NULL)
			*letters++ = ':';
	}
	*letters = '\0';
}

static size_t option_of_letter(const struct tool *tool, int letter)
{
	size_t i = 0;

	while (option_at(tool, i)->letter != letter)
		i++;
	return i;
}

static enum err take_option(struct call *call, size_t index, const char *value)
{
	const struct cli_option *option = option_at(call->tool, index);
	size_t *count = &call->values->option[index].count;

	if (*count > 0 && !may_repeat(option))
		return cli_usage_error(call, "--%s can be given only once", option->name);
	if (*count == CLI_REPEAT_MAX)
		return cli_usage_error(call, "--%s can be given only %d times", option->name,
				       CLI_REPEAT_MAX);
	call->values->option[index].values[(*count)++] = value != NULL ? value : "";
	return ERR_OK;
}

static enum err parse_options(struct call *call, int argc, char **argv)
{
	struct option long_options[ALL_OPTIONS_MAX + 1] = {0};
	char letters[2 * ALL_OPTIONS_MAX + 2];
	enum err err = ERR_OK;
	int found;

	make_getopt_tables(call->tool, long_options, letters);
	opterr = 0;
	optind = 0;
	while (err == ERR_OK && (found = getopt_long(argc, argv, letters, long_options, NULL)) >= 0) {
		if (found == ':')
			err = cli_usage_error(call, "option %s needs a value", argv[optind - 1]);
		else if (found == '?' && optopt > 0 && optopt < OPTION_VALUE)
			err = cli_usage_error(call, "unknown option -%c", optopt);
		else if (found == '?')
			err = cli_usage_error(call, "unknown or misused option %s",
					      argv[optind - 1]);
		else if (found >= OPTION_VALUE)
			err = take_option(call, (size_t)(found - OPTION_VALUE), optarg);
		else
			err = take_option(call, option_of_letter(call->tool, found), optarg);
	}
	call->operands = argv + optind;
	call->operand_count = argc - optind;
	return err;
}

static const struct command *find_command(const struct tool *tool, const char *name)
{
	for (size_t i = 0; i < tool->command_count; i++) {
		if (strcmp(tool->commands[i].name, name) == 0)
			return &tool->commands[i];
	}
	return NULL;
}

static void shift(struct call *call)
{
	call->operands++;
	call->operand_count--;
}

/* `COMMAND ...` or `NAME COMMAND ...`. */
static enum err take_command(struct call *call)
{
	char **words = call->operands;

	if (call->operand_count == 0)
		return common_count(call, COMMON_HELP) > 0 ||
				       common_count(call, COMMON_LIST_OPTIONS) > 0
			       ? ERR_OK
			       : cli_usage_error(call, "which command?");
	call->command = find_command(call->tool, words[0]);
	if (call->command == NULL && call->operand_count > 1) {
		call->command = find_command(call->tool, words[1]);
		call->volume = words[0];
		shift(call);
	}
	if (call->command == NULL)
		return cli_usage_error(call, "unknown command '%s'", words[0]);
	shift(call);
	return ERR_OK;
}

static bool is_configured(const char *name)
{
	char path[PATH_MAX];
	int len = snprintf(path, sizeof(path), "%s/%s.conf", CONFIG_DIRECTORY, name);

	return len > 0 && (size_t)len < sizeof(path) && access(path, F_OK) == 0;
}

static enum err take_volume(struct call *call)
{
	const char *file = call->values->option[call->tool->option_count + COMMON_CONFIG].values[0];
	const struct command *command = call->command;

	if (!command->has_volume)
		return call->volume != NULL || file != NULL
			       ? cli_usage_error(call, "%s concerns no volume", command->name)
			       : ERR_OK;
	if (file != NULL && call->volume != NULL)
		return cli_usage_error(call, "give NAME or --config, not both");
	if (file != NULL) {
		call->volume = file;
	} else if (call->volume == NULL && call->operand_count > command->min_operands &&
		   (call->operand_count > command->max_operands ||
		    is_configured(call->operands[0]))) {
		call->volume = call->operands[0];
		shift(call);
	}
	return call->volume != NULL && call->volume[0] == '\0'
		       ? cli_usage_error(call, "an empty volume name")
		       : ERR_OK;
}

static enum err check_call(const struct call *call)
{
	const struct command *command = call->command;

	for (size_t i = 0; i < call->tool->option_count; i++) {
		if (call->values->option[i].count > 0 && !(command->options & CLI_BIT(i)))
			return cli_usage_error(call, "%s does not take --%s", command->name,
					       call->tool->options[i].name);
	}
	if (call->operand_count < command->min_operands)
		return cli_usage_error(call, "something is missing: %s %s %s", call->tool->name,
				       command->name, command->usage);
	if (call->operand_count > command->max_operands)
		return cli_usage_error(call, "'%s' is one word too many",
				       call->operands[command->max_operands]);
	return ERR_OK;
}

/* --config FILE without a '/' would be taken for a NAME by config_load. */
static enum err make_config_a_path(struct call *call, char **owned)
{
	size_t index = call->tool->option_count + COMMON_CONFIG;
	const char *file = call->values->option[index].values[0];

	if (file == NULL || strchr(file, '/') != NULL)
		return ERR_OK;
	if (asprintf(owned, "./%s", file) < 0) {
		*owned = NULL;
		return cli_fail(ERR_NO_MEMORY, "out of memory");
	}
	call->values->option[index].values[0] = *owned;
	return ERR_OK;
}

/* --help, --version and the lists; true if one of them was the whole request. */
static bool answer_information(const struct call *call)
{
	if (common_count(call, COMMON_VERSION) > 0)
		printf("%s %s\n", call->tool->name, PACKAGE_VERSION);
	else if (common_count(call, COMMON_LIST_COMMANDS) > 0)
		help_list_commands(call->tool);
	else if (common_count(call, COMMON_LIST_OPTIONS) > 0)
		help_list_options(call->tool, call->command);
	else if (common_count(call, COMMON_HELP) > 0)
		help_print(call->tool, call->command);
	else
		return false;
	return true;
}

static enum err run(struct call *call, int argc, char **argv)
{
	enum err err = parse_options(call, argc, argv);
	char *owned = NULL;

	if (err == ERR_OK && (common_count(call, COMMON_VERSION) > 0 ||
			      common_count(call, COMMON_LIST_COMMANDS) > 0)) {
		answer_information(call);
		return ERR_OK;
	}
	if (err == ERR_OK)
		err = take_command(call);
	if (err != ERR_OK || answer_information(call))
		return err;
	if ((err = make_config_a_path(call, &owned)) == ERR_OK &&
	    (err = take_volume(call)) == ERR_OK && (err = check_call(call)) == ERR_OK)
		err = call->command->function(call);
	free(owned);
	return err;
}

int cli_main(const struct tool *tool, int argc, char **argv)
{
	struct call call = {.tool = tool};
	enum err err = ERR_NO_MEMORY;

	log_set_name(tool->name);
	if (secmem_init() != ERR_OK)
		log_error("libsodium cannot be initialised");
	else if ((call.values = calloc(1, sizeof(*call.values))) == NULL)
		log_error("out of memory");
	else
		err = run(&call, argc, argv);
	free(call.values);
	/* A full disk or closed pipe must not look like success to a script. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && err == ERR_OK)
		err = cli_fail(ERR_IO, "cannot write the output: %s", strerror(errno));
	return err_exit_code(err);
}

/* --- what commands ask ------------------------------------------------------ */

const char *cli_value(const struct call *call, unsigned int id)
{
	return call->values->option[id].values[0];
}

const char *cli_value_or(const struct call *call, unsigned int id, const char *fallback)
{
	const char *value = cli_value(call, id);

	return value != NULL ? value : fallback;
}

size_t cli_count(const struct call *call, unsigned int id)
{
	return call->values->option[id].count;
}

const char *const *cli_values(const struct call *call, unsigned int id)
{
	return call->values->option[id].values;
}

enum err cli_number(const struct call *call, unsigned int id, long min, long max, long *number)
{
	const char *text = cli_value(call, id);
	char *end = NULL;
	long value;

	if (text == NULL)
		return ERR_OK;
	errno = 0;
	value = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || value < min || value > max)
		return cli_usage_error(call, "--%s: '%s' is not a number from %ld to %ld",
				       call->tool->options[id].name, text, min, max);
	*number = value;
	return ERR_OK;
}

const char *cli_volume_words(const struct call *call)
{
	char *words = call->values->volume_words;
	size_t size = sizeof(call->values->volume_words);

	if (call->volume == NULL)
		return "";
	snprintf(words, size, strchr(call->volume, '/') != NULL ? " --config %s" : " %s",
		 call->volume);
	return words;
}

#include "daemon/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum option_id {
#define OPT(id, name, letter, argument, help) OPTION_##id,
#include "daemon/options.def"
#undef OPT
	OPTION_COUNT
};

static const struct {
	const char *name;
	char letter;
	const char *argument;
	const char *help;
} table[] = {
#define OPT(id, name, letter, argument, help) {name, letter, argument, help},
#include "daemon/options.def"
#undef OPT
};

static void print_help(void)
{
	char left[48];

	printf("usage: phifsd [NAME|--config FILE] [OPTION]...\n\n"
	       "Mounts the volume NAME (/etc/phifs/NAME.conf), locked.\n\n");
	for (int i = 0; i < OPTION_COUNT; i++) {
		if (!table[i].help)
			continue;
		snprintf(left, sizeof(left), "--%s%s%s", table[i].name,
			 table[i].argument ? " " : "", table[i].argument ? table[i].argument : "");
		printf("  %c%c%s%-23s %s\n", table[i].letter ? '-' : ' ',
		       table[i].letter ? table[i].letter : ' ', table[i].letter ? ", " : "  ", left,
		       table[i].help);
	}
	printf("\nUnlock it with phifsctl unlock NAME.  Manual: man 8 phifsd\n");
}

static void list_options(void)
{
	for (int i = 0; i < OPTION_COUNT; i++)
		if (table[i].help)
			printf("--%s\n", table[i].name);
}

static enum err usage_error(const char *what, const char *word)
{
	log_error("%s%s", what, word);
	log_hint("phifsd --help");
	return ERR_USAGE;
}

static enum err parse_mask(const char *text, uint64_t *mask)
{
	char *end;

	errno = 0;
	*mask = strtoull(text, &end, 16);
	if (errno || end == text || *end || *text == '-')
		return usage_error("not a hexadecimal number: ", text);
	return ERR_OK;
}

/* What each option does, without its argument checked twice. */
static enum err apply(int id, const char *argument, struct options *options)
{
	switch (id) {
	case OPTION_CONFIG:
		if (!strchr(argument, '/'))
			return usage_error("--config needs a path with a slash, such as ./", argument);
		options->volume = argument;
		return ERR_OK;
	case OPTION_FOREGROUND:
		options->is_foreground = true;
		return ERR_OK;
	case OPTION_READ_ONLY:
		options->is_read_only = true;
		return ERR_OK;
	case OPTION_CHECK_CONFIG:
		options->is_check = true;
		return ERR_OK;
	case OPTION_MASK_INIT_FLAGS:
		return parse_mask(argument, &options->masked_init_flags);
	case OPTION_HELP:
		print_help();
		break;
	case OPTION_VERSION:
		printf("phifsd %s\n", PACKAGE_VERSION);
		break;
	case OPTION_LIST_OPTIONS:
		list_options();
		break;
	default:
		break;
	}
	options->is_done = true;
	return ERR_OK;
}

static void build_getopt(struct option *long_options, char *letters)
{
	*letters++ = ':';
	for (int i = 0; i < OPTION_COUNT; i++) {
		long_options[i].name = table[i].name;
		long_options[i].has_arg = table[i].argument ? required_argument : no_argument;
		long_options[i].flag = NULL;
		long_options[i].val = 256 + i;
		if (!table[i].letter)
			continue;
		*letters++ = table[i].letter;
		if (table[i].argument)
			*letters++ = ':';
	}
	memset(&long_options[OPTION_COUNT], 0, sizeof(*long_options));
	*letters = '\0';
}

static int option_of(int found)
{
	for (int i = 0; i < OPTION_COUNT; i++)
		if (found == 256 + i || (table[i].letter && found == table[i].letter))
			return i;
	return -1;
}

static enum err take_name(int argc, char **argv, struct options *options)
{
	if (optind == argc)
		return ERR_OK;
	if (options->volume)
		return usage_error("give a NAME or --config, not both: ", argv[optind]);
	if (optind + 1 < argc)
		return usage_error("one volume at a time: ", argv[optind + 1]);
	options->volume = argv[optind];
	return ERR_OK;
}

enum err options_parse(int argc, char **argv, struct options *options)
{
	struct option long_options[OPTION_COUNT + 1];
	char letters[2 * OPTION_COUNT + 2];
	uint64_t seen = 0;
	enum err err = ERR_OK;
	int found, id;

	memset(options, 0, sizeof(*options));
	build_getopt(long_options, letters);
	optind = 0;
	opterr = 0;
	while (!err && !options->is_done &&
	       (found = getopt_long(argc, argv, letters, long_options, NULL)) != -1) {
		id = option_of(found);
		if (id < 0)
			err = usage_error(found == ':' ? "a value is missing: "
						       : "unknown or ambiguous option: ",
					  argv[optind - 1]);
		else if (seen & UINT64_C(1) << id)
			err = usage_error("given twice: --", table[id].name);
		else
			err = apply(id, optarg, options);
		if (id >= 0)
			seen |= UINT64_C(1) << id;
	}
	return err || options->is_done ? err : take_name(argc, argv, options);
}

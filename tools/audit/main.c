#include "tools/audit/tool.h"

static const struct cli_option options[] = {
#define OPT(id, name, letter, argument, help) {name, letter, argument, help},
#include "tools/audit/options.def"
#undef OPT
};

#define B(id) CLI_BIT(OPT_##id)
static const struct command commands[] = {
	{"keygen", cmd_keygen, "make the key pair of an auditor",
	 "--output FILE [--no-passphrase | --passphrase-file FILE]",
	 B(OUTPUT) | B(NO_PASSPHRASE) | B(PASSPHRASE_FILE), 0, 0, false},
	{"show", cmd_show, "who did what",
	 "[NAME] --key FILE [--input FILE] [--user USER] [--event EVENT] [--path PATH] "
	 "[--since TIME] [--until TIME] [--all] [--json]",
	 B(KEY) | B(PASSPHRASE_FILE) | B(INPUT) | B(JOURNAL) | B(USER) | B(EVENT) | B(PATH) |
		 B(SINCE) | B(UNTIL) | B(ALL) | B(JSON),
	 0, 0, true},
	{"verify", cmd_verify, "whether the journal is whole",
	 "[NAME] [--key FILE] [--fingerprint TEXT] [--json]",
	 B(KEY) | B(PASSPHRASE_FILE) | B(JOURNAL) | B(FINGERPRINT) | B(JSON), 0, 0, true},
};

int main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "phifs-audit",
		.summary = "Read and prove the audit trail of a volume.",
		.options = options,
		.option_count = sizeof(options) / sizeof(options[0]),
		.commands = commands,
		.command_count = sizeof(commands) / sizeof(commands[0]),
	};

	return cli_main(&tool, argc, argv);
}

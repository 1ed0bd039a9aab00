#include "tools/volume/tool.h"

static const struct cli_option options[] = {
#define OPT(id, name, letter, argument, help) {name, letter, argument, help},
#include "tools/volume/options.def"
#undef OPT
};

#define B(id)    CLI_BIT(OPT_##id)
#define INIT                                                                                    \
	(B(CIPHERTEXT) | B(MOUNTPOINT) | B(STATE) | B(RUN_DIRECTORY) | B(POLICY) | B(TEMPLATE) | \
	 B(AUDITOR_KEY) | B(SINGLE_AUDITOR) | B(RECOVERY_KEY_FILE) | B(NO_RECOVERY_KEY) |        \
	 B(PASSPHRASE_FILE) | B(SLOT_NAME) | B(OWNER) | B(MODE) | B(FORWARD) | B(IDLE) |         \
	 B(IMMUTABLE) | B(JSON))
#define SECRETS  (B(PASSPHRASE_FILE) | B(KEYFILE))

static const struct command commands[] = {
	{"init", cmd_init, "make a volume",
	 "NAME --ciphertext DIR --mountpoint DIR --auditor-key PUB... [options]", INIT, 0, 0, true},
	{"check", cmd_check, "read and verify everything in a volume that is not mounted",
	 "[NAME] [--passphrase-file FILE | --keyfile FILE] [--json]", SECRETS | B(JSON), 0, 0,
	 true},
	{"locate", cmd_locate, "the ciphertext file of a path, or the paths of a ciphertext file",
	 "[NAME] PATH|OBJECT [--passphrase-file FILE | --keyfile FILE] [--json]",
	 SECRETS | B(JSON), 1, 1, true},
};

int main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "phifs-volume",
		.summary = "Make, check and look into volumes.",
		.options = options,
		.option_count = sizeof(options) / sizeof(options[0]),
		.commands = commands,
		.command_count = sizeof(commands) / sizeof(commands[0]),
	};

	return cli_main(&tool, argc, argv);
}

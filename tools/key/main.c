#include "tools/key/tool.h"

static const struct cli_option options[] = {
#define OPT(id, name, letter, argument, help) {name, letter, argument, help},
#include "tools/key/options.def"
#undef OPT
};

#define B(id) CLI_BIT(OPT_##id)
#define OPENING                                                                                   \
	(B(PASSPHRASE_FILE) | B(UNLOCK_KEYFILE) | B(ADMIN_PASSPHRASE_FILE) | B(ADMIN_KEYFILE))
#define NEW_SLOT                                                                                  \
	(B(NAME) | B(RIGHTS) | B(NEW_PASSPHRASE_FILE) | B(KEYFILE) | B(RECOVERY) |               \
	 B(RECOVERY_KEY_FILE))
#define OPENING_USAGE "[--passphrase-file FILE | --unlock-keyfile FILE]"

static const struct command commands[] = {
	{"list", cmd_list, "the slots: who can open the volume or change that", "[NAME] [--json]",
	 B(JSON), 0, 0, true},
	{"add", cmd_add, "another way to open the volume",
	 "[NAME] [--name TEXT] [--rights RIGHTS] [--new-passphrase-file FILE | --keyfile FILE | "
	 "--recovery | --recovery-key-file FILE] " OPENING_USAGE,
	 OPENING | NEW_SLOT, 0, 0, true},
	{"remove", cmd_remove, "take a slot away, and give the others new keys",
	 "[NAME] SLOT " OPENING_USAGE, OPENING, 1, 1, true},
	{"rotate", cmd_rotate, "give all slots new keys", "[NAME] " OPENING_USAGE, OPENING, 0, 0,
	 true},
};

int main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "phifs-key",
		.summary = "Say who can open a volume.",
		.options = options,
		.option_count = sizeof(options) / sizeof(options[0]),
		.commands = commands,
		.command_count = sizeof(commands) / sizeof(commands[0]),
	};

	return cli_main(&tool, argc, argv);
}

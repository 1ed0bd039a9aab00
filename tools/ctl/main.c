#include "tools/ctl/ctl.h"

static const struct cli_option options[] = {
#define OPT(id, name, letter, argument, help) {name, letter, argument, help},
#include "tools/ctl/options.def"
#undef OPT
};

#define B(id) CLI_BIT(OPT_##id)
static const struct command commands[] = {
	{"status", cmd_status, "how the volume is: lock, audit, integrity, space",
	 "[NAME] [--json]", B(JSON), 0, 0, true},
	{"unlock", cmd_unlock, "open the volume for the host",
	 "[NAME] [--slot N] [--passphrase-file FILE | --keyfile FILE] [--json]",
	 B(PASSPHRASE_FILE) | B(KEYFILE) | B(SLOT) | B(JSON), 0, 0, true},
	{"lock", cmd_lock, "close the volume: wipe its keys, files open or not",
	 "[NAME] [--now | --grace TIME] [--json]", B(NOW) | B(GRACE) | B(JSON), 0, 0, true},
	{"reload", cmd_reload, "put a changed policy file into force", "[NAME] [--json]", B(JSON), 0,
	 0, true},
	{"wait", cmd_wait, "wait until the volume is unlocked or locked",
	 "[NAME] --unlocked | --locked [--timeout TIME]", B(UNLOCKED) | B(LOCKED) | B(TIMEOUT), 0,
	 0, true},
	{"why", cmd_why, "why somebody was refused", "[NAME] [USER] [--json]", B(JSON), 0, 1, true},
	{"holders", cmd_holders, "who has files open", "[NAME] [--json]", B(JSON), 0, 0, true},
};

int main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "phifsctl",
		.summary = "Unlock, lock and look after a mounted volume.",
		.options = options,
		.option_count = sizeof(options) / sizeof(options[0]),
		.commands = commands,
		.command_count = sizeof(commands) / sizeof(commands[0]),
	};

	return cli_main(&tool, argc, argv);
}

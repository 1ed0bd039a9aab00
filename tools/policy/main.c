#include "tools/policy/tool.h"

static const struct cli_option options[] = {
#define OPT(id, name, letter, argument, help) {name, letter, argument, help},
#include "tools/policy/options.def"
#undef OPT
};

#define B(id) CLI_BIT(OPT_##id)
static const struct command commands[] = {
	{"check", cmd_check, "errors and traps in a policy file", "[NAME] [--policy FILE] [--json]",
	 B(POLICY) | B(JSON), 0, 0, true},
	{"test", cmd_test, "whether somebody may do something, and by which rule",
	 "[NAME] USER ACTION PATH [--policy FILE] [--login USER] [--json]",
	 B(POLICY) | B(LOGIN) | B(JSON), 3, 3, true},
	{"diff", cmd_diff, "rights that another policy file would give and take",
	 "[NAME] FILE [--policy FILE] [--json]", B(POLICY) | B(JSON), 1, 1, true},
};

int main(int argc, char **argv)
{
	static const struct tool tool = {
		.name = "phifs-policy",
		.summary = "Check and try out who may do what on a volume.",
		.options = options,
		.option_count = sizeof(options) / sizeof(options[0]),
		.commands = commands,
		.command_count = sizeof(commands) / sizeof(commands[0]),
	};

	return cli_main(&tool, argc, argv);
}

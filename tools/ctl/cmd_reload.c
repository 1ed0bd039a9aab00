#include <stdio.h>
#include <string.h>

#include "tools/cli/output.h"
#include "tools/ctl/ctl.h"

static void print_change(void *ctx, const void *part)
{
	const struct wire_change *change = part;
	int *count = ctx;
	char text[1024];

	output_printable(change->text, text, sizeof(text));
	printf("  %s\n", text);
	*count += strncmp(text, "warning: ", strlen("warning: ")) != 0;
}

enum err cmd_reload(const struct call *call)
{
	struct wire_request request = {.type = WIRE_RELOAD};
	struct json_list list;
	struct ctl ctl;
	int count = 0;
	enum err err = ctl_open(&ctl, call);

	if (err != ERR_OK)
		return err;
	if (cli_count(call, OPT_JSON) == 0) {
		err = ctl_ask(&ctl, &request, print_change, &count);
		if (err == ERR_OK)
			printf("%s: the policy is in force%s.\n", ctl.config->name,
			       count == 0 ? "; no right changed" : "");
	} else if ((err = json_list_init(&list, WIRE_RELOAD)) == ERR_OK) {
		err = json_list_print(&list, ctl_ask(&ctl, &request, json_list_add, &list));
	}
	ctl_close(&ctl);
	return err;
}

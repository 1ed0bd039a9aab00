#include <stdio.h>

#include "tools/cli/output.h"
#include "tools/ctl/ctl.h"

/* Told at once, while the daemon waits: whoever is cut off can still finish. */
static void print_writer(void *ctx, const void *part)
{
	const struct wire_holder *holder = part;
	bool *is_first = ctx;
	char text[768];

	if (*is_first)
		fputs("waiting for files that are being written; to cut them off: --now\n", stderr);
	*is_first = false;
	ctl_holder_text(holder, text, sizeof(text));
	fprintf(stderr, "  %s\n", text);
}

static enum err lock_with_json(struct ctl *ctl, const struct wire_request *request)
{
	struct json_list holders;
	enum err err = json_list_init(&holders, WIRE_LOCK);

	if (err != ERR_OK)
		return err;
	err = ctl_ask(ctl, request, json_list_add, &holders);
	return json_list_print(&holders, err);
}

enum err cmd_lock(const struct call *call)
{
	struct wire_request request = {.type = WIRE_LOCK};
	bool is_first = true;
	struct ctl ctl;
	enum err err;

	if (cli_count(call, OPT_NOW) > 0 && cli_count(call, OPT_GRACE) > 0)
		return cli_usage_error(call, "give --now or --grace, not both");
	request.lock.now = cli_count(call, OPT_NOW) > 0;
	if ((err = ctl_time(call, OPT_GRACE, &request.lock.grace_ms)) != ERR_OK ||
	    (err = ctl_open(&ctl, call)) != ERR_OK)
		return err;
	if (cli_count(call, OPT_JSON) > 0) {
		err = lock_with_json(&ctl, &request);
	} else {
		err = ctl_ask(&ctl, &request, print_writer, &is_first);
		if (err == ERR_OK)
			printf("%s is locked.\n", ctl.config->name);
	}
	ctl_close(&ctl);
	return err;
}

#include <stdio.h>

#include "tools/cli/output.h"
#include "tools/ctl/ctl.h"

static void add_row(void *ctx, const void *part)
{
	const struct wire_holder *holder = part;
	char pid[24], files[24], writing[24];
	const char *cells[] = {pid, holder->program, holder->user, holder->from, files, writing};

	snprintf(pid, sizeof(pid), "%lld", (long long)holder->pid);
	snprintf(files, sizeof(files), "%lld", (long long)holder->files);
	snprintf(writing, sizeof(writing), "%lld", (long long)holder->writing);
	table_add(ctx, cells);
}

static enum err print_holders(struct ctl *ctl, const struct wire_request *request)
{
	static const char *const headers[] = {"PID",  "PROGRAM", "USER", "FROM",
					      "OPEN", "WRITING", NULL};
	struct table *table = table_new(headers);
	enum err err = ERR_NO_MEMORY;

	if (table != NULL && (err = ctl_ask(ctl, request, add_row, table)) == ERR_OK)
		err = table_print(table);
	table_free(table);
	return err;
}

enum err cmd_holders(const struct call *call)
{
	struct wire_request request = {.type = WIRE_HOLDERS};
	struct json_list list;
	struct ctl ctl;
	enum err err = ctl_open(&ctl, call);

	if (err != ERR_OK)
		return err;
	if (cli_count(call, OPT_JSON) == 0)
		err = print_holders(&ctl, &request);
	else if ((err = json_list_init(&list, WIRE_HOLDERS)) == ERR_OK)
		err = json_list_print(&list, ctl_ask(&ctl, &request, json_list_add, &list));
	ctl_close(&ctl);
	return err;
}

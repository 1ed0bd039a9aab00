#include "tools/ctl/ctl.h"

#include <stdio.h>
#include <string.h>

#include "tools/cli/output.h"

enum err ctl_open(struct ctl *ctl, const struct call *call)
{
	enum err err;

	*ctl = (struct ctl){.call = call};
	if ((err = cli_load_config(call, &ctl->config)) != ERR_OK)
		return err;
	if ((err = daemon_connect(call, ctl->config, &ctl->client)) != ERR_OK)
		ctl_close(ctl);
	return err;
}

void ctl_close(struct ctl *ctl)
{
	client_close(ctl->client);
	config_free(ctl->config);
	*ctl = (struct ctl){0};
}

enum err ctl_ask(struct ctl *ctl, const struct wire_request *request, client_part *part,
		 void *part_ctx)
{
	return daemon_ask(ctl->call, ctl->config, ctl->client, request, part, part_ctx);
}

static void take_status(void *ctx, const void *part)
{
	memcpy(ctx, part, sizeof(struct wire_status));
}

enum err ctl_status(struct ctl *ctl, struct wire_status *status)
{
	struct wire_request request = {.type = WIRE_STATUS};
	enum err err;

	memset(status, 0, sizeof(*status));
	err = ctl_ask(ctl, &request, take_status, status);
	if (err == ERR_OK && status->state[0] == '\0')
		err = cli_fail(ERR_FORMAT, "%s: the daemon did not tell its state",
			       ctl->config->name);
	return err;
}

enum err ctl_time(const struct call *call, enum option_id id, int64_t *ms)
{
	const char *text = cli_value(call, id);

	if (text != NULL && (!config_parse_time(text, ms) || *ms < 1))
		return cli_usage_error(call, "--%s: '%s' is not a time like 30s, 5m or 1h",
				       call->tool->options[id].name, text);
	return ERR_OK;
}

enum err json_list_init(struct json_list *list, enum wire_type type)
{
	*list = (struct json_list){.type = type, .array = json_object_new_array()};
	return list->array != NULL ? ERR_OK : cli_fail(ERR_NO_MEMORY, "out of memory");
}

void json_list_add(void *ctx, const void *part)
{
	struct json_list *list = ctx;
	struct json_object *object = wire_part_to_json(list->type, part);

	if (object == NULL || json_object_array_add(list->array, object) != 0) {
		json_object_put(object);
		list->failed = true;
	}
}

enum err json_list_print(struct json_list *list, enum err err)
{
	if (err == ERR_OK && list->failed)
		err = cli_fail(ERR_NO_MEMORY, "out of memory");
	if (err == ERR_OK)
		output_json(list->array);
	else
		json_object_put(list->array);
	return err;
}

void ctl_holder_text(const struct wire_holder *holder, char *text, size_t size)
{
	int64_t files = holder->writing > 0 ? holder->writing : holder->files;
	const char *from = strcmp(holder->from, "service") == 0 ? "" : holder->from;
	char raw[512];

	snprintf(raw, sizeof(raw), "%s (%lld, %s%s%s)  %lld file%s", holder->program,
		 (long long)holder->pid, holder->user, from[0] != '\0' ? " from " : "", from,
		 (long long)files, files == 1 ? "" : "s");
	output_printable(raw, text, size);
}

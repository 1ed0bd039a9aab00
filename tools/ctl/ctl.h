/* What the commands of phifsctl share. */
#ifndef PHIFS_TOOLS_CTL_CTL_H
#define PHIFS_TOOLS_CTL_CTL_H

#include "tools/cli/command.h"
#include "tools/cli/daemon.h"

enum option_id {
#define OPT(id, name, letter, argument, help) OPT_##id,
#include "tools/ctl/options.def"
#undef OPT
};

command_function cmd_status, cmd_unlock, cmd_lock, cmd_reload, cmd_wait, cmd_why, cmd_holders;

/* A connection to the volume of a call. */
struct ctl {
	const struct call *call;
	struct config *config;
	struct client *client;
};
/* Loads the configuration and connects; after a failure there is nothing to close. */
enum err ctl_open(struct ctl *ctl, const struct call *call) MUST_CHECK;
void ctl_close(struct ctl *ctl);

/* daemon_ask. */
enum err ctl_ask(struct ctl *ctl, const struct wire_request *request, client_part *part,
		 void *part_ctx) MUST_CHECK;
/* The volume's state; ERR_FORMAT if the daemon did not tell it. */
enum err ctl_status(struct ctl *ctl, struct wire_status *status) MUST_CHECK;

/* The value of a time option in milliseconds; `*ms` is untouched if it was not given. */
enum err ctl_time(const struct call *call, enum option_id id, int64_t *ms) MUST_CHECK;

/* Parts as an array, for --json: a client_part with struct json_list as its ctx. */
struct json_list {
	enum wire_type type;
	struct json_object *array;
	bool failed;
};
enum err json_list_init(struct json_list *list, enum wire_type type) MUST_CHECK;
void json_list_add(void *ctx, const void *part);
/* Prints the array if `err` and the list are good; frees it in any case. */
enum err json_list_print(struct json_list *list, enum err err) MUST_CHECK;

/* "storescp (812, _pacs)  2 files" of a struct wire_holder. */
void ctl_holder_text(const struct wire_holder *holder, char *text, size_t size);

#endif

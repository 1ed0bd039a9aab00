#include <stdio.h>
#include <string.h>

#include "tools/cli/output.h"
#include "tools/ctl/ctl.h"

/* Why nobody gets anything: what the service desk should hear first. */
static void print_causes_for_all(struct ctl *ctl, const struct wire_status *status)
{
	char since[32];

	output_time(status->since, since, sizeof(since));
	if (strcmp(status->state, "unlocked") != 0)
		printf("%s is %s since %s (%s): nobody can open anything\n          "
		       "to open it: phifsctl unlock%s%s%s\n",
		       status->name, status->state, since, status->reason,
		       cli_volume_words(ctl->call), status->contact[0] != '\0' ? "   or call: " : "",
		       status->contact);
	if (status->is_audit_failed)
		printf("the audit journal of %s cannot be written: all access is refused\n",
		       status->name);
	if (status->damaged > 0)
		printf("%lld reads or writes failed since unlock because files do not verify\n",
		       (long long)status->damaged);
}

static void print_refusal(void *ctx, const void *part)
{
	const struct wire_refusal *refusal = part;
	char time[32], who[256], what[256], rule[512], hint[1024];
	int *count = ctx;

	output_time(refusal->time, time, sizeof(time));
	output_printable(refusal->user, who, sizeof(who));
	output_printable(refusal->class_name, what, sizeof(what));
	output_printable(refusal->rule, rule, sizeof(rule));
	output_printable(refusal->hint, hint, sizeof(hint));
	printf("%s  %s (%s%s) was refused %s", time, who,
	       refusal->login_user[0] != '\0' ? "login: " : "a service", refusal->login_user,
	       refusal->action);
	if (refusal->object[0] != '\0')
		printf(" of file %.8s", refusal->object);
	printf(" in class %s", what[0] != '\0' ? what : "(none)");
	if (refusal->count > 1)
		printf(", %lld times", (long long)refusal->count);
	printf("\n          by: %s\n", rule);
	if (hint[0] != '\0')
		printf("          explained by: %s\n", hint);
	(*count)++;
}

static enum err print_refusals(struct ctl *ctl, const struct wire_request *request)
{
	struct wire_status status;
	int count = 0;
	enum err err = ctl_status(ctl, &status);

	if (err != ERR_OK)
		return err;
	print_causes_for_all(ctl, &status);
	if ((err = ctl_ask(ctl, request, print_refusal, &count)) != ERR_OK || count > 0)
		return err;
	printf("phifs has refused %s nothing since it was started\n          "
	       "refusals by file mode are the kernel's and are not seen here; both are judged by: "
	       "phifs-policy test%s %s read PATH\n",
	       request->why.user[0] != '\0' ? request->why.user : "you",
	       cli_volume_words(ctl->call),
	       request->why.user[0] != '\0' ? request->why.user : "USER");
	return ERR_NO;
}

enum err cmd_why(const struct call *call)
{
	struct wire_request request = {.type = WIRE_WHY};
	const char *user = call->operand_count > 0 ? call->operands[0] : "";
	struct json_list list;
	struct ctl ctl;
	enum err err;

	if (strlen(user) >= sizeof(request.why.user))
		return cli_usage_error(call, "a user name has at most %zu characters",
				       sizeof(request.why.user) - 1);
	strcpy(request.why.user, user);
	if ((err = ctl_open(&ctl, call)) != ERR_OK)
		return err;
	if (cli_count(call, OPT_JSON) == 0)
		err = print_refusals(&ctl, &request);
	else if ((err = json_list_init(&list, WIRE_WHY)) == ERR_OK)
		err = json_list_print(&list, ctl_ask(&ctl, &request, json_list_add, &list));
	ctl_close(&ctl);
	return err;
}

#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "tools/cli/output.h"
#include "tools/policy/tool.h"

struct changes {
	struct json_object *list; /* NULL: print */
	int count;
};

static void take(void *ctx, const char *text)
{
	struct changes *changes = ctx;
	char printable[1024];

	output_printable(text, printable, sizeof(printable));
	changes->count++;
	if (changes->list != NULL)
		json_object_array_add(changes->list, json_object_new_string(printable));
	else
		puts(printable);
}

static void log_errors(void *ctx, bool is_error, int line, const char *text, const char *hint)
{
	if (!is_error)
		return;
	if (line > 0)
		log_error("%s:%d: %s", (const char *)ctx, line, text);
	else
		log_error("%s: %s", (const char *)ctx, text);
	if (hint != NULL)
		log_hint("%s", hint);
}

/* Done is 0, difference or not: 1 means "failed" or "no" for every tool of phifs. */
enum err cmd_diff(const struct call *call)
{
	char *file = call->operands[0];
	struct changes changes = {.list = NULL};
	struct policy *other = NULL;
	struct source source;
	enum err err = source_load(call, &source);

	if (err == ERR_OK)
		err = policy_load(file, log_errors, file, &other);
	if (err == ERR_NOT_FOUND || (err != ERR_OK && access(file, F_OK) < 0))
		log_hint("the new policy is a file: phifs-policy diff [NAME] FILE");
	if (err == ERR_OK) {
		if (cli_count(call, OPT_JSON) > 0)
			changes.list = json_object_new_array();
		policy_diff(source.policy, other, take, &changes);
		if (changes.list != NULL)
			output_json(changes.list);
		else if (changes.count == 0)
			printf("%s gives the same rights as %s\n", file, source.file);
	}
	policy_free(other);
	source_clear(&source);
	return err;
}

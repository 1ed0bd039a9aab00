#include <stdio.h>

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
	(void)hint;
	if (is_error)
		log_error("%s:%d: %s", (const char *)ctx, line, text);
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

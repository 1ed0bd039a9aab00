/* Which policy a call is about. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/log.h"
#include "tools/cli/daemon.h"
#include "tools/cli/output.h"
#include "tools/policy/tool.h"

#define FUSE_MAGIC 0x65735546 /* statfs(2): FUSE_SUPER_MAGIC */

struct collector {
	struct source *source;
	bool is_quiet;
};

struct json_object *message_json(const char *kind, int line, const char *text, const char *hint)
{
	struct json_object *object = json_object_new_object();
	char printable[1024];

	output_printable(text, printable, sizeof(printable));
	json_object_object_add(object, "kind", json_object_new_string(kind));
	json_object_object_add(object, "line", json_object_new_int(line));
	json_object_object_add(object, "text", json_object_new_string(printable));
	if (hint != NULL) {
		output_printable(hint, printable, sizeof(printable));
		json_object_object_add(object, "hint", json_object_new_string(printable));
	}
	return object;
}

static void log_message(const char *file, int line, const char *text, const char *hint)
{
	char printable[1024];

	output_printable(text, printable, sizeof(printable));
	if (line > 0)
		log_error("%s:%d: %s", file, line, printable);
	else
		log_error("%s: %s", file, printable);
	if (hint != NULL)
		log_hint("%s", hint);
}

static void collect(void *ctx, bool is_error, int line, const char *text, const char *hint)
{
	const struct collector *collector = ctx;

	json_object_array_add(collector->source->messages,
			      message_json(is_error ? "error" : "warning", line, text, hint));
	if (is_error && !collector->is_quiet)
		log_message(collector->source->file, line, text, hint);
}

enum err source_load(const struct call *call, struct source *source)
{
	struct collector collector = {
		.source = source,
		.is_quiet = cli_count(call, OPT_JSON) > 0 && call->command->function == cmd_check,
	};
	const char *file = cli_value(call, OPT_POLICY);
	enum err err;

	memset(source, 0, sizeof(*source));
	if (file == NULL || call->volume != NULL)
		if ((err = cli_load_config(call, &source->config)) != ERR_OK)
			return err;
	source->file = strdup(file != NULL ? file : source->config->policy);
	source->messages = json_object_new_array();
	if (source->file == NULL || source->messages == NULL)
		return cli_fail(ERR_NO_MEMORY, "out of memory");
	return policy_load(source->file, collect, &collector, &source->policy);
}

void source_clear(struct source *source)
{
	json_object_put(source->messages);
	policy_free(source->policy);
	free(source->file);
	config_free(source->config);
}

bool is_mounted(const char *path)
{
	struct statfs st;

	return statfs(path, &st) == 0 && st.f_type == FUSE_MAGIC;
}

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "tools/cli/output.h"
#include "tools/policy/tool.h"

#define TEXT_MAX 1024

/* Everything that was found, in the form of message_json. */
struct findings {
	struct json_object *list;
};

static void add(struct findings *findings, const char *kind, int line, const char *text,
		const char *hint)
{
	json_object_array_add(findings->list, message_json(kind, line, text, hint));
}

static void collect(void *ctx, bool is_error, int line, const char *text, const char *hint)
{
	struct findings *findings = ctx;

	add(findings, is_error ? "error" : "warning", line, text, hint);
}

/* --- notes: nothing is wrong, but it is good to know ----------------------------------- */

static bool exists_in_mount(const struct config *config, const struct policy_class *class)
{
	char path[TEXT_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s%s", config->mountpoint, class->path);
	return lstat(path, &st) == 0;
}

static void note_directory(struct findings *findings, const struct config *config,
			   const struct policy_class *class)
{
	char text[TEXT_MAX];

	if (!class->is_literal || strcmp(class->path, "/") == 0 ||
	    (class->owner != NULL && !class->has_owner) || config == NULL ||
	    !is_mounted(config->mountpoint) || exists_in_mount(config, class))
		return;
	snprintf(text, sizeof(text), "%s does not exist yet; it is made at the next mount",
		 class->path);
	if (class->owner != NULL)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " with owner %s",
			 class->owner);
	if (class->mode != 0)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s mode %04o",
			 class->owner != NULL ? "," : " with", class->mode);
	add(findings, "note", class->line, text, NULL);
}

static void note_write_once(struct findings *findings, const struct policy_class *class,
			    unsigned int actions)
{
	const unsigned int change = 1u << ACTION_WRITE | 1u << ACTION_DELETE;
	char text[TEXT_MAX];

	if ((actions & 1u << ACTION_CREATE) == 0 || (actions & change) != 0)
		return;
	snprintf(text, sizeof(text),
		 "class %s is write-once: files are put in, and nobody may change or delete them",
		 class->name);
	add(findings, "note", class->line, text, NULL);
}

static void note_idle(struct findings *findings, const struct config *config,
		      const struct policy *policy)
{
	int role = 0;

	while (role < policy_role_count(policy) && !policy_role_is_service(policy, role))
		role++;
	if (config != NULL && config->idle_ms == CONFIG_NEVER)
		add(findings, "note", 0,
		    role < policy_role_count(policy)
			    ? "idle = never: the keys stay in memory while the service runs"
			    : "idle = never, although no role has login = none: nothing but a "
			      "person or a signal locks the volume",
		    NULL);
}

static void add_notes(struct findings *findings, const struct source *source)
{
	int64_t now = clock_wall_ns() / NS_PER_SECOND;

	for (int i = 0; i < policy_class_count(source->policy); i++) {
		const struct policy_class *class = policy_class(source->policy, i);

		note_directory(findings, source->config, class);
		note_write_once(findings, class, policy_class_actions(source->policy, i, now));
	}
	note_idle(findings, source->config, source->policy);
}

/* --- output ------------------------------------------------------------------------------ */

static const char *text_of(struct json_object *object, const char *key)
{
	return json_object_get_string(json_object_object_get(object, key));
}

static const char *plural(int count, const char *one, const char *many)
{
	return count == 1 ? one : many;
}

static void print_text(const struct source *source, const struct findings *findings)
{
	int classes = policy_class_count(source->policy);
	int roles = policy_role_count(source->policy);

	printf("%s: %d %s, %d %s, no errors\n", source->file, classes,
	       plural(classes, "class", "classes"), roles, plural(roles, "role", "roles"));
	for (size_t i = 0; i < json_object_array_length(findings->list); i++) {
		struct json_object *item = json_object_array_get_idx(findings->list, i);
		const char *hint = text_of(item, "hint");
		int line = json_object_get_int(json_object_object_get(item, "line"));

		printf("  %s: ", text_of(item, "kind"));
		if (line > 0)
			printf("line %d: ", line);
		printf("%s\n", text_of(item, "text"));
		if (hint != NULL)
			printf("    hint: %s\n", hint);
	}
}

static void print_json(const struct source *source, struct findings *findings)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "file", json_object_new_string(source->file));
	json_object_object_add(object, "is_valid", json_object_new_boolean(source->policy != NULL));
	if (source->policy != NULL) {
		json_object_object_add(object, "classes",
				       json_object_new_int(policy_class_count(source->policy)));
		json_object_object_add(object, "roles",
				       json_object_new_int(policy_role_count(source->policy)));
	}
	json_object_object_add(object, "messages", json_object_get(findings->list));
	output_json(object);
}

enum err cmd_check(const struct call *call)
{
	struct source source;
	enum err err = source_load(call, &source);
	struct findings findings = {.list = source.messages};

	if (err == ERR_OK) {
		/* Without a volume nothing is known about its idle lock. */
		policy_check(source.policy,
			     source.config != NULL ? source.config->idle_ms : CONFIG_NEVER, collect,
			     &findings);
		add_notes(&findings, &source);
	}
	if (cli_count(call, OPT_JSON) > 0 && source.file != NULL)
		print_json(&source, &findings);
	else if (err == ERR_OK)
		print_text(&source, &findings);
	else if (source.file != NULL)
		log_hint("a policy with errors never replaces the one in force; "
			 "the language is explained by: man 5 phifs.policy");
	source_clear(&source);
	return err;
}

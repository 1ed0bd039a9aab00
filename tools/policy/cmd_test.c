#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "tools/cli/output.h"
#include "tools/policy/mode.h"
#include "tools/policy/tool.h"

#define TEXT_MAX 1024

struct question {
	const struct call *call;
	struct source source;
	struct person person;
	enum policy_action action;
	const char *path;
};

struct answer {
	int class_index;
	struct policy_verdict verdict;
	enum policy_miss miss;
	int miss_role;
	bool is_mode_judged; /* the volume is mounted and policy allows */
	struct mode_verdict mode;
};

/* --- the question --------------------------------------------------------------------- */

static enum err parse_action(struct question *question, const char *word)
{
	const char *words[ACTION_COUNT + 1] = {NULL};
	const char *nearest;

	if (policy_action_parse(word, &question->action))
		return ERR_OK;
	for (int i = 0; i < ACTION_COUNT; i++)
		words[i] = policy_action_name((enum policy_action)i);
	nearest = config_nearest(word, words);
	cli_usage_error(question->call, "unknown action '%.64s'%s%s%s", word,
			nearest == NULL ? "" : " (did you mean '", nearest == NULL ? "" : nearest,
			nearest == NULL ? "" : "'?)");
	log_hint("actions are: list read create write delete rename attr");
	return ERR_USAGE;
}

/* The volume's own paths are plain: what a kernel would ask for. */
static enum err check_path(struct question *question, const char *path)
{
	const char *part = path;

	if (path[0] != '/')
		return cli_usage_error(question->call,
				       "PATH is absolute inside the volume: / is its root");
	while (*part == '/') {
		size_t len = strcspn(++part, "/");

		if ((len == 0 && part[-1] == '/' && path[1] != '\0') ||
		    (len == 1 && part[0] == '.') || (len == 2 && part[0] == '.' && part[1] == '.'))
			return cli_usage_error(question->call,
					       "PATH has a component '.', '..' or an empty one");
		part += len;
	}
	question->path = path;
	return ERR_OK;
}

static enum err ask(struct question *question)
{
	const struct call *call = question->call;
	enum err err;

	if ((err = parse_action(question, call->operands[1])) != ERR_OK ||
	    (err = check_path(question, call->operands[2])) != ERR_OK ||
	    (err = source_load(call, &question->source)) != ERR_OK ||
	    (err = person_find(call->operands[0], &question->person)) != ERR_OK)
		return err;
	return person_set_login(&question->person, cli_value(call, OPT_LOGIN),
				question->source.policy);
}

static void judge(const struct question *question, struct answer *answer)
{
	const struct policy *policy = question->source.policy;
	const struct config *config = question->source.config;
	int64_t now = clock_wall_ns() / NS_PER_SECOND;
	struct policy_roles roles;

	memset(answer, 0, sizeof(*answer));
	answer->class_index = policy_class_at(policy, policy_place_of_path(policy, question->path));
	policy_roles_of(policy, &question->person.subject, &roles);
	answer->verdict = policy_decide(policy, &roles, answer->class_index, question->action, now);
	if (answer->verdict.role < 0)
		answer->miss =
			policy_near_miss(policy, &question->person.subject, answer->class_index,
					 question->action, now, &answer->miss_role);
	answer->is_mode_judged =
		answer->verdict.allowed && config != NULL && is_mounted(config->mountpoint);
	if (answer->is_mode_judged)
		mode_judge(config->mountpoint, question->path, question->action,
			   &question->person.subject, &answer->mode);
}

static bool is_allowed(const struct answer *answer)
{
	return answer->verdict.allowed &&
	       (!answer->is_mode_judged || answer->mode.answer != MODE_REFUSES);
}

/* --- the answer in words ---------------------------------------------------------------- */

/* "mode 0600 _pacs:_pacs" */
static void mode_text(const struct stat *st, char *text, size_t size)
{
	char user[64], group[64];

	user_name(st->st_uid, user, sizeof(user));
	group_name(st->st_gid, group, sizeof(group));
	snprintf(text, size, "mode %04o %s:%s", (unsigned int)st->st_mode & 07777, user, group);
}

static void print_mode_refusal(const struct question *question, const struct answer *answer)
{
	const struct policy *policy = question->source.policy;
	const struct mode_verdict *mode = &answer->mode;
	char text[256], path[TEXT_MAX];

	mode_text(&mode->st, text, sizeof(text));
	output_printable(mode->path, path, sizeof(path));
	printf("no: class %s allows it (role %s, line %d), but %s",
	       policy_class(policy, answer->class_index)->name,
	       policy_role_name(policy, answer->verdict.role), answer->verdict.line, text);
	if (strcmp(mode->path, question->path) != 0)
		printf(" of %s", path);
	printf(" does not\n");
}

static void hint_mode(const struct question *question, const struct mode_verdict *mode)
{
	static const struct {
		mode_t bits;
		char who;
		int shift;
	} classes[] = {{0700, 'u', 6}, {0070, 'g', 3}, {0007, 'o', 0}};
	char path[TEXT_MAX];

	output_printable(mode->path, path, sizeof(path));
	if (mode->needed == 0)
		log_hint("only the owner may; see: ls -ld '%s%s'",
			 question->source.config->mountpoint, path);
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		mode_t bits = (mode->needed & classes[i].bits) >> classes[i].shift;

		if (bits != 0)
			log_hint("the owner, with attr there, may run: chmod %c+%s%s%s '%s%s'",
				 classes[i].who, (bits & 4) != 0 ? "r" : "",
				 (bits & 2) != 0 ? "w" : "", (bits & 1) != 0 ? "x" : "",
				 question->source.config->mountpoint, path);
	}
}

static void print_policy_refusal(const struct question *question, const struct answer *answer)
{
	const struct policy *policy = question->source.policy;
	const struct person *person = &question->person;
	char rule[TEXT_MAX];

	policy_verdict_text(policy, &answer->verdict, rule, sizeof(rule));
	if (answer->class_index < 0)
		printf("no: default deny: the path is in no class\n");
	else if (answer->verdict.role >= 0)
		printf("no: %s\n", rule);
	else if (answer->miss == POLICY_MISS_SERVICE)
		printf("no: role %s has from = service, and this process would be started from "
		       "%s's login\n",
		       policy_role_name(policy, answer->miss_role), person->login);
	else if (answer->miss == POLICY_MISS_LOGIN)
		printf("no: role %s has from = login, and this process would be started by the "
		       "system\n",
		       policy_role_name(policy, answer->miss_role));
	else if (answer->miss == POLICY_MISS_UNTIL)
		printf("no: role %s allows it, but has ended\n",
		       policy_role_name(policy, answer->miss_role));
	else
		printf("no: default deny: no rule allows %s in class %s to a role of %s%s\n",
		       policy_action_name(question->action),
		       policy_class(policy, answer->class_index)->name, person->name,
		       person->subject.uid == 0 ? "; root is not a role" : "");
}

static void hint_login(const struct question *question, const struct answer *answer)
{
	bool is_service = answer->miss == POLICY_MISS_SERVICE;

	if (is_service || answer->miss == POLICY_MISS_LOGIN)
		log_hint("%s: phifs-policy test%s %s %s %s --login %s",
			 is_service ? "as the service itself" : "after a login",
			 cli_volume_words(question->call), question->call->operands[0],
			 question->call->operands[1], question->path,
			 is_service ? "service" : question->person.name);
}

/* What the answer did not take into account. */
static void print_limits(const struct question *question, const struct answer *answer)
{
	char path[TEXT_MAX];

	output_printable(answer->mode.path, path, sizeof(path));
	if (!answer->is_mode_judged)
		printf("  mode bits were not judged: %s\n", question->source.config == NULL
								    ? "no volume was named"
								    : "the volume is not mounted");
	else if (answer->mode.answer == MODE_ABSENT)
		printf("  mode bits were not judged: %s does not exist\n", path);
	else if (answer->mode.answer == MODE_UNKNOWN)
		printf("  mode bits were not judged: %s: %s\n", path,
		       answer->mode.error_number == ELOOP ? "a symbolic link"
							  : strerror(answer->mode.error_number));
}

static void print_text(const struct question *question, const struct answer *answer)
{
	char rule[TEXT_MAX];

	if (!answer->verdict.allowed) {
		print_policy_refusal(question, answer);
		fflush(stdout);
		hint_login(question, answer);
	} else if (!is_allowed(answer)) {
		print_mode_refusal(question, answer);
		fflush(stdout);
		hint_mode(question, &answer->mode);
	} else {
		policy_verdict_text(question->source.policy, &answer->verdict, rule, sizeof(rule));
		printf("yes: %s\n", rule);
		print_limits(question, answer);
	}
}

/* --- the answer as JSON ------------------------------------------------------------------- */

static struct json_object *mode_json(const struct answer *answer)
{
	static const char *const words[] = {
		[MODE_ALLOWS] = "allows",
		[MODE_REFUSES] = "refuses",
		[MODE_ABSENT] = "absent",
		[MODE_UNKNOWN] = "unknown",
	};
	struct json_object *object = json_object_new_object();
	char text[TEXT_MAX];

	json_object_object_add(object, "answer",
			       json_object_new_string(words[answer->mode.answer]));
	output_printable(answer->mode.path, text, sizeof(text));
	json_object_object_add(object, "path", json_object_new_string(text));
	if (answer->mode.answer == MODE_REFUSES) {
		mode_text(&answer->mode.st, text, sizeof(text));
		json_object_object_add(object, "text", json_object_new_string(text));
	}
	return object;
}

static void print_json(const struct question *question, const struct answer *answer)
{
	const struct policy *policy = question->source.policy;
	const struct policy_class *class = policy_class(policy, answer->class_index);
	struct json_object *object = json_object_new_object();
	int role = answer->verdict.role;
	char rule[TEXT_MAX];

	policy_verdict_text(policy, &answer->verdict, rule, sizeof(rule));
	json_object_object_add(object, "is_allowed", json_object_new_boolean(is_allowed(answer)));
	json_object_object_add(object, "user", json_object_new_string(question->person.name));
	json_object_object_add(object, "login", json_object_new_string(question->person.login));
	json_object_object_add(object, "action",
			       json_object_new_string(policy_action_name(question->action)));
	json_object_object_add(object, "class",
			       class == NULL ? NULL : json_object_new_string(class->name));
	json_object_object_add(object, "is_allowed_by_policy",
			       json_object_new_boolean(answer->verdict.allowed));
	json_object_object_add(object, "role",
			       role < 0 ? NULL
					: json_object_new_string(policy_role_name(policy, role)));
	json_object_object_add(object, "line", json_object_new_int(answer->verdict.line));
	json_object_object_add(object, "rule", json_object_new_string(rule));
	json_object_object_add(object, "mode", answer->is_mode_judged ? mode_json(answer) : NULL);
	output_json(object);
}

enum err cmd_test(const struct call *call)
{
	struct question question = {.call = call};
	struct answer answer;
	enum err err = ask(&question);

	if (err == ERR_OK) {
		judge(&question, &answer);
		if (cli_count(call, OPT_JSON) > 0)
			print_json(&question, &answer);
		else
			print_text(&question, &answer);
		if (!is_allowed(&answer))
			err = ERR_NO;
	}
	source_clear(&question.source);
	return err;
}

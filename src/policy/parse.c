/* Sections of a policy file: which class or role a key belongs to. */
#include <string.h>

#include "config/config.h"
#include "policy/model.h"

struct lines {
	struct policy_load *load;
	const struct policy_key *keys; /* of the section; NULL: the section is wrong */
	const char *kind;	       /* "class" or "role" */
	const char *name;
	int seen[POLICY_KEYS_MAX]; /* line of each key in this section */
};

int policy_find_class(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->class_count; i++)
		if (strcmp(policy->classes[i].class.name, name) == 0)
			return (int)i;
	return -1;
}

int policy_find_role(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->role_count; i++)
		if (strcmp(policy->roles[i].name, name) == 0)
			return (int)i;
	return -1;
}

static bool check_name(struct lines *lines, int line, const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t len = strlen(name);

	if (len >= 1 && len <= POLICY_NAME_MAX && strspn(name, letters) == len)
		return true;
	policy_complain(lines->load, line,
			"the name of a %s has 1 to %d letters, digits, '.', '_', '-'", lines->kind,
			POLICY_NAME_MAX);
	return false;
}

static void begin_class(struct lines *lines, int line, const char *name)
{
	struct policy *policy = lines->load->policy;
	struct policy_class_entry *classes;
	int other = policy_find_class(policy, name);

	if (other >= 0) {
		policy_complain(lines->load, line, "class %s is already in line %d", name,
				policy->classes[other].class.line);
		return;
	}
	if (policy->class_count == POLICY_CLASSES_MAX) {
		policy_complain(lines->load, line, "more than %d classes", POLICY_CLASSES_MAX);
		return;
	}
	classes = policy_grow(lines->load, policy->classes, policy->class_count,
			      &policy->class_room, sizeof(*classes));
	if (classes == NULL)
		return;
	policy->classes = classes;
	classes[policy->class_count].class.name = policy_copy(lines->load, name, strlen(name));
	classes[policy->class_count].class.line = line;
	if (classes[policy->class_count].class.name == NULL)
		return;
	lines->name = classes[policy->class_count++].class.name;
	lines->keys = policy_class_keys;
}

static void begin_role(struct lines *lines, int line, const char *name)
{
	struct policy *policy = lines->load->policy;
	struct policy_role_entry *roles, *role;
	int other = policy_find_role(policy, name);

	if (other >= 0) {
		policy_complain(lines->load, line, "role %s is already in line %d", name,
				policy->roles[other].line);
		return;
	}
	if (policy->role_count == POLICY_ROLES_MAX) {
		policy_complain(lines->load, line, "more than %d roles", POLICY_ROLES_MAX);
		return;
	}
	roles = policy_grow(lines->load, policy->roles, policy->role_count, &policy->role_room,
			    sizeof(*roles));
	if (roles == NULL)
		return;
	policy->roles = roles;
	role = &roles[policy->role_count];
	role->name = policy_copy(lines->load, name, strlen(name));
	if (role->name == NULL)
		return;
	role->line = line;
	role->until = POLICY_FOREVER;
	role->first_rule = policy->rule_count;
	role->first_member = policy->member_count;
	lines->name = role->name;
	lines->keys = policy_role_keys;
	policy->role_count++;
}

/* "class NAME" or "role NAME"; the rest of the section is skipped if it is neither. */
static void begin_section(struct lines *lines, int line, const char *section)
{
	const char *name = strpbrk(section, " \t");
	size_t len = name == NULL ? strlen(section) : (size_t)(name - section);

	lines->keys = NULL;
	memset(lines->seen, 0, sizeof(lines->seen));
	name = name == NULL ? "" : name + strspn(name, " \t");
	if (len == 5 && strncmp(section, "class", 5) == 0) {
		lines->kind = "class";
		if (check_name(lines, line, name))
			begin_class(lines, line, name);
	} else if (len == 4 && strncmp(section, "role", 4) == 0) {
		lines->kind = "role";
		if (check_name(lines, line, name))
			begin_role(lines, line, name);
	} else {
		policy_complain(lines->load, line,
				"unknown section [%s]: a section is [class NAME] or [role NAME]",
				section);
	}
}

static void unknown_key(struct lines *lines, int line, const char *key)
{
	const char *words[POLICY_KEYS_MAX + 1] = {NULL};
	const char *nearest;

	for (size_t i = 0; lines->keys[i].name != NULL; i++)
		words[i] = lines->keys[i].name;
	nearest = config_nearest(key, words);
	if (nearest != NULL)
		policy_complain(lines->load, line, "unknown key '%s' in %s %s (did you mean '%s'?)",
				key, lines->kind, lines->name, nearest);
	else
		policy_complain(lines->load, line, "unknown key '%s' in %s %s", key, lines->kind,
				lines->name);
}

static void take(void *ctx, int line, const char *section, const char *name, const char *value)
{
	struct lines *lines = ctx;
	const struct policy_key *key = lines->keys;
	size_t i = 0;

	if (name == NULL) {
		begin_section(lines, line, section);
		return;
	}
	if (lines->keys == NULL)
		return;
	while (key->name != NULL && strcmp(key->name, name) != 0)
		key++;
	i = (size_t)(key - lines->keys);
	if (key->name == NULL)
		unknown_key(lines, line, name);
	else if (key->parse == NULL)
		policy_complain(lines->load, line, "'%s' in %s %s is not supported by this version",
				name, lines->kind, lines->name);
	else if (lines->seen[i] != 0 && !key->may_repeat)
		policy_complain(lines->load, line, "'%s' in %s %s is already in line %d", name,
				lines->kind, lines->name, lines->seen[i]);
	else {
		lines->seen[i] = line;
		key->parse(lines->load, line, value);
	}
}

enum err policy_parse_lines(struct policy_load *load, const char *text, size_t len)
{
	struct lines lines = {.load = load};

	return config_ini_parse(text, len, take, &lines, load->message, load->ctx);
}

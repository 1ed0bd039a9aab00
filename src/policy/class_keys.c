/* The keys of [class NAME]. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/model.h"

#define COMPONENT_MAX 255

static struct policy_class_entry *current(struct policy_load *load)
{
	return &load->policy->classes[load->policy->class_count - 1];
}

static const char *problem_of_component(const char *part, size_t len)
{
	if (len == 0)
		return "has an empty component";
	if (len > COMPONENT_MAX)
		return "has a component longer than 255 bytes";
	if ((len == 1 && part[0] == '.') || (len == 2 && part[0] == '.' && part[1] == '.'))
		return "has a component '.' or '..'";
	if (memchr(part, '*', len) != NULL && len != 1)
		return "has a '*' beside other letters: '*' stands for one whole component";
	return NULL;
}

/* Cuts parts_text, "/a/b/c", into components. */
static const char *cut_path(struct policy_class_entry *class)
{
	char *part = class->parts_text + 1;

	while (*part != '\0') {
		size_t len = strcspn(part, "/");
		bool is_last = part[len] == '\0';
		const char *problem = problem_of_component(part, len);

		if (problem != NULL)
			return problem;
		if (class->part_count == POLICY_DEPTH_MAX)
			return "has more than 32 components";
		part[len] = '\0';
		class->parts[class->part_count++] = strcmp(part, "*") == 0 ? NULL : part;
		part += len + (is_last ? 0 : 1);
		if (!is_last && *part == '\0')
			return "has an empty component";
	}
	return NULL;
}

static bool has_star(const struct policy_class_entry *class)
{
	for (int i = 0; i < class->part_count; i++)
		if (class->parts[i] == NULL)
			return true;
	return false;
}

/*
 * The tie rule.  Of two patterns that match one path and have equally many
 * components, the first place where they differ is a literal against a '*', and
 * the literal wins; only equal patterns do not differ.
 */
static void refuse_equal_path(struct policy_load *load, int line)
{
	const struct policy *policy = load->policy;
	const struct policy_class *class = &current(load)->class;

	for (size_t i = 0; i + 1 < policy->class_count; i++) {
		const struct policy_class *other = &policy->classes[i].class;

		if (other->path != NULL && strcmp(other->path, class->path) == 0)
			policy_complain(load, line,
					"class %s has the same path as class %s (line %d)",
					class->name, other->name, other->line);
	}
}

static void parse_path(struct policy_load *load, int line, const char *value)
{
	struct policy_class_entry *class = current(load);
	size_t len = strlen(value);
	const char *problem;

	if (len > 1 && value[len - 1] == '/')
		len--;
	class->class.path = policy_copy(load, value, len);
	class->parts_text = policy_copy(load, value, len);
	if (class->class.path == NULL || class->parts_text == NULL)
		return;
	problem = value[0] == '/' ? cut_path(class) : "is not absolute: the volume's root is '/'";
	class->class.is_literal = !has_star(class);
	if (problem != NULL)
		policy_complain(load, line, "path %s %s", value, problem);
	else
		refuse_equal_path(load, line);
}

static void parse_owner(struct policy_load *load, int line, const char *value)
{
	struct policy_class *class = &current(load)->class;

	class->owner = policy_copy(load, value, strlen(value));
	if (class->owner != NULL && !policy_resolve_owner(load, line, value, class))
		policy_complain(load, line, "owner %s is not USER:GROUP", value);
}

static void parse_mode(struct policy_load *load, int line, const char *value)
{
	size_t len = strlen(value);
	unsigned long mode = strtoul(value, NULL, 8);

	if (len < 3 || len > 5 || strspn(value, "01234567") != len || mode > 07777 || mode == 0)
		policy_complain(load, line, "mode %s is not an octal mode like 2770", value);
	else
		current(load)->class.mode = (uint32_t)mode;
}

static void parse_patient(struct policy_load *load, int line, const char *value)
{
	size_t len = strlen(value);
	int number = len <= 2 && strspn(value, "0123456789") == len ? atoi(value) : 0;

	if (number < 1 || number > POLICY_DEPTH_MAX)
		policy_complain(load, line,
				"patient %s is not the number of a path component (1 to %d)", value,
				POLICY_DEPTH_MAX);
	else
		current(load)->class.patient = number;
}

static void parse_audit(struct policy_load *load, int line, const char *value)
{
	if (strcmp(value, "summary") == 0)
		current(load)->class.audit = POLICY_AUDIT_SUMMARY;
	else if (strcmp(value, "each") != 0)
		policy_complain(load, line, "audit %s is neither each nor summary", value);
}

static void parse_mmap(struct policy_load *load, int line, const char *value)
{
	if (strcmp(value, "yes") == 0)
		current(load)->class.mmap = true;
	else if (strcmp(value, "no") != 0)
		policy_complain(load, line, "mmap %s is neither yes nor no", value);
}

/* clang-format off: one key a line, as the test of phifs.policy(5) reads it */
const struct policy_key policy_class_keys[] = {
	{"path", parse_path, false},
	{"owner", parse_owner, false},
	{"mode", parse_mode, false},
	{"patient", parse_patient, false},
	{"audit", parse_audit, false},
	{"mmap", parse_mmap, false},
	{"force-mode", NULL, false},
	{"force-group", NULL, false},
	{NULL, NULL, false},
};

/*
 * Ten thousand random policies, each written as text for the parser and judged
 * a second time by the slowest reading of phifs.policy(5) that can be written:
 * lists of strings, walked from the start for every question.
 */
#include "policy_unit.h"

#include <stdarg.h>

#define POLICIES  10000
#define QUESTIONS 40
#define CLASSES	  6
#define ROLES	  5
#define RULES	  4
#define DEPTH	  4

struct random_class {
	int depth;
	const char *parts[DEPTH]; /* "*" for any */
};

struct random_rule {
	bool is_deny;
	unsigned int actions, classes; /* sets */
	int line;
};

struct random_role {
	uid_t first, last;
	int from; /* 0 any, 1 service, 2 login */
	bool has_ended;
	int rule_count;
	struct random_rule rules[RULES];
};

struct random_policy {
	int class_count, role_count;
	struct random_class classes[CLASSES];
	struct random_role roles[ROLES];
	char text[8192];
	size_t len;
	int lines;
};

static unsigned int seed = 20261125;
static const char *const names[] = {"a", "b", "c", "*"};

static int below(int limit)
{
	return (int)((unsigned int)rand_r(&seed) % (unsigned int)limit);
}

/* --- making one --------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void line(struct random_policy *p, const char *format,
						       ...)
{
	va_list args;

	va_start(args, format);
	p->len += (size_t)vsnprintf(p->text + p->len, sizeof(p->text) - p->len, format, args);
	va_end(args);
	p->len += (size_t)snprintf(p->text + p->len, sizeof(p->text) - p->len, "\n");
	p->lines++;
	ck_assert_uint_lt(p->len, sizeof(p->text));
}

static bool equal_classes(const struct random_class *a, const struct random_class *b)
{
	for (int i = 0; i < a->depth; i++)
		if (a->depth != b->depth || strcmp(a->parts[i], b->parts[i]) != 0)
			return false;
	return a->depth == b->depth;
}

/* A path that no class before has: equal paths are an error, tested elsewhere. */
static void make_class(struct random_policy *p, int index)
{
	struct random_class *class = &p->classes[index];
	char path[64];
	size_t len;
	int other = -1;

	while (other < index) {
		class->depth = below(DEPTH + 1);
		for (int i = 0; i < class->depth; i++)
			class->parts[i] = names[below(4)];
		for (other = 0; other < index; other++)
			if (equal_classes(class, &p->classes[other]))
				break;
	}
	len = (size_t)snprintf(path, sizeof(path), "/");
	for (int i = 0; i < class->depth; i++)
		len += (size_t)snprintf(path + len, sizeof(path) - len, "%s%s", i == 0 ? "" : "/",
					class->parts[i]);
	line(p, "[class c%d]", index);
	line(p, "path = %s", path);
}

static void make_rule(struct random_policy *p, struct random_rule *rule)
{
	char text[256] = "";

	rule->is_deny = below(3) == 0;
	rule->actions = 1u << below(ACTION_COUNT) | 1u << below(ACTION_COUNT);
	rule->classes = 1u << below(p->class_count) | 1u << below(p->class_count);
	for (int i = 0; i < ACTION_COUNT; i++)
		if ((rule->actions & (1u << i)) != 0) {
			strcat(text, policy_action_name((enum policy_action)i));
			strcat(text, " ");
		}
	strcat(text, "on ");
	for (int i = p->class_count - 1; i >= 0; i--)
		if ((rule->classes & (1u << i)) != 0)
			sprintf(text + strlen(text), "%sc%d",
				text[strlen(text) - 1] == ' ' ? "" : ",", i);
	line(p, "%s = %s", rule->is_deny ? "deny" : "allow", text);
	rule->line = p->lines;
}

static void make_role(struct random_policy *p, int index)
{
	static const char *const from[] = {"any", "service", "login"};
	struct random_role *role = &p->roles[index];

	role->first = (uid_t)below(6);
	role->last = role->first + (uid_t)below(3);
	role->from = below(3);
	role->has_ended = below(5) == 0;
	line(p, "[role r%d]", index);
	line(p, "members = uid:%u-%u", role->first, role->last);
	line(p, "from = %s", from[role->from]);
	if (role->has_ended)
		line(p, "until = 2020-01-01");
	role->rule_count = below(RULES + 1);
	for (int i = 0; i < role->rule_count; i++)
		make_rule(p, &role->rules[i]);
}

static void make_policy(struct random_policy *p)
{
	memset(p, 0, sizeof(*p));
	p->class_count = 1 + below(CLASSES);
	p->role_count = below(ROLES + 1);
	for (int i = 0; i < p->class_count; i++)
		make_class(p, i);
	for (int i = 0; i < p->role_count; i++)
		make_role(p, i);
}

/* --- the slow reading --------------------------------------------------------------------- */

static bool slow_matches(const struct random_class *class, const char *const path[], int depth)
{
	if (class->depth > depth)
		return false;
	for (int i = 0; i < class->depth; i++)
		if (strcmp(class->parts[i], "*") != 0 && strcmp(class->parts[i], path[i]) != 0)
			return false;
	return true;
}

/* True if `a` is more specific than `b`, both matching one path. */
static bool slow_wins(const struct random_class *a, const struct random_class *b)
{
	if (a->depth != b->depth)
		return a->depth > b->depth;
	for (int i = 0; i < a->depth; i++) {
		bool a_star = strcmp(a->parts[i], "*") == 0;
		bool b_star = strcmp(b->parts[i], "*") == 0;

		if (a_star != b_star)
			return b_star;
	}
	return false;
}

static int slow_class(const struct random_policy *p, const char *const path[], int depth)
{
	int best = -1;

	for (int i = 0; i < p->class_count; i++)
		if (slow_matches(&p->classes[i], path, depth) &&
		    (best < 0 || slow_wins(&p->classes[i], &p->classes[best])))
			best = i;
	return best;
}

static bool slow_has_role(const struct random_role *role, uid_t uid, bool is_service)
{
	return uid >= role->first && uid <= role->last && !role->has_ended &&
	       (role->from == 0 || (role->from == 1 && is_service) ||
		(role->from == 2 && !is_service));
}

/* First rule in the file that speaks of the class and action. */
static struct policy_verdict slow_find(const struct random_policy *p, uid_t uid, bool is_service,
				       int class, int action, bool is_deny)
{
	for (int i = 0; i < p->role_count; i++)
		for (int j = 0; j < p->roles[i].rule_count; j++) {
			const struct random_rule *rule = &p->roles[i].rules[j];

			if (slow_has_role(&p->roles[i], uid, is_service) &&
			    rule->is_deny == is_deny && (rule->actions & (1u << action)) != 0 &&
			    (rule->classes & (1u << class)) != 0)
				return (struct policy_verdict){!is_deny, i, rule->line};
		}
	return (struct policy_verdict){false, -1, 0};
}

static struct policy_verdict slow_decide(const struct random_policy *p, uid_t uid, bool is_service,
					 int class, int action)
{
	struct policy_verdict verdict = {false, -1, 0};

	if (class >= 0)
		verdict = slow_find(p, uid, is_service, class, action, true);
	if (class >= 0 && verdict.role < 0)
		verdict = slow_find(p, uid, is_service, class, action, false);
	return verdict;
}

/*
 * Nothing below two directories can differ: true if the classes are equal at
 * the directories and at everything that can lie below, to the depth of the
 * longest pattern.  "d" stands for all names that no pattern spells out.
 */
static bool slow_same_future(const struct random_policy *p, const char *a[], int a_depth,
			     const char *b[], int b_depth)
{
	static const char *const all[] = {"a", "b", "c", "d"};

	if (slow_class(p, a, a_depth) != slow_class(p, b, b_depth))
		return false;
	if (a_depth >= DEPTH && b_depth >= DEPTH)
		return true;
	for (int i = 0; i < 4; i++) {
		a[a_depth] = b[b_depth] = all[i];
		if (!slow_same_future(p, a, a_depth + 1, b, b_depth + 1))
			return false;
	}
	return true;
}

/* --- comparing ---------------------------------------------------------------------------- */

static int random_path(const char *path[], char *text, size_t size)
{
	static const char *const all[] = {"a", "b", "c", "d", "aa"};
	int depth = below(DEPTH + 2);
	size_t len = (size_t)snprintf(text, size, "/");

	for (int i = 0; i < depth; i++) {
		path[i] = all[below(5)];
		len += (size_t)snprintf(text + len, size - len, "%s/", path[i]);
	}
	return depth;
}

static void ask(const struct random_policy *p, const struct policy *policy)
{
	const char *path[DEPTH + 2];
	char text[64];
	int depth = random_path(path, text, sizeof(text));
	uid_t uid = (uid_t)below(9);
	bool is_service = below(2) == 0;
	const struct policy_subject subject = {uid, is_service ? LOGIN_UID_UNSET : uid, NULL, 0};
	enum policy_action action = (enum policy_action)below(ACTION_COUNT);
	int class = slow_class(p, path, depth);
	struct policy_verdict slow = slow_decide(p, uid, is_service, class, action);
	struct policy_verdict fast;
	struct policy_roles roles;

	ck_assert_msg(policy_class_at(policy, policy_place_of_path(policy, text)) == class,
		      "class of %s in\n%s", text, p->text);
	policy_roles_of(policy, &subject, &roles);
	fast = policy_decide(policy, &roles, class, action, NOW);
	ck_assert_msg(fast.allowed == slow.allowed && fast.role == slow.role &&
			      fast.line == slow.line,
		      "%s %s by %u in\n%s", policy_action_name(action), text, uid, p->text);
}

/* Equal places must have equal futures, whatever the policy. */
static void compare_places(const struct random_policy *p, const struct policy *policy)
{
	const char *a[2 * DEPTH + 2], *b[2 * DEPTH + 2];
	char a_text[64], b_text[64];
	int a_depth = random_path(a, a_text, sizeof(a_text));
	int b_depth = random_path(b, b_text, sizeof(b_text));

	if (policy_place_of_path(policy, a_text) == policy_place_of_path(policy, b_text))
		ck_assert_msg(slow_same_future(p, a, a_depth, b, b_depth), "%s and %s in\n%s",
			      a_text, b_text, p->text);
}

START_TEST(random_policies_agree_with_the_slow_reading)
{
	static struct random_policy p;

	for (int i = 0; i < POLICIES; i++) {
		struct policy *policy;

		make_policy(&p);
		policy = parsed(p.text);
		for (int j = 0; j < QUESTIONS; j++)
			ask(&p, policy);
		for (int j = 0; j < 4; j++)
			compare_places(&p, policy);
		policy_free(policy);
	}
}
END_TEST

UNIT_MAIN("policy_random", random_policies_agree_with_the_slow_reading)

/* What a new policy changes: the text of the POLICY record. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "policy/model.h"

struct diff {
	const struct policy *before, *after;
	policy_change *each;
	void *ctx;
	/* For each class of `after` and of `before`: the other's index, or -1. */
	int before_of[POLICY_CLASSES_MAX];
	int after_of[POLICY_CLASSES_MAX];
};

/* Allowed and not denied, and denied, by one role on one class. */
struct rights {
	unsigned int allowed, denied;
};

static const struct policy nothing;

__attribute__((format(printf, 2, 3))) static void say(const struct diff *diff, const char *format,
						      ...)
{
	char text[POLICY_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	diff->each(diff->ctx, text);
}

/* --- rights ------------------------------------------------------------------------------- */

static struct rights rights_of(const struct policy *policy, int class_index, int role)
{
	const struct policy_cell *cell = NULL;
	struct rights rights = {0, 0};

	if (class_index >= 0 && role >= 0)
		cell = policy_find_cell(policy, class_index, role);
	for (int action = 0; cell != NULL && action < ACTION_COUNT; action++) {
		if (cell->deny_line[action] != 0)
			rights.denied |= 1u << action;
		else if (cell->allow_line[action] != 0)
			rights.allowed |= 1u << action;
	}
	return rights;
}

static void say_actions(const struct diff *diff, const char *role, const char *verb,
			unsigned int actions, const char *class)
{
	char words[128];

	if (actions == 0)
		return;
	policy_actions_text(actions, words, sizeof(words));
	say(diff, "role %s: %s %s on %s", role, verb, words, class);
}

static void diff_pair(const struct diff *diff, const char *role, const char *class,
		      struct rights before, struct rights after)
{
	say_actions(diff, role, "gains", after.allowed & ~before.allowed, class);
	say_actions(diff, role, "loses", before.allowed & ~after.allowed, class);
	say_actions(diff, role, "now denies", after.denied & ~before.denied, class);
	say_actions(diff, role, "no longer denies", before.denied & ~after.denied, class);
}

/* Over the classes of both policies, each once. */
static void diff_rights(const struct diff *diff, const char *name, int before, int after)
{
	static const struct rights none = {0, 0};

	for (size_t i = 0; i < diff->after->class_count; i++)
		diff_pair(diff, name, diff->after->classes[i].class.name,
			  rights_of(diff->before, diff->before_of[i], before),
			  rights_of(diff->after, (int)i, after));
	for (size_t i = 0; i < diff->before->class_count; i++)
		if (diff->after_of[i] < 0)
			diff_pair(diff, name, diff->before->classes[i].class.name,
				  rights_of(diff->before, (int)i, before), none);
}

/* --- roles -------------------------------------------------------------------------------- */

static bool has_member(const struct policy *policy, int role, const char *text)
{
	const struct policy_role_entry *entry;

	if (role < 0)
		return false;
	entry = &policy->roles[role];
	for (size_t i = 0; i < entry->member_count; i++)
		if (strcmp(policy->members[entry->first_member + i].text, text) == 0)
			return true;
	return false;
}

/* Members of `role` in `policy` that the role of the same name in `other` lacks. */
static void say_members(const struct diff *diff, const struct policy *policy, int role,
			const struct policy *other, int other_role, const char *verb)
{
	const struct policy_role_entry *entry;

	if (role < 0)
		return;
	entry = &policy->roles[role];
	for (size_t i = 0; i < entry->member_count; i++) {
		const char *text = policy->members[entry->first_member + i].text;

		if (!has_member(other, other_role, text))
			say(diff, "role %s: member %s %s", entry->name, text, verb);
	}
}

static void diff_conditions(const struct diff *diff, const struct policy_role_entry *before,
			    const struct policy_role_entry *after)
{
	static const char *const from[] = {
		[FROM_ANY] = "any", [FROM_SERVICE] = "service", [FROM_LOGIN] = "login"};
	static const char *const login[] = {[LOGIN_SYSTEM] = "system", [LOGIN_NONE] = "none"};

	if (before->from != after->from)
		say(diff, "role %s: from %s becomes %s", after->name, from[before->from],
		    from[after->from]);
	if (before->login != after->login)
		say(diff, "role %s: login %s becomes %s", after->name, login[before->login],
		    login[after->login]);
	if (before->until != after->until)
		say(diff, "role %s: until %s becomes %s", after->name,
		    before->until_text[0] == '\0' ? "(no end)" : before->until_text,
		    after->until_text[0] == '\0' ? "(no end)" : after->until_text);
}

static void diff_role(const struct diff *diff, const char *name)
{
	int before = policy_find_role(diff->before, name);
	int after = policy_find_role(diff->after, name);

	if (before < 0)
		say(diff, "role %s: new", name);
	if (after < 0)
		say(diff, "role %s: removed", name);
	say_members(diff, diff->after, after, diff->before, before, "added");
	say_members(diff, diff->before, before, diff->after, after, "removed");
	if (before >= 0 && after >= 0)
		diff_conditions(diff, &diff->before->roles[before], &diff->after->roles[after]);
	diff_rights(diff, name, before, after);
}

/* --- classes ------------------------------------------------------------------------------ */

static const char *or_none(const char *text)
{
	return text == NULL ? "(none)" : text;
}

static void diff_class(const struct diff *diff, const struct policy_class *before,
		       const struct policy_class *after)
{
	static const char *const audit[] = {
		[POLICY_AUDIT_EACH] = "each", [POLICY_AUDIT_SUMMARY] = "summary"};

	if (strcmp(before->path, after->path) != 0)
		say(diff, "class %s: path %s becomes %s", after->name, before->path, after->path);
	if (strcmp(or_none(before->owner), or_none(after->owner)) != 0)
		say(diff, "class %s: owner %s becomes %s, for a directory that is yet to be made",
		    after->name, or_none(before->owner), or_none(after->owner));
	if (before->mode != after->mode)
		say(diff, "class %s: mode %04o becomes %04o, for a directory that is yet to be made",
		    after->name, before->mode, after->mode);
	if (before->patient != after->patient)
		say(diff, "class %s: patient %d becomes %d", after->name, before->patient,
		    after->patient);
	if (before->audit != after->audit)
		say(diff, "class %s: audit %s becomes %s", after->name, audit[before->audit],
		    audit[after->audit]);
	if (before->mmap != after->mmap)
		say(diff, "class %s: mmap %s becomes %s", after->name, before->mmap ? "yes" : "no",
		    after->mmap ? "yes" : "no");
}

static void diff_classes(const struct diff *diff)
{
	for (size_t i = 0; i < diff->after->class_count; i++) {
		const struct policy_class *class = &diff->after->classes[i].class;

		if (diff->before_of[i] < 0)
			say(diff, "class %s: new, path %s", class->name, class->path);
		else
			diff_class(diff, &diff->before->classes[diff->before_of[i]].class, class);
	}
	for (size_t i = 0; i < diff->before->class_count; i++) {
		const struct policy_class *class = &diff->before->classes[i].class;

		if (diff->after_of[i] < 0)
			say(diff, "class %s: removed, path %s", class->name, class->path);
	}
}

static void match_classes(struct diff *diff)
{
	for (size_t i = 0; i < diff->before->class_count; i++)
		diff->after_of[i] = -1;
	for (size_t i = 0; i < diff->after->class_count; i++) {
		int before = policy_find_class(diff->before, diff->after->classes[i].class.name);

		diff->before_of[i] = before;
		if (before >= 0)
			diff->after_of[before] = (int)i;
	}
}

void policy_diff(const struct policy *before, const struct policy *after, policy_change *each,
		 void *ctx)
{
	struct diff diff = {
		.before = before == NULL ? &nothing : before,
		.after = after == NULL ? &nothing : after,
		.each = each,
		.ctx = ctx,
	};

	match_classes(&diff);
	diff_classes(&diff);
	for (size_t i = 0; i < diff.after->role_count; i++)
		diff_role(&diff, diff.after->roles[i].name);
	for (size_t i = 0; i < diff.before->role_count; i++)
		if (policy_find_role(diff.after, diff.before->roles[i].name) < 0)
			diff_role(&diff, diff.before->roles[i].name);
}

/* Warnings about a policy that loads: what phifs-policy check says. */
#include "policy/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "config/config.h"

void policy_check_warn(struct policy_check_run *run, int line, const char *hint, const char *format,
		       ...)
{
	char text[POLICY_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	run->count++;
	run->message(run->ctx, false, line, text, hint);
}

/* Actions that the role's rules leave it on the class: allowed and not denied. */
static unsigned int net_actions(const struct policy_cell *cell)
{
	unsigned int actions = 0;

	for (int action = 0; action < ACTION_COUNT; action++)
		if (cell->allow_line[action] != 0 && cell->deny_line[action] == 0)
			actions |= 1u << action;
	return actions;
}

static bool has_ended(const struct policy_check_run *run, const struct policy_role_entry *role)
{
	return role->until <= run->now;
}

/* --- services ------------------------------------------------------------------------- */

static bool is_only_root(const struct policy *policy, const struct policy_role_entry *role)
{
	for (size_t i = 0; i < role->member_count; i++) {
		const struct policy_member *member = &policy->members[role->first_member + i];

		if (member->kind == MEMBER_GROUP || member->last != 0)
			return false;
	}
	return true;
}

static void check_sudo(struct policy_check_run *run, const struct policy_role_entry *role)
{
	char hint[POLICY_TEXT_MAX];

	if (role->login != LOGIN_NONE || role->from == FROM_SERVICE ||
	    is_only_root(run->policy, role))
		return;
	snprintf(hint, sizeof(hint), "add 'from = service' to [role %s]", role->name);
	policy_check_warn(run, role->line, hint,
			  "role %s may be used by an administrator through sudo", role->name);
}

/* "30 min": whole minutes if it is some, else seconds. */
static void idle_text(int64_t ms, char *text, size_t size)
{
	if (ms % 60000 == 0)
		snprintf(text, size, "%lld min", (long long)(ms / 60000));
	else
		snprintf(text, size, "%lld s", (long long)((ms + 999) / 1000));
}

static void check_idle(struct policy_check_run *run, const struct policy_role_entry *role)
{
	char idle[32];

	if (role->login != LOGIN_NONE || run->idle_ms <= 0 || run->idle_ms == CONFIG_NEVER)
		return;
	idle_text(run->idle_ms, idle, sizeof(idle));
	policy_check_warn(run, role->line,
			  "set 'idle = never' in [lock] of the volume's configuration",
			  "role %s has login = none and the volume locks after %s idle: "
			  "its reads and writes will fail until somebody unlocks",
			  role->name, idle);
}

/* --- root ------------------------------------------------------------------------------- */

static void check_root(struct policy_check_run *run, int role)
{
	static const gid_t root_group[] = {0};
	const struct policy_subject root = {0, 0, root_group, 1};
	const struct policy *policy = run->policy;
	const char *first = NULL;
	unsigned int actions = 0;
	char words[128];

	if (!policy_role_names(policy, role, &root))
		return;
	for (size_t i = 0; i < policy->class_count; i++) {
		const struct policy_cell *cell = policy_find_cell(policy, (int)i, role);
		unsigned int more = cell == NULL ? 0 : net_actions(cell);

		more &= ACTION_BIT(READ) | ACTION_BIT(WRITE);
		if (more != 0 && first == NULL)
			first = policy->classes[i].class.name;
		actions |= more;
	}
	if (actions == 0)
		return;
	policy_actions_text(actions, words, sizeof(words));
	policy_check_warn(run, policy->roles[role].line,
			  "leave root 'list create rename attr': it prepares, and cannot read",
			  "role %s gives root %s (class %s)", policy->roles[role].name, words,
			  first);
}

/* --- rules that do nothing ---------------------------------------------------------------- */

static bool lists_class(const struct policy_rule *rule, int class_index)
{
	for (size_t i = 0; i < rule->class_count; i++)
		if (rule->classes[i] == class_index)
			return true;
	return false;
}

/* The actions that other rules of the role already take from `rule` on this class. */
static unsigned int covered_actions(const struct policy *policy, const struct policy_rule *rule,
				    int class_index)
{
	const struct policy_role_entry *role = &policy->roles[rule->role];
	unsigned int covered = 0;

	for (size_t i = 0; i < role->rule_count; i++) {
		const struct policy_rule *other = &policy->rules[role->first_rule + i];
		bool is_earlier_twin = other->is_deny == rule->is_deny && other->line < rule->line;
		bool is_deny_of_allow = other->is_deny && !rule->is_deny;

		if ((is_earlier_twin || is_deny_of_allow) && lists_class(other, class_index))
			covered |= other->actions;
	}
	return covered;
}

static void check_rule(struct policy_check_run *run, const struct policy_rule *rule)
{
	for (size_t i = 0; i < rule->class_count; i++)
		if ((rule->actions & ~covered_actions(run->policy, rule, rule->classes[i])) != 0)
			return;
	policy_check_warn(run, rule->line, NULL,
			  "role %s: '%s' never matches: other rules of the role decide all of it",
			  run->policy->roles[rule->role].name, rule->text);
}

static void check_role(struct policy_check_run *run, int index)
{
	const struct policy_role_entry *role = &run->policy->roles[index];

	if (has_ended(run, role)) {
		policy_check_warn(run, role->line, NULL, "role %s ended on %s: remove it",
				  role->name, role->until_text);
		return;
	}
	if (role->rule_count == 0)
		policy_check_warn(run, role->line, NULL, "role %s has no rules", role->name);
	check_sudo(run, role);
	check_idle(run, role);
	check_root(run, index);
	for (size_t i = 0; i < role->rule_count; i++)
		check_rule(run, &run->policy->rules[role->first_rule + i]);
}

static void check_class(struct policy_check_run *run, int index)
{
	const struct policy_class *class = &run->policy->classes[index].class;

	if (policy_class_actions(run->policy, index, run->now) == 0)
		policy_check_warn(run, class->line, NULL, "class %s: nobody may do anything there",
				  class->name);
}

int policy_check(const struct policy *policy, int64_t idle_ms, policy_message *message, void *ctx)
{
	struct policy_check_run run = {
		.policy = policy,
		.idle_ms = idle_ms,
		.now = clock_wall_ns() / NS_PER_SECOND,
		.message = message,
		.ctx = ctx,
	};

	if (policy_class_at(policy, policy_root(policy)) < 0)
		policy_check_warn(&run, 0, "add: [class root] with path = /",
				  "no class has the path /: nobody may do anything at the root");
	for (size_t i = 0; i < policy->class_count; i++)
		check_class(&run, (int)i);
	for (size_t i = 0; i < policy->role_count; i++)
		check_role(&run, (int)i);
	policy_check_people(&run);
	return run.count;
}

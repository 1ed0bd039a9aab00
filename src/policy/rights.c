/*
 * Who may do what.  For each class and action two sets of roles, with an allow
 * and with a deny: a decision is two ANDs over the subject's roles.  The line of
 * the rule is looked up afterwards, for the one role that decided.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/model.h"

/* --- building ------------------------------------------------------------------------ */

static uint64_t *rights_at(const struct policy *policy, int class_index, bool is_deny, int action)
{
	size_t set = (size_t)(is_deny ? ACTION_COUNT : 0) + (size_t)action;

	return policy->classes[class_index].rights + set * policy->role_words;
}

const uint64_t *policy_rights_of(const struct policy *policy, int class_index, bool is_deny,
				 enum policy_action action)
{
	return rights_at(policy, class_index, is_deny, action);
}

/* Rules come in the order of roles, so the cell of this role is the last, or is new. */
static struct policy_cell *last_cell(struct policy_load *load, struct policy_class_entry *class,
				     int role)
{
	struct policy_cell *cells = class->cells;

	if (class->cell_count > 0 && cells[class->cell_count - 1].role == role)
		return &cells[class->cell_count - 1];
	if (load->policy->cell_count == POLICY_CELLS_MAX) {
		policy_complain(load, load->policy->roles[role].line,
				"more than %u pairs of a role and a class", POLICY_CELLS_MAX);
		return NULL;
	}
	cells = policy_grow(load, cells, class->cell_count, &class->cell_room, sizeof(*cells));
	if (cells == NULL)
		return NULL;
	class->cells = cells;
	cells[class->cell_count].role = role;
	load->policy->cell_count++;
	return &cells[class->cell_count++];
}

static bool enter_rule(struct policy_load *load, const struct policy_rule *rule)
{
	struct policy *policy = load->policy;

	for (size_t i = 0; i < rule->class_count; i++) {
		int class_index = rule->classes[i];
		struct policy_cell *cell =
			last_cell(load, &policy->classes[class_index], rule->role);

		if (cell == NULL)
			return false;
		for (int action = 0; action < ACTION_COUNT; action++) {
			int *line = rule->is_deny ? &cell->deny_line[action]
						  : &cell->allow_line[action];

			if ((rule->actions & (1u << action)) == 0)
				continue;
			if (*line == 0)
				*line = rule->line;
			rights_at(policy, class_index, rule->is_deny, action)[rule->role / 64] |=
				1ull << (rule->role % 64);
		}
	}
	return true;
}

enum err policy_build_rights(struct policy_load *load)
{
	struct policy *policy = load->policy;
	bool done = true;

	policy->role_words = (policy->role_count + 63) / 64;
	for (size_t i = 0; i < policy->class_count; i++) {
		/* One more, so that a policy without roles has something to point at. */
		policy->classes[i].rights =
			calloc(2 * ACTION_COUNT * policy->role_words + 1, sizeof(uint64_t));
		if (policy->classes[i].rights == NULL)
			return ERR_NO_MEMORY;
	}
	for (size_t i = 0; i < policy->rule_count && done; i++)
		done = enter_rule(load, &policy->rules[i]);
	if (load->no_memory)
		return ERR_NO_MEMORY;
	return done ? ERR_OK : ERR_CONFIG;
}

/* --- people -------------------------------------------------------------------------- */

static bool has_group(const struct policy_subject *subject, gid_t gid)
{
	for (size_t i = 0; i < subject->group_count; i++)
		if (subject->groups[i] == gid)
			return true;
	return false;
}

static bool member_names(const struct policy_member *member, const struct policy_subject *subject)
{
	if (!member->exists)
		return false;
	if (member->kind == MEMBER_GROUP)
		return has_group(subject, member->gid);
	return subject->uid >= member->first && subject->uid <= member->last;
}

bool policy_role_names(const struct policy *policy, int role, const struct policy_subject *subject)
{
	const struct policy_role_entry *entry = &policy->roles[role];

	for (size_t i = 0; i < entry->member_count; i++)
		if (member_names(&policy->members[entry->first_member + i], subject))
			return true;
	return false;
}

static bool comes_from(const struct policy_role_entry *role, const struct policy_subject *subject)
{
	bool is_service = subject->login_uid == LOGIN_UID_UNSET;

	return role->from == FROM_ANY || (role->from == FROM_SERVICE) == is_service;
}

void policy_roles_of(const struct policy *policy, const struct policy_subject *subject,
		     struct policy_roles *roles)
{
	memset(roles, 0, sizeof(*roles));
	for (size_t i = 0; i < policy->role_count; i++)
		if (comes_from(&policy->roles[i], subject) &&
		    policy_role_names(policy, (int)i, subject))
			roles->bits[i / 64] |= 1ull << (i % 64);
}

/* --- deciding ------------------------------------------------------------------------ */

/* The first role in both sets that has not ended; -1: none. */
static int first_role(const struct policy *policy, const uint64_t *set,
		      const struct policy_roles *roles, int64_t now)
{
	for (size_t word = 0; word < policy->role_words; word++) {
		uint64_t both = set[word] & roles->bits[word];

		for (; both != 0; both &= both - 1) {
			int role = (int)(word * 64) + __builtin_ctzll(both);

			if (policy->roles[role].until > now)
				return role;
		}
	}
	return -1;
}

const struct policy_cell *policy_find_cell(const struct policy *policy, int class_index, int role)
{
	const struct policy_class_entry *class = &policy->classes[class_index];
	size_t low = 0, high = class->cell_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (class->cells[middle].role == role)
			return &class->cells[middle];
		if (class->cells[middle].role < role)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

struct policy_verdict policy_decide(const struct policy *policy, const struct policy_roles *roles,
				    int class_index, enum policy_action action, int64_t now)
{
	struct policy_verdict verdict = {.allowed = false, .role = -1, .line = 0};

	if (class_index < 0 || (size_t)class_index >= policy->class_count)
		return verdict;
	verdict.role = first_role(policy, rights_at(policy, class_index, true, action), roles, now);
	if (verdict.role >= 0) {
		verdict.line =
			policy_find_cell(policy, class_index, verdict.role)->deny_line[action];
		return verdict;
	}
	verdict.role =
		first_role(policy, rights_at(policy, class_index, false, action), roles, now);
	if (verdict.role >= 0) {
		verdict.allowed = true;
		verdict.line =
			policy_find_cell(policy, class_index, verdict.role)->allow_line[action];
	}
	return verdict;
}

struct policy_verdict policy_decide_all(const struct policy *policy,
					const struct policy_roles *roles, const int *class_indexes,
					size_t count, enum policy_action action, int64_t now)
{
	struct policy_verdict first = {.allowed = false, .role = -1, .line = 0};

	for (size_t i = 0; i < count; i++) {
		struct policy_verdict verdict =
			policy_decide(policy, roles, class_indexes[i], action, now);

		if (!verdict.allowed)
			return verdict;
		if (i == 0)
			first = verdict;
	}
	return first;
}

bool policy_ended_between(const struct policy *policy, int64_t after, int64_t now)
{
	for (size_t i = 0; i < (size_t)policy_role_count(policy); i++)
		if (policy->roles[i].until > after && policy->roles[i].until <= now)
			return true;
	return false;
}

/* --- explaining ---------------------------------------------------------------------- */

static enum policy_miss miss_of(const struct policy_role_entry *role,
				const struct policy_subject *subject, int64_t now)
{
	if (!comes_from(role, subject))
		return role->from == FROM_SERVICE ? POLICY_MISS_SERVICE : POLICY_MISS_LOGIN;
	return role->until <= now ? POLICY_MISS_UNTIL : POLICY_MISS_NONE;
}

enum policy_miss policy_near_miss(const struct policy *policy, const struct policy_subject *subject,
				  int class_index, enum policy_action action, int64_t now,
				  int *role)
{
	if (class_index < 0 || (size_t)class_index >= policy->class_count)
		return POLICY_MISS_NONE;
	for (size_t i = 0; i < policy->classes[class_index].cell_count; i++) {
		const struct policy_cell *cell = &policy->classes[class_index].cells[i];
		enum policy_miss miss = miss_of(&policy->roles[cell->role], subject, now);

		if (miss == POLICY_MISS_NONE || cell->allow_line[action] == 0 ||
		    cell->deny_line[action] != 0 || !policy_role_names(policy, cell->role, subject))
			continue;
		*role = cell->role;
		return miss;
	}
	return POLICY_MISS_NONE;
}

static int compare_line(const void *key, const void *element)
{
	int line = *(const int *)key;
	const struct policy_rule *rule = element;

	return (line > rule->line) - (line < rule->line);
}

void policy_verdict_text(const struct policy *policy, const struct policy_verdict *verdict,
			 char *text, size_t size)
{
	const struct policy_rule *rule = NULL;

	if (verdict->role >= 0 && policy->rule_count > 0)
		rule = bsearch(&verdict->line, policy->rules, policy->rule_count,
			       sizeof(policy->rules[0]), compare_line);
	if (rule == NULL)
		snprintf(text, size, "default deny");
	else
		snprintf(text, size, "role %s: %s (line %d)",
			 policy_role_name(policy, verdict->role), rule->text, rule->line);
}

unsigned int policy_class_actions(const struct policy *policy, int class_index, int64_t now)
{
	const struct policy_class_entry *class;
	unsigned int actions = 0;

	if (class_index < 0 || (size_t)class_index >= policy->class_count)
		return 0;
	class = &policy->classes[class_index];
	for (size_t i = 0; i < class->cell_count; i++)
		for (int action = 0; action < ACTION_COUNT; action++)
			if (policy->roles[class->cells[i].role].until > now &&
			    class->cells[i].allow_line[action] != 0 &&
			    class->cells[i].deny_line[action] == 0)
				actions |= 1u << action;
	return actions;
}

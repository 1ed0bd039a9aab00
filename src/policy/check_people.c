/*
 * Warnings that need to know who is in which group on this host.
 *
 * "Allow and then deny" unites the denies of all roles of a person: a nurse who
 * is also a psychiatrist is shut out of psychiatry by what the nurses are denied.
 * That is the rule, and a trap; so the people it happens to are named.
 */
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/check.h"

/* Large directories: more people than this are not looked at. */
#define PEOPLE_MAX    8192
#define CONFLICTS_MAX 64

struct person {
	char *name;
	uid_t uid;
	gid_t groups[POLICY_GROUPS_MAX];
	int group_count;
};

struct people {
	struct person **list;
	size_t count;
};

/* One role denies on a class what another allows, to at least one person. */
struct conflict {
	int deny_role, allow_role, class_index;
	unsigned int actions;
	const char *name; /* of the first person; owned by struct people */
	size_t others;
};

struct conflicts {
	struct conflict list[CONFLICTS_MAX];
	size_t count;
};

/* --- who is on this host ---------------------------------------------------------------- */

static bool is_known(const struct people *people, uid_t uid)
{
	for (size_t i = 0; i < people->count; i++)
		if (people->list[i]->uid == uid)
			return true;
	return false;
}

static void add_person(struct people *people, const struct passwd *entry)
{
	struct person *person;

	if (people->count == PEOPLE_MAX || is_known(people, entry->pw_uid))
		return;
	person = malloc(sizeof(*person));
	if (person == NULL)
		return;
	person->name = strdup(entry->pw_name);
	person->uid = entry->pw_uid;
	person->group_count = POLICY_GROUPS_MAX;
	if (person->name == NULL) {
		free(person);
		return;
	}
	if (getgrouplist(entry->pw_name, entry->pw_gid, person->groups, &person->group_count) < 0)
		person->group_count = POLICY_GROUPS_MAX;
	people->list[people->count++] = person;
}

static void add_name(struct people *people, const char *name)
{
	const struct passwd *entry = getpwnam(name);

	if (entry != NULL)
		add_person(people, entry);
}

static void add_group(struct people *people, gid_t gid)
{
	const struct group *entry = getgrgid(gid);
	size_t count = 0;
	char **names;

	if (entry == NULL)
		return;
	while (entry->gr_mem[count] != NULL)
		count++;
	/* getpwnam may use the buffer that getgrgid answered in. */
	names = calloc(count + 1, sizeof(*names));
	for (size_t i = 0; names != NULL && i < count; i++)
		names[i] = strdup(entry->gr_mem[i]);
	for (size_t i = 0; names != NULL && i < count; i++) {
		if (names[i] != NULL)
			add_name(people, names[i]);
		free(names[i]);
	}
	free(names);
}

/*
 * Everybody the name service lists, and those the policy names: directories that
 * do not list their people still answer for a name or a group.
 */
static void find_people(const struct policy *policy, struct people *people)
{
	const struct passwd *entry;

	for (size_t i = 0; i < policy->member_count; i++) {
		const struct policy_member *member = &policy->members[i];

		if (member->exists && member->kind == MEMBER_USER)
			add_name(people, member->text);
		else if (member->exists && member->kind == MEMBER_GROUP)
			add_group(people, member->gid);
	}
	setpwent();
	while (people->count < PEOPLE_MAX && (entry = getpwent()) != NULL)
		add_person(people, entry);
	endpwent();
}

static void free_people(struct people *people)
{
	for (size_t i = 0; i < people->count; i++) {
		free(people->list[i]->name);
		free(people->list[i]);
	}
	free(people->list);
}

static struct policy_subject subject_of(const struct person *person)
{
	return (struct policy_subject){
		.uid = person->uid,
		.login_uid = person->uid,
		.groups = person->groups,
		.group_count = (size_t)person->group_count,
	};
}

/* --- groups ------------------------------------------------------------------------------- */

static bool has_member(const struct people *people, gid_t gid)
{
	for (size_t i = 0; i < people->count; i++)
		for (int j = 0; j < people->list[i]->group_count; j++)
			if (people->list[i]->groups[j] == gid)
				return true;
	return false;
}

static void check_groups(struct policy_check_run *run, const struct people *people)
{
	const struct policy *policy = run->policy;

	for (size_t i = 0; i < policy->member_count; i++) {
		const struct policy_member *member = &policy->members[i];

		if (member->kind == MEMBER_GROUP && member->exists &&
		    !has_member(people, member->gid))
			policy_check_warn(run, member->line, NULL,
					  "role %s: group %s is empty on this host",
					  policy->roles[member->role].name, member->text);
	}
}

/* --- roles against each other ------------------------------------------------------------- */

static void add_conflict(struct conflicts *conflicts, const struct conflict *found)
{
	for (size_t i = 0; i < conflicts->count; i++) {
		struct conflict *known = &conflicts->list[i];

		if (known->deny_role == found->deny_role &&
		    known->allow_role == found->allow_role &&
		    known->class_index == found->class_index) {
			known->others += known->name == found->name ? 0 : 1;
			known->actions |= found->actions;
			return;
		}
	}
	if (conflicts->count < CONFLICTS_MAX)
		conflicts->list[conflicts->count++] = *found;
}

/* Both roles can be in use at once: not one of services only and one of logins only. */
static bool can_meet(const struct policy_role_entry *a, const struct policy_role_entry *b)
{
	return a->from == b->from || a->from == FROM_ANY || b->from == FROM_ANY;
}

static unsigned int clash(const struct policy_cell *deny, const struct policy_cell *allow)
{
	unsigned int actions = 0;

	for (int action = 0; action < ACTION_COUNT; action++)
		if (deny->deny_line[action] != 0 && allow->allow_line[action] != 0 &&
		    allow->deny_line[action] == 0)
			actions |= 1u << action;
	return actions;
}

/* All pairs of the person's roles on one class. */
static void check_pairs(struct policy_check_run *run, const struct person *person, int class_index,
			const bool has_role[], struct conflicts *conflicts)
{
	const struct policy_class_entry *class = &run->policy->classes[class_index];

	for (size_t i = 0; i < class->cell_count; i++)
		for (size_t j = 0; has_role[class->cells[i].role] && j < class->cell_count; j++) {
			struct conflict found = {
				.deny_role = class->cells[i].role,
				.allow_role = class->cells[j].role,
				.class_index = class_index,
				.name = person->name,
			};

			if (i == j || !has_role[found.allow_role] ||
			    !can_meet(&run->policy->roles[found.deny_role],
				      &run->policy->roles[found.allow_role]))
				continue;
			found.actions = clash(&class->cells[i], &class->cells[j]);
			if (found.actions != 0)
				add_conflict(conflicts, &found);
		}
}

static void check_person(struct policy_check_run *run, const struct person *person,
			 struct conflicts *conflicts, struct policy_shut_outs *outs)
{
	const struct policy_subject subject = subject_of(person);
	const struct policy *policy = run->policy;
	bool has_role[POLICY_ROLES_MAX] = {false};
	size_t count = 0;

	for (size_t i = 0; i < policy->role_count; i++) {
		has_role[i] = policy->roles[i].until > run->now &&
			      policy_role_names(policy, (int)i, &subject);
		count += has_role[i];
	}
	for (size_t i = 0; count > 1 && i < policy->class_count; i++)
		check_pairs(run, person, (int)i, has_role, conflicts);
	policy_check_modes(run, person->name, &subject, has_role, outs);
}

static void report(struct policy_check_run *run, const struct conflict *conflict)
{
	const struct policy *policy = run->policy;
	const struct policy_role_entry *deny = &policy->roles[conflict->deny_role];
	const struct policy_role_entry *allow = &policy->roles[conflict->allow_role];
	char actions[128], others[32] = "";

	policy_actions_text(conflict->actions, actions, sizeof(actions));
	if (conflict->others > 0)
		snprintf(others, sizeof(others), " and %zu more", conflict->others);
	policy_check_warn(run, deny->line, NULL, "%s%s: %s denies %s on %s which %s allows",
			  conflict->name, others, deny->name, actions,
			  policy->classes[conflict->class_index].class.name, allow->name);
}

void policy_check_people(struct policy_check_run *run)
{
	struct people people = {.list = calloc(PEOPLE_MAX, sizeof(people.list[0]))};
	struct conflicts conflicts = {.count = 0};
	struct policy_shut_outs outs = {.count = 0};

	if (people.list == NULL)
		return;
	find_people(run->policy, &people);
	check_groups(run, &people);
	for (size_t i = 0; i < people.count; i++)
		check_person(run, people.list[i], &conflicts, &outs);
	for (size_t i = 0; i < conflicts.count; i++)
		report(run, &conflicts.list[i]);
	policy_report_modes(run, &outs);
	free_people(&people);
}

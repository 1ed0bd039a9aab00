/*
 * Warnings about directories whose mode keeps out who has a role there.
 *
 * The kernel makes such refusals without asking phifs: they are in no record, and no
 * rule explains them.  Judged are owner and mode as the policy gives them to the
 * directories that it makes, and those of other classes on the way there.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "policy/check.h"

/* Every part of `outer` is written out, and `inner` begins with them. */
static bool is_on_the_way(const struct policy_class_entry *outer,
			  const struct policy_class_entry *inner)
{
	if (!outer->class.is_literal || outer->part_count > inner->part_count)
		return false;
	for (int i = 0; i < outer->part_count; i++)
		if (inner->parts[i] == NULL || strcmp(outer->parts[i], inner->parts[i]) != 0)
			return false;
	return true;
}

static bool in_group(const struct policy_subject *subject, gid_t gid)
{
	for (size_t i = 0; i < subject->group_count; i++)
		if (subject->groups[i] == gid)
			return true;
	return false;
}

/* Of the three: read 4, write 2, search 1.  Root's are never asked. */
static unsigned int mode_rights(const struct policy_class *class,
				const struct policy_subject *subject)
{
	uid_t owner = class->has_owner ? class->uid : 0;
	gid_t group = class->has_owner ? class->gid : 0;

	if (subject->uid == owner)
		return class->mode >> 6 & 7;
	return in_group(subject, group) ? class->mode >> 3 & 7 : class->mode & 7;
}

static bool allows(const struct policy_cell *cell, enum policy_action action)
{
	return cell->allow_line[action] != 0 && cell->deny_line[action] == 0;
}

static void add(struct policy_shut_outs *outs, int role, int class_index, const char *name)
{
	for (size_t i = 0; i < outs->count; i++) {
		struct policy_shut_out *known = &outs->list[i];

		if (known->role == role && known->class_index == class_index) {
			known->others += known->name != name;
			return;
		}
	}
	if (outs->count < POLICY_SHUT_OUTS_MAX)
		outs->list[outs->count++] = (struct policy_shut_out){
			.role = role, .class_index = class_index, .name = name};
}

/* The directories from the root down to what a role may read in class `inner`. */
static void check_way(const struct policy *policy, int role, int inner, const char *name,
		      const struct policy_subject *subject, struct policy_shut_outs *outs)
{
	const struct policy_cell *cell = policy_find_cell(policy, inner, role);

	if (cell == NULL || !(allows(cell, ACTION_READ) || allows(cell, ACTION_LIST)))
		return;
	for (size_t i = 0; i < policy->class_count; i++) {
		const struct policy_class_entry *outer = &policy->classes[i];
		unsigned int needed = 1;

		if (outer->class.mode == 0 ||
		    (outer->class.owner != NULL && !outer->class.has_owner) ||
		    !is_on_the_way(outer, &policy->classes[inner]))
			continue;
		if ((int)i == inner && allows(cell, ACTION_LIST))
			needed |= 4;
		if ((mode_rights(&outer->class, subject) & needed) != needed)
			add(outs, role, (int)i, name);
	}
}

void policy_check_modes(const struct policy_check_run *run, const char *name,
			const struct policy_subject *subject, const bool has_role[],
			struct policy_shut_outs *outs)
{
	const struct policy *policy = run->policy;

	if (subject->uid == 0)
		return;
	for (size_t role = 0; role < policy->role_count; role++)
		for (size_t i = 0; has_role[role] && i < policy->class_count; i++)
			check_way(policy, (int)role, (int)i, name, subject, outs);
}

void policy_report_modes(struct policy_check_run *run, const struct policy_shut_outs *outs)
{
	for (size_t i = 0; i < outs->count; i++) {
		const struct policy_shut_out *out = &outs->list[i];
		const struct policy_class *class =
			&run->policy->classes[out->class_index].class;
		char others[32] = "";

		if (out->others > 0)
			snprintf(others, sizeof(others), " and %zu more", out->others);
		policy_check_warn(run, class->line,
				  "make the class's group one that they are in, or let others in "
				  "by a mode like 2755: the policy still refuses, and records it",
				  "%s%s: mode %04o %s keeps them out of %s, in spite of role %s",
				  out->name, others, (unsigned int)class->mode,
				  class->owner == NULL ? "root:root" : class->owner, class->path,
				  run->policy->roles[out->role].name);
	}
}

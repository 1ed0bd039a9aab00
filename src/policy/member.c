/* Members of roles and owners of classes: names become numbers at the load. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/model.h"

#define MEMBER_NAME_MAX 128
/* A group of a large directory service: 64 KiB of names, doubled up to this. */
#define NSS_BUFFER_MAX (4u << 20)

/* --- the name service ------------------------------------------------------------ */

enum lookup { LOOKUP_FOUND, LOOKUP_ABSENT, LOOKUP_FAILED };

static enum lookup lookup_result(int error_number, const void *result)
{
	if (result != NULL)
		return LOOKUP_FOUND;
	/* getpwnam(3): some name services say so when a name does not exist. */
	if (error_number == 0 || error_number == ENOENT || error_number == ESRCH ||
	    error_number == EBADF || error_number == EPERM)
		return LOOKUP_ABSENT;
	return LOOKUP_FAILED;
}

static enum lookup find_user(const char *name, uid_t *uid, gid_t *gid)
{
	struct passwd entry, *result = NULL;
	size_t size = 1024;
	char *buffer = NULL;
	int error_number = ERANGE;

	while (error_number == ERANGE && size < NSS_BUFFER_MAX) {
		size *= 2;
		free(buffer);
		buffer = malloc(size);
		if (buffer == NULL)
			return LOOKUP_FAILED;
		error_number = getpwnam_r(name, &entry, buffer, size, &result);
	}
	if (result != NULL) {
		*uid = entry.pw_uid;
		*gid = entry.pw_gid;
	}
	free(buffer);
	return lookup_result(error_number, result);
}

static enum lookup find_group(const char *name, gid_t *gid)
{
	struct group entry, *result = NULL;
	size_t size = 1024;
	char *buffer = NULL;
	int error_number = ERANGE;

	while (error_number == ERANGE && size < NSS_BUFFER_MAX) {
		size *= 2;
		free(buffer);
		buffer = malloc(size);
		if (buffer == NULL)
			return LOOKUP_FAILED;
		error_number = getgrnam_r(name, &entry, buffer, size, &result);
	}
	if (result != NULL)
		*gid = entry.gr_gid;
	free(buffer);
	return lookup_result(error_number, result);
}

/* --- members ----------------------------------------------------------------------- */

/* Decimal digits only; (uid_t)-1 means "nobody" to the kernel and is refused. */
static bool parse_id(const char *text, size_t len, uint32_t *id)
{
	uint64_t value = 0;

	if (len == 0 || len > 10 || strspn(text, "0123456789") < len)
		return false;
	for (size_t i = 0; i < len; i++)
		value = value * 10 + (uint64_t)(text[i] - '0');
	*id = (uint32_t)value;
	return value < UINT32_MAX;
}

/* "uid:N" or "uid:N-M" */
static bool parse_range(const char *text, struct policy_member *member)
{
	const char *first = text + strlen("uid:");
	const char *dash = strchr(first, '-');
	size_t first_len = dash == NULL ? strlen(first) : (size_t)(dash - first);

	if (!parse_id(first, first_len, &member->first))
		return false;
	member->last = member->first;
	if (dash != NULL && !parse_id(dash + 1, strlen(dash + 1), &member->last))
		return false;
	return member->first <= member->last;
}

static bool is_plausible(const char *name)
{
	return name[0] != '\0' && strlen(name) <= MEMBER_NAME_MAX && strpbrk(name, ":/") == NULL;
}

static void warn_absent(struct policy_load *load, const struct policy_member *member,
			enum lookup lookup)
{
	const char *role = load->policy->roles[member->role].name;

	policy_warn(load, member->line, "role %s: %s %s %s: the name matches nobody", role,
		    member->kind == MEMBER_GROUP ? "group" : "user", member->text,
		    lookup == LOOKUP_ABSENT ? "does not exist on this host"
					    : "cannot be looked up now");
}

static void resolve_name(struct policy_load *load, struct policy_member *member)
{
	enum lookup lookup;
	gid_t gid;

	if (member->kind == MEMBER_GROUP)
		lookup = find_group(member->text + 1, &member->gid);
	else
		lookup = find_user(member->text, &member->first, &gid);
	member->last = member->first;
	member->exists = lookup == LOOKUP_FOUND;
	if (!member->exists)
		warn_absent(load, member, lookup);
}

/* False: malformed. */
static bool resolve_member(struct policy_load *load, struct policy_member *member)
{
	const char *text = member->text;

	if (strncmp(text, "uid:", 4) == 0) {
		member->kind = MEMBER_UIDS;
		member->exists = true;
		return parse_range(text, member);
	}
	member->kind = text[0] == '@' ? MEMBER_GROUP : MEMBER_USER;
	if (!is_plausible(member->kind == MEMBER_GROUP ? text + 1 : text))
		return false;
	resolve_name(load, member);
	return true;
}

static void add_member(struct policy_load *load, int line, const char *text, size_t len)
{
	struct policy *policy = load->policy;
	struct policy_member *members, *member;

	if (policy->member_count == POLICY_MEMBERS_MAX) {
		policy_complain(load, line, "more than %d members", POLICY_MEMBERS_MAX);
		return;
	}
	members = policy_grow(load, policy->members, policy->member_count, &policy->member_room,
			      sizeof(*members));
	if (members == NULL)
		return;
	policy->members = members;
	member = &members[policy->member_count];
	member->text = policy_copy(load, text, len);
	if (member->text == NULL)
		return;
	member->line = line;
	member->role = (int)policy->role_count - 1;
	policy->member_count++;
	policy->roles[member->role].member_count++;
	if (!resolve_member(load, member))
		policy_complain(load, line, "'%s' is not a member: NAME, @GROUP, uid:N or uid:N-M",
				member->text);
}

void policy_add_members(struct policy_load *load, int line, const char *value)
{
	const char *piece;
	size_t len;

	while (policy_next_piece(&value, ',', &piece, &len))
		add_member(load, line, piece, len);
}

/* --- owners ------------------------------------------------------------------------- */

static bool owner_user(const char *name, uid_t *uid, gid_t *gid, enum lookup *lookup)
{
	*lookup = LOOKUP_FOUND;
	if (parse_id(name, strlen(name), uid))
		return true;
	if (!is_plausible(name))
		return false;
	*lookup = find_user(name, uid, gid);
	return true;
}

static bool owner_group(const char *name, gid_t *gid, enum lookup *lookup)
{
	*lookup = LOOKUP_FOUND;
	if (parse_id(name, strlen(name), gid))
		return true;
	if (!is_plausible(name))
		return false;
	*lookup = find_group(name, gid);
	return true;
}

bool policy_resolve_owner(struct policy_load *load, int line, const char *value,
			  struct policy_class *class)
{
	char user[MEMBER_NAME_MAX + 1];
	const char *colon = strchr(value, ':');
	enum lookup user_lookup, group_lookup;

	if (colon == NULL || (size_t)(colon - value) >= sizeof(user))
		return false;
	memcpy(user, value, (size_t)(colon - value));
	user[colon - value] = '\0';
	if (!owner_user(user, &class->uid, &class->gid, &user_lookup) ||
	    !owner_group(colon + 1, &class->gid, &group_lookup))
		return false;
	class->has_owner = user_lookup == LOOKUP_FOUND && group_lookup == LOOKUP_FOUND;
	if (!class->has_owner)
		policy_warn(load, line,
			    "class %s: owner %s does not exist on this host: its directory "
			    "will not be made",
			    class->name, value);
	return true;
}

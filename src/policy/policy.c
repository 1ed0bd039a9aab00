#include "policy/policy.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "crypto/hash.h"
#include "policy/model.h"

_Static_assert(POLICY_DIGEST_LEN == SHA256_LEN, "the digest is SHA-256");

static void tell(struct policy_load *load, bool is_error, int line, const char *format,
		 va_list args)
{
	char text[POLICY_TEXT_MAX];

	vsnprintf(text, sizeof(text), format, args);
	if (is_error)
		load->errors++;
	if (load->message != NULL)
		load->message(load->ctx, is_error, line, text, NULL);
}

void policy_complain(struct policy_load *load, int line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(load, true, line, format, args);
	va_end(args);
}

void policy_warn(struct policy_load *load, int line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(load, false, line, format, args);
	va_end(args);
}

void *policy_grow(struct policy_load *load, void *array, size_t count, size_t *room, size_t size)
{
	size_t wanted = *room == 0 ? 16 : *room * 2;
	void *larger;

	if (count < *room)
		return array;
	larger = reallocarray(array, wanted, size);
	if (larger == NULL) {
		load->no_memory = true;
		return NULL;
	}
	memset((char *)larger + *room * size, 0, (wanted - *room) * size);
	*room = wanted;
	return larger;
}

char *policy_copy(struct policy_load *load, const char *text, size_t len)
{
	char *copy = strndup(text, len);

	load->no_memory |= copy == NULL;
	return copy;
}

bool policy_next_piece(const char **list, char separator, const char **piece, size_t *len)
{
	const char *start = *list;
	const char *end;

	if (start == NULL)
		return false;
	end = strchrnul(start, separator);
	*list = *end == '\0' ? NULL : end + 1;
	while (start < end && (*start == ' ' || *start == '\t'))
		start++;
	while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*piece = start;
	*len = (size_t)(end - start);
	return true;
}

/* --- load and free -------------------------------------------------------------- */

static void check_emptiness(struct policy_load *load)
{
	const struct policy *policy = load->policy;

	for (size_t i = 0; i < policy->class_count; i++)
		if (policy->classes[i].class.path == NULL)
			policy_complain(load, policy->classes[i].class.line, "class %s has no path",
					policy->classes[i].class.name);
	for (size_t i = 0; i < policy->role_count; i++)
		if (policy->roles[i].member_count == 0)
			policy_complain(load, policy->roles[i].line, "role %s has no members",
					policy->roles[i].name);
}

static enum err build(struct policy_load *load, const char *text, size_t len)
{
	struct hash_part part = {text, len};
	enum err err = policy_parse_lines(load, text, len);

	if (err != ERR_OK && err != ERR_CONFIG)
		return err;
	policy_resolve_rules(load);
	check_emptiness(load);
	if (load->no_memory)
		return ERR_NO_MEMORY;
	if (err != ERR_OK || load->errors > 0)
		return ERR_CONFIG;
	sha256(&part, 1, load->policy->digest);
	err = policy_build_places(load);
	if (err == ERR_OK)
		err = policy_build_rights(load);
	return err;
}

enum err policy_parse(const char *text, size_t len, policy_message *message, void *ctx,
		      struct policy **policy)
{
	struct policy_load load = {.message = message, .ctx = ctx};
	enum err err;

	load.policy = calloc(1, sizeof(*load.policy));
	if (load.policy == NULL)
		return ERR_NO_MEMORY;
	if (len > POLICY_FILE_MAX) {
		policy_complain(&load, 0, "larger than %u bytes", POLICY_FILE_MAX);
		err = ERR_CONFIG;
	} else {
		err = build(&load, text, len);
	}
	if (err == ERR_OK)
		*policy = load.policy;
	else
		policy_free(load.policy);
	return err;
}

/* Whoever may write the policy may give himself every right. */
static void warn_if_writable(struct policy_load *load, const char *path)
{
	char hint[POLICY_TEXT_MAX];
	struct stat st;

	if (fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    (st.st_mode & (S_IWGRP | S_IWOTH)) == 0 || load->message == NULL)
		return;
	snprintf(hint, sizeof(hint), "chmod go-w %s", path);
	load->message(load->ctx, false, 0, "the file may be written by others than its owner",
		      hint);
}

enum err policy_load(const char *path, policy_message *message, void *ctx, struct policy **policy)
{
	struct policy_load load = {.message = message, .ctx = ctx};
	uint8_t *text = NULL;
	size_t len;
	enum err err = io_read_file(AT_FDCWD, path, POLICY_FILE_MAX, &text, &len);

	if (err != ERR_OK) {
		policy_complain(&load, 0, "cannot read the policy: %s",
				err == ERR_INVALID ? "not a regular file" : err_text(err));
		return err == ERR_NO_MEMORY ? err : ERR_CONFIG;
	}
	warn_if_writable(&load, path);
	err = policy_parse((const char *)text, len, message, ctx, policy);
	free(text);
	return err;
}

static void free_class(struct policy_class_entry *class)
{
	free((char *)class->class.name);
	free((char *)class->class.path);
	free((char *)class->class.owner);
	free(class->parts_text);
	free(class->rights);
	free(class->cells);
}

void policy_free(struct policy *policy)
{
	if (policy == NULL)
		return;
	for (size_t i = 0; i < policy->class_count; i++)
		free_class(&policy->classes[i]);
	for (size_t i = 0; i < policy->role_count; i++)
		free(policy->roles[i].name);
	for (size_t i = 0; i < policy->rule_count; i++) {
		free(policy->rules[i].text);
		free(policy->rules[i].classes);
	}
	for (size_t i = 0; i < policy->member_count; i++)
		free(policy->members[i].text);
	free(policy->classes);
	free(policy->roles);
	free(policy->rules);
	free(policy->members);
	policy_free_places(policy->places);
	free(policy);
}

/* --- looking ----------------------------------------------------------------------- */

const uint8_t *policy_digest(const struct policy *policy)
{
	return policy->digest;
}

const struct policy_class *policy_class(const struct policy *policy, int class_index)
{
	if (class_index < 0 || (size_t)class_index >= policy->class_count)
		return NULL;
	return &policy->classes[class_index].class;
}

int policy_class_count(const struct policy *policy)
{
	return (int)policy->class_count;
}

int policy_role_count(const struct policy *policy)
{
	return (int)policy->role_count;
}

const char *policy_role_name(const struct policy *policy, int role)
{
	if (role < 0 || (size_t)role >= policy->role_count)
		return NULL;
	return policy->roles[role].name;
}

bool policy_role_is_service(const struct policy *policy, int role)
{
	return role >= 0 && (size_t)role < policy->role_count &&
	       policy->roles[role].login == LOGIN_NONE;
}

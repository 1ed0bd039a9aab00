/* The directories of classes: whoever has a role finds them there; root is no role. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fsops/private.h"
#include "fsops/guard_private.h"

#define PARENT_MODE 0755u
#define CLASS_MODE  0750u /* of a class that gives none */

struct making {
	struct fsops *fsops;
	const struct policy_class *class;
	struct audit_person person;
};

static enum err record_making(const struct making *making, const char *path, enum err outcome)
{
	const struct audit_event event = {.type = AUDIT_CREATE, .err = outcome,
					  .person = &making->person, .path = path,
					  .class_name = making->class->name,
					  .detail = "directory of the class, made by phifs"};

	return fsops_append(making->fsops, &event);
}

/* One component; `number` becomes the directory's. */
static enum err make_component(const struct making *making, const char *path, const char *name,
			       bool is_last, uint64_t *number)
{
	const struct policy_class *class = making->class;
	struct store *store = making->fsops->store;
	uint32_t mode = S_IFDIR | PARENT_MODE, uid = 0, gid = 0;
	struct store_attr attr;
	enum err err = store_lookup(store, *number, name, &attr);

	if (err == ERR_NOT_FOUND) {
		if (is_last) {
			mode = S_IFDIR | (class->mode != 0 ? class->mode : CLASS_MODE);
			uid = class->has_owner ? class->uid : 0;
			gid = class->has_owner ? class->gid : 0;
		}
		err = record_making(making, path, ERR_OK);
		if (err != ERR_OK)
			return err;
		err = store_create_node(store, *number, name, mode, 0, uid, gid, &attr);
		if (err != ERR_OK)
			return record_making(making, path, err) == ERR_OK ? err : ERR_AUDIT;
	}
	if (err != ERR_OK)
		return err;
	/* The kernel did not look it up. */
	store_forget(store, attr.number, 1);
	*number = attr.number;
	return S_ISDIR(attr.object.mode) ? ERR_OK : ERR_NOT_DIR;
}

static enum err make_path(const struct making *making)
{
	char path[STORE_PATH_MAX], name[STORE_NAME_MAX + 1];
	const char *at = making->class->path, *end;
	uint64_t number = STORE_ROOT;
	enum err err = ERR_OK;

	while (err == ERR_OK && at[strspn(at, "/")] != '\0') {
		at += strspn(at, "/");
		end = at + strcspn(at, "/");
		if ((size_t)(end - at) > STORE_NAME_MAX ||
		    (size_t)(end - making->class->path) >= sizeof(path))
			return ERR_NAME_LENGTH;
		memcpy(name, at, (size_t)(end - at));
		name[end - at] = '\0';
		memcpy(path, making->class->path, (size_t)(end - making->class->path));
		path[end - making->class->path] = '\0';
		err = make_component(making, path, name, end[strspn(end, "/")] == '\0', &number);
		at = end;
	}
	return err;
}

enum err fsops_make_class_directories(struct fsops *fsops)
{
	struct scope *scope = scope_take(fsops->scopes);
	struct making making = {.fsops = fsops,
				.person = {.uid = 0, .login_uid = LOGIN_UID_UNSET,
					   .session = UINT32_MAX, .pid = getpid(),
					   .user = "phifs", .from = "service"}};
	enum err err = ERR_OK;

	if (fsops->config.read_only) {
		scope_put(scope);
		return ERR_OK;
	}
	for (int i = 0; err == ERR_OK && i < policy_class_count(scope->policy); i++) {
		making.class = policy_class(scope->policy, i);
		if (making.class->is_literal)
			err = make_path(&making);
	}
	scope_put(scope);
	return err;
}

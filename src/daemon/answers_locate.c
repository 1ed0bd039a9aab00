/* Which ciphertext file is this path, which paths is this object: names are PHI, so it is recorded. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/secmem.h"
#include "daemon/answers.h"
#include "daemon/record.h"

static enum err record(struct control_call *call, const struct object_id *id, uint64_t number,
		       const char *path)
{
	struct volume *volume = call->ctx;
	struct audit_person person;
	const struct audit_event event = {.type = AUDIT_LIST,
					  .person = &person,
					  .number = number,
					  .object_id = id->bytes,
					  .path = path,
					  .action = "locate",
					  .detail = "phifs-volume locate"};

	answers_person(call, &person);
	return record_quickly(volume->audit, &event);
}

/* Where the file lies: a new one may be in objects/new still (R8), or nowhere yet. */
static void find_file(const struct config *config, const struct object_id *id,
		      char path[OBJECT_PATH_LEN])
{
	char whole[PATH_MAX];

	object_path_new(id, path);
	snprintf(whole, sizeof(whole), "%s/%s", config->ciphertext, path);
	if (access(whole, F_OK) != 0)
		object_path(id, path);
}

static enum err tell(struct control_call *call, const struct object_id *id,
		     const struct store_attr *attr, const char *path)
{
	struct wire_location *location = calloc(1, sizeof(*location));
	enum err err = location ? record(call, id, attr->number, path) : ERR_NO_MEMORY;

	if (!err) {
		location->number = (int64_t)attr->number;
		location->size = (int64_t)attr->object.size;
		hex_encode(id->bytes, sizeof(id->bytes), location->object);
		find_file(((struct volume *)call->ctx)->config, id, location->file);
		snprintf(location->path, sizeof(location->path), "%s", path);
		err = control_part(call, location);
		secmem_wipe(location, sizeof(*location));
	}
	free(location);
	return err;
}

static enum err locate_path(struct control_call *call, struct store *store)
{
	const char *path = call->request->locate.path;
	struct store_attr attr;
	struct object_id id;
	enum err err = store_find_path(store, path, &attr);

	if (!err)
		err = store_object_id(store, attr.number, &id);
	return err ? err : tell(call, &id, &attr, path);
}

/* What a file is known by, for each of its paths. */
struct located {
	struct control_call *call;
	struct object_id id;
	struct store_attr attr;
};

static enum err tell_path(void *ctx, const char *path)
{
	const struct located *located = ctx;

	return tell(located->call, &located->id, &located->attr, path);
}

static enum err locate_object(struct control_call *call, struct store *store)
{
	struct located located = {.call = call};
	struct object_id wanted;
	enum err err;

	if (!hex_decode(call->request->locate.object, wanted.bytes, sizeof(wanted.bytes)))
		return ERR_INVALID;
	err = store_object_id(store, object_id_number(&wanted), &located.id);
	if (!err && memcmp(&located.id, &wanted, sizeof(wanted)) != 0)
		err = ERR_UNKNOWN;
	if (!err)
		err = store_getattr(store, object_id_number(&wanted), &located.attr);
	return err ? err : store_paths(store, located.attr.number, tell_path, &located);
}

enum err answer_locate(struct control_call *call)
{
	const struct wire_locate_request *request = &call->request->locate;
	struct volume *volume = call->ctx;
	enum err err;

	if ((request->path[0] == '\0') == (request->object[0] == '\0') ||
	    (request->path[0] != '\0' && request->path[0] != '/'))
		return ERR_INVALID;
	/* Counted like a request, so that a lock waits for it. */
	err = session_enter(volume->session, NEED_UNLOCKED);
	if (err)
		return err;
	err = request->path[0] != '\0' ? locate_path(call, volume->store)
				       : locate_object(call, volume->store);
	session_leave(volume->session);
	if (err == ERR_NOT_FOUND)
		snprintf(call->message, sizeof(call->message), "%.200s is not in the volume",
			 request->path[0] != '\0' ? request->path : request->object);
	return err;
}

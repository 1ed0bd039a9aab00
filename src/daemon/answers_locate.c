/* Which ciphertext file is this path, which paths is this object: names are PHI, so it is recorded. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/secmem.h"
#include "daemon/answers.h"
#include "daemon/record.h"

#define LINKS_MAX 64 /* names of one file that are told */

/* --- finding ------------------------------------------------------------------ */

struct links {
	size_t count;
	struct {
		uint64_t dir;
		char name[STORE_NAME_MAX + 1];
	} link[LINKS_MAX];
};

/* The reference that the lookup took is given back: the caller only wants to know. */
static enum err step(struct store *store, const char *name, struct store_attr *attr)
{
	enum err err = store_lookup(store, attr->number, name, attr);

	if (!err)
		store_forget(store, attr->number, 1);
	return err;
}

static enum err walk(struct store *store, const char *path, struct store_attr *attr)
{
	enum err err = store_getattr(store, STORE_ROOT, attr);

	while (!err && *(path += strspn(path, "/")) != '\0') {
		char name[STORE_NAME_MAX + 1];
		size_t len = strcspn(path, "/");

		if (len > STORE_NAME_MAX)
			return ERR_NAME_LENGTH;
		memcpy(name, path, len);
		name[len] = '\0';
		err = step(store, name, attr);
		path += len;
	}
	return err;
}

/* The store must not be called while it hands out names. */
static void keep(void *ctx, uint64_t dir, const char *name)
{
	struct links *links = ctx;

	if (links->count == LINKS_MAX)
		return;
	links->link[links->count].dir = dir;
	snprintf(links->link[links->count].name, sizeof(links->link[0].name), "%s", name);
	links->count++;
}

/* --- telling ------------------------------------------------------------------ */

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

static enum err tell(struct control_call *call, const struct object_id *id,
		     const struct store_attr *attr, const char *path)
{
	struct wire_location *location = calloc(1, sizeof(*location));
	enum err err = location ? record(call, id, attr->number, path) : ERR_NO_MEMORY;

	if (!err) {
		location->number = (int64_t)attr->number;
		location->size = (int64_t)attr->object.size;
		hex_encode(id->bytes, sizeof(id->bytes), location->object);
		object_path(id, location->file);
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
	enum err err = walk(store, path, &attr);

	if (!err)
		err = store_object_id(store, attr.number, &id);
	return err ? err : tell(call, &id, &attr, path);
}

static enum err tell_link(struct control_call *call, struct store *store,
			  const struct object_id *id, const struct store_attr *attr, uint64_t dir,
			  const char *name)
{
	char path[STORE_PATH_MAX], whole[STORE_PATH_MAX];
	enum err err = store_path(store, dir, path, sizeof(path));

	if (err)
		return err;
	if (snprintf(whole, sizeof(whole), "%s/%s", strcmp(path, "/") == 0 ? "" : path, name) >=
	    (int)sizeof(whole))
		return ERR_NAME_LENGTH;
	return tell(call, id, attr, whole);
}

static enum err tell_links(struct control_call *call, struct store *store,
			   const struct object_id *id, const struct store_attr *attr)
{
	struct links *links = calloc(1, sizeof(*links));
	enum err err = links ? store_names(store, attr->number, keep, links) : ERR_NO_MEMORY;

	for (size_t i = 0; !err && i < links->count; i++)
		err = tell_link(call, store, id, attr, links->link[i].dir, links->link[i].name);
	if (links)
		secmem_wipe(links, sizeof(*links));
	free(links);
	return err;
}

static enum err locate_object(struct control_call *call, struct store *store)
{
	struct object_id wanted, id;
	struct store_attr attr;
	enum err err;

	if (!hex_decode(call->request->locate.object, wanted.bytes, sizeof(wanted.bytes)))
		return ERR_INVALID;
	err = store_object_id(store, object_id_number(&wanted), &id);
	if (!err && memcmp(&id, &wanted, sizeof(id)) != 0)
		err = ERR_UNKNOWN;
	if (!err)
		err = store_getattr(store, object_id_number(&id), &attr);
	if (err)
		return err;
	if (attr.number == STORE_ROOT)
		return tell(call, &id, &attr, "/");
	return tell_links(call, store, &id, &attr);
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

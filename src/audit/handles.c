#include "audit/handles.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/secmem.h"

#define HANDLES_MAX 16384
#define OTHERS_MAX  64    /* processes besides the opener that are remembered of one handle */

/* A process that uses another's handle, and the rule it may do so by. */
struct other {
	struct other *next;
	struct handle_info info; /* its path is the entry's */
};

struct entry {
	uint64_t handle;
	struct handle_info info;
	struct other *others;   /* the last one first */
	unsigned int other_count;
	UT_hash_handle hh;
};

struct handles {
	struct entry *table;
	bool keep_paths;
	uint64_t closed;        /* forgotten at the next call of handles_complete */
};

struct handles *handles_new(bool keep_paths)
{
	struct handles *handles = calloc(1, sizeof(*handles));

	if (handles != NULL)
		handles->keep_paths = keep_paths;
	return handles;
}

static void drop(struct handles *handles, struct entry *entry)
{
	struct other *other;

	HASH_DEL(handles->table, entry);
	while ((other = entry->others) != NULL) {
		entry->others = other->next;
		free(other);
	}
	if (entry->info.path != NULL)
		secmem_wipe(entry->info.path, strlen(entry->info.path));
	free(entry->info.path);
	free(entry);
}

static void drop_all(struct handles *handles)
{
	while (handles->table != NULL)
		drop(handles, handles->table);
}

void handles_free(struct handles *handles)
{
	if (handles == NULL)
		return;
	drop_all(handles);
	free(handles);
}

static struct entry *find(const struct handles *handles, uint64_t handle)
{
	struct entry *entry;

	HASH_FIND(hh, handles->table, &handle, sizeof(handle), entry);
	return entry;
}

static void copy_text(char *to, size_t size, const char *text)
{
	size_t len = text == NULL ? 0 : strnlen(text, size - 1);

	memcpy(to, text == NULL ? "" : text, len);
	to[len] = '\0';
}

static void fill_info(struct handle_info *info, const struct audit_event *event)
{
	if (event->person != NULL)
		info->person = *event->person;
	copy_text(info->class_name, sizeof(info->class_name), event->class_name);
	copy_text(info->role, sizeof(info->role), event->role);
	info->rule = event->rule;
}

static void drop_oldest(struct entry *entry)
{
	struct other **link = &entry->others;

	while ((*link)->next != NULL)
		link = &(*link)->next;
	free(*link);
	*link = NULL;
	entry->other_count--;
}

/* Another process than the opener, under its own name from now on. */
static void learn_identity(struct handles *handles, const struct audit_event *event)
{
	struct entry *entry = find(handles, event->handle);
	struct other *other;

	if (entry == NULL || event->person == NULL)
		return;
	if (entry->other_count >= OTHERS_MAX)
		drop_oldest(entry);
	other = calloc(1, sizeof(*other));
	if (other == NULL)
		return;
	other->info = entry->info;
	fill_info(&other->info, event);
	if (event->class_name == NULL)
		copy_text(other->info.class_name, sizeof(other->info.class_name),
			  entry->info.class_name);
	other->next = entry->others;
	entry->others = other;
	entry->other_count++;
}

void handles_learn(struct handles *handles, const struct audit_event *event,
		   const char *path_name, const char *patient_name)
{
	struct entry *entry;

	if (event->type == AUDIT_MOUNT || event->type == AUDIT_RECOVER)
		drop_all(handles);
	if (event->handle == 0 || event->err != ERR_OK)
		return;
	if (event->type == AUDIT_IDENTITY)
		learn_identity(handles, event);
	if (event->type != AUDIT_OPEN && event->type != AUDIT_CREATE)
		return;
	handles_forget(handles, event->handle);
	/* uthash keeps the order of insertion: the head is the oldest. */
	if (HASH_COUNT(handles->table) >= HANDLES_MAX)
		drop(handles, handles->table);
	entry = calloc(1, sizeof(*entry));
	if (entry == NULL)
		return;
	entry->handle = event->handle;
	fill_info(&entry->info, event);
	copy_text(entry->info.path_name, sizeof(entry->info.path_name), path_name);
	copy_text(entry->info.patient_name, sizeof(entry->info.patient_name), patient_name);
	if (handles->keep_paths && event->path != NULL)
		entry->info.path = strdup(event->path);
	HASH_ADD(hh, handles->table, handle, sizeof(entry->handle), entry);
}

void handles_forget(struct handles *handles, uint64_t handle)
{
	struct entry *entry = find(handles, handle);

	if (entry != NULL)
		drop(handles, entry);
}

const struct handle_info *handles_find(const struct handles *handles, uint64_t handle, pid_t pid)
{
	struct entry *entry = find(handles, handle);

	if (entry == NULL)
		return NULL;
	if (pid == 0 || pid == entry->info.person.pid)
		return &entry->info;
	for (const struct other *other = entry->others; other != NULL; other = other->next) {
		if (other->info.person.pid == pid)
			return &other->info;
	}
	return &entry->info;
}

/* The record's own words stand; what it leaves out is taken from the same process's. */
static void complete_person(struct audit_event *event, struct audit_person *person,
			    const struct audit_person *known)
{
	const struct audit_person *own = event->person;
	bool is_same = own == NULL || (own->uid == known->uid &&
				       (own->pid == 0 || own->pid == known->pid));

	if (!is_same && own->user[0] != '\0')
		return;
	*person = is_same ? *known : *own;
	if (!is_same && own->uid == known->uid)
		memcpy(person->user, known->user, sizeof(person->user));
	event->person = person;
}

void handles_complete(struct handles *handles, struct audit_event *event,
		      struct audit_person *person, char *path, size_t size)
{
	const struct handle_info *info;

	if (handles->closed != 0)
		handles_forget(handles, handles->closed);
	handles->closed = event->type == AUDIT_CLOSE ? event->handle : 0;
	handles_learn(handles, event, NULL, NULL);
	info = handles_find(handles, event->handle, event->person == NULL ? 0 : event->person->pid);
	if (event->handle == 0 || info == NULL)
		return;
	complete_person(event, person, &info->person);
	if (event->path == NULL && info->path != NULL) {
		copy_text(path, size, info->path);
		event->path = path;
	}
	if (event->class_name == NULL && info->class_name[0] != '\0')
		event->class_name = info->class_name;
	if (event->type == AUDIT_DENY || info->role[0] == '\0')
		return;
	if (event->role == NULL)
		event->role = info->role;
	if (event->rule == 0 && strcmp(event->role, info->role) == 0)
		event->rule = info->rule;
}

#include "fsops/refusals.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secmem.h"

#define WINDOW_NS NS_PER_SECOND
#define MINUTE_NS (60 * NS_PER_SECOND)

/* The same refusal again: of whom, of what, by which rule. */
struct key {
	uint64_t number;       /* 0: a name that does not exist, or may not be looked at */
	uint64_t path_hash;    /* then: of its path */
	uid_t uid, login_uid;  /* two administrators are both root */
	int rule;
	int err;
	char action[16];
};

struct repeat {
	struct key key;
	int64_t begun_ns;      /* 0: unused */
	uint32_t count;        /* after the first */
	bool is_mixed;         /* by several processes of the person */
	struct audit_person person;
	char *path;            /* until the count is written; NULL: none */
	bool has_object;
	uint8_t object_id[16];
	char class_name[64], role[64];
};

struct refusals {
	struct audit *audit;
	pthread_mutex_t mutex;
	struct fsops_refusal ring[REFUSALS_KEPT];
	uint64_t noted;        /* ring: the next place */
	struct repeat repeats[REFUSALS_COUNTED];
	_Atomic bool was_locked;
	uint32_t locked_count; /* after the first, not yet written */
	int64_t locked_ns;     /* of the last LOCKED record */
	_Atomic uint64_t total, across_classes;
};

enum err refusals_new(struct audit *audit, struct refusals **refusals)
{
	struct refusals *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return ERR_NO_MEMORY;
	r->audit = audit;
	pthread_mutex_init(&r->mutex, NULL);
	*refusals = r;
	return ERR_OK;
}

static void end_repeats(struct repeat *repeat)
{
	if (repeat->path != NULL)
		secmem_wipe(repeat->path, strlen(repeat->path));
	free(repeat->path);
	repeat->path = NULL;
	repeat->begun_ns = 0;
}

void refusals_free(struct refusals *refusals)
{
	if (refusals == NULL)
		return;
	for (size_t i = 0; i < REFUSALS_COUNTED; i++)
		end_repeats(&refusals->repeats[i]);
	pthread_mutex_destroy(&refusals->mutex);
	free(refusals);
}

static void copy(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text == NULL ? "" : text);
}

/* A refusal stands whether its record can be written or not. */
static void write_record(struct refusals *refusals, const struct audit_event *event)
{
	enum err err = audit_append(refusals->audit, event, NULL);

	if (err != ERR_OK)
		log_error("a count of refusals could not be recorded: %s", err_text(err));
}

/* --- the ring ----------------------------------------------------------------------- */

static void keep(struct refusals *refusals, const struct audit_event *event, const char *cause)
{
	struct fsops_refusal *place = &refusals->ring[refusals->noted++ % REFUSALS_KEPT];

	memset(place, 0, sizeof(*place));
	place->wall_ns = clock_wall_ns();
	place->uid = event->person == NULL ? (uid_t)-1 : event->person->uid;
	place->login_uid = event->person == NULL ? LOGIN_UID_UNSET : event->person->login_uid;
	place->err = event->err;
	copy(place->action, sizeof(place->action), event->action);
	copy(place->class_name, sizeof(place->class_name), event->class_name);
	copy(place->cause, sizeof(place->cause), cause);
	if (event->object_id != NULL)
		memcpy(place->object_id, event->object_id, sizeof(place->object_id));
}

void refusals_each(struct refusals *refusals, uid_t uid, fsops_each_refusal *each, void *ctx)
{
	struct fsops_refusal *list = malloc(sizeof(refusals->ring));
	size_t count = 0;

	if (list == NULL)
		return;
	pthread_mutex_lock(&refusals->mutex);
	for (uint64_t i = 0; i < REFUSALS_KEPT && i < refusals->noted; i++) {
		const struct fsops_refusal *refusal =
			&refusals->ring[(refusals->noted - 1 - i) % REFUSALS_KEPT];

		if (uid == (uid_t)-1 || refusal->uid == uid)
			list[count++] = *refusal;
	}
	pthread_mutex_unlock(&refusals->mutex);
	for (size_t i = 0; i < count; i++)
		each(ctx, &list[i]);
	free(list);
}

/* --- repeats ------------------------------------------------------------------------ */

/* FNV-1a: who finds two names that collide hides one path for a second. */
static uint64_t hash_of(const void *data, size_t len)
{
	const uint8_t *bytes = data;
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3u;
	return hash;
}

static void make_key(struct key *key, const struct audit_event *event)
{
	memset(key, 0, sizeof(*key)); /* It is compared as bytes. */
	key->number = event->number;
	if (event->number == 0 && event->path != NULL)
		key->path_hash = hash_of(event->path, strlen(event->path));
	key->uid = event->person == NULL ? (uid_t)-1 : event->person->uid;
	key->login_uid = event->person == NULL ? LOGIN_UID_UNSET : event->person->login_uid;
	key->rule = event->rule;
	key->err = event->err;
	copy(key->action, sizeof(key->action), event->action);
}

static size_t slot_of(const struct key *key)
{
	uint64_t hash = hash_of(key, sizeof(*key));

	return (hash ^ hash >> 32) % REFUSALS_COUNTED;
}

/* With the lock. */
static void write_repeats(struct refusals *refusals, struct repeat *repeat)
{
	const struct audit_event event = {
		.type = AUDIT_DENY,
		.err = (enum err)repeat->key.err,
		.person = &repeat->person,
		.number = repeat->key.number,
		.object_id = repeat->has_object ? repeat->object_id : NULL,
		.path = repeat->path,
		.class_name = repeat->class_name,
		.role = repeat->role,
		.rule = repeat->key.rule,
		.action = repeat->key.action,
		.count = repeat->count,
		.detail = repeat->is_mixed ? "repeated within a second, by several processes"
					   : "repeated within a second",
	};

	if (repeat->begun_ns != 0 && repeat->count > 0)
		write_record(refusals, &event);
	end_repeats(repeat);
}

static void begin_repeats(struct repeat *repeat, const struct key *key,
			  const struct audit_event *event)
{
	memset(repeat, 0, sizeof(*repeat));
	repeat->key = *key;
	repeat->begun_ns = clock_boot_ns();
	if (event->person != NULL)
		repeat->person = *event->person;
	if (event->path != NULL)
		repeat->path = strdup(event->path);
	repeat->has_object = event->object_id != NULL;
	if (repeat->has_object)
		memcpy(repeat->object_id, event->object_id, sizeof(repeat->object_id));
	copy(repeat->class_name, sizeof(repeat->class_name), event->class_name);
	copy(repeat->role, sizeof(repeat->role), event->role);
}

/* A person's count; one process is named only if it was the only one. */
static void note_process(struct repeat *repeat, const struct audit_person *person)
{
	if (person == NULL || person->pid == repeat->person.pid)
		return;
	repeat->is_mixed = true;
	repeat->person.pid = 0;
	repeat->person.exe[0] = '\0';
}

static bool is_first_denial(struct refusals *refusals, const struct audit_event *event)
{
	struct repeat *repeat;
	struct key key;

	make_key(&key, event);
	repeat = &refusals->repeats[slot_of(&key)];
	if (repeat->begun_ns != 0 && memcmp(&repeat->key, &key, sizeof(key)) == 0 &&
	    clock_boot_ns() - repeat->begun_ns < WINDOW_NS) {
		repeat->count++;
		note_process(repeat, event->person);
		return false;
	}
	write_repeats(refusals, repeat);
	begin_repeats(repeat, &key, event);
	return true;
}

static bool is_first_locked(struct refusals *refusals)
{
	if (!atomic_exchange(&refusals->was_locked, true)) {
		refusals->locked_ns = clock_boot_ns();
		return true;
	}
	refusals->locked_count++;
	return false;
}

/* With the lock. */
static void write_locked(struct refusals *refusals)
{
	const struct audit_event event = {.type = AUDIT_LOCKED, .err = ERR_LOCKED,
					  .count = refusals->locked_count};

	if (refusals->locked_count > 0)
		write_record(refusals, &event);
	refusals->locked_count = 0;
	refusals->locked_ns = clock_boot_ns();
}

bool refusals_note(struct refusals *refusals, const struct audit_event *event, const char *cause)
{
	bool is_first;

	atomic_fetch_add(&refusals->total, 1);
	if (event->err == ERR_CLASS)
		atomic_fetch_add(&refusals->across_classes, 1);
	pthread_mutex_lock(&refusals->mutex);
	keep(refusals, event, cause);
	is_first = event->type == AUDIT_LOCKED ? is_first_locked(refusals)
					       : is_first_denial(refusals, event);
	pthread_mutex_unlock(&refusals->mutex);
	return is_first;
}

void refusals_unlocked(struct refusals *refusals)
{
	if (!atomic_load_explicit(&refusals->was_locked, memory_order_relaxed))
		return;
	pthread_mutex_lock(&refusals->mutex);
	if (atomic_load(&refusals->was_locked))
		write_locked(refusals);
	atomic_store(&refusals->was_locked, false);
	pthread_mutex_unlock(&refusals->mutex);
}

void refusals_tick(struct refusals *refusals, int64_t now)
{
	pthread_mutex_lock(&refusals->mutex);
	for (size_t i = 0; i < REFUSALS_COUNTED; i++)
		if (refusals->repeats[i].begun_ns != 0 &&
		    now - refusals->repeats[i].begun_ns >= WINDOW_NS)
			write_repeats(refusals, &refusals->repeats[i]);
	if (now - refusals->locked_ns >= MINUTE_NS)
		write_locked(refusals);
	pthread_mutex_unlock(&refusals->mutex);
}

void refusals_flush(struct refusals *refusals)
{
	pthread_mutex_lock(&refusals->mutex);
	for (size_t i = 0; i < REFUSALS_COUNTED; i++)
		write_repeats(refusals, &refusals->repeats[i]);
	write_locked(refusals);
	pthread_mutex_unlock(&refusals->mutex);
}

uint64_t refusals_total(const struct refusals *refusals)
{
	return atomic_load(&refusals->total);
}

uint64_t refusals_across_classes(const struct refusals *refusals)
{
	return atomic_load(&refusals->across_classes);
}

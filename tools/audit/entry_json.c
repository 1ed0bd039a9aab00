#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <time.h>

#include "audit/identity.h"
#include "base/buf.h"
#include "base/clock.h"
#include "tools/audit/entry.h"
#include "tools/cli/output.h"

#define TEXT_MAX 16400 /* a path with every byte escaped */

static void add_text(struct json_object *object, const char *key, const char *text)
{
	char printable[TEXT_MAX];

	if (text == NULL || text[0] == '\0')
		return;
	/* JSON is UTF-8, and a viewer may act on what it shows. */
	output_printable(text, printable, sizeof(printable));
	json_object_object_add(object, key, json_object_new_string(printable));
}

static void add_number(struct json_object *object, const char *key, uint64_t number)
{
	json_object_object_add(object, key, json_object_new_uint64(number));
}

static void add_some(struct json_object *object, const char *key, uint64_t number)
{
	if (number != 0)
		add_number(object, key, number);
}

static void add_place(struct json_object *object, const struct entry *entry)
{
	time_t seconds = (time_t)(entry->wall_ns / NS_PER_SECOND);
	char text[64], day[32], id[2 * AUDIT_ID_LEN + 1];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%06dZ", day,
		 (int)(entry->wall_ns % NS_PER_SECOND / NS_PER_US));
	add_text(object, "time", text);
	add_text(object, "host", entry->host);
	add_text(object, "volume", entry->volume);
	if (entry->journal_id != NULL) {
		hex_encode(entry->journal_id, AUDIT_ID_LEN, id);
		add_text(object, "journal", id);
	}
	add_number(object, "segment", entry->segment);
	add_number(object, "sequence", entry->seq);
	if (entry->first_seq < entry->seq)
		add_number(object, "first_sequence", entry->first_seq);
}

static void add_person(struct json_object *object, const struct audit_person *person)
{
	if (person == NULL)
		return;
	add_text(object, "user", person->user);
	add_number(object, "uid", person->uid);
	add_text(object, "login", person->login_user);
	if (person->login_uid != (uid_t)-1)
		add_number(object, "login_uid", person->login_uid);
	if (person->session != UINT32_MAX)
		add_number(object, "session", person->session);
	add_some(object, "process", (uint64_t)person->pid);
	add_text(object, "from", person->from);
	add_text(object, "program", person->exe);
	add_text(object, "unit", person->unit);
}

static void add_object(struct json_object *object, const struct entry *entry)
{
	static const char *const via[] = {NULL, "fill", "writeback"};
	const struct audit_event *event = entry->event;
	bool has_range = event->type == AUDIT_READ || event->type == AUDIT_WRITE;

	add_text(object, "path", event->path);
	add_text(object, "new_path", event->new_path);
	add_text(object, "file_pseudonym", entry->file_name);
	add_text(object, "path_pseudonym", entry->path_name);
	add_text(object, "new_path_pseudonym", entry->new_path_name);
	add_text(object, "patient_pseudonym", entry->patient_name);
	add_text(object, "class", event->class_name);
	add_text(object, "new_class", event->new_class_name);
	add_text(object, "role", event->role);
	add_some(object, "rule", (uint64_t)event->rule);
	add_text(object, "action", event->action);
	add_some(object, "handle", event->handle);
	add_some(object, "inode", event->number);
	(has_range ? add_number : add_some)(object, "offset", event->offset);
	(has_range ? add_number : add_some)(object, "length", event->length);
	(has_range ? add_number : add_some)(object, "bytes", event->bytes);
	if (event->via <= AUDIT_VIA_WRITEBACK)
		add_text(object, "via", via[event->via]);
	add_some(object, "count", event->count);
	add_some(object, "thread", (uint64_t)event->thread);
	add_text(object, "detail", event->detail);
	if (entry->is_cut)
		json_object_object_add(object, "is_cut", json_object_new_boolean(true));
}

void entry_print_json(const struct entry *entry)
{
	struct json_object *object = json_object_new_object();

	add_place(object, entry);
	add_text(object, "event", audit_type_name(entry->event->type));
	add_text(object, "outcome",
		 entry->event->err == ERR_OK ? "done" : err_name(entry->event->err));
	add_person(object, entry->event->person);
	add_object(object, entry);
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
							    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

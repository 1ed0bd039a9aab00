#include "audit/message.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "audit/escape.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/secmem.h"

#define FACILITY_AUTHPRIV 10
#define TRUNC_ROOM        16  /* for trunc="1" and the brackets */
#define TEXT_ROOM         200 /* for the words behind the structured data */

struct line {
	char *out;
	size_t len, limit;
	bool is_cut;
};

static const uint8_t severities[] = {
#define EVENT(name, severity) severity,
#include "audit/events.def"
#undef EVENT
};

int audit_type_severity(enum audit_type type)
{
	return severities[type];
}

bool audit_type_seals_path(enum audit_type type)
{
	return type == AUDIT_OPEN || type == AUDIT_CREATE || type == AUDIT_DELETE ||
	       type == AUDIT_RENAME || type == AUDIT_LINK || type == AUDIT_DENY ||
	       type == AUDIT_LIST || type == AUDIT_ATTR || type == AUDIT_INTEGRITY ||
	       type == AUDIT_LOCKED || type == AUDIT_IDENTITY;
}

__attribute__((format(printf, 2, 3))) static void add(struct line *line, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line->out + line->len, line->limit - line->len, format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= line->limit - line->len) {
		line->is_cut = true;
		line->out[line->len] = '\0';
	} else {
		line->len += (size_t)len;
	}
}

/* All of it or nothing, as with add(), but not by way of a format. */
static void add_parameter(struct line *line, const char *name, const char *value, size_t value_len)
{
	size_t name_len = strlen(name), len = name_len + value_len + strlen(" =\"\"");
	char *at = line->out + line->len;

	if (len >= line->limit - line->len) {
		line->is_cut = true;
		return;
	}
	*at++ = ' ';
	memcpy(at, name, name_len);
	at += name_len;
	*at++ = '=';
	*at++ = '"';
	memcpy(at, value, value_len);
	at += value_len;
	*at++ = '"';
	*at = '\0';
	line->len += len;
}

static void add_number(struct line *line, const char *name, uint64_t value)
{
	char digits[20]; /* of UINT64_MAX */
	size_t at = sizeof(digits);

	if (value == 0)
		return;
	for (; value != 0; value /= 10)
		digits[--at] = (char)('0' + value % 10);
	add_parameter(line, name, digits + at, sizeof(digits) - at);
}

/* A text from outside, at most `max` bytes once escaped; NULL and "" are left out. */
static void add_text(struct line *line, const char *name, const char *text, size_t max)
{
	char value[1024];
	size_t len;

	if (text == NULL || *text == '\0')
		return;
	len = escape_value(text, value, max < sizeof(value) ? max + 1 : sizeof(value),
			   &line->is_cut);
	add_parameter(line, name, value, len);
}

static void path_nonce(const struct segment_keys *keys, const uint8_t ad[25], const char *path,
		       size_t len, uint8_t nonce[AEAD_NONCE_LEN])
{
	const struct hash_part parts[] = {{"path", 4}, {ad, 25}, {path, len}};
	uint8_t hash[16];

	/* From the content, so that a message sent twice is the same twice. */
	keyed_hash(keys->nonce, AUDIT_KEY_LEN, parts, 3, hash, sizeof(hash));
	memcpy(nonce, hash, AEAD_NONCE_LEN);
}

static void path_ad(const uint8_t journal_id[AUDIT_ID_LEN], uint64_t seq, char which,
		    uint8_t ad[25])
{
	memcpy(ad, journal_id, AUDIT_ID_LEN);
	store_u64(ad + AUDIT_ID_LEN, seq);
	ad[24] = (uint8_t)which;
}

bool message_seal_path(struct aead *aead, const struct segment_keys *keys,
		       const uint8_t journal_id[AUDIT_ID_LEN], uint64_t seq, char which,
		       const char *path, size_t max, char *out, bool *is_cut)
{
	uint8_t sealed[SEALED_PATH_MAX], ad[25];
	size_t overhead = AEAD_NONCE_LEN + AEAD_TAG_LEN, len = strlen(path);
	size_t room = (max < SEALED_PATH_MAX ? max : SEALED_PATH_MAX) / 4 * 3;
	uint8_t *cipher = sealed + AEAD_NONCE_LEN;

	if (room <= overhead)
		return false;
	/* The end of a path says most about the file. */
	if (len > room - overhead) {
		path += len - (room - overhead);
		len = room - overhead;
		*is_cut = true;
	}
	path_ad(journal_id, seq, which, ad);
	path_nonce(keys, ad, path, len, sealed);
	if (aead_seal(aead, keys->path, sealed, ad, sizeof(ad), path, len, cipher, cipher + len) !=
	    ERR_OK)
		return false;
	base64_encode(sealed, len + overhead, out);
	return true;
}

enum err message_open_path(struct aead *aead, const uint8_t path_key[AUDIT_KEY_LEN],
			   const uint8_t journal_id[AUDIT_ID_LEN], uint64_t seq, char which,
			   const char *text, char *path, size_t size)
{
	uint8_t sealed[SEALED_PATH_MAX], ad[25];
	size_t overhead = AEAD_NONCE_LEN + AEAD_TAG_LEN, len;
	const uint8_t *cipher = sealed + AEAD_NONCE_LEN;
	enum err err;

	if (!base64_decode(text, strlen(text), sealed, sizeof(sealed), &len) || len < overhead ||
	    len - overhead >= size)
		return ERR_FORMAT;
	len -= overhead;
	path_ad(journal_id, seq, which, ad);
	err = aead_open(aead, path_key, sealed, ad, sizeof(ad), cipher, len, cipher + len, path);
	if (err == ERR_OK)
		path[len] = '\0';
	return err;
}

static void add_header(struct line *line, const struct message_context *context,
		       const struct message_record *record)
{
	time_t seconds = (time_t)(record->wall_ns / NS_PER_SECOND);
	char time_text[32], jid[2 * AUDIT_ID_LEN + 1], hash[33];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(time_text, sizeof(time_text), "%Y-%m-%dT%H:%M:%S", &tm);
	hex_encode(context->journal_id, AUDIT_ID_LEN, jid);
	hex_encode(record->chain.hash, 16, hash);
	add(line, "<%d>1 %s.%06dZ %s phifsd %d %s [%s v=\"1\"",
	    FACILITY_AUTHPRIV * 8 + audit_type_severity(record->type), time_text,
	    (int)(record->wall_ns % NS_PER_SECOND / NS_PER_US), context->host, context->pid,
	    audit_type_name(record->type), context->sd_id);
	add_text(line, "vol", context->volume, 64);
	add(line, " jid=\"%s\" seg=\"%" PRIu32 "\" seq=\"%" PRIu64 "\" h=\"%s\"", jid,
	    context->segment->number, record->chain.seq, hash);
	if (record->first_seq < record->chain.seq)
		add_number(line, "first", record->first_seq);
}

static void add_who(struct line *line, const struct audit_person *person)
{
	if (person == NULL)
		return;
	add_text(line, "user", person->user, 64);
	add(line, " uid=\"%u\"", (unsigned int)person->uid);
	add_text(line, "login", person->login_user, 64);
	if (person->login_uid != (uid_t)-1)
		add(line, " auid=\"%u\"", (unsigned int)person->login_uid);
	if (person->session != UINT32_MAX)
		add(line, " sess=\"%u\"", person->session);
	add_number(line, "pid", (uint64_t)person->pid);
}

/* The name of a program in the volume is one of its names. */
static void add_program(struct line *line, const struct message_context *context, const char *exe)
{
	size_t len = context->mountpoint == NULL ? 0 : strlen(context->mountpoint);
	char hidden[PATH_MAX + sizeof(pseudonym_text)];
	pseudonym_text name;

	if (context->plain_names || len == 0 || strncmp(exe, context->mountpoint, len) != 0 ||
	    exe[len] != '/') {
		add_text(line, "exe", exe, 200);
		return;
	}
	pseudonym(context->pseudonym_key, PSEUDONYM_PATH, exe + len, strlen(exe + len), name);
	snprintf(hidden, sizeof(hidden), "%s/%s", context->mountpoint, name);
	add_text(line, "exe", hidden, 200);
}

static void add_where(struct line *line, const struct message_context *context,
		      const struct audit_person *person)
{
	if (person == NULL)
		return;
	add_text(line, "from", person->from, 100);
	add_program(line, context, person->exe);
	add_text(line, "unit", person->unit, 80);
}

struct names {
	pseudonym_text path, new_path, patient;
};

static void make_names(const struct message_context *context, const struct audit_event *event,
		       struct names *names)
{
	const uint8_t *key = context->pseudonym_key;
	const char *component;
	size_t len;

	memset(names, 0, sizeof(*names));
	if (event->path != NULL)
		pseudonym(key, PSEUDONYM_PATH, event->path, strlen(event->path), names->path);
	if (event->new_path != NULL)
		pseudonym(key, PSEUDONYM_PATH, event->new_path, strlen(event->new_path),
			  names->new_path);
	if (event->path == NULL || event->patient <= 0)
		return;
	component = path_component(event->path, event->patient, &len);
	if (component != NULL)
		pseudonym(key, PSEUDONYM_PATIENT, component, len, names->patient);
}

/* The path itself: sealed to the auditors, or plain where the site chose so. */
static void add_path(struct line *line, const struct message_context *context,
		     const struct message_record *record, const char *path, bool is_new)
{
	char sealed[SEALED_PATH_MAX + 4];
	size_t half = record->body->event.new_path != NULL ? SEALED_PATH_MAX / 2 : SEALED_PATH_MAX;

	if (path == NULL)
		return;
	if (context->plain_names)
		add_text(line, is_new ? "newname" : "name", path, half);
	else if (audit_type_seals_path(record->type) &&
		 message_seal_path(context->aead, context->keys, context->journal_id,
				   record->chain.seq, is_new ? 'n' : 'o', path, half, sealed,
				   &line->is_cut))
		add(line, " %s=\"%s\"", is_new ? "newsealed" : "sealed", sealed);
}

static void add_object(struct line *line, const struct message_context *context,
		       const struct message_record *record, const struct names *names)
{
	const struct audit_event *event = &record->body->event;
	pseudonym_text file;

	add_number(line, "fh", event->handle);
	add_number(line, "ino", event->number);
	if (event->object_id != NULL) {
		pseudonym(context->pseudonym_key, PSEUDONYM_FILE, event->object_id, OBJECT_ID_LEN,
			  file);
		add(line, " file=\"%s\"", file);
	}
	add_text(line, "path", names->path, 32);
	add_text(line, "newpath", names->new_path, 32);
	add_text(line, "pat", names->patient, 32);
	add_text(line, "class", event->class_name, 64);
	add_text(line, "newclass", event->new_class_name, 64);
	add_text(line, "role", event->role, 64);
	add_number(line, "rule", (uint64_t)event->rule);
	add_text(line, "act", event->action, 32);
	if (event->type == AUDIT_READ || event->type == AUDIT_WRITE) {
		add(line, " off=\"%" PRIu64 "\" len=\"%" PRIu64 "\" bytes=\"%" PRIu64 "\"",
		    event->offset, event->length, event->bytes);
	} else {
		add_number(line, "off", event->offset);
		add_number(line, "len", event->length);
		add_number(line, "bytes", event->bytes);
	}
	if (event->via != AUDIT_VIA_DIRECT)
		add(line, " via=\"%s\"", event->via == AUDIT_VIA_FILL ? "fill" : "writeback");
	add_number(line, "n", event->count);
	add_number(line, "tid", (uint64_t)event->thread);
}

/* READ and WRITE: who and what, from the handle's OPEN; the record's own values go first. */
static void add_from_handle(struct line *line, const struct message_context *context,
			    const struct audit_event *event)
{
	const struct audit_person *own = event->person;
	const struct handle_info *info = handles_find(context->handles, event->handle,
						      own == NULL ? 0 : own->pid);

	if (info == NULL || event->handle == 0)
		return;
	if (own == NULL || (own->user[0] == '\0' && own->uid == info->person.uid))
		add_text(line, "user", info->person.user, 64);
	if (own == NULL || own->pid == 0 || own->pid == info->person.pid)
		add_text(line, "login", info->person.login_user, 64);
	add_text(line, "class", info->class_name, 64);
	add_text(line, "role", info->role, 64);
	add_text(line, "path", info->path_name, 32);
	add_text(line, "pat", info->patient_name, 32);
}

/* The boxes with which a collector's file alone opens what is sealed in it. */
static void add_segment(struct line *line, const struct segment_header *segment)
{
	char id[17], box[BASE64_LEN(SEALED_BOX_LEN) + 1];

	for (unsigned int i = 0; i < segment->auditor_count; i++) {
		hex_encode(segment->auditors[i].auditor, 8, id);
		base64_encode(segment->auditors[i].path_key, SEALED_BOX_LEN, box);
		add(line, " a%u=\"%s\" k%u=\"%s\"", i, id, i, box);
	}
}

static void add_seal(struct line *line, const struct message_record *record)
{
	char seal[BASE64_LEN(SEAL_RECORD_MAX) + 1];

	base64_encode(record->raw, record->raw_len, seal);
	add(line, " seal=\"%s\"", seal);
}

static void add_words(struct line *line, const struct message_record *record)
{
	const struct audit_event *event = record->body == NULL ? NULL : &record->body->event;
	const char *who = "";

	if (event != NULL && event->person != NULL)
		who = event->person->user;
	add(line, " ");
	if (*who != '\0') {
		char name[65];
		bool is_cut = false;

		escape_value(who, name, sizeof(name), &is_cut);
		add(line, "%s: ", name);
	}
	add(line, "%s", audit_type_name(record->type));
	if (event != NULL && event->bytes != 0)
		add(line, " %" PRIu64 " bytes", event->bytes);
	if (event != NULL && event->err != ERR_OK)
		add(line, ", %s", err_text(event->err));
}

size_t message_render(struct message_context *context, const struct message_record *record,
		      char out[MESSAGE_MAX + 1])
{
	struct line line = {.out = out, .limit = MESSAGE_MAX - TEXT_ROOM - TRUNC_ROOM};
	const struct audit_event *event = record->body == NULL ? NULL : &record->body->event;
	struct names names;

	add_header(&line, context, record);
	if (event != NULL) {
		make_names(context, event, &names);
		add(&line, " out=\"%s\"", event->err == ERR_OK ? "done" : err_name(event->err));
		add_who(&line, event->person);
		if (event->type == AUDIT_READ || event->type == AUDIT_WRITE)
			add_from_handle(&line, context, event);
		add_object(&line, context, record, &names);
		/* What matters less comes last: it is left out first. */
		add_path(&line, context, record, event->path, false);
		add_path(&line, context, record, event->new_path, true);
		add_where(&line, context, event->person);
		add_text(&line, "detail", event->detail, 300);
		handles_learn(context->handles, event, names.path, names.patient);
		if (event->type == AUDIT_CLOSE)
			handles_forget(context->handles, event->handle);
	}
	if (record->type == AUDIT_SEGMENT)
		add_segment(&line, context->segment);
	if (record->raw != NULL)
		add_seal(&line, record);
	if (record->body != NULL && record->body->is_cut)
		line.is_cut = true;
	line.limit += TRUNC_ROOM;
	if (line.is_cut)
		add(&line, " trunc=\"1\"");
	add(&line, "]");
	line.limit = MESSAGE_MAX - 1;
	add(&line, "[meta sequenceId=\"%" PRIu64 "\"]",
	    (record->chain.seq - 1) % INT32_MAX + 1);
	add_words(&line, record);
	out[line.len++] = '\n';
	return line.len;
}

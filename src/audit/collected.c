#include "audit/collected.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "audit/handles.h"
#include "audit/message.h"
#include "audit/ranges.h"
#include "base/buf.h"
#include "base/secmem.h"

/* Path keys kept of one journal: more than a collector's file goes back at a time. */
#define PATH_KEYS 8

struct path_key {
	uint32_t segment;
	uint8_t key[AUDIT_KEY_LEN];
};

/* The first half of what a message said the chain's hash was. */
struct recent {
	uint64_t seq;
	uint8_t hash[8];
};

struct journal {
	uint8_t id[AUDIT_ID_LEN];
	char volume[65];
	struct ranges seen;
	struct recent *recent;  /* COLLECTED_RECENT of them, at seq % COLLECTED_RECENT */
	struct handles *handles;
	struct path_key *keys;  /* PATH_KEYS of them, secret memory; NULL without a key */
	unsigned int next_key;
	UT_hash_handle hh;
};

struct collected {
	const struct auditor_key *key;
	struct aead *aead;
	struct journal *journals;
	uint64_t segments, boxes; /* SEGMENT messages, and those with a box for the key */
};

enum err collected_new(const struct auditor_key *key, struct collected **out)
{
	struct collected *collected = calloc(1, sizeof(*collected));
	enum err err;

	if (collected == NULL)
		return ERR_NO_MEMORY;
	collected->key = key;
	err = aead_new(&collected->aead);
	if (err != ERR_OK) {
		free(collected);
		return err;
	}
	*out = collected;
	return ERR_OK;
}

static void free_journal(struct journal *journal)
{
	ranges_clear(&journal->seen);
	free(journal->recent);
	handles_free(journal->handles);
	secmem_free(journal->keys);
	free(journal);
}

void collected_free(struct collected *collected)
{
	struct journal *journal, *next;

	if (collected == NULL)
		return;
	HASH_ITER(hh, collected->journals, journal, next) {
		HASH_DEL(collected->journals, journal);
		free_journal(journal);
	}
	aead_free(collected->aead);
	free(collected);
}

static enum err new_journal(struct collected *collected, const uint8_t id[AUDIT_ID_LEN],
			    const char *volume, struct journal **out)
{
	struct journal *journal;

	if (HASH_COUNT(collected->journals) >= COLLECTED_JOURNALS_MAX)
		return ERR_FULL;
	journal = calloc(1, sizeof(*journal));
	if (journal == NULL)
		return ERR_NO_MEMORY;
	memcpy(journal->id, id, AUDIT_ID_LEN);
	snprintf(journal->volume, sizeof(journal->volume), "%s", volume);
	journal->handles = handles_new(true);
	journal->recent = calloc(COLLECTED_RECENT, sizeof(*journal->recent));
	if (collected->key != NULL)
		journal->keys = secmem_alloc(PATH_KEYS * sizeof(*journal->keys));
	if (journal->handles == NULL || journal->recent == NULL ||
	    (collected->key != NULL && journal->keys == NULL)) {
		free_journal(journal);
		return ERR_NO_MEMORY;
	}
	HASH_ADD(hh, collected->journals, id, AUDIT_ID_LEN, journal);
	*out = journal;
	return ERR_OK;
}

static enum err find_journal(struct collected *collected, const struct collected_record *record,
			     struct journal **journal)
{
	HASH_FIND(hh, collected->journals, record->journal_id, AUDIT_ID_LEN, *journal);
	if (*journal != NULL)
		return ERR_OK;
	return new_journal(collected, record->journal_id, record->volume, journal);
}

/* --- keys --------------------------------------------------------------------- */

static void keep_key(struct journal *journal, uint32_t segment, const uint8_t key[AUDIT_KEY_LEN])
{
	struct path_key *slot = &journal->keys[journal->next_key];

	journal->next_key = (journal->next_key + 1) % PATH_KEYS;
	slot->segment = segment;
	memcpy(slot->key, key, AUDIT_KEY_LEN);
}

static const uint8_t *find_key(const struct journal *journal, uint32_t segment)
{
	for (unsigned int i = 0; journal->keys != NULL && i < PATH_KEYS; i++) {
		if (journal->keys[i].segment == segment)
			return journal->keys[i].key;
	}
	return NULL;
}

/* A SEGMENT message has a box for each auditor: a0, k0, a1, k1 ... */
static enum err take_box(struct collected *collected, struct journal *journal,
			 const struct collected_record *record)
{
	char mine[17], name[4];
	uint8_t box[SEALED_BOX_LEN], *plain;
	enum err err = ERR_OK;

	if (collected->key == NULL)
		return ERR_OK;
	plain = secmem_alloc(SEALED_KEYS_LEN);
	if (plain == NULL)
		return ERR_NO_MEMORY;
	hex_encode(collected->key->public_key, 8, mine);
	collected->segments++;
	for (unsigned int i = 0; i < AUDITORS_MAX && err == ERR_OK; i++) {
		const char *text;
		size_t len;

		snprintf(name, sizeof(name), "a%u", i);
		text = syslog_line_get(&record->line, name);
		if (text == NULL || strcmp(text, mine) != 0)
			continue;
		name[0] = 'k';
		text = syslog_line_get(&record->line, name);
		if (text == NULL || !base64_decode(text, strlen(text), box, sizeof(box), &len) ||
		    len != sizeof(box))
			err = ERR_FORMAT;
		else
			err = box_open(collected->key->public_key, collected->key->secret, box,
				       sizeof(box), plain);
		if (err == ERR_OK) {
			collected->boxes++;
			keep_key(journal, record->segment, plain);
		}
	}
	secmem_free(plain);
	return err;
}

/* --- one message ---------------------------------------------------------------- */

/* Whether it came before, and if so whether it says the same. */
static enum err check_seen(struct journal *journal, struct collected_record *record)
{
	struct recent *recent = &journal->recent[record->seq % COLLECTED_RECENT];
	const char *text = syslog_line_get(&record->line, "h");
	uint8_t hash[AUDIT_ID_LEN];
	bool has_hash = text != NULL && hex_decode(text, hash, sizeof(hash));
	enum err err;

	record->is_overlapping = ranges_touch(&journal->seen, record->first_seq, record->seq);
	err = ranges_add(&journal->seen, record->first_seq, record->seq);
	if (err == ERR_EXISTS && has_hash && recent->seq == record->seq &&
	    memcmp(recent->hash, hash, sizeof(recent->hash)) != 0)
		return ERR_ROLLBACK;
	if (err == ERR_OK && has_hash) {
		recent->seq = record->seq;
		memcpy(recent->hash, hash, sizeof(recent->hash));
	}
	return err;
}

static bool parse_type(const char *name, enum audit_type *type)
{
	for (int i = 0; i < AUDIT_TYPE_COUNT; i++) {
		if (strcmp(audit_type_name((enum audit_type)i), name) == 0) {
			*type = (enum audit_type)i;
			return true;
		}
	}
	return false;
}

static bool parse_place(struct collected_record *record)
{
	const struct syslog_line *line = &record->line;
	const char *id = syslog_line_get(line, "jid"), *volume = syslog_line_get(line, "vol");
	uint64_t segment;

	if (!hex_decode(id, record->journal_id, AUDIT_ID_LEN) ||
	    !syslog_line_number(line, "seq", &record->seq) || record->seq == 0 ||
	    !syslog_line_number(line, "first", &record->first_seq) ||
	    !syslog_line_number(line, "seg", &segment) || segment == 0 || segment > UINT32_MAX)
		return false;
	if (record->first_seq == 0)
		record->first_seq = record->seq;
	record->segment = (uint32_t)segment;
	record->volume = volume == NULL ? "" : volume;
	record->wall_ns = line->wall_ns;
	record->is_cut = syslog_line_get(line, "trunc") != NULL;
	return record->first_seq <= record->seq && parse_type(line->message_id,
							      &record->event.type);
}

static void copy_to(char *to, size_t size, const struct syslog_line *line, const char *name)
{
	const char *text = syslog_line_get(line, name);

	snprintf(to, size, "%s", text == NULL ? "" : text);
}

static bool number32(const struct syslog_line *line, const char *name, uint32_t *number)
{
	uint64_t value;

	if (!syslog_line_number(line, name, &value) || value > UINT32_MAX)
		return false;
	*number = (uint32_t)value;
	return true;
}

static bool parse_person(struct collected_record *record)
{
	const struct syslog_line *line = &record->line;
	struct audit_person *person = &record->person;
	uint32_t pid = 0;

	*person = (struct audit_person){.login_uid = (uid_t)-1, .session = UINT32_MAX};
	if (syslog_line_get(line, "uid") == NULL)
		return true;
	if (!number32(line, "uid", &person->uid) || !number32(line, "pid", &pid) || pid > INT_MAX ||
	    (syslog_line_get(line, "auid") != NULL &&
	     !number32(line, "auid", &person->login_uid)) ||
	    (syslog_line_get(line, "sess") != NULL && !number32(line, "sess", &person->session)))
		return false;
	person->pid = (pid_t)pid;
	copy_to(person->user, sizeof(person->user), line, "user");
	copy_to(person->login_user, sizeof(person->login_user), line, "login");
	copy_to(person->exe, sizeof(person->exe), line, "exe");
	copy_to(person->from, sizeof(person->from), line, "from");
	copy_to(person->unit, sizeof(person->unit), line, "unit");
	record->event.person = person;
	return true;
}

static bool parse_event(struct collected_record *record)
{
	const struct syslog_line *line = &record->line;
	struct audit_event *event = &record->event;
	const char *outcome = syslog_line_get(line, "out"), *via = syslog_line_get(line, "via");
	uint32_t thread, rule;

	if (!syslog_line_number(line, "fh", &event->handle) ||
	    !syslog_line_number(line, "ino", &event->number) ||
	    !syslog_line_number(line, "off", &event->offset) ||
	    !syslog_line_number(line, "len", &event->length) ||
	    !syslog_line_number(line, "bytes", &event->bytes) ||
	    !number32(line, "n", &event->count) || !number32(line, "tid", &thread) ||
	    !number32(line, "rule", &rule) || thread > INT_MAX || rule > INT_MAX)
		return false;
	event->err = outcome == NULL || strcmp(outcome, "done") == 0 ? ERR_OK
								      : err_from_name(outcome);
	if (via != NULL)
		event->via = strcmp(via, "fill") == 0 ? AUDIT_VIA_FILL : AUDIT_VIA_WRITEBACK;
	event->thread = (pid_t)thread;
	event->rule = (int)rule;
	event->class_name = syslog_line_get(line, "class");
	event->new_class_name = syslog_line_get(line, "newclass");
	event->role = syslog_line_get(line, "role");
	event->action = syslog_line_get(line, "act");
	event->detail = syslog_line_get(line, "detail");
	event->path = syslog_line_get(line, "name");
	event->new_path = syslog_line_get(line, "newname");
	record->file_name = syslog_line_get(line, "file");
	record->path_name = syslog_line_get(line, "path");
	record->new_path_name = syslog_line_get(line, "newpath");
	record->patient_name = syslog_line_get(line, "pat");
	return parse_person(record);
}

static enum err open_path(struct collected *collected, const struct journal *journal,
			  struct collected_record *record, const char *name, char which,
			  char *path, const char **result)
{
	const char *sealed = syslog_line_get(&record->line, name);
	const uint8_t *key = find_key(journal, record->segment);
	enum err err;

	if (sealed == NULL)
		return ERR_OK;
	if (key == NULL) {
		record->is_path_closed = true;
		return ERR_OK;
	}
	err = message_open_path(collected->aead, key, journal->id, record->seq, which, sealed, path,
				BODY_PATH_MAX + 1);
	if (err == ERR_OK) {
		*result = path;
		record->has_opened = true;
	}
	return err;
}

enum err collected_line(struct collected *collected, const char *text, size_t len,
			struct collected_record *record)
{
	struct journal *journal;
	enum err err;

	memset(&record->event, 0, sizeof(record->event));
	record->is_path_closed = record->has_opened = false;
	err = syslog_line_parse(text, len, &record->line);
	if (err == ERR_OK && (!parse_place(record) || !parse_event(record)))
		err = ERR_FORMAT;
	if (err == ERR_OK)
		err = find_journal(collected, record, &journal);
	if (err == ERR_OK)
		err = check_seen(journal, record);
	if (err == ERR_OK && record->event.type == AUDIT_SEGMENT)
		err = take_box(collected, journal, record);
	if (err == ERR_OK)
		err = open_path(collected, journal, record, "sealed", 'o', record->path,
				&record->event.path);
	if (err == ERR_OK)
		err = open_path(collected, journal, record, "newsealed", 'n', record->new_path,
				&record->event.new_path);
	if (err != ERR_OK)
		return err;
	handles_complete(journal->handles, &record->event, &record->opener, record->handle_path,
			 sizeof(record->handle_path));
	return ERR_OK;
}

void collected_boxes(const struct collected *collected, uint64_t *segments, uint64_t *mine)
{
	*segments = collected->segments;
	*mine = collected->boxes;
}

void collected_gaps(const struct collected *collected, collected_gap *gap, void *ctx)
{
	for (const struct journal *journal = collected->journals; journal != NULL;
	     journal = journal->hh.next) {
		for (size_t i = 1; i < journal->seen.count; i++)
			gap(ctx, journal->volume, journal->id, journal->seen.list[i - 1].last + 1,
			    journal->seen.list[i].first - 1);
	}
}

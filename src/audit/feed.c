#include "audit/feed.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/message.h"
#include "audit/segment_file.h"
#include "base/secmem.h"

struct feed {
	struct audit *audit;
	struct position next;           /* the record to be rendered next */
	struct segment_reader *reader;
	struct segment_keys *keys;      /* secret memory */
	struct message_context context;
	struct body *body;
	uint8_t *plain;

	/* A run of reads or writes that is one message (coalesce). */
	struct message_record run;
	struct body *run_body;
	bool has_run;
};

bool trail_segment_key(struct audit *audit, uint32_t segment, uint8_t key[AUDIT_KEY_LEN])
{
	const uint8_t *found;

	pthread_mutex_lock(&audit->drain.lock);
	found = state_key(audit->state, segment);
	if (found != NULL)
		memcpy(key, found, AUDIT_KEY_LEN);
	pthread_mutex_unlock(&audit->drain.lock);
	return found != NULL;
}

static enum err load_keys(struct feed *f, uint32_t segment)
{
	uint8_t *key = secmem_alloc(AUDIT_KEY_LEN);
	enum err err = ERR_NOT_FOUND;

	if (key == NULL)
		return ERR_NO_MEMORY;
	if (trail_segment_key(f->audit, segment, key))
		err = segment_keys_derive(key, f->keys);
	secmem_free(key);
	return err;
}

static enum err open_segment(struct feed *f)
{
	enum err err = segment_reader_open(f->audit->dir_fd, f->next.segment, &f->reader);

	if (err == ERR_OK)
		err = load_keys(f, f->next.segment);
	if (err != ERR_OK) {
		segment_reader_close(f->reader);
		f->reader = NULL;
		return err;
	}
	if (f->next.offset == 0) {
		chain_add(&f->next.chain, f->reader->header_bytes, f->reader->header_len);
		f->next.offset = f->reader->header_len;
	}
	segment_reader_seek(f->reader, f->next.offset);
	f->context.segment = &f->reader->header;
	f->context.keys = f->keys;
	return ERR_OK;
}

static void close_segment(struct feed *f)
{
	segment_reader_close(f->reader);
	f->reader = NULL;
}

/* The next record, taken apart; ERR_NOT_FOUND: there is none yet. */
static enum err next_record(struct feed *f, const struct position *end,
			    struct message_record *record)
{
	struct record_header header;
	const uint8_t *raw;
	size_t len;
	enum err err;

	for (;;) {
		if (f->next.segment > end->segment)
			return ERR_NOT_FOUND;
		err = f->reader == NULL ? open_segment(f) : ERR_OK;
		if (err != ERR_OK)
			return err == ERR_NOT_FOUND ? ERR_IO : err;
		err = segment_reader_next(f->reader,
					  f->next.segment == end->segment ? end->offset
									  : SEGMENT_NO_LIMIT,
					  &header, &raw);
		if (err != ERR_NOT_FOUND || f->next.segment == end->segment)
			break;
		close_segment(f);
		f->next.segment++;
		f->next.offset = 0;
	}
	if (err == ERR_OK && header.type >= AUDIT_TYPE_COUNT)
		err = ERR_FORMAT;
	if (err == ERR_OK)
		err = record_open(f->context.aead, f->keys, &f->next.chain, &header, raw, f->plain,
				  &len);
	if (err != ERR_OK)
		return err;
	f->next.offset += header.len;
	*record = (struct message_record){.type = (enum audit_type)header.type,
					  .first_seq = header.seq,
					  .chain = f->next.chain,
					  .wall_ns = header.wall_ns};
	if (header.type == AUDIT_SEAL) {
		record->raw = raw;
		record->raw_len = header.len;
		return ERR_OK;
	}
	record->body = f->body;
	err = body_decode(record->type, f->plain, len, f->body);
	secmem_wipe(f->plain, len);
	return err;
}

/* Lines as they are put together. */
struct output {
	char *data;
	size_t len, size;
};

static void put_message(struct feed *f, const struct message_record *record, struct output *out)
{
	out->len += message_render(&f->context, record, out->data + out->len);
}

static void end_run(struct feed *f, struct output *out)
{
	if (!f->has_run)
		return;
	f->has_run = false;
	put_message(f, &f->run, out);
}

static bool may_join(const struct feed *f, const struct message_record *record)
{
	const struct audit_event *run = &f->run_body->event, *event = &f->body->event;

	return f->has_run && record->type == f->run.type && event->handle == run->handle &&
	       event->via == run->via && event->thread == run->thread &&
	       f->body->person.pid == f->run_body->person.pid &&
	       f->body->person.uid == f->run_body->person.uid;
}

static void join_run(struct feed *f, const struct message_record *record)
{
	struct audit_event *run = &f->run_body->event;
	const struct audit_event *event = &f->body->event;

	run->count = (run->count == 0 ? 1 : run->count) + (event->count == 0 ? 1 : event->count);
	run->length += event->length;
	run->bytes += event->bytes;
	f->run.chain = record->chain;
}

static void begin_run(struct feed *f, const struct message_record *record)
{
	struct body *body = f->run_body;

	/* The two bodies change places, so that pointers into them stay right. */
	f->run_body = f->body;
	f->body = body;
	f->run = *record;
	f->run.body = f->run_body;
	f->has_run = true;
}

static bool may_coalesce(const struct feed *f, const struct message_record *record)
{
	const struct audit_event *event = &f->body->event;

	return f->audit->config.coalesce &&
	       (record->type == AUDIT_READ || record->type == AUDIT_WRITE) &&
	       event->err == ERR_OK && event->handle != 0 && event->detail == NULL;
}

enum err feed_read(struct feed *f, const struct position *end, char *data, size_t size,
		   size_t *len)
{
	struct output out = {.data = data, .size = size};
	struct message_record record;
	enum err err = ERR_OK;

	/* Room for two: a run that ends, and the record that ends it. */
	while (out.len + 2 * (MESSAGE_MAX + 1) <= size) {
		err = next_record(f, end, &record);
		if (err != ERR_OK)
			break;
		if (may_coalesce(f, &record) && may_join(f, &record)) {
			join_run(f, &record);
			continue;
		}
		end_run(f, &out);
		if (may_coalesce(f, &record))
			begin_run(f, &record);
		else
			put_message(f, &record, &out);
	}
	/* Runs end with the batch: what is sent is whole up to the position. */
	end_run(f, &out);
	*len = out.len;
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

void feed_seek(struct feed *f, const struct position *position)
{
	close_segment(f);
	f->next = *position;
	f->has_run = false;
}

const struct position *feed_position(const struct feed *f)
{
	return &f->next;
}

void feed_free(struct feed *f)
{
	if (f == NULL)
		return;
	close_segment(f);
	secmem_free(f->keys);
	body_free(f->body);
	body_free(f->run_body);
	free(f->plain);
	handles_free(f->context.handles);
	aead_free(f->context.aead);
	free(f);
}

/* A host name of safe characters, as RFC 5424 6.2.4 wants it. */
static void set_host(struct message_context *context)
{
	char name[65] = "";

	if (gethostname(name, sizeof(name) - 1) < 0 || name[0] == '\0')
		strcpy(name, "-");
	for (char *c = name; *c != '\0'; c++) {
		if (*c <= ' ' || *c > '~')
			*c = '_';
	}
	strcpy(context->host, name);
}

static void set_context(struct message_context *context, struct audit *audit)
{
	context->sd_id = audit->config.sd_id != NULL ? audit->config.sd_id : "phifs@32473";
	context->volume = audit->config.volume;
	context->journal_id = audit->identity.journal_id;
	context->plain_names = audit->config.plain_names;
	context->mountpoint = audit->config.mountpoint;
	context->pid = (int)getpid();
	context->pseudonym_key = audit->state->pseudonym_key;
	context->handles = handles_new(false);
	set_host(context);
}

enum err feed_new(struct audit *audit, struct feed **out)
{
	struct feed *f = calloc(1, sizeof(*f));
	enum err err;

	if (f == NULL)
		return ERR_NO_MEMORY;
	f->audit = audit;
	set_context(&f->context, audit);
	f->keys = secmem_alloc(sizeof(*f->keys));
	f->body = body_new();
	f->run_body = body_new();
	f->plain = malloc(BODY_MAX);
	err = aead_new(&f->context.aead);
	if (err == ERR_OK && (f->context.handles == NULL || f->keys == NULL || f->body == NULL ||
			      f->run_body == NULL || f->plain == NULL))
		err = ERR_NO_MEMORY;
	if (err != ERR_OK) {
		feed_free(f);
		return err;
	}
	/* Goes on reading while the volume locks. */
	aead_exempt(f->context.aead);
	*out = f;
	return ERR_OK;
}

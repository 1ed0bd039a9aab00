#include "audit/body.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/secmem.h"

/* Which part of the event a field lives in. */
enum place { IN_EVENT, IN_PERSON };

enum kind {
	NUMBER,  /* unsigned, as a varint */
	SIGNED,  /* zigzag varint */
	PLUS_ONE,/* unsigned 32 bits whose largest value means "unset" */
	POINTER, /* const char * */
	ARRAY,   /* char[size] with a NUL */
	OBJECT   /* pointer to OBJECT_ID_LEN bytes */
};

struct field {
	enum place place;
	enum kind kind;
	uint16_t offset;
	uint16_t size; /* of the number, of the array; POINTER: the limit */
	bool is_brief; /* kept in READ and WRITE */
};

#define EVENT_FIELD(kind, member, brief)                                                          \
	{IN_EVENT, kind, offsetof(struct audit_event, member),                                    \
	 sizeof(((struct audit_event *)0)->member), brief}
#define EVENT_TEXT(member, limit, brief)                                                          \
	{IN_EVENT, POINTER, offsetof(struct audit_event, member), limit, brief}
#define PERSON_FIELD(kind, member, brief)                                                         \
	{IN_PERSON, kind, offsetof(struct audit_person, member),                                  \
	 sizeof(((struct audit_person *)0)->member), brief}

/* The bit of a field is its index: only append.  Bits 29 to 31 are flags. */
static const struct field fields[] = {
	EVENT_FIELD(SIGNED, err, true),
	EVENT_FIELD(NUMBER, thread, true),
	EVENT_FIELD(NUMBER, handle, true),
	EVENT_FIELD(NUMBER, number, true),
	EVENT_FIELD(OBJECT, object_id, true),
	EVENT_TEXT(path, BODY_PATH_MAX, false),
	EVENT_TEXT(new_path, BODY_PATH_MAX, false),
	EVENT_FIELD(NUMBER, patient, false),
	EVENT_TEXT(class_name, 64, false),
	EVENT_TEXT(new_class_name, 64, false),
	EVENT_TEXT(role, 64, false),
	EVENT_FIELD(NUMBER, rule, false),
	EVENT_TEXT(action, 16, false),
	EVENT_FIELD(NUMBER, offset, true),
	EVENT_FIELD(NUMBER, length, true),
	EVENT_FIELD(NUMBER, bytes, true),
	EVENT_FIELD(NUMBER, via, true),
	EVENT_FIELD(NUMBER, count, true),
	EVENT_TEXT(detail, BODY_TEXT_MAX, true),
	PERSON_FIELD(NUMBER, uid, true),
	PERSON_FIELD(PLUS_ONE, login_uid, false),
	PERSON_FIELD(PLUS_ONE, session, false),
	PERSON_FIELD(NUMBER, pid, true),
	PERSON_FIELD(ARRAY, user, false),
	PERSON_FIELD(ARRAY, login_user, false),
	PERSON_FIELD(ARRAY, exe, false),
	PERSON_FIELD(ARRAY, from, false),
	PERSON_FIELD(ARRAY, unit, false),
};
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))
_Static_assert(FIELD_COUNT <= 29, "bits 29 to 31 are flags");

#define BIT_BOOT_TIME  (1u << 29)
#define BIT_PERSON     (1u << 30)
#define BIT_CUT        (1u << 31)

static void put_varint(struct writer *w, uint64_t value)
{
	while (value >= 0x80) {
		writer_u8(w, (uint8_t)(value | 0x80));
		value >>= 7;
	}
	writer_u8(w, (uint8_t)value);
}

/* Fails on more than 64 bits and on a needless last byte: one value, one form. */
static uint64_t get_varint(struct reader *r)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = reader_u8(r);

		if ((shift == 63 && byte > 1) || (shift > 0 && byte == 0))
			break;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return value;
	}
	r->failed = true;
	return 0;
}

static uint64_t load_number(const void *from, size_t size)
{
	uint64_t value64 = 0;
	uint32_t value32;

	if (size == 1)
		return *(const uint8_t *)from;
	if (size == 4) {
		memcpy(&value32, from, 4);
		return value32;
	}
	memcpy(&value64, from, 8);
	return value64;
}

/* False if the value does not fit. */
static bool store_number(void *to, size_t size, uint64_t value)
{
	uint32_t value32 = (uint32_t)value;
	uint8_t value8 = (uint8_t)value;

	if (size == 8)
		memcpy(to, &value, 8);
	else if (size == 4)
		memcpy(to, &value32, 4);
	else
		memcpy(to, &value8, 1);
	return size == 8 || (size == 4 ? value <= UINT32_MAX : value <= UINT8_MAX);
}

static const void *member_of(const struct audit_event *event, const struct field *field)
{
	const void *base = field->place == IN_EVENT ? (const void *)event : event->person;

	return base == NULL ? NULL : (const char *)base + field->offset;
}

static const char *text_of(const void *member, const struct field *field)
{
	const char *text = member;

	if (field->kind == POINTER)
		memcpy(&text, member, sizeof(text));
	return text;
}

/* Paths lose their front, other texts their end. */
static void put_text(struct writer *w, const char *text, const struct field *field, uint32_t *bits)
{
	size_t limit = field->kind == ARRAY ? field->size - 1u : field->size;
	size_t len = field->kind == ARRAY ? strnlen(text, limit) : strlen(text);

	if (len > limit) {
		*bits |= BIT_CUT;
		if (limit == BODY_PATH_MAX)
			text += len - limit;
		len = limit;
	}
	put_varint(w, len);
	writer_bytes(w, text, len);
}

static uint32_t put_field(struct writer *w, const void *member, const struct field *field)
{
	uint32_t bits = 0;
	const uint8_t *object;
	const char *text;
	uint64_t number;

	switch (field->kind) {
	case POINTER:
	case ARRAY:
		text = text_of(member, field);
		if (text == NULL || *text == '\0')
			return 0;
		put_text(w, text, field, &bits);
		break;
	case OBJECT:
		memcpy(&object, member, sizeof(object));
		if (object == NULL)
			return 0;
		writer_bytes(w, object, OBJECT_ID_LEN);
		break;
	default:
		number = load_number(member, field->size);
		if (field->kind == PLUS_ONE)
			number = (uint32_t)(number + 1);
		else if (field->kind == SIGNED)
			number = (uint32_t)((number << 1) ^ (uint32_t)((int32_t)number >> 31));
		if (number == 0)
			return 0;
		put_varint(w, number);
	}
	return bits | 1;
}

static bool is_brief(enum audit_type type)
{
	return type == AUDIT_READ || type == AUDIT_WRITE;
}

size_t body_encode(const struct audit_event *event, int64_t boot_us, uint8_t *out, size_t size)
{
	struct writer w;
	uint32_t bits = BIT_BOOT_TIME;

	writer_init(&w, out, size);
	writer_u32(&w, 0);
	put_varint(&w, (uint64_t)boot_us);
	if (event->person != NULL)
		bits |= BIT_PERSON;
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const void *member = member_of(event, &fields[i]);
		uint32_t done;

		if (member == NULL || (is_brief(event->type) && !fields[i].is_brief))
			continue;
		done = put_field(&w, member, &fields[i]);
		bits |= (done & BIT_CUT) | ((done & 1) << i);
	}
	store_u32(out, bits);
	return w.len;
}

static const char *get_text(struct reader *r, size_t limit, struct body *body, size_t *used)
{
	uint64_t len = get_varint(r);
	const uint8_t *data;
	char *text = body->texts + *used;

	if (len == 0 || len > limit || len + 1 > sizeof(body->texts) - *used)
		r->failed = true;
	data = reader_view(r, r->failed ? 0 : (size_t)len);
	if (r->failed || memchr(data, '\0', (size_t)len) != NULL) {
		r->failed = true;
		return NULL;
	}
	memcpy(text, data, (size_t)len);
	text[len] = '\0';
	*used += (size_t)len + 1;
	return text;
}

static void get_number(struct reader *r, const struct field *field, void *member)
{
	uint64_t number = get_varint(r);

	if (number == 0 || (field->kind != NUMBER && number > UINT32_MAX))
		r->failed = true;
	if (field->kind == PLUS_ONE)
		number = (uint32_t)(number - 1);
	else if (field->kind == SIGNED)
		number = (uint32_t)(number >> 1) ^ (uint32_t) - (int32_t)(number & 1);
	if (!store_number(member, field->size, number))
		r->failed = true;
}

static void get_field(struct reader *r, const struct field *field, struct body *body, size_t *used)
{
	char *member = (field->place == IN_EVENT ? (char *)&body->event : (char *)&body->person) +
		       field->offset;
	const uint8_t *object = body->object_id;
	const char *text;

	switch (field->kind) {
	case POINTER:
		text = get_text(r, field->size, body, used);
		memcpy(member, &text, sizeof(text));
		break;
	case ARRAY:
		text = get_text(r, field->size - 1u, body, used);
		if (text != NULL)
			memcpy(member, text, strlen(text) + 1);
		break;
	case OBJECT:
		reader_bytes(r, body->object_id, OBJECT_ID_LEN);
		memcpy(member, &object, sizeof(object));
		break;
	default:
		get_number(r, field, member);
	}
}

enum err body_decode(enum audit_type type, const uint8_t *data, size_t len, struct body *body)
{
	struct reader r;
	uint32_t bits;
	size_t used = 0;

	memset(body, 0, offsetof(struct body, texts));
	body->event.type = type;
	body->person.login_uid = (uid_t)-1;
	body->person.session = UINT32_MAX;
	reader_init(&r, data, len);
	bits = reader_u32(&r);
	if ((bits & BIT_BOOT_TIME) == 0)
		return ERR_FORMAT;
	body->boot_us = (int64_t)get_varint(&r);
	body->is_cut = (bits & BIT_CUT) != 0;
	if ((bits & BIT_PERSON) != 0)
		body->event.person = &body->person;
	for (size_t i = 0; i < 29; i++) {
		if ((bits & (1u << i)) == 0)
			continue;
		if (i >= FIELD_COUNT || (fields[i].place == IN_PERSON && (bits & BIT_PERSON) == 0))
			return ERR_FORMAT;
		get_field(&r, &fields[i], body, &used);
	}
	return reader_done(&r) ? ERR_OK : ERR_FORMAT;
}

struct body *body_new(void)
{
	return calloc(1, sizeof(struct body));
}

void body_free(struct body *body)
{
	if (body == NULL)
		return;
	secmem_wipe(body, sizeof(*body));
	free(body);
}

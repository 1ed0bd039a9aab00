#include "wire/message.h"

#include <inttypes.h>
#include <json-c/printbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secmem.h"

/* An object in an object is the deepest that any message has. */
#define JSON_DEPTH 3

enum field_kind { KIND_NUMBER, KIND_SWITCH, KIND_TEXT };
struct field {
	const char *name;
	enum field_kind kind;
	size_t offset;
	size_t size; /* TEXT: of the array, with its NUL */
};
struct message {
	const char *name;
	const struct field *fields;
	size_t size;
};

#define MESSAGE(tag)          static const struct field fields_##tag[] = {
#define NUMBER(tag, name)     {#name, KIND_NUMBER, offsetof(struct wire_##tag, name), 0},
#define SWITCH(tag, name)     {#name, KIND_SWITCH, offsetof(struct wire_##tag, name), 0},
#define TEXT(tag, name, size) {#name, KIND_TEXT, offsetof(struct wire_##tag, name), size},
#define END(tag)              {NULL, KIND_NUMBER, 0, 0}};
#include "wire/messages.def"
#undef MESSAGE
#undef NUMBER
#undef SWITCH
#undef TEXT
#undef END

#define MESSAGE(tag)          static const struct message message_##tag = { \
	#tag, fields_##tag, sizeof(struct wire_##tag)};
#define NUMBER(tag, name)
#define SWITCH(tag, name)
#define TEXT(tag, name, size)
#define END(tag)
#include "wire/messages.def"
#undef MESSAGE
#undef NUMBER
#undef SWITCH
#undef TEXT
#undef END

struct request_row {
	const char *word;
	const struct message *request, *part;
	bool takes_secret;
};
/* The members of a union share their address: any of them gives it. */
#define REQUEST_DATA(request) ((void *)&(request)->status)
#define PART_DATA(reply)      ((void *)&(reply)->status)

static const struct request_row request_rows[WIRE_TYPE_COUNT] = {
#define REQUEST(id, word, request, part, secret) \
	[WIRE_##id] = {#word, &message_##request, &message_##part, secret},
#include "wire/requests.def"
#undef REQUEST
};

const char *wire_type_name(enum wire_type type)
{
	return (unsigned int)type < WIRE_TYPE_COUNT ? request_rows[type].word : NULL;
}

bool wire_takes_secret(enum wire_type type)
{
	return (unsigned int)type < WIRE_TYPE_COUNT && request_rows[type].takes_secret;
}

void wire_request_clear(struct wire_request *request)
{
	secmem_free(request->secret);
	request->secret = NULL;
	request->secret_len = 0;
}

/* --- text ------------------------------------------------------------------------ */

/*
 * Messages are written by hand into one buffer: they may hold names of files,
 * and json-c leaves copies behind that nobody can wipe.  Paths and names are
 * bytes, JSON is UTF-8: everything but printable ASCII, and '%' itself, travels as
 * %xx.  So does the single quote: json-c takes it for a double one around names,
 * and open_envelope can then refuse it everywhere; and what JSON would escape.
 */
static size_t append_text(char *at, const char *text, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	size_t len = strnlen(text, size - 1), used = 0;

	at[used++] = '"';
	for (size_t i = 0; i < len; i++) {
		unsigned char byte = (unsigned char)text[i];

		if (byte >= 0x20 && byte < 0x7f && strchr("%'\"\\", byte) == NULL) {
			at[used++] = (char)byte;
			continue;
		}
		at[used++] = '%';
		at[used++] = digits[byte >> 4];
		at[used++] = digits[byte & 15];
	}
	at[used++] = '"';
	return used;
}

static int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static enum err text_from_json(struct json_object *object, char *text, size_t size)
{
	const char *escaped = json_object_get_string(object);
	size_t len = (size_t)json_object_get_string_len(object), used = 0;

	for (size_t i = 0; i < len; i++) {
		int byte = (unsigned char)escaped[i];

		if (byte < 0x20 || byte >= 0x7f || used + 1 >= size)
			return ERR_FORMAT;
		if (byte == '%') {
			if (len - i < 3 || hex_value(escaped[i + 1]) < 0 ||
			    hex_value(escaped[i + 2]) < 0)
				return ERR_FORMAT;
			byte = hex_value(escaped[i + 1]) << 4 | hex_value(escaped[i + 2]);
			i += 2;
		}
		if (byte == 0)
			return ERR_FORMAT;
		text[used++] = (char)byte;
	}
	memset(text + used, 0, size - used);
	return ERR_OK;
}

/* --- structs ----------------------------------------------------------------------- */

static bool is_zero(const struct field *field, const uint8_t *place)
{
	switch (field->kind) {
	case KIND_NUMBER:
		return *(const int64_t *)(const void *)place == 0;
	case KIND_SWITCH:
		return !*(const bool *)(const void *)place;
	case KIND_TEXT:
		return *place == '\0';
	}
	return true;
}

static struct json_object *field_to_json(const struct field *field, const uint8_t *place)
{
	const char *text = (const char *)place;

	switch (field->kind) {
	case KIND_NUMBER:
		return json_object_new_int64(*(const int64_t *)(const void *)place);
	case KIND_SWITCH:
		return json_object_new_boolean(*(const bool *)(const void *)place);
	case KIND_TEXT:
		return json_object_new_string_len(text, (int)strnlen(text, field->size - 1));
	}
	return NULL;
}

/* For people's scripts: every field, and text as it is. */
static struct json_object *struct_to_json(const struct message *message, const void *data)
{
	struct json_object *object = json_object_new_object();

	for (const struct field *field = message->fields; field->name != NULL; field++) {
		const uint8_t *place = (const uint8_t *)data + field->offset;
		struct json_object *value;

		if (object == NULL)
			continue;
		value = field_to_json(field, place);
		if (value == NULL || json_object_object_add(object, field->name, value) != 0) {
			json_object_put(value);
			json_object_put(object);
			object = NULL;
		}
	}
	return object;
}

static size_t append_value(char *at, const struct field *field, const uint8_t *place)
{
	switch (field->kind) {
	case KIND_NUMBER:
		return (size_t)sprintf(at, "%" PRId64, *(const int64_t *)(const void *)place);
	case KIND_SWITCH:
		return (size_t)sprintf(at, "true"); /* false is zero, and left out */
	case KIND_TEXT:
		return append_text(at, (const char *)place, field->size);
	}
	return 0;
}

static enum err field_from_json(const struct field *field, struct json_object *value,
				uint8_t *place)
{
	enum json_type type = json_object_get_type(value);

	switch (field->kind) {
	case KIND_NUMBER:
		if (type != json_type_int ||
		    (json_object_get_int64(value) > 0 &&
		     json_object_get_uint64(value) > (uint64_t)INT64_MAX))
			return ERR_FORMAT;
		*(int64_t *)(void *)place = json_object_get_int64(value);
		return ERR_OK;
	case KIND_SWITCH:
		if (type != json_type_boolean)
			return ERR_FORMAT;
		*(bool *)(void *)place = json_object_get_boolean(value);
		return ERR_OK;
	case KIND_TEXT:
		return type == json_type_string
			       ? text_from_json(value, (char *)place, field->size)
			       : ERR_FORMAT;
	}
	return ERR_FORMAT;
}

static const struct field *find_field(const struct message *message, const char *name)
{
	for (const struct field *field = message->fields; field->name != NULL; field++)
		if (strcmp(field->name, name) == 0)
			return field;
	return NULL;
}

static enum err struct_from_json(const struct message *message, struct json_object *object,
				 void *data)
{
	if (json_object_get_type(object) != json_type_object)
		return ERR_FORMAT;
	memset(data, 0, message->size);
	json_object_object_foreach(object, name, value) {
		const struct field *field = find_field(message, name);
		enum err err = ERR_FORMAT;

		if (field != NULL)
			err = field_from_json(field, value, (uint8_t *)data + field->offset);
		if (err != ERR_OK)
			return err;
	}
	return ERR_OK;
}

/* --- envelopes: an object with one word ---------------------------------------------- */

/* Of any message of this kind: names, quotes, numbers, and texts at three bytes a byte. */
static size_t longest(const char *word, const struct message *message)
{
	size_t len = strlen(word) + sizeof("{'':{}}");

	for (const struct field *field = message->fields; field->name != NULL; field++)
		len += strlen(field->name) + sizeof(",'':''") +
		       (field->kind == KIND_TEXT ? 3 * field->size : sizeof("-9223372036854775808"));
	return len;
}

static enum err encode(const char *word, const struct message *message, const void *data,
		       char **json, size_t *len)
{
	char *text = malloc(longest(word, message));
	const char *comma = "";
	size_t used;

	if (text == NULL)
		return ERR_NO_MEMORY;
	used = (size_t)sprintf(text, "{\"%s\":{", word);
	for (const struct field *field = message->fields; field->name != NULL; field++) {
		const uint8_t *place = (const uint8_t *)data + field->offset;

		if (is_zero(field, place))
			continue;
		used += (size_t)sprintf(text + used, "%s\"%s\":", comma, field->name);
		used += append_value(text + used, field, place);
		comma = ",";
	}
	used += (size_t)sprintf(text + used, "}}");
	if (used > WIRE_JSON_MAX) {
		secmem_wipe(text, used);
		free(text);
		return ERR_TOO_LARGE;
	}
	*json = text;
	*len = used;
	return ERR_OK;
}

/* What was parsed may be names of files. */
static void wipe_and_put(struct json_object *object)
{
	if (object == NULL)
		return;
	if (json_object_get_type(object) == json_type_string)
		secmem_wipe((char *)(uintptr_t)json_object_get_string(object),
			    (size_t)json_object_get_string_len(object));
	else if (json_object_get_type(object) == json_type_object) {
		json_object_object_foreach(object, name, value) {
			(void)name;
			wipe_and_put(json_object_get(value));
		}
	}
	json_object_put(object);
}

static void wipe_and_free(struct json_tokener *tokener)
{
	secmem_wipe(tokener->pb->buf, (size_t)tokener->pb->size);
	json_tokener_free(tokener);
}

/* Exactly one word with an object; nothing behind it.  `*outer` is the caller's. */
static enum err open_envelope(const char *json, size_t len, struct json_object **outer,
			      const char **word, struct json_object **inner)
{
	struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH);
	struct json_object *object = NULL;
	enum err err = ERR_FORMAT;

	if (tokener == NULL)
		return ERR_NO_MEMORY;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	if (len <= WIRE_JSON_MAX && memchr(json, '\0', len) == NULL &&
	    memchr(json, '\'', len) == NULL)
		object = json_tokener_parse_ex(tokener, json, (int)len);
	if (object != NULL && json_tokener_get_error(tokener) == json_tokener_success &&
	    json_tokener_get_parse_end(tokener) == len &&
	    json_object_get_type(object) == json_type_object &&
	    json_object_object_length(object) == 1) {
		struct json_object_iterator first = json_object_iter_begin(object);

		*word = json_object_iter_peek_name(&first);
		*inner = json_object_iter_peek_value(&first);
		*outer = object;
		object = NULL;
		err = ERR_OK;
	}
	wipe_and_put(object);
	wipe_and_free(tokener);
	return err;
}

enum err wire_encode_request(const struct wire_request *request, char **json, size_t *len)
{
	const struct request_row *row;

	if (wire_type_name(request->type) == NULL)
		return ERR_INVALID;
	row = &request_rows[request->type];
	return encode(row->word, row->request, REQUEST_DATA(request), json, len);
}

enum err wire_decode_request(const char *json, size_t len, struct wire_request *request)
{
	struct json_object *outer = NULL, *inner;
	const char *word;
	enum err err = open_envelope(json, len, &outer, &word, &inner);

	if (err != ERR_OK)
		return err;
	err = ERR_FORMAT;
	for (size_t i = 0; i < WIRE_TYPE_COUNT; i++) {
		const struct request_row *row = &request_rows[i];

		if (strcmp(row->word, word) != 0)
			continue;
		memset(request, 0, sizeof(*request));
		request->type = (enum wire_type)i;
		err = struct_from_json(row->request, inner, REQUEST_DATA(request));
		break;
	}
	wipe_and_put(outer);
	return err;
}

enum err wire_encode_part(enum wire_type type, const void *part, char **json, size_t *len)
{
	if (wire_type_name(type) == NULL)
		return ERR_INVALID;
	return encode("part", request_rows[type].part, part, json, len);
}

enum err wire_encode_result(const struct wire_result *result, char **json, size_t *len)
{
	return encode("result", &message_result, result, json, len);
}

enum err wire_decode_reply(enum wire_type type, const char *json, size_t len,
			   struct wire_reply *reply)
{
	struct json_object *outer = NULL, *inner;
	const char *word;
	enum err err;

	if (wire_type_name(type) == NULL)
		return ERR_INVALID;
	if ((err = open_envelope(json, len, &outer, &word, &inner)) != ERR_OK)
		return err;
	reply->is_result = strcmp(word, "result") == 0;
	if (reply->is_result)
		err = struct_from_json(&message_result, inner, &reply->result);
	else if (strcmp(word, "part") == 0)
		err = struct_from_json(request_rows[type].part, inner, PART_DATA(reply));
	else
		err = ERR_FORMAT;
	wipe_and_put(outer);
	return err;
}

struct json_object *wire_part_to_json(enum wire_type type, const void *part)
{
	return wire_type_name(type) != NULL ? struct_to_json(request_rows[type].part, part)
					    : NULL;
}

/* --- the list ---------------------------------------------------------------------- */

static void list_message(const struct message *message, wire_field_each *each, void *ctx)
{
	for (const struct field *field = message->fields; field->name != NULL; field++)
		each(ctx, message->name, field->name);
}

void wire_list_fields(wire_field_each *each, void *ctx)
{
	static const struct message *const all[] = {
#define MESSAGE(tag) &message_##tag,
#define NUMBER(tag, name)
#define SWITCH(tag, name)
#define TEXT(tag, name, size)
#define END(tag)
#include "wire/messages.def"
#undef MESSAGE
#undef NUMBER
#undef SWITCH
#undef TEXT
#undef END
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		list_message(all[i], each, ctx);
}

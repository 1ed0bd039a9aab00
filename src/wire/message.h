/*
 * The control protocol between tools and daemon: bytes <-> structs.
 *
 * A frame is two 32-bit little-endian lengths, a JSON object of the first
 * length, and a secret (passphrase or key file) of the second.  The secret
 * never passes through the JSON library, whose memory is not wiped: it goes
 * from the socket into locked memory and nowhere else.
 *
 * One connection carries requests one after another; each is answered by any
 * number of parts and one result.  PROTOCOL.md shows it byte by byte.
 *
 * The codec is strict: unknown words, unknown fields, wrong types, values that
 * do not fit and anything behind the object are ERR_FORMAT.  No locks.
 */
#ifndef PHIFS_WIRE_MESSAGE_H
#define PHIFS_WIRE_MESSAGE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define WIRE_JSON_MAX   (64u << 10) /* bytes of one frame's JSON */
#define WIRE_SECRET_MAX 4096u       /* bytes of one frame's secret */
#define WIRE_HEADER_LEN 8u

/* struct wire_status, struct wire_unlock_request ... */
#define MESSAGE(tag)          struct wire_##tag {
#define NUMBER(tag, name)     int64_t name;
#define SWITCH(tag, name)     bool name;
#define TEXT(tag, name, size) char name[size];
#define END(tag)              };
#include "wire/messages.def"
#undef MESSAGE
#undef NUMBER
#undef SWITCH
#undef TEXT
#undef END

enum wire_type {
#define REQUEST(id, word, request, part, secret) WIRE_##id,
#include "wire/requests.def"
#undef REQUEST
	WIRE_TYPE_COUNT
};
/* "unlock"; NULL for a number that is none. */
const char *wire_type_name(enum wire_type type);

struct wire_request {
	enum wire_type type;
	union {
#define REQUEST(id, word, request, part, secret) struct wire_##request word;
#include "wire/requests.def"
#undef REQUEST
	};
	uint8_t *secret; /* secmem; NULL if there is none */
	size_t secret_len;
};

/* What a reply frame holds: a part of the request's kind, or the result. */
struct wire_reply {
	bool is_result;
	struct wire_result result;
	union {
#define REQUEST(id, word, request, part, secret) struct wire_##part word;
#include "wire/requests.def"
#undef REQUEST
	};
};

/* Wipe and free the secret; harmless on zeroes. */
void wire_request_clear(struct wire_request *request);

/*
 * JSON text <-> struct.  Encoded text is malloc'd, NUL-terminated and the
 * caller's.  Decoding takes a request's JSON only: the secret is the frame's.
 */
enum err wire_encode_request(const struct wire_request *request, char **json,
			     size_t *len) MUST_CHECK;
enum err wire_decode_request(const char *json, size_t len, struct wire_request *request) MUST_CHECK;
/* `part` is the struct that requests.def names for `type`. */
enum err wire_encode_part(enum wire_type type, const void *part, char **json,
			  size_t *len) MUST_CHECK;
enum err wire_encode_result(const struct wire_result *result, char **json, size_t *len) MUST_CHECK;
enum err wire_decode_reply(enum wire_type type, const char *json, size_t len,
			   struct wire_reply *reply) MUST_CHECK;

/* Does this kind of request carry a secret? */
bool wire_takes_secret(enum wire_type type);

/*
 * All fields of a part as a JSON object with plain text, for a tool's --json;
 * the caller's reference.  NULL: out of memory.
 */
struct json_object *wire_part_to_json(enum wire_type type, const void *part);

/* Calls `each` for every field of every message: for the documentation's test. */
typedef void wire_field_each(void *ctx, const char *message, const char *field);
void wire_list_fields(wire_field_each *each, void *ctx);

#endif

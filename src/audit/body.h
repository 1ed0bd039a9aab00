/*
 * The body of an audit record: struct audit_event <-> bytes, before encryption
 * and after.  Pure; FORMAT.md "Bodies".
 *
 * READ and WRITE are by far the most frequent: their bodies leave out every
 * text that the OPEN record of their handle has already given, so that such a
 * record stays below 128 bytes on disk.
 */
#ifndef PHIFS_AUDIT_BODY_H
#define PHIFS_AUDIT_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/audit.h"
#include "base/err.h"

#define BODY_PATH_MAX   4096 /* longer paths lose their front */
#define BODY_TEXT_MAX   1024
#define BODY_MAX        12288 /* more than all fields at their limits */
#define OBJECT_ID_LEN   16

/* A decoded body; the event's pointers lead into the struct itself. */
struct body {
	struct audit_event event;
	struct audit_person person;
	uint8_t object_id[OBJECT_ID_LEN];
	int64_t boot_us;        /* microseconds since boot */
	bool is_cut;            /* a text was longer than its limit */
	char texts[BODY_MAX];
};

/*
 * Encode `event` as it happened at `boot_us`; `size` must be at least BODY_MAX.
 * Returns the length.
 */
size_t body_encode(const struct audit_event *event, int64_t boot_us, uint8_t *out, size_t size);

/* ERR_FORMAT unless `data` is exactly one well-formed body. */
enum err body_decode(enum audit_type type, const uint8_t *data, size_t len,
		     struct body *body) MUST_CHECK;

/* A struct body is 12 KiB; these two keep its pointers right when it moves. */
struct body *body_new(void);
void body_free(struct body *body);

#endif

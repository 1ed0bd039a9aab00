/*
 * A record as an RFC 5424 message: one line of at most MESSAGE_MAX bytes with
 * all fields as structured data.  FORMAT.md "Audit journal, forwarded
 * messages" lists the parameters.
 */
#ifndef PHIFS_AUDIT_MESSAGE_H
#define PHIFS_AUDIT_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/body.h"
#include "audit/handles.h"
#include "audit/segment.h"

#define MESSAGE_MAX 2048 /* what RFC 5424 6.1 asks every receiver to take */

/* What all messages of a forwarder share. */
struct message_context {
	const char *sd_id, *volume;
	const uint8_t *journal_id;
	bool plain_names;
	const char *mountpoint; /* or NULL */
	char host[256];
	int pid;
	struct aead *aead;
	struct handles *handles;
	const uint8_t *pseudonym_key;
	/* of the segment at hand */
	const struct segment_header *segment;
	const struct segment_keys *keys;
};

/* A record with its place in the chain; `first_seq` < seq if it stands for a run. */
struct message_record {
	enum audit_type type;
	uint64_t first_seq;
	struct chain chain;     /* after the record */
	int64_t wall_ns;
	const struct body *body;        /* NULL for seals */
	const uint8_t *raw;     /* seals: the whole record */
	size_t raw_len;
};

/*
 * Writes the line, ended by a newline, and learns from it what READ and WRITE
 * will need; returns its length.  What does not fit is left out and trunc="1"
 * says so.
 */
size_t message_render(struct message_context *context, const struct message_record *record,
		      char out[MESSAGE_MAX + 1]);

/* Sealed paths: base64 of nonce, ciphertext and tag. */
#define SEALED_PATH_MAX 880 /* longest base64 text of one path */
bool message_seal_path(struct aead *aead, const struct segment_keys *keys,
		       const uint8_t journal_id[AUDIT_ID_LEN], uint64_t seq, char which,
		       const char *path, size_t max, char *out, bool *is_cut);
/* ERR_TAMPERED, ERR_FORMAT; `path` gets a NUL. */
enum err message_open_path(struct aead *aead, const uint8_t path_key[AUDIT_KEY_LEN],
			   const uint8_t journal_id[AUDIT_ID_LEN], uint64_t seq, char which,
			   const char *text, char *path, size_t size) MUST_CHECK;

int audit_type_severity(enum audit_type type);
/* Whether messages of this type carry the path sealed. */
bool audit_type_seals_path(enum audit_type type);

#endif

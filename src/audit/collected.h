/*
 * What a collector has: messages back to events, without the volume and its
 * host.  Messages that came twice are recognised by (journal id, sequence),
 * those that did not come leave gaps.  What a message says is believed as far
 * as the collector is: only the sealed paths are authenticated.  Not locked.
 */
#ifndef PHIFS_AUDIT_COLLECTED_H
#define PHIFS_AUDIT_COLLECTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/auditor_key.h"
#include "audit/body.h"
#include "audit/pseudonym.h"
#include "audit/syslog_line.h"

#define COLLECTED_JOURNALS_MAX 256  /* in one set of files */
#define COLLECTED_RECENT       65536 /* records of a journal whose hash is remembered */

struct collected_record {
	struct syslog_line line;        /* what the texts point into */
	const char *volume;             /* never NULL */
	uint8_t journal_id[AUDIT_ID_LEN];
	uint32_t segment;
	uint64_t first_seq, seq;        /* first_seq < seq: a run in one message */
	int64_t wall_ns;
	struct audit_event event;       /* of the type only, for SEAL and SEGMENT */
	/* Pseudonyms, NULL if the message has none. */
	const char *file_name, *path_name, *new_path_name, *patient_name;
	bool is_path_closed;            /* there is a sealed path, and no key that opens it */
	bool is_overlapping;            /* a run of which some came before */
	bool is_cut;                    /* something did not fit into the message */
	bool has_opened;                /* `path` was authenticated */

	struct audit_person person, opener;
	char path[BODY_PATH_MAX + 1], new_path[BODY_PATH_MAX + 1], handle_path[BODY_PATH_MAX + 1];
};

struct collected;

/* `key` NULL: paths stay sealed.  It must live as long as the result. */
enum err collected_new(const struct auditor_key *key, struct collected **collected) MUST_CHECK;
void collected_free(struct collected *collected);

/*
 * The next line, without its newline.  ERR_NOT_FOUND: not of phifs;
 * ERR_EXISTS: came before; ERR_FORMAT, ERR_VERSION; ERR_TAMPERED: a sealed path
 * does not verify; ERR_ROLLBACK: came before, and said something else (as far as
 * the last COLLECTED_RECENT records are concerned): the host went back to an
 * older state and took another way; ERR_FULL: too many journals, or gaps, to
 * keep track of.
 */
enum err collected_line(struct collected *collected, const char *text, size_t len,
			struct collected_record *record) MUST_CHECK;

/*
 * SEGMENT messages that came, and those of them with a box for the key: boxes for
 * others only means that the key is none of the volume's auditors'.
 */
void collected_boxes(const struct collected *collected, uint64_t *segments, uint64_t *mine);

/* Called for each range of records that is missing between two that are there. */
typedef void collected_gap(void *ctx, const char *volume, const uint8_t journal_id[AUDIT_ID_LEN],
			   uint64_t first, uint64_t last);
void collected_gaps(const struct collected *collected, collected_gap *gap, void *ctx);

#endif

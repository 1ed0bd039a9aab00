/*
 * Pseudonyms: what stands for a file, a path or a patient in messages that
 * leave the host.  Keyed, so that nobody without the key can try names; the
 * same for the life of the journal, so that a collector can search for them.
 */
#ifndef PHIFS_AUDIT_PSEUDONYM_H
#define PHIFS_AUDIT_PSEUDONYM_H

#include <stddef.h>
#include <stdint.h>

#include "audit/base64.h"
#include "audit/segment.h"

enum pseudonym_kind { PSEUDONYM_FILE = 'f', PSEUDONYM_PATH = 'p', PSEUDONYM_PATIENT = 'm' };

typedef char pseudonym_text[BASE32_10_LEN + 1];

void pseudonym(const uint8_t key[AUDIT_KEY_LEN], enum pseudonym_kind kind, const void *data,
	       size_t len, pseudonym_text text);

/* Component `index` (from 1) of a path; NULL if it has fewer. */
const char *path_component(const char *path, int index, size_t *len);

#endif

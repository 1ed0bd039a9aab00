/* One line of `show`: a record, whatever it was read from. */
#ifndef PHIFS_TOOLS_AUDIT_ENTRY_H
#define PHIFS_TOOLS_AUDIT_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "audit/audit.h"

/* NULL where nothing is known. */
struct entry {
	const char *volume, *host;
	const uint8_t *journal_id;      /* 16 bytes */
	uint32_t segment;
	uint64_t first_seq, seq;
	int64_t wall_ns;
	const struct audit_event *event;
	/* Pseudonyms, for paths that cannot be shown. */
	const char *file_name, *path_name, *new_path_name, *patient_name;
	bool is_cut;
};

void entry_print_heading(void);
void entry_print(const struct entry *entry);
void entry_print_json(const struct entry *entry);

#endif

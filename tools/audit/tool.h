/*
 * phifs-audit: the auditors' tool.  Reads a journal or a collector's file with
 * an auditor's key; it never writes to either.
 */
#ifndef PHIFS_TOOLS_AUDIT_TOOL_H
#define PHIFS_TOOLS_AUDIT_TOOL_H

#include "audit/auditor_key.h"
#include "tools/audit/entry.h"
#include "tools/cli/command.h"

enum {
#define OPT(id, name, letter, argument, help) OPT_##id,
#include "tools/audit/options.def"
#undef OPT
	OPT_COUNT
};

enum err cmd_keygen(const struct call *call);
enum err cmd_show(const struct call *call);
enum err cmd_verify(const struct call *call);

/* The key of --key, asking for its passphrase; NULL if there is no --key. */
enum err key_load(const struct call *call, struct auditor_key **key) MUST_CHECK;

/* The directory of the volume's journal, or --journal; malloc'd. */
enum err journal_find(const struct call *call, char **directory) MUST_CHECK;
/* audit_reader_open failed: says why, and returns `err`. */
enum err journal_explain(const struct call *call, const char *directory, enum err err);

/* --- show: from a source through the filter to the output -------------------------- */

struct show;
/* Counts, filters and prints one entry. */
void show_entry(struct show *show, const struct entry *entry);

/* The volume's journal, through the verifier. */
enum err show_journal(const struct call *call, const struct auditor_key *key,
		      struct show *show) MUST_CHECK;
/* The files of --input. */
enum err show_input(const struct call *call, const struct auditor_key *key,
		    struct show *show) MUST_CHECK;

/* What a filter lets through. */
struct filter {
	const struct call *call;
	bool types[AUDIT_TYPE_COUNT];
	int64_t since_ns, until_ns;
};
/* From the call's options.  ERR_USAGE after a message. */
enum err filter_init(struct filter *filter, const struct call *call) MUST_CHECK;
bool filter_takes(const struct filter *filter, const struct entry *entry);

#endif

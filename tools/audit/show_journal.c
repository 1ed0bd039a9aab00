#include <inttypes.h>
#include <stdlib.h>

#include "audit/handles.h"
#include "audit/reader.h"
#include "base/log.h"
#include "tools/audit/tool.h"

struct journal {
	struct show *show;
	struct handles *handles;
	struct audit_event event;
	struct audit_person person;
	char path[BODY_PATH_MAX + 1];
};

static void take_record(struct journal *journal, const struct audit_record *record)
{
	const struct entry entry = {.segment = record->segment,
				    .first_seq = record->seq,
				    .seq = record->seq,
				    .wall_ns = record->wall_ns,
				    .event = &journal->event,
				    .is_cut = record->body != NULL && record->body->is_cut};

	journal->event = (struct audit_event){.type = record->type};
	if (record->body != NULL) {
		journal->event = record->body->event;
		handles_complete(journal->handles, &journal->event, &journal->person,
				 journal->path, sizeof(journal->path));
	}
	show_entry(journal->show, &entry);
}

static void count_finding(void *ctx, const struct audit_finding *finding)
{
	(void)ctx;
	if (audit_verdict_err(finding->verdict) == ERR_TAMPERED)
		log_error("segment %" PRIu32 ": %s: %s", finding->segment,
			  audit_verdict_text(finding->verdict), finding->detail);
	else if (audit_verdict_err(finding->verdict) == ERR_UNPROVEN)
		log_warning("segment %" PRIu32 ": %s", finding->segment,
			    audit_verdict_text(finding->verdict));
}

static enum err read_all(const struct call *call, struct audit_reader *reader,
			 struct journal *journal)
{
	struct audit_record record;
	struct audit_summary summary;
	enum err err;

	while ((err = audit_reader_next(reader, &record)) == ERR_OK)
		take_record(journal, &record);
	if (err != ERR_NOT_FOUND)
		return cli_fail(err, "the journal cannot be read on: %s", err_text(err));
	audit_reader_summary(reader, &summary);
	if (summary.unreadable > 0)
		log_warning("%" PRIu32 " of %" PRIu32 " segments are not sealed to this key",
			    summary.unreadable, summary.segments);
	if (summary.worst != ERR_OK)
		log_hint("more about it: phifs-audit verify%s --key %s", cli_volume_words(call),
			 cli_value_or(call, OPT_KEY, "FILE"));
	/* What was killed is not provable, and shows all the same. */
	return summary.worst == ERR_TAMPERED ? ERR_TAMPERED : ERR_OK;
}

enum err show_journal(const struct call *call, const struct auditor_key *key, struct show *show)
{
	struct journal *journal = calloc(1, sizeof(*journal));
	struct audit_reader *reader = NULL;
	char *directory = NULL;
	enum err err;

	if (journal == NULL || (journal->handles = handles_new(true)) == NULL) {
		free(journal);
		return cli_fail(ERR_NO_MEMORY, "out of memory");
	}
	journal->show = show;
	err = journal_find(call, &directory);
	if (err == ERR_OK) {
		err = audit_reader_open(directory, key, count_finding, NULL, &reader);
		if (err == ERR_OK)
			err = read_all(call, reader, journal);
		else
			journal_explain(call, directory, err);
	}
	audit_reader_close(reader);
	handles_free(journal->handles);
	free(journal);
	free(directory);
	return err;
}

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "audit/reader.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secmem.h"
#include "tools/audit/tool.h"
#include "tools/cli/output.h"

struct verification {
	const struct call *call;
	struct audit_reader *reader;
	struct audit_summary summary;
	struct json_object *findings;   /* NULL: print as they come */
	uint64_t count;
};

static struct json_object *finding_json(const struct audit_finding *finding)
{
	struct json_object *object = json_object_new_object();
	enum err err = audit_verdict_err(finding->verdict);

	json_object_object_add(object, "verdict",
			       json_object_new_string(audit_verdict_name(finding->verdict)));
	json_object_object_add(object, "means", json_object_new_string(err_name(err)));
	json_object_object_add(object, "text",
			       json_object_new_string(audit_verdict_text(finding->verdict)));
	json_object_object_add(object, "segment", json_object_new_uint64(finding->segment));
	json_object_object_add(object, "sequence", json_object_new_uint64(finding->seq));
	json_object_object_add(object, "detail", json_object_new_string(finding->detail));
	return object;
}

static void take_finding(void *ctx, const struct audit_finding *finding)
{
	struct verification *v = ctx;
	enum err err = audit_verdict_err(finding->verdict);

	v->count++;
	if (v->findings != NULL) {
		json_object_array_add(v->findings, finding_json(finding));
		return;
	}
	printf("  %s  %s: ",
	       err == ERR_TAMPERED ? "TAMPERED" : err == ERR_UNPROVEN ? "UNPROVEN" : "note    ",
	       audit_verdict_name(finding->verdict));
	if (finding->segment != 0)
		printf("segment %" PRIu32 "%s", finding->segment, finding->seq == 0 ? ": " : ", ");
	if (finding->seq != 0)
		printf("record %" PRIu64 ": ", finding->seq);
	printf("%s: %s\n", audit_verdict_text(finding->verdict), finding->detail);
}

static enum err verify_all(struct verification *v)
{
	const char *fingerprint = cli_value(v->call, OPT_FINGERPRINT);
	struct audit_record record;
	enum err err, match = ERR_OK;

	if (fingerprint != NULL)
		match = audit_reader_check_fingerprint(v->reader, fingerprint);
	while ((err = audit_reader_next(v->reader, &record)) == ERR_OK)
		continue;
	if (err != ERR_NOT_FOUND)
		return cli_fail(err, "the journal cannot be read on: %s", err_text(err));
	audit_reader_summary(v->reader, &v->summary);
	return match != ERR_OK ? match : v->summary.worst;
}

static void print_summary(const struct verification *v, enum err err)
{
	const struct audit_summary *summary = &v->summary;
	char auditors[AUDITORS_MAX][FINGERPRINT_LEN], sealed[64] = "never";
	size_t count = audit_reader_auditors(v->reader, auditors);

	if (summary->sealed_seq != 0)
		output_time(summary->sealed_wall_ns / NS_PER_SECOND, sealed, sizeof(sealed));
	printf("journal   %s\n", summary->fingerprint);
	for (size_t i = 0; i < count; i++)
		printf("auditor   %s\n", auditors[i]);
	printf("records   %" PRIu64 " in %" PRIu32 " segments, the last is number %" PRIu64 "%s\n",
	       summary->records, summary->segments, summary->last_seq,
	       summary->is_live ? "; a daemon is writing" : "");
	printf("sealed    up to record %" PRIu64 ", %s\n", summary->sealed_seq, sealed);
	if (summary->unreadable > 0)
		printf("unread    %" PRIu32 " segments are not sealed to this key\n",
		       summary->unreadable);
	printf("verdict   %s\n", err == ERR_OK		? "whole"
				 : err == ERR_UNPROVEN ? "cannot be proven"
							: "TAMPERED");
}

static void print_json(const struct verification *v, enum err err)
{
	const struct audit_summary *summary = &v->summary;
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "verdict",
			       json_object_new_string(err == ERR_OK ? "WHOLE" : err_name(err)));
	json_object_object_add(object, "fingerprint",
			       json_object_new_string(summary->fingerprint));
	json_object_object_add(object, "records", json_object_new_uint64(summary->records));
	json_object_object_add(object, "segments", json_object_new_uint64(summary->segments));
	json_object_object_add(object, "last_sequence", json_object_new_uint64(summary->last_seq));
	json_object_object_add(object, "sealed_sequence",
			       json_object_new_uint64(summary->sealed_seq));
	json_object_object_add(object, "unreadable_segments",
			       json_object_new_uint64(summary->unreadable));
	json_object_object_add(object, "is_live", json_object_new_boolean(summary->is_live));
	json_object_object_add(object, "findings", json_object_get(v->findings));
	output_json(object);
}

static void hint(const struct verification *v, enum err err)
{
	if (err == ERR_TAMPERED)
		log_hint("keep the directory as it is, and compare with the collector's copy: "
			 "phifs-audit show --input FILE");
	else if (err == ERR_UNPROVEN)
		log_hint("the collector's copy tells what was recorded: phifs-audit show%s "
			 "--input FILE",
			 cli_volume_words(v->call));
}

static enum err verify_directory(struct verification *v, const struct auditor_key *key,
				 const char *directory)
{
	enum err err = audit_reader_open(directory, key, take_finding, v, &v->reader);

	if (err != ERR_OK)
		return journal_explain(v->call, directory, err);
	err = verify_all(v);
	if (err == ERR_OK || err == ERR_UNPROVEN || err == ERR_TAMPERED) {
		if (v->findings != NULL)
			print_json(v, err);
		else
			print_summary(v, err);
		hint(v, err);
	}
	audit_reader_close(v->reader);
	return err;
}

enum err cmd_verify(const struct call *call)
{
	struct verification v = {.call = call};
	struct auditor_key *key = NULL;
	char *directory = NULL;
	enum err err = journal_find(call, &directory);

	if (err == ERR_OK)
		err = key_load(call, &key);
	if (err == ERR_OK && cli_count(call, OPT_JSON) > 0)
		v.findings = json_object_new_array();
	if (err == ERR_OK)
		err = verify_directory(&v, key, directory);
	json_object_put(v.findings);
	secmem_free(key);
	free(directory);
	return err;
}

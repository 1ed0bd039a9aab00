/*
 * dump-journal DIRECTORY KEY: the records of an audit journal, one a line:
 *
 *	SEQ TYPE ERR uid=N pid=N thread=N handle=N number=N offset=N length=N bytes=N via=N
 *	count=N class=C role=R action=A path=P new-path=P detail=D
 *
 * Ends with 8 if the journal does not verify.
 */
#include <stdio.h>
#include <stdlib.h>

#include "audit/reader.h"
#include "base/secmem.h"
#include "crypto/crypto.h"

static int findings;

static void found(void *ctx, const struct audit_finding *finding)
{
	(void)ctx;
	findings++;
	fprintf(stderr, "dump-journal: %s: %s\n", audit_verdict_name(finding->verdict),
		finding->detail);
}

static const char *text_or_dash(const char *text)
{
	return text && *text ? text : "-";
}

static void print_record(const struct audit_record *record)
{
	const struct audit_event *event = &record->body->event;
	const struct audit_person *person = event->person;

	printf("%llu %s %s uid=%d pid=%d thread=%d handle=%llu number=%llu offset=%llu "
	       "length=%llu bytes=%llu via=%u count=%u class=%s role=%s action=%s path=%s "
	       "new-path=%s detail=%s\n",
	       (unsigned long long)record->seq, audit_type_name(record->type),
	       event->err ? err_name(event->err) : "OK", person ? (int)person->uid : -1,
	       person ? (int)person->pid : 0, (int)event->thread,
	       (unsigned long long)event->handle, (unsigned long long)event->number,
	       (unsigned long long)event->offset, (unsigned long long)event->length,
	       (unsigned long long)event->bytes, event->via, event->count,
	       text_or_dash(event->class_name), text_or_dash(event->role),
	       text_or_dash(event->action), text_or_dash(event->path),
	       text_or_dash(event->new_path), text_or_dash(event->detail));
}

int main(int argc, char **argv)
{
	struct auditor_key *key;
	struct audit_reader *reader;
	struct audit_record record;
	enum err err;

	if (argc != 3)
		return 2;
	err = secmem_init();
	if (!err)
		err = crypto_init();
	if (!err)
		err = auditor_key_load(argv[2], NULL, 0, &key);
	if (!err)
		err = audit_reader_open(argv[1], key, found, NULL, &reader);
	if (err) {
		fprintf(stderr, "dump-journal: %s: %s\n", argv[1], err_text(err));
		return err_exit_code(err);
	}
	while ((err = audit_reader_next(reader, &record)) == ERR_OK)
		if (record.body)
			print_record(&record);
	audit_reader_close(reader);
	secmem_free(key);
	return err == ERR_NOT_FOUND && findings == 0 ? EXIT_SUCCESS : 8;
}

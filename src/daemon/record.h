/* What the daemon itself writes into the audit trail. */
#ifndef PHIFS_DAEMON_RECORD_H
#define PHIFS_DAEMON_RECORD_H

#include "audit/audit.h"

/*
 * One event by `person` (NULL: by phifs itself), on disk when this returns.
 * The text becomes the record's detail, cut at 1023 bytes.  An error means that
 * the thing must not happen.
 */
enum err record_event(struct audit *audit, enum audit_type type, enum err outcome,
		      const struct audit_person *person, const char *format, ...) MUST_CHECK
	__attribute__((format(printf, 5, 6)));

/* The same in the ring only: for threads that may not wait. */
enum err record_quickly(struct audit *audit, const struct audit_event *event) MUST_CHECK;

/*
 * Everything appended so far onto the disk, or ERR_AGAIN after `limit_ms`: a
 * disk that hangs must not keep keys in memory.
 */
enum err record_flush(struct audit *audit, int64_t limit_ms) MUST_CHECK;

#endif

/*
 * What the OPEN or CREATE record of a handle said, for the READ and WRITE
 * records that only carry its number.  Bounded: the oldest is forgotten first.
 * Not locked.
 */
#ifndef PHIFS_AUDIT_HANDLES_H
#define PHIFS_AUDIT_HANDLES_H

#include <stdbool.h>
#include <stdint.h>

#include "audit/audit.h"
#include "audit/pseudonym.h"

struct handle_info {
	struct audit_person person;
	char class_name[65], role[65];
	int rule;
	pseudonym_text path_name, patient_name; /* as forwarded; "" if not known */
	char *path;                             /* only if paths are kept; may be NULL */
};

struct handles;

/* `keep_paths`: for auditors' tools; the daemon keeps no names. */
struct handles *handles_new(bool keep_paths);
void handles_free(struct handles *handles);

/*
 * Learns from OPEN and CREATE, and from IDENTITY: another process than the
 * opener uses the handle.  MOUNT and RECOVER forget all: numbers begin anew.
 */
void handles_learn(struct handles *handles, const struct audit_event *event,
		   const char *path_name, const char *patient_name);
/* After the CLOSE record was used. */
void handles_forget(struct handles *handles, uint64_t handle);
/*
 * NULL if its OPEN was not seen.  With the person of process `pid` if an
 * IDENTITY record told of it, else with the opener.
 */
const struct handle_info *handles_find(const struct handles *handles, uint64_t handle, pid_t pid);

/*
 * For auditors' tools: learns from the event, and gives an event of a handle
 * (READ, WRITE, CLOSE ...) the path, class, role and person of its OPEN where
 * the record leaves them out.  `person` is where `event->person` may come to
 * point; the texts are valid until the next call with the same `path`, a buffer
 * of `size` bytes.
 */
void handles_complete(struct handles *handles, struct audit_event *event,
		      struct audit_person *person, char *path, size_t size);

#endif

/*
 * Into the background: the caller of phifsd gets its prompt back when the
 * volume is mounted, or the exit status of the failure.  Afterwards messages go
 * to syslog, standard input and output to /dev/null.
 */
#ifndef PHIFS_DAEMON_DETACH_H
#define PHIFS_DAEMON_DETACH_H

#include <stdbool.h>

#include "base/err.h"

struct detach {
	bool is_wanted;
	int pipe; /* to the first process */
};

/*
 * Forks; the first process waits and exits, the call returns in the second.
 * One thread only.
 */
enum err detach_start(struct detach *detach) MUST_CHECK;

/* The first process exits with status 0; standard descriptors are let go. Harmless if not wanted. */
void detach_ready(struct detach *detach);

/* In a child that must not keep the first process waiting. */
void detach_forget(struct detach *detach);

/* Standard descriptors to /dev/null, messages to syslog. */
void detach_streams(void);

#endif

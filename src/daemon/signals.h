/*
 * The worker's main thread after the start: waits for signals, for the end of
 * the parent and for the end of the connection.
 */
#ifndef PHIFS_DAEMON_SIGNALS_H
#define PHIFS_DAEMON_SIGNALS_H

#include "base/err.h"

enum signals_event {
	SIGNALS_STOP,   /* SIGTERM, SIGINT, or the parent is gone */
	SIGNALS_RELOAD, /* SIGHUP */
	SIGNALS_ENDED   /* nobody is at the other end of the connection any more: umount(8) */
};

/*
 * Blocks what is waited for in this thread and those it makes; gives a
 * descriptor.  Call it before any thread is made.
 */
enum err signals_open(int *fd) MUST_CHECK;

/* `link`: to the parent; `ended`: readable when the connection has ended. */
enum signals_event signals_wait(int fd, int link, int ended);

#endif

/*
 * The socket between the root parent and the worker.  The worker asks, the
 * parent answers; one message is one packet.
 */
#ifndef PHIFS_DAEMON_LINK_H
#define PHIFS_DAEMON_LINK_H

#include <stdint.h>

#include "base/err.h"

enum link_request {
	LINK_MOUNT,   /* the answer carries the descriptor and the connection's number */
	LINK_UNMOUNT, /* lazily */
	LINK_READY    /* mounted and serving: phifsd may return to its caller */
};

/* `ends[0]` is the parent's, `ends[1]` the worker's. */
enum err link_new(int ends[2]) MUST_CHECK;

/* --- the worker's side ---- */

enum err link_mount(int link, int *fd, unsigned int *connection) MUST_CHECK;
enum err link_unmount(int link) MUST_CHECK;
enum err link_ready(int link) MUST_CHECK;

/* --- the parent's side ---- */

/* ERR_NOT_FOUND: the worker closed its end. */
enum err link_receive(int link, enum link_request *request) MUST_CHECK;
/* `fd` -1: none.  A worker that is gone does not matter here: link_receive says so. */
void link_answer(int link, enum err result, int fd, unsigned int connection);

#endif

/*
 * Frames on a connected stream socket; blocking, both ends use it.
 *
 * Whoever serves strangers sets SO_RCVTIMEO and SO_SNDTIMEO: ERR_AGAIN is a
 * peer that was too slow.  A connection after any error is only good for
 * close.  SIGPIPE is never raised.
 */
#ifndef PHIFS_WIRE_FRAME_H
#define PHIFS_WIRE_FRAME_H

#include "wire/message.h"

/* ERR_NOT_FOUND: the peer closed the connection between two frames. */
enum err wire_receive_request(int fd, struct wire_request *request) MUST_CHECK;
enum err wire_send_request(int fd, const struct wire_request *request) MUST_CHECK;

enum err wire_send_part(int fd, enum wire_type type, const void *part) MUST_CHECK;
/* `message` and `hint` may be NULL; longer ones are cut. */
enum err wire_send_result(int fd, enum err result, const char *message,
			  const char *hint) MUST_CHECK;
enum err wire_receive_reply(int fd, enum wire_type type, struct wire_reply *reply) MUST_CHECK;

#endif

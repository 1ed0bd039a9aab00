/*
 * The server of the control socket, PROTOCOL.md: one thread that accepts, one
 * for each connection.  Who may ask what is control_requests.def; what is
 * answered is a table of functions.
 */
#ifndef PHIFS_DAEMON_CONTROL_H
#define PHIFS_DAEMON_CONTROL_H

#include <stdbool.h>
#include <sys/socket.h>

#include "wire/frame.h"

#define CONTROL_CONNECTIONS_MAX 64 /* at the same time */
#define CONTROL_PER_USER_MAX    8  /* of these, of one user other than root */
#define CONTROL_FOR_ROOT        16 /* of these, kept free for root, who must be able to lock */
#define CONTROL_RECEIVE_MS      300000 /* somebody may be typing a passphrase */
#define CONTROL_SEND_MS         10000
#define CONTROL_TEXT_MAX        512

/* A request being answered. */
struct control_call {
	void *ctx;
	const struct wire_request *request;
	struct ucred peer;
	int fd;
	/* For the result, if it is an error; "": err_text, no hint. */
	char message[CONTROL_TEXT_MAX];
	char hint[CONTROL_TEXT_MAX];
};

/* Sends its parts, gives the result. */
typedef enum err control_answer(struct control_call *call);

struct control_calls {
	void *ctx;
	control_answer *answers[WIRE_TYPE_COUNT];
	uid_t (*opener)(void *ctx); /* who unlocked the volume; (uid_t)-1: nobody */
	void (*refused)(struct control_call *call); /* to be recorded */
};

enum err control_part(struct control_call *call, const void *part) MUST_CHECK;
/* The client went away, or the server stops: for answers that wait. */
bool control_is_gone(const struct control_call *call);

/* A pure question: may `peer` ask this? */
bool control_may(enum wire_type type, const struct ucred *peer, uid_t opener,
		 const struct wire_request *request);

/* Answer the requests of one connection until it ends; closes `fd`. */
void control_serve(const struct control_calls *calls, int fd);

struct control;
/* Listens at `path`; what is there is replaced: the caller holds the volume's lock file. */
enum err control_start(const struct control_calls *calls, const char *path,
		       struct control **control) MUST_CHECK;
/* Ends all connections, waits for running answers, removes the socket.  NULL is harmless. */
void control_stop(struct control *control);

#endif

/*
 * The client's side: connect to a volume's daemon and ask.
 *
 *	struct wire_request request = {.type = WIRE_LOCK, .lock = {.now = true}};
 *	err = client_connect(path, &client) ...
 *	err = client_call(client, &request, print_holder, NULL, &result);
 *	client_close(client);
 */
#ifndef PHIFS_WIRE_CLIENT_H
#define PHIFS_WIRE_CLIENT_H

#include "wire/message.h"

struct client;

/*
 * ERR_NOT_RUNNING: no socket, or nobody behind it.  ERR_DENIED: the process
 * behind it is neither root's nor the caller's own: passphrases are not for it.
 */
enum err client_connect(const char *socket_path, struct client **client) MUST_CHECK;

/* Called for each part, the struct that requests.def names for the request. */
typedef void client_part(void *ctx, const void *part);

/*
 * Send, hand out the parts, and give the result.  ERR_OK only says that the
 * conversation worked: what the daemon did is `result->error` (an enum err).
 * `part` may be NULL.  No time limit: `wait` and `lock` take their time.
 */
enum err client_call(struct client *client, const struct wire_request *request, client_part *part,
		     void *ctx, struct wire_result *result) MUST_CHECK;

void client_close(struct client *client);

#endif

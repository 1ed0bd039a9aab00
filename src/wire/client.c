#include "wire/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire/frame.h"

struct client {
	int fd;
};

/* What connect(2) says when no daemon is there. */
static enum err translate_connect(int error_number)
{
	switch (error_number) {
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED:
	case ENOTSOCK:
		return ERR_NOT_RUNNING;
	default:
		return err_from_errno(error_number);
	}
}

/* A socket that some user put in the daemon's place must not get passphrases. */
static enum err check_peer(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return err_from_errno(errno);
	return peer.uid == 0 || peer.uid == geteuid() ? ERR_OK : ERR_DENIED;
}

enum err client_connect(const char *socket_path, struct client **client)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct client *made = NULL;
	enum err err = ERR_OK;
	int fd = -1;

	if (strlen(socket_path) >= sizeof(address.sun_path))
		return ERR_NAME_LENGTH;
	strcpy(address.sun_path, socket_path);
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
		return err_from_errno(errno);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err = translate_connect(errno);
	if (err == ERR_OK)
		err = check_peer(fd);
	if (err == ERR_OK && (made = calloc(1, sizeof(*made))) == NULL)
		err = ERR_NO_MEMORY;
	if (err != ERR_OK) {
		close(fd);
		return err;
	}
	made->fd = fd;
	*client = made;
	return ERR_OK;
}

void client_close(struct client *client)
{
	if (client == NULL)
		return;
	close(client->fd);
	free(client);
}

/* The daemon went away in the middle: that is what "not running" means. */
static enum err translate_broken(enum err err)
{
	return err == ERR_NOT_FOUND ? ERR_NOT_RUNNING : err;
}

enum err client_call(struct client *client, const struct wire_request *request, client_part *part,
		     void *ctx, struct wire_result *result)
{
	struct wire_reply *reply = calloc(1, sizeof(*reply));
	enum err err = ERR_NO_MEMORY;

	if (reply == NULL)
		return err;
	err = wire_send_request(client->fd, request);
	while (err == ERR_OK) {
		err = wire_receive_reply(client->fd, request->type, reply);
		if (err != ERR_OK || reply->is_result)
			break;
		if (part != NULL)
			part(ctx, &reply->status); /* members of a union: one address */
	}
	if (err == ERR_OK)
		*result = reply->result;
	free(reply);
	return translate_broken(err);
}

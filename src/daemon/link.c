#include "daemon/link.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct answer {
	int32_t result;
	uint32_t connection;
};

enum err link_new(int ends[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return err_from_errno(errno);
	return ERR_OK;
}

static ssize_t retry_send(int link, const struct msghdr *message)
{
	ssize_t put;

	do
		put = sendmsg(link, message, MSG_NOSIGNAL);
	while (put < 0 && errno == EINTR);
	return put;
}

static ssize_t retry_receive(int link, struct msghdr *message)
{
	ssize_t got;

	do
		got = recvmsg(link, message, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	return got;
}

union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

static int descriptor_of(struct msghdr *message)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	int fd = -1;

	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(fd)))
		memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

static enum err ask(int link, enum link_request request, struct answer *answer, int *fd)
{
	uint8_t byte = (uint8_t)request;
	struct iovec out = {&byte, sizeof(byte)};
	struct iovec in = {answer, sizeof(*answer)};
	union control control;
	struct msghdr question = {.msg_iov = &out, .msg_iovlen = 1};
	struct msghdr reply = {.msg_iov = &in, .msg_iovlen = 1, .msg_control = &control,
			       .msg_controllen = sizeof(control)};

	if (retry_send(link, &question) != sizeof(byte) ||
	    retry_receive(link, &reply) != sizeof(*answer))
		return ERR_SYSTEM;
	*fd = descriptor_of(&reply);
	return (enum err)answer->result;
}

enum err link_mount(int link, int *fd, unsigned int *connection)
{
	struct answer answer;
	int received;
	enum err err = ask(link, LINK_MOUNT, &answer, &received);

	if (err)
		return err;
	if (received < 0)
		return ERR_SYSTEM;
	*fd = received;
	*connection = answer.connection;
	return ERR_OK;
}

enum err link_unmount(int link)
{
	struct answer answer;
	int none;

	return ask(link, LINK_UNMOUNT, &answer, &none);
}

enum err link_ready(int link)
{
	struct answer answer;
	int none;

	return ask(link, LINK_READY, &answer, &none);
}

enum err link_receive(int link, enum link_request *request)
{
	uint8_t byte;
	struct iovec in = {&byte, sizeof(byte)};
	struct msghdr message = {.msg_iov = &in, .msg_iovlen = 1};
	ssize_t got = retry_receive(link, &message);

	if (got == 0)
		return ERR_NOT_FOUND;
	if (got < 0)
		return errno == ECONNRESET ? ERR_NOT_FOUND : err_from_errno(errno);
	if (byte > LINK_READY)
		return ERR_FORMAT;
	*request = (enum link_request)byte;
	return ERR_OK;
}

void link_answer(int link, enum err result, int fd, unsigned int connection)
{
	struct answer answer = {.result = result, .connection = connection};
	struct iovec out = {&answer, sizeof(answer)};
	union control control = {0};
	struct msghdr message = {.msg_iov = &out, .msg_iovlen = 1};

	if (fd >= 0) {
		struct cmsghdr *header;

		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	}
	(void)retry_send(link, &message);
}

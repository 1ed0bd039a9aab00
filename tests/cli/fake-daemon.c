/*
 * A daemon that only talks: it answers the control protocol from a state of
 * its own, without mount, store or keys, so that the tools' messages and exit
 * codes can be tested anywhere.
 *
 *	fake-daemon SOCKET PASSPHRASE
 *
 * One client at a time.  Prints "ready", ends when its standard input does.
 */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/secmem.h"
#include "wire/frame.h"

static const char *passphrase;
static bool is_unlocked;

static enum err on_status(int fd, const struct wire_request *request)
{
	struct wire_status status = {.name = "fake",
				     .idle_ms = 1800000,
				     .idle_left_ms = is_unlocked ? 720000 : INT64_MAX,
				     .since = (int64_t)time(NULL),
				     .mountpoint = "/srv/f\033ke",
				     .contact = "IT on call",
				     .bytes_free = INT64_C(1) << 40,
				     .bytes_total = INT64_C(2) << 40,
				     .state_bytes_free = INT64_C(1) << 30,
				     .audit_records = 41,
				     .audit_sealed = 41,
				     .audit_delivered = 40,
				     .has_collector = true,
				     .slots = 2};

	(void)request;
	strcpy(status.state, is_unlocked ? "unlocked" : "locked");
	strcpy(status.reason, is_unlocked ? "" : "start");
	strcpy(status.version, PACKAGE_VERSION);
	return wire_send_part(fd, WIRE_STATUS, &status);
}

static enum err on_unlock(int fd, const struct wire_request *request)
{
	struct wire_unlock_report report = {.slot = 1, .transactions = 12, .objects = 3};

	if (request->secret_len != strlen(passphrase) ||
	    memcmp(request->secret, passphrase, request->secret_len) != 0)
		return ERR_PASSPHRASE;
	is_unlocked = true;
	return wire_send_part(fd, WIRE_UNLOCK, &report);
}

static enum err on_lock(int fd, const struct wire_request *request)
{
	struct wire_holder holder = {
		.pid = 812, .program = "storescp", .user = "_pacs", .files = 3, .writing = 2};

	if (!is_unlocked)
		return ERR_BUSY;
	is_unlocked = false;
	return request->lock.now ? ERR_OK : wire_send_part(fd, WIRE_LOCK, &holder);
}

static enum err on_reload(int fd, const struct wire_request *request)
{
	struct wire_change change = {.text = "alice: lost read on archive"};

	(void)request;
	return wire_send_part(fd, WIRE_RELOAD, &change);
}

static enum err on_wait(int fd, const struct wire_request *request)
{
	(void)fd;
	return (strcmp(request->wait.state, "unlocked") == 0) == is_unlocked ? ERR_OK : ERR_AGAIN;
}

static enum err on_why(int fd, const struct wire_request *request)
{
	struct wire_refusal refusal = {.time = 1764058562,
				       .user = "root",
				       .login_user = "jroot",
				       .action = "read",
				       .object = "f7c1d0aa",
				       .class_name = "inbox",
				       .rule = "default deny"};

	return strcmp(request->why.user, "root") == 0 ? wire_send_part(fd, WIRE_WHY, &refusal)
						      : ERR_OK;
}

static enum err on_holders(int fd, const struct wire_request *request)
{
	struct wire_holder holder = {.pid = 7, .program = "a\nb", .user = "alice", .files = 1};

	(void)request;
	return wire_send_part(fd, WIRE_HOLDERS, &holder);
}

static enum err on_key_changed(int fd, const struct wire_request *request)
{
	(void)fd;
	return request->key_changed.generation > 0 ? ERR_OK : ERR_INVALID;
}

static enum err on_locate(int fd, const struct wire_request *request)
{
	struct wire_location location = {.object = "07000000000000007f3a9c0011223344",
					 .file = "objects/44/07000000000000007f3a9c0011223344",
					 .path = "/wards/3/a.dcm",
					 .number = 7,
					 .size = 525312};

	if (!is_unlocked)
		return ERR_LOCKED;
	if (strcmp(request->locate.path, location.path) != 0 &&
	    strcmp(request->locate.object, location.object) != 0)
		return ERR_NOT_FOUND;
	return wire_send_part(fd, WIRE_LOCATE, &location);
}

static enum err (*const handlers[WIRE_TYPE_COUNT])(int fd, const struct wire_request *request) = {
#define REQUEST(id, word, request, part, secret) [WIRE_##id] = on_##word,
#include "wire/requests.def"
#undef REQUEST
};

static void serve(int fd)
{
	struct wire_request request = {0};

	while (wire_receive_request(fd, &request) == ERR_OK) {
		enum err err = handlers[request.type](fd, &request);

		wire_request_clear(&request);
		if (wire_send_result(fd, err, NULL, NULL) != ERR_OK)
			break;
	}
	close(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct pollfd events[2] = {{.fd = fd, .events = POLLIN}, {.fd = STDIN_FILENO}};

	if (argc != 3 || strlen(argv[1]) >= sizeof(address.sun_path) || secmem_init() != ERR_OK)
		return 2;
	strcpy(address.sun_path, argv[1]);
	passphrase = argv[2];
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 8) < 0) {
		perror("fake-daemon");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	while (poll(events, 2, -1) > 0 && events[1].revents == 0)
		serve(accept(fd, NULL, NULL));
	unlink(argv[1]);
	return 0;
}

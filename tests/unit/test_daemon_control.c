/* The server of the control socket over answers that only talk. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/control.h"
#include "unit.h"
#include "wire/client.h"

struct fake {
	uid_t opener;
	atomic_int answered, refused, waiting;
};

static enum err give_holder(struct control_call *call)
{
	struct fake *fake = call->ctx;
	struct wire_holder holder = {.pid = call->peer.pid, .files = 2};

	atomic_fetch_add(&fake->answered, 1);
	return control_part(call, &holder);
}

static enum err check_secret(struct control_call *call)
{
	const struct wire_request *request = call->request;

	if (request->secret_len == 6 && memcmp(request->secret, "sesame", 6) == 0)
		return ERR_OK;
	snprintf(call->message, sizeof(call->message), "that is not it");
	snprintf(call->hint, sizeof(call->hint), "phifs-key list");
	return ERR_PASSPHRASE;
}

static enum err wait_for_ever(struct control_call *call)
{
	struct fake *fake = call->ctx;

	atomic_fetch_add(&fake->waiting, 1);
	while (!control_is_gone(call))
		clock_sleep_ns(NS_PER_MS);
	atomic_fetch_sub(&fake->waiting, 1);
	return ERR_INTERRUPTED;
}

static uid_t fake_opener(void *ctx)
{
	struct fake *fake = ctx;

	return fake->opener;
}

static void note_refused(struct control_call *call)
{
	struct fake *fake = call->ctx;

	atomic_fetch_add(&fake->refused, 1);
}

static struct control_calls calls_of(struct fake *fake)
{
	struct control_calls calls = {
		.ctx = fake, .opener = fake_opener, .refused = note_refused};

	for (int i = 0; i < WIRE_TYPE_COUNT; i++)
		calls.answers[i] = give_holder;
	calls.answers[WIRE_UNLOCK] = check_secret;
	calls.answers[WIRE_WAIT] = wait_for_ever;
	return calls;
}

/* --- a server at a socket --------------------------------------------------------- */

static char directory[64], path[96];
static struct control *server;

static struct client *start(struct fake *fake)
{
	struct control_calls calls = calls_of(fake);
	struct client *client;

	strcpy(directory, "/tmp/phifs-control.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/v.sock", directory);
	ck_assert_ok(control_start(&calls, path, &server));
	ck_assert_ok(client_connect(path, &client));
	return client;
}

static void stop(struct client *client)
{
	struct stat st;

	control_stop(server);
	ck_assert_int_ne(stat(path, &st), 0);
	client_close(client);
	rmdir(directory);
}

static void count_part(void *ctx, const void *part)
{
	const struct wire_holder *holder = part;
	int *count = ctx;

	ck_assert_int_eq(holder->pid, getpid());
	ck_assert_int_eq(holder->files, 2);
	(*count)++;
}

START_TEST(test_requests_follow_each_other)
{
	struct fake fake = {.opener = (uid_t)-1};
	struct client *client = start(&fake);
	struct wire_request request = {.type = WIRE_HOLDERS};
	struct wire_result result;
	struct stat st;
	int parts = 0;

	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0666);
	for (int i = 0; i < 3; i++) {
		ck_assert_ok(client_call(client, &request, count_part, &parts, &result));
		ck_assert_ok(result.error);
	}
	ck_assert_int_eq(parts, 3);
	ck_assert_int_eq(atomic_load(&fake.answered), 3);
	stop(client);
}
END_TEST

START_TEST(test_secret_and_message)
{
	struct fake fake = {.opener = (uid_t)-1};
	struct client *client = start(&fake);
	struct wire_request request = {.type = WIRE_UNLOCK, .secret_len = 6};
	struct wire_result result;

	request.secret = secmem_alloc(6);
	memcpy(request.secret, "sesame", 6);
	ck_assert_ok(client_call(client, &request, NULL, NULL, &result));
	ck_assert_ok(result.error);
	memcpy(request.secret, "barley", 6);
	ck_assert_ok(client_call(client, &request, NULL, NULL, &result));
	ck_assert_int_eq(result.error, ERR_PASSPHRASE);
	ck_assert_str_eq(result.message, "that is not it");
	ck_assert_str_eq(result.hint, "phifs-key list");
	wire_request_clear(&request);
	stop(client);
}
END_TEST

/* As the kernel says who is there, only another user can be refused. */
START_TEST(test_refused_is_noted)
{
	struct fake fake = {.opener = (uid_t)-1};
	struct client *client = start(&fake);
	struct wire_request request = {.type = WIRE_RELOAD};
	struct wire_result result;
	bool is_root = geteuid() == 0;

	if (is_root) {
		/* SO_PEERCRED is of the moment of connect(2). */
		client_close(client);
		ck_assert_int_eq(chmod(directory, 0755), 0);
		ck_assert_int_eq(seteuid(65534), 0);
		ck_assert_ok(client_connect(path, &client));
		ck_assert_int_eq(seteuid(0), 0);
	}
	ck_assert_ok(client_call(client, &request, NULL, NULL, &result));
	ck_assert_int_eq(result.error, ERR_DENIED);
	ck_assert_ptr_nonnull(strstr(result.hint, "phifsctl reload"));
	ck_assert_int_eq(atomic_load(&fake.refused), 1);
	ck_assert_int_eq(atomic_load(&fake.answered), 0);
	stop(client);
}
END_TEST

static void wait_until(atomic_int *value, int wanted)
{
	for (int i = 0; i < 10000 && atomic_load(value) != wanted; i++)
		clock_sleep_ns(NS_PER_MS);
	ck_assert_int_eq(atomic_load(value), wanted);
}

static void *ask_wait(void *client)
{
	struct wire_request request = {.type = WIRE_WAIT};
	struct wire_result result = {.error = ERR_OK};

	ck_assert_ok(client_call(client, &request, NULL, NULL, &result));
	return (void *)(intptr_t)result.error;
}

START_TEST(test_stop_ends_waiting_answers)
{
	struct fake fake = {.opener = (uid_t)-1};
	struct client *client = start(&fake);
	pthread_t thread;
	void *error;

	ck_assert_int_eq(pthread_create(&thread, NULL, ask_wait, client), 0);
	wait_until(&fake.waiting, 1);
	control_stop(server);
	pthread_join(thread, &error);
	/* The answer still went out. */
	ck_assert_int_eq((intptr_t)error, ERR_INTERRUPTED);
	client_close(client);
	rmdir(directory);
}
END_TEST

static int connect_raw(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

START_TEST(test_client_that_leaves_ends_its_answer)
{
	struct fake fake = {.opener = (uid_t)-1};
	struct client *client = start(&fake);
	struct wire_request request = {.type = WIRE_WAIT};
	int fd = connect_raw();

	ck_assert_ok(wire_send_request(fd, &request));
	wait_until(&fake.waiting, 1);
	close(fd);
	wait_until(&fake.waiting, 0);
	stop(client);
}
END_TEST

START_TEST(test_nonsense_is_told_and_ends_it)
{
	struct fake fake = {.opener = (uid_t)-1};
	struct client *client = start(&fake);
	static const char frame[] = "\x0a\0\0\0\0\0\0\0{\"rm\":123}";
	struct wire_reply *reply = calloc(1, sizeof(*reply));
	int fd = connect_raw();
	char byte;

	ck_assert_int_eq(write(fd, frame, sizeof(frame) - 1), sizeof(frame) - 1);
	ck_assert_ok(wire_receive_reply(fd, WIRE_STATUS, reply));
	ck_assert(reply->is_result);
	ck_assert_int_eq(reply->result.error, ERR_FORMAT);
	ck_assert_int_eq(read(fd, &byte, 1), 0);
	close(fd);
	free(reply);
	stop(client);
}
END_TEST

/* A connection beyond the limit is closed; when one leaves there is room again. */
START_TEST(test_connections_are_limited)
{
	struct fake fake = {.opener = (uid_t)-1};
	struct client *client = start(&fake);
	int limit = (geteuid() == 0 ? CONTROL_CONNECTIONS_MAX : CONTROL_PER_USER_MAX) - 1;
	struct wire_request request = {.type = WIRE_WAIT};
	int fds[CONTROL_CONNECTIONS_MAX], fd;
	char byte;

	for (int i = 0; i < limit; i++) {
		fds[i] = connect_raw();
		ck_assert_ok(wire_send_request(fds[i], &request));
	}
	wait_until(&fake.waiting, limit);
	fd = connect_raw();
	ck_assert_int_eq(read(fd, &byte, 1), 0);
	close(fd);
	for (int i = 0; i < limit; i++)
		close(fds[i]);
	wait_until(&fake.waiting, 0);
	stop(client);
}
END_TEST

static int connect_as(uid_t uid)
{
	int fd;

	ck_assert_int_eq(seteuid(uid), 0);
	fd = connect_raw();
	ck_assert_int_eq(seteuid(0), 0);
	return fd;
}

/* Many users together cannot keep root, who may have to lock, from being heard. */
START_TEST(test_users_leave_room_for_root)
{
	struct fake fake = {.opener = (uid_t)-1};
	struct client *client = start(&fake);
	struct wire_request request = {.type = WIRE_WAIT};
	const int limit = CONTROL_CONNECTIONS_MAX - CONTROL_FOR_ROOT;
	int fds[CONTROL_CONNECTIONS_MAX], fd;
	char byte;

	if (geteuid() == 0) {
		ck_assert_int_eq(chmod(directory, 0755), 0);
		for (int i = 0; i < limit; i++) {
			fds[i] = connect_as(50000 + (uid_t)(i / CONTROL_PER_USER_MAX));
			ck_assert_ok(wire_send_request(fds[i], &request));
		}
		wait_until(&fake.waiting, limit);
		fd = connect_as(60000);
		ck_assert_int_eq(read(fd, &byte, 1), 0);
		close(fd);
		fd = connect_raw();
		ck_assert_ok(wire_send_request(fd, &request));
		wait_until(&fake.waiting, limit + 1);
		close(fd);
		for (int i = 0; i < limit; i++)
			close(fds[i]);
		wait_until(&fake.waiting, 0);
	}
	stop(client);
}
END_TEST

/* --- who may ask what --------------------------------------------------------------- */

START_TEST(test_who_may)
{
	const struct ucred root = {.uid = 0}, alice = {.uid = 4001};
	struct wire_request request = {0};

	for (int type = 0; type < WIRE_TYPE_COUNT; type++)
		ck_assert(control_may((enum wire_type)type, &root, (uid_t)-1, &request));
	ck_assert(control_may(WIRE_STATUS, &alice, (uid_t)-1, &request));
	ck_assert(control_may(WIRE_UNLOCK, &alice, (uid_t)-1, &request));
	ck_assert(control_may(WIRE_WAIT, &alice, (uid_t)-1, &request));
	ck_assert(!control_may(WIRE_RELOAD, &alice, 4001, &request));
	ck_assert(!control_may(WIRE_HOLDERS, &alice, 4001, &request));
	ck_assert(!control_may(WIRE_KEY_CHANGED, &alice, 4001, &request));
	ck_assert(!control_may(WIRE_LOCATE, &alice, 4001, &request));
}
END_TEST

START_TEST(test_lock_is_for_the_opener)
{
	const struct ucred alice = {.uid = 4001}, nobody = {.uid = (uid_t)-1};
	struct wire_request request = {0};

	ck_assert(control_may(WIRE_LOCK, &alice, 4001, &request));
	ck_assert(!control_may(WIRE_LOCK, &alice, 4002, &request));
	ck_assert(!control_may(WIRE_LOCK, &alice, (uid_t)-1, &request));
	ck_assert(!control_may(WIRE_LOCK, &nobody, (uid_t)-1, &request));
}
END_TEST

START_TEST(test_why_is_about_oneself)
{
	const struct ucred daemon_user = {.uid = 1}, alice = {.uid = 4001};
	struct wire_request request = {.type = WIRE_WHY};

	ck_assert(control_may(WIRE_WHY, &alice, (uid_t)-1, &request));
	strcpy(request.why.user, "root");
	ck_assert(!control_may(WIRE_WHY, &alice, (uid_t)-1, &request));
	strcpy(request.why.user, "daemon");
	ck_assert(control_may(WIRE_WHY, &daemon_user, (uid_t)-1, &request));
	ck_assert(!control_may(WIRE_WHY, &alice, (uid_t)-1, &request));
	strcpy(request.why.user, "no such user");
	ck_assert(!control_may(WIRE_WHY, &alice, (uid_t)-1, &request));
}
END_TEST

UNIT_MAIN("daemon/control", test_requests_follow_each_other, test_secret_and_message,
	  test_refused_is_noted, test_stop_ends_waiting_answers,
	  test_client_that_leaves_ends_its_answer, test_nonsense_is_told_and_ends_it,
	  test_connections_are_limited, test_users_leave_room_for_root, test_who_may,
	  test_lock_is_for_the_opener, test_why_is_about_oneself)

#include "daemon/control.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secmem.h"

/* How long accept(2) pauses when there are no descriptors or threads left. */
#define PAUSE_NS (100 * NS_PER_MS)

/* --- who may ask what --------------------------------------------------------- */

enum who { ANYBODY, OPENER, SELF, ROOT };

static const enum who who_may[WIRE_TYPE_COUNT] = {
#define ASK(id, who) [WIRE_##id] = who,
#include "daemon/control_requests.def"
#undef ASK
};

static bool is_self(const struct ucred *peer, const char *user)
{
	struct passwd entry, *found = NULL;
	char text[4096];

	if (user[0] == '\0')
		return true;
	return getpwnam_r(user, &entry, text, sizeof(text), &found) == 0 && found &&
	       found->pw_uid == peer->uid;
}

bool control_may(enum wire_type type, const struct ucred *peer, uid_t opener,
		 const struct wire_request *request)
{
	if (peer->uid == 0 || who_may[type] == ANYBODY)
		return true;
	if (who_may[type] == OPENER)
		return opener != (uid_t)-1 && peer->uid == opener;
	return who_may[type] == SELF && is_self(peer, request->why.user);
}

/* --- one connection ----------------------------------------------------------- */

enum err control_part(struct control_call *call, const void *part)
{
	return wire_send_part(call->fd, call->request->type, part);
}

bool control_is_gone(const struct control_call *call)
{
	struct pollfd fd = {.fd = call->fd, .events = POLLRDHUP};

	return poll(&fd, 1, 0) > 0 && (fd.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

static enum err answer(const struct control_calls *calls, struct control_call *call)
{
	const struct wire_request *request = call->request;

	if (control_may(request->type, &call->peer, calls->opener(calls->ctx), request))
		return calls->answers[request->type](call);
	if (calls->refused)
		calls->refused(call);
	snprintf(call->message, sizeof(call->message), "%s is not for you",
		 wire_type_name(request->type));
	snprintf(call->hint, sizeof(call->hint), "as root: sudo phifsctl %s",
		 wire_type_name(request->type));
	return ERR_DENIED;
}

static enum err serve_request(const struct control_calls *calls, int fd,
			      const struct ucred *peer, struct wire_request *request)
{
	struct control_call call = {
		.ctx = calls->ctx, .request = request, .peer = *peer, .fd = fd};
	enum err err = answer(calls, &call);

	/* The secret has done its duty, whatever comes next. */
	wire_request_clear(request);
	return wire_send_result(fd, err, call.message, call.hint);
}

static void limit_time(int fd, int option, int64_t ms)
{
	struct timeval limit = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	(void)setsockopt(fd, SOL_SOCKET, option, &limit, sizeof(limit));
}

static bool peer_of(int fd, struct ucred *peer)
{
	socklen_t len = sizeof(*peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &len) == 0;
}

void control_serve(const struct control_calls *calls, int fd)
{
	struct wire_request *request = calloc(1, sizeof(*request));
	struct ucred peer;
	enum err err = request && peer_of(fd, &peer) ? ERR_OK : ERR_NO_MEMORY;

	limit_time(fd, SO_RCVTIMEO, CONTROL_RECEIVE_MS);
	limit_time(fd, SO_SNDTIMEO, CONTROL_SEND_MS);
	while (!err) {
		err = wire_receive_request(fd, request);
		/* A client of another version is told so, then it is over. */
		if (err == ERR_FORMAT)
			(void)!wire_send_result(fd, err, NULL, NULL);
		if (!err)
			err = serve_request(calls, fd, &peer, request);
		/* It may have held names of files, and so may what was done with it. */
		if (request)
			secmem_wipe(request, sizeof(*request));
		secmem_wipe_stack();
	}
	free(request);
	close(fd);
}

/* --- the server --------------------------------------------------------------- */

struct connection {
	struct control *control;
	int fd; /* -1: free */
	uid_t uid;
};

struct control {
	struct control_calls calls;
	char *path;
	int listener;
	pthread_t acceptor;
	pthread_mutex_t mutex;
	pthread_cond_t left;
	/* Under the mutex: */
	struct connection connections[CONTROL_CONNECTIONS_MAX];
	size_t count;
	bool is_stopping;
};

/* The descriptor is shut down by control_stop as long as it is in the table: it leaves first. */
static void *run_connection(void *arg)
{
	struct connection *connection = arg;
	struct control *control = connection->control;
	int fd = dup(connection->fd);

	if (fd >= 0)
		control_serve(&control->calls, fd);
	pthread_mutex_lock(&control->mutex);
	close(connection->fd);
	connection->fd = -1;
	control->count--;
	pthread_cond_broadcast(&control->left);
	pthread_mutex_unlock(&control->mutex);
	return NULL;
}

/* Called with the mutex.  NULL: too many. */
static struct connection *find_place(struct control *control, uid_t uid)
{
	struct connection *place = NULL;
	size_t same = 0, others = 0;

	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
		const struct connection *connection = &control->connections[i];

		if (connection->fd < 0)
			place = &control->connections[i];
		else if (connection->uid == uid)
			same++;
		others += connection->fd >= 0 && connection->uid != 0;
	}
	/* One person may have thousands of uids (subuid(5)). */
	if (uid != 0 && (same >= CONTROL_PER_USER_MAX ||
			 others >= CONTROL_CONNECTIONS_MAX - CONTROL_FOR_ROOT))
		return NULL;
	return place;
}

/* Called with the mutex. */
static bool start_connection(struct control *control, int fd)
{
	struct connection *place;
	pthread_attr_t attr;
	pthread_t thread;
	struct ucred peer;
	bool is_started;

	if (control->is_stopping || !peer_of(fd, &peer))
		return false;
	place = find_place(control, peer.uid);
	if (!place)
		return false;
	*place = (struct connection){control, fd, peer.uid};
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	is_started = pthread_create(&thread, &attr, run_connection, place) == 0;
	pthread_attr_destroy(&attr);
	if (is_started)
		control->count++;
	else
		place->fd = -1;
	return is_started;
}

static void *run_acceptor(void *arg)
{
	struct control *control = arg;
	int fd;

	for (;;) {
		fd = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
			clock_sleep_ns(PAUSE_NS);
		else if (fd < 0 && errno != EINTR && errno != ECONNABORTED)
			return NULL; /* shut down */
		if (fd < 0)
			continue;
		pthread_mutex_lock(&control->mutex);
		if (!start_connection(control, fd))
			close(fd);
		pthread_mutex_unlock(&control->mutex);
	}
}

static enum err listen_at(const char *path, int *listener)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	enum err err = ERR_OK;
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		log_error("%s: too long for a socket, at most %zu bytes", path,
			  sizeof(address.sun_path) - 1);
		log_hint("[volume] run-directory = /run/phifs");
		return ERR_CONFIG;
	}
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_from_errno(errno);
	(void)unlink(path);
	/* Anyone may connect; the umask is for secrets. */
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || chmod(path, 0666) ||
	    listen(fd, CONTROL_CONNECTIONS_MAX)) {
		err = err_from_errno(errno);
		log_error("the control socket %s: %s", path, strerror(errno));
		close(fd);
		return err;
	}
	*listener = fd;
	return ERR_OK;
}

static void release(struct control *control)
{
	pthread_cond_destroy(&control->left);
	pthread_mutex_destroy(&control->mutex);
	free(control->path);
	free(control);
}

enum err control_start(const struct control_calls *calls, const char *path,
		       struct control **control)
{
	struct control *made = calloc(1, sizeof(*made));
	enum err err;

	if (!made)
		return ERR_NO_MEMORY;
	made->calls = *calls;
	made->path = strdup(path);
	pthread_mutex_init(&made->mutex, NULL);
	pthread_cond_init(&made->left, NULL);
	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
		made->connections[i].fd = -1;
	err = made->path ? listen_at(path, &made->listener) : ERR_NO_MEMORY;
	if (!err && pthread_create(&made->acceptor, NULL, run_acceptor, made)) {
		close(made->listener);
		err = ERR_NO_MEMORY;
	}
	if (err) {
		release(made);
		return err;
	}
	*control = made;
	return ERR_OK;
}

void control_stop(struct control *control)
{
	if (!control)
		return;
	(void)unlink(control->path);
	(void)shutdown(control->listener, SHUT_RDWR);
	pthread_join(control->acceptor, NULL);
	close(control->listener);
	pthread_mutex_lock(&control->mutex);
	control->is_stopping = true;
	/* Reading ends; the answer that is being given still goes out. */
	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
		if (control->connections[i].fd >= 0)
			(void)shutdown(control->connections[i].fd, SHUT_RD);
	while (control->count > 0)
		pthread_cond_wait(&control->left, &control->mutex);
	pthread_mutex_unlock(&control->mutex);
	release(control);
}

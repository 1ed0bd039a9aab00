#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "audit/feed.h"
#include "audit/trail.h"
#include "base/clock.h"
#include "base/log.h"

#define BATCH_SIZE     (32u << 10)
#define MARKS_MAX      512     /* batches sent, not yet known to be read */
#define CHECKPOINTS    128
#define CHECKPOINT_NS  NS_PER_SECOND
#define DELIVERED_NS   (5 * NS_PER_SECOND)  /* the safety window of a reconnection ... */
#define SETTLED_NS     (60 * NS_PER_SECOND) /* ... and of a power cut */
#define BACKOFF_MIN_NS (100 * NS_PER_MS)
#define BACKOFF_MAX_NS (10 * NS_PER_SECOND)
#define POLL_READ_MS   100 /* how often to ask whether the peer has read */
#define GATHER_NS      (50 * NS_PER_MS) /* between batches: a collector syncs its file after each */
#define NICENESS       10

/* After `stream_end` bytes of this connection the journal has been sent up to `position`. */
struct mark {
	uint64_t stream_end;
	struct position position;
};

struct checkpoint {
	int64_t at_ns;
	struct position position;
};

struct forwarder {
	struct audit *audit;
	pthread_t thread;
	bool is_started;
	int event_fd;
	_Atomic bool is_connected;
	_Atomic bool is_stopping;
	_Atomic int64_t deadline_ns;
	const char *path;               /* of the socket */

	int fd;
	int64_t backoff_ns;
	bool has_told_trouble;

	struct feed *feed;
	char *batch;
	size_t batch_len, batch_sent;
	int64_t rest_until_ns;
	uint64_t stream_sent;

	struct mark marks[MARKS_MAX];
	unsigned mark_first, mark_count;
	struct position read_by_peer;
	struct checkpoint checkpoints[CHECKPOINTS];
	unsigned point_first, point_count;
};

/* How far the files may be read: what lies behind is not yet durable. */
static struct position durable_end(struct forwarder *f)
{
	struct position end;

	pthread_mutex_lock(&f->audit->drain.lock);
	end = f->audit->drain.durable_end;
	pthread_mutex_unlock(&f->audit->drain.lock);
	return end;
}

/* --- the connection ---------------------------------------------------- */

static void tell_trouble(struct forwarder *f, const char *what, const char *why)
{
	if (f->has_told_trouble)
		return;
	f->has_told_trouble = true;
	log_warning("audit records of %s are not forwarded: %s %s: %s", f->audit->config.volume,
		    what, f->path, why);
	log_hint("they are kept and sent later; start the collector: systemctl start syslog-ng");
}

/* Go back to what the collector surely has; it tells duplicates by (jid, seq). */
static void rewind_to_bookmark(struct forwarder *f)
{
	pthread_mutex_lock(&f->audit->drain.lock);
	f->read_by_peer = f->audit->drain.delivered;
	pthread_mutex_unlock(&f->audit->drain.lock);
	feed_seek(f->feed, &f->read_by_peer);
	f->batch_len = f->batch_sent = 0;
	f->mark_count = f->point_count = 0;
	f->stream_sent = 0;
}

static void disconnect(struct forwarder *f, const char *why)
{
	if (f->fd < 0)
		return;
	close(f->fd);
	f->fd = -1;
	atomic_store(&f->is_connected, false);
	tell_trouble(f, "connection lost to", why);
	rewind_to_bookmark(f);
}

static void try_connect(struct forwarder *f)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(address.sun_path, f->path, strlen(f->path) + 1);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		tell_trouble(f, "cannot connect to", strerror(errno));
		if (fd >= 0)
			close(fd);
		f->backoff_ns *= 2;
		if (f->backoff_ns > BACKOFF_MAX_NS)
			f->backoff_ns = BACKOFF_MAX_NS;
		return;
	}
	f->fd = fd;
	f->backoff_ns = BACKOFF_MIN_NS;
	if (f->has_told_trouble)
		log_info("audit records of %s are forwarded again", f->audit->config.volume);
	f->has_told_trouble = false;
	atomic_store(&f->is_connected, true);
}

static void send_batch(struct forwarder *f)
{
	while (f->batch_sent < f->batch_len) {
		ssize_t sent = send(f->fd, f->batch + f->batch_sent, f->batch_len - f->batch_sent,
				    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS))
			return;
		if (sent < 0) {
			disconnect(f, strerror(errno));
			return;
		}
		f->batch_sent += (size_t)sent;
		f->stream_sent += (uint64_t)sent;
	}
	f->marks[(f->mark_first + f->mark_count++) % MARKS_MAX] =
		(struct mark){f->stream_sent, *feed_position(f->feed)};
	f->batch_len = f->batch_sent = 0;
	f->rest_until_ns = clock_boot_ns() + GATHER_NS;
}

static void move_bookmarks(struct forwarder *f, int64_t now)
{
	struct drain *drain = &f->audit->drain;
	unsigned last = (f->point_first + f->point_count - 1) % CHECKPOINTS;

	if (f->point_count == 0 || (f->point_count < CHECKPOINTS &&
				    now - f->checkpoints[last].at_ns >= CHECKPOINT_NS &&
				    f->checkpoints[last].position.chain.seq !=
					    f->read_by_peer.chain.seq))
		f->checkpoints[(f->point_first + f->point_count++) % CHECKPOINTS] =
			(struct checkpoint){now, f->read_by_peer};
	pthread_mutex_lock(&drain->lock);
	for (unsigned i = 0; i < f->point_count; i++) {
		const struct checkpoint *point =
			&f->checkpoints[(f->point_first + i) % CHECKPOINTS];

		if (now - point->at_ns >= DELIVERED_NS &&
		    point->position.chain.seq > drain->delivered.chain.seq) {
			drain->delivered = point->position;
			drain->is_bookmark_new = true;
		}
	}
	while (f->point_count > 0 &&
	       now - f->checkpoints[f->point_first].at_ns >= SETTLED_NS) {
		const struct position *settled = &f->checkpoints[f->point_first].position;

		drain->is_bookmark_new = drain->is_bookmark_new ||
					 settled->chain.seq != drain->settled.chain.seq;
		drain->settled = *settled;
		f->point_first = (f->point_first + 1) % CHECKPOINTS;
		f->point_count--;
	}
	pthread_mutex_unlock(&drain->lock);
}

/*
 * What the peer has taken out of the socket.  SIOCOUTQ counts the kernel's
 * buffers of what it has not, headers included: never less than the payload,
 * so what is called read here was read.
 */
static void look_what_was_read(struct forwarder *f)
{
	int unread = 0;
	uint64_t read;

	if (f->mark_count > 0) {
		if (ioctl(f->fd, SIOCOUTQ, &unread) < 0 || unread < 0)
			return;
		read = (uint64_t)unread >= f->stream_sent ? 0 : f->stream_sent - (uint64_t)unread;
		while (f->mark_count > 0 && f->marks[f->mark_first].stream_end <= read) {
			f->read_by_peer = f->marks[f->mark_first].position;
			f->mark_first = (f->mark_first + 1) % MARKS_MAX;
			f->mark_count--;
		}
	}
	move_bookmarks(f, clock_boot_ns());
}

/* --- the thread --------------------------------------------------------- */

/* Everything that is durable was sent and read. */
static bool is_done(struct forwarder *f)
{
	const struct position end = durable_end(f), *sent = feed_position(f->feed);

	return f->fd >= 0 && f->batch_len == 0 && f->mark_count == 0 &&
	       sent->segment == end.segment && sent->offset == end.offset;
}

static void wait_for_events(struct forwarder *f, bool has_trouble)
{
	struct pollfd fds[2] = {{.fd = f->event_fd, .events = POLLIN},
				{.fd = f->fd, .events = POLLIN}};
	/* Bookmarks age by themselves, so a connected forwarder looks once a second. */
	int timeout = f->mark_count > 0 ? POLL_READ_MS : 1000;
	int64_t rest = f->rest_until_ns - clock_boot_ns();
	uint64_t count;
	char unasked[256];

	if (f->fd < 0 || has_trouble) {
		timeout = (int)(f->backoff_ns / NS_PER_MS);
	} else if (rest > 0 && !atomic_load(&f->is_stopping)) {
		timeout = (int)(rest / NS_PER_MS) + 1;
		fds[0].fd = -1;
	}
	if (atomic_load(&f->is_stopping) && timeout > 20)
		timeout = 20;
	if (f->batch_sent < f->batch_len)
		fds[1].events |= POLLOUT;
	poll(fds, f->fd < 0 ? 1 : 2, timeout);
	if ((fds[0].revents & POLLIN) != 0 && read(f->event_fd, &count, sizeof(count)) < 0)
		return;
	/* A collector has nothing to say: readable means that it has gone.  What it says is dropped. */
	if (f->fd >= 0 && (fds[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0 &&
	    recv(f->fd, unasked, sizeof(unasked), MSG_DONTWAIT) <= 0)
		disconnect(f, "closed by the collector");
}

/* Only the time limit of a wait for a collector that is away is the backoff. */
static void wait_backoff(struct forwarder *f)
{
	int64_t until = clock_boot_ns() + f->backoff_ns;

	while (clock_boot_ns() < until && !atomic_load(&f->is_stopping))
		wait_for_events(f, true);
}

static enum err read_batch(struct forwarder *f)
{
	const struct position end = durable_end(f);

	f->batch_sent = 0;
	return feed_read(f->feed, &end, f->batch, BATCH_SIZE, &f->batch_len);
}

static void work(struct forwarder *f)
{
	enum err err = ERR_OK;
	bool has_more = true;

	/* Nothing is sent then, and only what the peer has read frees marks. */
	if (f->mark_count == MARKS_MAX)
		look_what_was_read(f);
	while (f->fd >= 0 && err == ERR_OK && has_more && f->mark_count < MARKS_MAX) {
		if (f->batch_len == 0)
			err = read_batch(f);
		has_more = f->batch_len > 0;
		if (has_more)
			send_batch(f);
		if (f->fd >= 0)
			look_what_was_read(f);
		has_more = has_more && f->batch_len == 0;
	}
	if (err == ERR_OK)
		return;
	if (!f->has_told_trouble) {
		f->has_told_trouble = true;
		log_error("audit records of %s cannot be read for forwarding: segment %" PRIu32
			  ", record %" PRIu64 ": %s",
			  f->audit->config.volume, feed_position(f->feed)->segment,
			  feed_position(f->feed)->chain.seq + 1,
			  err_text(err));
	}
	f->backoff_ns = BACKOFF_MAX_NS;
	wait_backoff(f);
	f->backoff_ns = BACKOFF_MIN_NS;
	rewind_to_bookmark(f);
}

static void *forward_main(void *ctx)
{
	struct forwarder *f = ctx;

	prctl(PR_SET_NAME, "phifs-forward");
	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICENESS);
	while (!atomic_load(&f->is_stopping) || clock_boot_ns() < atomic_load(&f->deadline_ns)) {
		if (f->fd < 0)
			try_connect(f);
		if (f->fd < 0) {
			/* It may just have come back: one try.  The journal keeps what it lacks. */
			if (atomic_load(&f->is_stopping))
				break;
			wait_backoff(f);
			continue;
		}
		work(f);
		if (atomic_load(&f->is_stopping) && is_done(f))
			break;
		wait_for_events(f, false);
	}
	return NULL;
}

static enum err parse_target(const struct audit *audit, const char **path)
{
	const char *forward = audit->config.forward;

	if (strncmp(forward, "unix:/", 6) != 0 ||
	    strlen(forward + 5) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
		log_error("forward = %s: not unix:/PATH of a socket", forward);
		return ERR_CONFIG;
	}
	*path = forward + 5;
	return ERR_OK;
}

static void forward_free(struct forwarder *f)
{
	if (f == NULL)
		return;
	if (f->fd >= 0)
		close(f->fd);
	if (f->event_fd >= 0)
		close(f->event_fd);
	feed_free(f->feed);
	free(f->batch);
	free(f);
}

enum err forward_start(struct audit *audit)
{
	struct forwarder *f = calloc(1, sizeof(*f));
	enum err err;

	if (f == NULL)
		return ERR_NO_MEMORY;
	f->audit = audit;
	f->fd = f->event_fd = -1;
	f->backoff_ns = BACKOFF_MIN_NS;
	err = parse_target(audit, &f->path);
	if (err == ERR_OK)
		err = feed_new(audit, &f->feed);
	f->batch = malloc(BATCH_SIZE);
	f->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (err == ERR_OK && (f->batch == NULL || f->event_fd < 0))
		err = ERR_NO_MEMORY;
	if (err == ERR_OK) {
		rewind_to_bookmark(f);
		if (pthread_create(&f->thread, NULL, forward_main, f) != 0)
			err = ERR_NO_MEMORY;
	}
	if (err != ERR_OK) {
		forward_free(f);
		return err;
	}
	f->is_started = true;
	audit->forwarder = f;
	return ERR_OK;
}

void forward_wake(struct forwarder *forwarder)
{
	const uint64_t one = 1;

	/* A full counter wakes just as well. */
	if (write(forwarder->event_fd, &one, sizeof(one)) < 0)
		return;
}

void forward_stop(struct audit *audit, int64_t deliver_ms)
{
	struct forwarder *f = audit->forwarder;

	if (f == NULL)
		return;
	atomic_store(&f->deadline_ns, clock_boot_ns() + deliver_ms * NS_PER_MS);
	atomic_store(&f->is_stopping, true);
	forward_wake(f);
	pthread_join(f->thread, NULL);
	if (is_done(f)) {
		pthread_mutex_lock(&audit->drain.lock);
		audit->drain.delivered = audit->drain.settled = *feed_position(f->feed);
		audit->drain.is_all_delivered = true;
		pthread_mutex_unlock(&audit->drain.lock);
	}
	audit->forwarder = NULL;
	forward_free(f);
}

bool forward_is_connected(const struct forwarder *forwarder)
{
	return forwarder != NULL && atomic_load(&forwarder->is_connected);
}

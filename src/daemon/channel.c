#include "daemon/channel.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secmem.h"
#include "daemon/patch.h"
#include "daemon/ring.h"

/* The kernel refuses reads into smaller buffers (FUSE_MIN_READ_BUFFER). */
#define INIT_BUFFER_LEN 8192
#define KICK_INTERVAL_NS NS_PER_MS
#define RING_SWITCH "/sys/module/fuse/parameters/enable_uring"

/* One for each worker thread; everything but the atomics is only its own. */
struct worker {
	pthread_t thread;
	void *buffer;
	size_t used;                  /* bytes of the buffer that hold old requests */
	_Atomic bool is_used;         /* protected by channel.mutex for writing */
	_Atomic bool is_reading;
	_Atomic uint64_t wiped;       /* generation of the last wipe */
};

struct channel {
	int fd;                       /* -1 once it is the session's */
	struct patch patch;
	struct ring *ring;            /* or NULL */
	struct fuse_session *session; /* once attached */
	/* INIT, read ahead; handed out with the first read of libfuse. */
	uint8_t init[INIT_BUFFER_LEN];
	_Atomic size_t init_len;
	_Atomic uint64_t generation;  /* of wipes asked for */
	_Atomic bool is_ring_due;     /* with the first reply, which is INIT's */
	_Atomic bool is_ring_used;
	_Atomic bool is_stopping;
	pthread_key_t at_thread_exit;
	/* Registering, leaving and kicking: a thread that left is never kicked. */
	pthread_mutex_t mutex;
	struct worker workers[CHANNEL_WORKERS_MAX];
};

static struct channel *the_channel;
static _Thread_local struct worker *this_worker;

static void ignore_signal(int number)
{
	(void)number;
}

/* Without SA_RESTART: it has to interrupt read(2). */
static void install_signal(void)
{
	struct sigaction action = {.sa_handler = ignore_signal};

	sigemptyset(&action.sa_mask);
	sigaction(CHANNEL_SIGNAL, &action, NULL);
}

/* libfuse frees the buffer after the thread is gone. */
static void worker_left(void *worker)
{
	struct worker *w = worker;

	pthread_mutex_lock(&the_channel->mutex);
	w->buffer = NULL;
	atomic_store(&w->is_used, false);
	pthread_mutex_unlock(&the_channel->mutex);
}

static struct worker *worker_register(struct channel *channel)
{
	struct worker *found = NULL;

	pthread_mutex_lock(&channel->mutex);
	for (size_t i = 0; i < CHANNEL_WORKERS_MAX && !found; i++)
		if (!atomic_load(&channel->workers[i].is_used))
			found = &channel->workers[i];
	if (found) {
		found->thread = pthread_self();
		found->used = 0;
		atomic_store(&found->is_reading, false);
		atomic_store(&found->wiped, atomic_load(&channel->generation));
		atomic_store(&found->is_used, true);
		pthread_setspecific(channel->at_thread_exit, found);
	}
	pthread_mutex_unlock(&channel->mutex);
	return found;
}

static void wipe_if_asked(struct channel *channel, struct worker *worker)
{
	uint64_t generation = atomic_load(&channel->generation);

	if (atomic_load_explicit(&worker->wiped, memory_order_relaxed) == generation)
		return;
	secmem_wipe(worker->buffer, worker->used);
	worker->used = 0;
	secmem_wipe_stack();
	atomic_store(&worker->wiped, generation);
}

/* The INIT request that was read ahead, once. */
static ssize_t take_init(struct channel *channel, void *buffer, size_t size)
{
	size_t len = atomic_exchange(&channel->init_len, 0);

	if (len > size)
		len = size;
	memcpy(buffer, channel->init, len);
	return (ssize_t)len;
}

static ssize_t read_request(struct channel *channel, struct worker *worker, int fd, size_t size)
{
	bool is_kicked;
	ssize_t got;

	do {
		wipe_if_asked(channel, worker);
		if (atomic_load(&channel->is_stopping)) {
			errno = ENODEV;
			return -1;
		}
		if (atomic_load_explicit(&channel->init_len, memory_order_relaxed) > 0 &&
		    (got = take_init(channel, worker->buffer, size)) > 0)
			return got;
		atomic_store(&worker->is_reading, true);
		got = read(fd, worker->buffer, size);
		atomic_store(&worker->is_reading, false);
		is_kicked = got < 0 && errno == EINTR;
		/* The signal's frame: registers that last held somebody's data. */
		if (is_kicked)
			secmem_wipe_stack();
	} while (is_kicked);
	return got;
}

static ssize_t hook_read(int fd, void *buffer, size_t size, void *user_data)
{
	struct channel *channel = the_channel;
	struct worker *worker = this_worker;
	ssize_t got;

	(void)user_data;
	if (!worker)
		worker = this_worker = worker_register(channel);
	if (!worker) {
		log_error("more than %d worker threads", CHANNEL_WORKERS_MAX);
		errno = ENODEV;
		return -1;
	}
	worker->buffer = buffer;
	got = read_request(channel, worker, fd, size);
	if (got > 0) {
		if ((size_t)got > worker->used)
			worker->used = (size_t)got;
		patch_request(&channel->patch, buffer, (size_t)got);
	}
	return got;
}

static ssize_t length_of(const struct iovec *iov, int count)
{
	size_t len = 0;

	for (int i = 0; i < count; i++)
		len += iov[i].iov_len;
	return (ssize_t)len;
}

/* The kernel knows now that there will be a ring. */
static void start_ring(struct channel *channel)
{
	atomic_store(&channel->is_ring_due, false);
	if (ring_start(channel->ring) == ERR_OK) {
		atomic_store(&channel->is_ring_used, true);
		return;
	}
	log_warning("the kernel does not take the ring: requests come through the device");
	ring_stop(channel->ring);
	(void)ring_kick(channel->ring, UINT64_MAX);
}

static ssize_t hook_writev(int fd, struct iovec *iov, int count, void *user_data)
{
	struct channel *channel = the_channel;
	ssize_t written;

	(void)user_data;
	patch_reply(&channel->patch, iov, count);
	if (channel->ring && ring_reply(channel->ring, iov, count))
		return length_of(iov, count);
	written = writev(fd, iov, count);
	if (written > 0 && atomic_load_explicit(&channel->is_ring_due, memory_order_relaxed))
		start_ring(channel);
	return written;
}

enum err channel_new(int fd, uint64_t masked, struct channel **channel)
{
	struct channel *c;

	if (the_channel)
		return ERR_BUSY;
	c = calloc(1, sizeof(*c));
	if (!c)
		return ERR_NO_MEMORY;
	if (pthread_key_create(&c->at_thread_exit, worker_left)) {
		free(c);
		return ERR_NO_MEMORY;
	}
	pthread_mutex_init(&c->mutex, NULL);
	patch_init(&c->patch, masked);
	c->fd = fd;
	install_signal();
	the_channel = c;
	*channel = c;
	return ERR_OK;
}

void channel_free(struct channel *channel)
{
	if (!channel)
		return;
	ring_free(channel->ring);
	if (channel->fd >= 0)
		close(channel->fd);
	pthread_key_delete(channel->at_thread_exit);
	pthread_mutex_destroy(&channel->mutex);
	the_channel = NULL;
	free(channel);
}

enum err channel_read_init(struct channel *channel)
{
	ssize_t got;

	do
		got = read(channel->fd, channel->init, sizeof(channel->init));
	while (got < 0 && (errno == EINTR || errno == EAGAIN));
	if (got < 0)
		return err_from_errno(errno);
	patch_request(&channel->patch, channel->init, (size_t)got);
	atomic_store(&channel->init_len, (size_t)got);
	return atomic_load(&channel->patch.init_unique) != 0 ? ERR_OK : ERR_FORMAT;
}

uint64_t channel_offered(const struct channel *channel)
{
	return atomic_load(&channel->patch.offered);
}

static void serve_request(void *ctx, void *request, size_t len)
{
	struct channel *channel = ctx;
	const struct fuse_buf buffer = {.mem = request, .size = len};

	patch_request(&channel->patch, request, len);
	fuse_session_process_buf(channel->session, &buffer);
}

enum err channel_use_ring(struct channel *channel)
{
	const struct ring_calls calls = {.ctx = channel, .request = serve_request};
	enum err err;

	if (!ring_is_built()) {
		log_warning("requests come through the device: this phifsd was built without io_uring");
		log_hint("apt-get install liburing-dev, configure --with-io-uring, make install");
		return ERR_UNSUPPORTED;
	}
	if (!(channel_offered(channel) & PATCH_OVER_IO_URING)) {
		log_warning("requests come through the device: the kernel does not offer io_uring");
		log_hint("with Linux 6.14 or later: echo Y >" RING_SWITCH ", then restart phifsd");
		return ERR_UNSUPPORTED;
	}
	err = ring_new(channel->fd, &calls, &channel->ring);
	if (err) {
		log_warning("requests come through the device: io_uring cannot be set up: %s",
			    err_text(err));
		log_hint("sysctl kernel.io_uring_disabled");
		return err;
	}
	channel->patch.has_ring = true;
	atomic_store(&channel->is_ring_due, true);
	return ERR_OK;
}

bool channel_has_ring(const struct channel *channel)
{
	return atomic_load(&channel->is_ring_used);
}

enum err channel_attach(struct channel *channel, struct fuse_session *session)
{
	static const struct fuse_custom_io hooks = {.writev = hook_writev, .read = hook_read};
	int result = fuse_session_custom_io(session, &hooks, channel->fd);

	if (result != 0)
		return err_from_errno(result < 0 ? -result : EINVAL);
	channel->session = session;
	channel->fd = -1;
	return ERR_OK;
}

/* Wakes the sleeping ones that lag behind `generation` (or all); gives how many lag. */
static unsigned int kick(struct channel *channel, uint64_t generation)
{
	unsigned int lagging = 0;

	pthread_mutex_lock(&channel->mutex);
	for (size_t i = 0; i < CHANNEL_WORKERS_MAX; i++) {
		struct worker *w = &channel->workers[i];

		if (!atomic_load(&w->is_used) || atomic_load(&w->wiped) >= generation)
			continue;
		lagging++;
		if (atomic_load(&w->is_reading))
			pthread_kill(w->thread, CHANNEL_SIGNAL);
	}
	pthread_mutex_unlock(&channel->mutex);
	if (channel->ring)
		lagging += ring_kick(channel->ring, generation);
	return lagging;
}

unsigned int channel_wipe(struct channel *channel, int64_t deadline_boot_ns)
{
	uint64_t generation = atomic_fetch_add(&channel->generation, 1) + 1;
	unsigned int lagging;

	if (channel->ring)
		ring_wipe(channel->ring, generation);
	/* A worker between its check and read(2) misses a signal: hence again and again. */
	while ((lagging = kick(channel, generation)) > 0 && clock_boot_ns() < deadline_boot_ns)
		clock_sleep_ns(KICK_INTERVAL_NS);
	return lagging;
}

void channel_stop(struct channel *channel)
{
	atomic_store(&channel->is_stopping, true);
	if (channel->ring)
		ring_stop(channel->ring);
	kick(channel, UINT64_MAX);
}

bool channel_is_stopped(struct channel *channel)
{
	return kick(channel, UINT64_MAX) == 0;
}

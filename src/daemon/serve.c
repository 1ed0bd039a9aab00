#include "daemon/serve.h"

#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/link.h"
#include "daemon/mount.h"
#include "daemon/patch.h"

#define STOP_LOOK_NS NS_PER_MS

/* --- callbacks of requests and of the invalidation thread ----------------------- */

static void filled(void *ctx, uint64_t number, uint64_t offset, uint64_t length)
{
	struct volume *volume = ctx;

	invalidate_add(volume->invalidate, number, offset, length);
}

/* An inode that the kernel has forgotten has no pages: errors do not matter. */
static void drop(void *ctx, uint64_t number, uint64_t offset, uint64_t length)
{
	struct volume *volume = ctx;

	(void)fuse_lowlevel_notify_inval_inode(volume->fuse, number, (off_t)offset,
					       (off_t)length);
}

static void add_one(void *ctx, uint64_t number)
{
	struct volume *volume = ctx;

	invalidate_add(volume->invalidate, number, 0, 0);
}

static void add_all(void *ctx)
{
	struct volume *volume = ctx;

	fsops_each_filled(volume->fsops, add_one, volume);
}

/* --- start -------------------------------------------------------------------- */

static enum err open_channel(struct serve *serve)
{
	struct volume *volume = serve->volume;
	int fd;
	enum err err = link_mount(volume->setup->link, &fd, &serve->connection);

	if (err)
		return err;
	err = channel_new(fd, volume->setup->options->masked_init_flags, &volume->channel);
	if (err) {
		close(fd);
		return err;
	}
	err = channel_read_init(volume->channel);
	if (!err && volume->config->transport == CONFIG_TRANSPORT_IO_URING)
		/* The log says why not; the device does as well. */
		(void)!channel_use_ring(volume->channel);
	return err;
}

static enum err make_fsops(struct volume *volume)
{
	const struct fsops_config config = {
		.store = volume->store,
		.session = volume->session,
		.audit = volume->audit,
		.policy = volume->policy,
		.read_only = volume->setup->options->is_read_only,
		.old_kernel =
			!(channel_offered(volume->channel) & PATCH_DIRECT_IO_ALLOW_MMAP),
		.filled = filled,
		.ctx = volume,
	};
	const struct invalidate_calls calls = {.ctx = volume, .drop = drop, .add_all = add_all};
	enum err err = fsops_new(&config, &volume->fsops);

	if (err)
		volume->policy = NULL; /* fsops had it */
	return err ? err : invalidate_new(&calls, &volume->invalidate);
}

static enum err make_session(struct volume *volume)
{
	char *arguments[] = {(char *)"phifsd", NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, arguments);

	volume->fuse = fuse_session_new(&args, fsops_operations(), sizeof(*fsops_operations()),
					volume->fsops);
	return volume->fuse ? channel_attach(volume->channel, volume->fuse) : ERR_NO_MEMORY;
}

static unsigned int thread_count(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned int threads = cores > 0 ? 2 * (unsigned int)cores : 0;

	if (threads < SERVE_THREADS_MIN)
		return SERVE_THREADS_MIN;
	return threads < CHANNEL_WORKERS_MAX ? threads : CHANNEL_WORKERS_MAX;
}

static void *run_loop(void *arg)
{
	struct serve *serve = arg;
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	const uint64_t one = 1;

	if (config) {
		fuse_loop_cfg_set_clone_fd(config, 0);
		fuse_loop_cfg_set_max_threads(config, thread_count());
		/* Threads that come and go would cost more than they hold. */
		fuse_loop_cfg_set_idle_threads(config, thread_count());
		(void)fuse_session_loop_mt(serve->volume->fuse, config);
		fuse_loop_cfg_destroy(config);
	}
	(void)!write(serve->ended, &one, sizeof(one));
	return NULL;
}

enum err serve_start(struct volume *volume, struct serve *serve)
{
	enum err err;

	*serve = (struct serve){.volume = volume, .ended = -1};
	err = open_channel(serve);
	if (!err)
		err = make_fsops(volume);
	if (!err)
		err = make_session(volume);
	if (!err) {
		serve->ended = eventfd(0, EFD_CLOEXEC);
		serve->is_running = serve->ended >= 0 &&
				    pthread_create(&serve->loop, NULL, run_loop, serve) == 0;
		err = serve->is_running ? ERR_OK : ERR_NO_MEMORY;
	}
	if (err) {
		log_error("%s cannot be served at %s: %s", volume->config->name,
			  volume->config->mountpoint, err_text(err));
		serve_unmount(serve);
		(void)!serve_stop(serve);
	}
	return err;
}

/* --- stop --------------------------------------------------------------------- */

void serve_unmount(struct serve *serve)
{
	const struct volume *volume = serve->volume;

	/* A parent that was killed cannot do it any more. */
	if (link_unmount(volume->setup->link))
		(void)!mount_detach(volume->config->mountpoint);
}

static bool has_stopped(struct volume *volume)
{
	return channel_is_stopped(volume->channel) && invalidate_stuck_ns(volume->invalidate) == 0;
}

/* Threads that hang in a request are cut off from the kernel; they may still end. */
static bool end_threads(struct serve *serve)
{
	struct volume *volume = serve->volume;
	int64_t start = clock_boot_ns();
	bool is_aborted = false, is_stopped;

	channel_stop(volume->channel);
	while (!(is_stopped = has_stopped(volume)) &&
	       clock_boot_ns() - start < SERVE_STOP_MS * NS_PER_MS) {
		if (!is_aborted && clock_boot_ns() - start > SERVE_STOP_MS / 2 * NS_PER_MS) {
			log_warning("%s: requests do not end: the connection is aborted",
				    volume->config->name);
			is_aborted = serve_abort(serve) == ERR_OK;
		}
		clock_sleep_ns(STOP_LOOK_NS);
	}
	return is_stopped;
}

enum err serve_abort(struct serve *serve)
{
	return mount_abort(serve->connection);
}

enum err serve_stop(struct serve *serve)
{
	struct volume *volume = serve->volume;

	if (serve->is_running) {
		if (!end_threads(serve))
			return ERR_AGAIN;
		pthread_join(serve->loop, NULL);
	}
	invalidate_free(volume->invalidate);
	volume->invalidate = NULL;
	if (volume->fuse)
		fuse_session_destroy(volume->fuse);
	volume->fuse = NULL;
	channel_free(volume->channel);
	volume->channel = NULL;
	if (serve->ended >= 0)
		close(serve->ended);
	serve->ended = -1;
	return ERR_OK;
}

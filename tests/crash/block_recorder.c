#include "block_recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "block_server.h"

#define LOOP_TRIES 100

struct block_recorder {
	struct block_shared *shared;
	char mountpoint[4096], device[32];
	pid_t server;
	int loop;   /* -1: none; the device ends with the last descriptor */
	int socket; /* -1: none */
	pthread_t listener;
	bool is_listening;
	pthread_mutex_t mutex; /* guards the rest */
	block_flushed *flushed;
	void *ctx;
};

/* --- what the server tells ------------------------------------------------------------ */

static void *listen_to_server(void *arg)
{
	struct block_recorder *recorder = arg;
	char word;

	while (read(recorder->socket, &word, 1) == 1) {
		pthread_mutex_lock(&recorder->mutex);
		if (recorder->flushed != NULL)
			recorder->flushed(recorder->ctx);
		pthread_mutex_unlock(&recorder->mutex);
		if (write(recorder->socket, &word, 1) != 1)
			break;
	}
	return NULL;
}

/* --- the process ------------------------------------------------------------------------ */

static bool start_server(struct block_recorder *recorder)
{
	int sockets[2];
	pid_t parent = getpid();
	char word;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
		return false;
	recorder->socket = sockets[0];
	recorder->server = fork();
	if (recorder->server == 0) {
		close(sockets[0]);
		/* It must outlive whoever waits for the disk: an interrupt is not for it. */
		signal(SIGINT, SIG_IGN);
		signal(SIGTERM, SIG_IGN);
		signal(SIGHUP, SIG_IGN);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(getppid() == parent ? block_serve(recorder->shared, recorder->mountpoint,
							sockets[1])
					  : EXIT_FAILURE);
	}
	close(sockets[1]);
	return recorder->server > 0 && read(recorder->socket, &word, 1) == 1;
}

static void stop_server(struct block_recorder *recorder)
{
	if (recorder->server > 0) {
		umount2(recorder->mountpoint, MNT_DETACH);
		kill(recorder->server, SIGKILL);
		waitpid(recorder->server, NULL, 0);
	}
	if (recorder->is_listening)
		pthread_join(recorder->listener, NULL);
	if (recorder->socket >= 0)
		close(recorder->socket);
}

/* --- the loop device ---------------------------------------------------------------------- */

/* The next free one, unless somebody else was faster. */
static bool try_loop(struct block_recorder *recorder, int control, int file)
{
	struct loop_config config = {.fd = (uint32_t)file, .block_size = BLOCK_SECTOR,
				     .info.lo_flags = LO_FLAGS_AUTOCLEAR};
	int number = ioctl(control, LOOP_CTL_GET_FREE);

	if (number < 0)
		return false;
	snprintf(recorder->device, sizeof(recorder->device), "/dev/loop%d", number);
	recorder->loop = open(recorder->device, O_RDWR | O_CLOEXEC);
	if (recorder->loop < 0)
		return false;
	if (ioctl(recorder->loop, LOOP_CONFIGURE, &config) == 0)
		return true;
	close(recorder->loop);
	recorder->loop = -1;
	return false;
}

static bool attach_loop(struct block_recorder *recorder)
{
	char path[sizeof(recorder->mountpoint) + 8];
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), file;
	bool is_there = false;

	snprintf(path, sizeof(path), "%s/disk", recorder->mountpoint);
	file = open(path, O_RDWR | O_CLOEXEC);
	for (int i = 0; i < LOOP_TRIES && control >= 0 && file >= 0 && !is_there; i++)
		is_there = try_loop(recorder, control, file);
	if (control >= 0)
		close(control);
	if (file >= 0)
		close(file);
	return is_there;
}

/* --- life ------------------------------------------------------------------------------------ */

struct block_recorder *block_recorder_new(struct block_disk *disk, const char *directory)
{
	struct block_recorder *recorder = calloc(1, sizeof(*recorder));
	const char *failed = NULL;

	if (recorder == NULL)
		abort();
	recorder->loop = recorder->socket = -1;
	pthread_mutex_init(&recorder->mutex, NULL);
	snprintf(recorder->mountpoint, sizeof(recorder->mountpoint), "%s", directory);
	recorder->shared = block_shared_new(disk);
	if (!start_server(recorder))
		failed = "a FUSE file";
	else if (pthread_create(&recorder->listener, NULL, listen_to_server, recorder) != 0)
		failed = "a thread";
	else
		recorder->is_listening = true;
	if (failed == NULL && !attach_loop(recorder))
		failed = "a loop device";
	if (failed == NULL)
		return recorder;
	fprintf(stderr, "block recorder: no %s: %s\n", failed + 2, strerror(errno));
	block_recorder_free(recorder);
	return NULL;
}

void block_recorder_free(struct block_recorder *recorder)
{
	if (recorder == NULL)
		return;
	if (recorder->loop >= 0)
		close(recorder->loop);
	stop_server(recorder);
	block_shared_free(recorder->shared);
	pthread_mutex_destroy(&recorder->mutex);
	free(recorder);
}

const char *block_recorder_device(const struct block_recorder *recorder)
{
	return recorder->device;
}

void block_recorder_changed(struct block_recorder *recorder)
{
	ioctl(recorder->loop, BLKFLSBUF, 0);
}

/* --- the log ---------------------------------------------------------------------------------- */

void block_recorder_begin(struct block_recorder *recorder, block_flushed *flushed, void *ctx)
{
	pthread_mutex_lock(&recorder->mutex);
	recorder->flushed = flushed;
	recorder->ctx = ctx;
	pthread_mutex_unlock(&recorder->mutex);
	block_shared_clear(recorder->shared);
	atomic_store(&recorder->shared->is_heard, flushed != NULL);
	atomic_store(&recorder->shared->is_recording, true);
}

void block_recorder_end(struct block_recorder *recorder)
{
	atomic_store(&recorder->shared->is_recording, false);
	atomic_store(&recorder->shared->is_heard, false);
	pthread_mutex_lock(&recorder->mutex);
	recorder->flushed = NULL;
	pthread_mutex_unlock(&recorder->mutex);
}

size_t block_recorder_count(const struct block_recorder *recorder)
{
	return atomic_load(&recorder->shared->count);
}

bool block_recorder_is_full(const struct block_recorder *recorder)
{
	return atomic_load(&recorder->shared->is_full);
}

struct block_entry block_recorder_entry(const struct block_recorder *recorder, size_t index)
{
	const struct block_shared *shared = recorder->shared;
	const struct block_logged *logged = &shared->entries[index];

	return (struct block_entry){logged->kind, logged->offset, logged->len,
				    shared->data + logged->data};
}

#include "daemon/selftest.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/channel.h"
#include "daemon/mount.h"

#define PROBE_NAME   "probe"
#define PROBE_NUMBER 2
#define PROBE_SIZE   65536
#define PROBE_PIECE  4096

/*
 * Two processes besides the caller.  The server serves and has no descriptor
 * in its own file system: a process that has both can hang for ever at its
 * end, flushing a file that nobody serves any more.  The client probes.  They
 * share one page and two pipes.
 */
struct shared {
	_Atomic unsigned int reads;
	struct selftest result;
};

/* --- the throw-away file system: one file, read directly --------------------- */

static struct shared *shared;

static void fill_attr(fuse_ino_t number, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = number;
	st->st_nlink = 1;
	st->st_mode = number == FUSE_ROOT_ID ? S_IFDIR | 0700 : S_IFREG | 0600;
	st->st_size = number == FUSE_ROOT_ID ? 0 : PROBE_SIZE;
}

static void probe_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = {.ino = PROBE_NUMBER, .attr_timeout = 60,
					 .entry_timeout = 60};

	if (parent != FUSE_ROOT_ID || strcmp(name, PROBE_NAME) != 0) {
		fuse_reply_err(request, ENOENT);
		return;
	}
	fill_attr(PROBE_NUMBER, &entry.attr);
	fuse_reply_entry(request, &entry);
}

static void probe_getattr(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *file)
{
	struct stat st;

	(void)file;
	fill_attr(number, &st);
	fuse_reply_attr(request, &st, 60);
}

static void probe_open(fuse_req_t request, fuse_ino_t number, struct fuse_file_info *file)
{
	(void)number;
	file->direct_io = 1;
	fuse_reply_open(request, file);
}

static void probe_read(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset,
		       struct fuse_file_info *file)
{
	static const char zeroes[PROBE_SIZE];
	size_t left = offset < PROBE_SIZE ? (size_t)(PROBE_SIZE - offset) : 0;

	(void)number;
	(void)file;
	atomic_fetch_add(&shared->reads, 1);
	fuse_reply_buf(request, zeroes, size < left ? size : left);
}

static const struct fuse_lowlevel_ops probe_ops = {
	.lookup = probe_lookup,
	.getattr = probe_getattr,
	.open = probe_open,
	.read = probe_read,
};

static void *serve(void *session)
{
	fuse_session_loop(session);
	return NULL;
}

/* --- the client ----------------------------------------------------------------- */

/* Byte for byte with the server: "mounted", "please invalidate", "done". */
static bool say(int fd)
{
	return write(fd, "+", 1) == 1;
}

static bool hear(int fd)
{
	char byte;

	return read(fd, &byte, 1) == 1;
}

/* True if a sendfile of the same bytes reached the file system. */
static bool sendfile_arrives(int from, int to)
{
	unsigned int before = atomic_load(&shared->reads);
	off_t offset = 0;

	return sendfile(to, from, &offset, PROBE_PIECE) == PROBE_PIECE &&
	       atomic_load(&shared->reads) > before;
}

static bool mmap_shared_works(int fd)
{
	void *map = mmap(NULL, PROBE_PIECE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return false;
	munmap(map, PROBE_PIECE);
	return true;
}

static bool probe(int from_server, int to_server)
{
	struct selftest *result = &shared->result;
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int fd = hear(from_server) ? open(PROBE_NAME, O_RDWR | O_CLOEXEC) : -1;

	if (fd < 0 || null < 0 || !sendfile_arrives(fd, null))
		return false;
	result->is_sendfile_exact = sendfile_arrives(fd, null);
	if (!say(to_server) || !hear(from_server))
		return false;
	result->is_exact_invalidated = sendfile_arrives(fd, null);
	result->is_mmap_shared = mmap_shared_works(fd);
	return close(fd) == 0;
}

static _Noreturn void client(const char *mountpoint, int from_server, int to_server)
{
	/* Into the file system once it is mounted, out again before the end. */
	if (hear(from_server) && chdir(mountpoint) == 0)
		shared->result.is_done = probe(from_server, to_server);
	_exit(chdir("/") == 0 ? 0 : 1);
}

/* --- the server ----------------------------------------------------------------- */

static enum err start_serving(const char *mountpoint, uint64_t masked,
			      struct fuse_session **session)
{
	struct mount_options options = {.source = "phifs-probe", .mountpoint = mountpoint};
	char *arguments[] = {(char *)"phifsd", NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, arguments);
	struct channel *channel;
	unsigned int connection;
	pthread_t thread;
	int fd;
	enum err err = mount_attach(&options, &fd, &connection);

	if (!err)
		err = channel_new(fd, masked, &channel);
	if (!err)
		err = channel_read_init(channel);
	if (err)
		return err;
	*session = fuse_session_new(&args, &probe_ops, sizeof(probe_ops), NULL);
	if (!*session)
		return ERR_NO_MEMORY;
	err = channel_attach(channel, *session);
	if (!err && pthread_create(&thread, NULL, serve, *session))
		err = ERR_NO_MEMORY;
	return err;
}

/* Gives nothing back: the process exits, and the mount name space with it. */
static enum err server(const char *mountpoint, uint64_t masked, int from_client, int to_client)
{
	struct fuse_session *session;
	enum err err = start_serving(mountpoint, masked, &session);

	if (err)
		return err;
	if (!say(to_client) || !say(to_client) || !hear(from_client))
		return ERR_SYSTEM;
	fuse_lowlevel_notify_inval_inode(session, PROBE_NUMBER, 0, 0);
	if (!say(to_client))
		return ERR_SYSTEM;
	/* Ends when the client is gone. */
	return hear(from_client) ? ERR_SYSTEM : ERR_OK;
}

/* The first child: makes the client, then becomes the server. */
static _Noreturn void child(const char *mountpoint, uint64_t masked, int pipe)
{
	int to_client[2], to_server[2];
	pid_t pid;

	/* Whoever hangs must not keep the volume's lock file. */
	if (dup2(pipe, 3) < 0)
		_exit(1);
	closefrom(4);
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    pipe2(to_client, O_CLOEXEC) || pipe2(to_server, O_CLOEXEC))
		_exit(1);
	pid = fork();
	if (pid == 0) {
		close(3);
		close(to_client[1]);
		close(to_server[0]);
		client(mountpoint, to_client[0], to_server[1]);
	}
	close(to_client[0]);
	close(to_server[1]);
	if (pid > 0 && server(mountpoint, masked, to_server[0], to_client[1]) == ERR_OK &&
	    waitpid(pid, NULL, 0) == pid)
		(void)say(3);
	_exit(0);
}

/* A child stuck in the kernel is left behind: it ends when the kernel lets it. */
static void end_child(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	for (int i = 0; i < 100; i++) {
		if (waitpid(pid, NULL, WNOHANG) != 0)
			return;
		clock_sleep_ns(10 * NS_PER_MS);
	}
	log_warning("the self-test hangs in the kernel");
}

static void run_limited(const char *mountpoint, uint64_t masked, struct selftest *result)
{
	struct pollfd ready = {.events = POLLIN};
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return;
	pid = fork();
	if (pid == 0)
		child(mountpoint, masked, ends[1]);
	close(ends[1]);
	ready.fd = ends[0];
	if (pid > 0 && poll(&ready, 1, SELFTEST_LIMIT_MS) == 1 && hear(ends[0]))
		*result = shared->result;
	if (pid > 0)
		end_child(pid);
	close(ends[0]);
}

static void describe(struct selftest *result)
{
	struct utsname system;
	const char *dot, *reads_text;
	int version_len;

	uname(&system);
	dot = strchr(system.release, '.');
	version_len = dot ? (int)(dot + 1 - system.release + (long)strspn(dot + 1, "0123456789"))
			  : (int)strlen(system.release);
	reads_text = result->is_sendfile_exact	    ? "every read exact"
		     : result->is_exact_invalidated ? "every read exact by invalidation"
						    : "sendfile and mmap NOT exact";
	if (result->is_done)
		snprintf(result->text, sizeof(result->text), "%.*s: %s, shared mmap %s", version_len,
			 system.release, reads_text, result->is_mmap_shared ? "yes" : "no");
	else
		snprintf(result->text, sizeof(result->text), "%.*s: the self-test could not run",
			 version_len, system.release);
}

void selftest_run(const char *directory, uint64_t masked_init_flags, struct selftest *result)
{
	char mountpoint[PATH_MAX];
	void *page = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	memset(result, 0, sizeof(*result));
	if (page != MAP_FAILED) {
		shared = page;
		if (snprintf(mountpoint, sizeof(mountpoint), "%s/probe.XXXXXX", directory) <
			    (int)sizeof(mountpoint) &&
		    mkdtemp(mountpoint)) {
			run_limited(mountpoint, masked_init_flags, result);
			(void)rmdir(mountpoint);
		}
		munmap(page, sizeof(*shared));
	}
	describe(result);
	if (!result->is_done)
		log_warning("kernel %s", result->text);
}

#include "daemon/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "daemon/detach.h"
#include "daemon/link.h"
#include "daemon/mount.h"
#include "daemon/selftest.h"
#include "daemon/worker.h"

/* What an end takes behind the lock's deadline: the last audit records, the unmounting. */
#define END_MS 10000
/* How often the worker is looked at: nothing tells that a thread of it does not end. */
#define LOOK_MS 1000

struct parent {
	const struct options *options;
	const struct config *config;
	struct selftest selftest;
	struct detach detach;
	int lock;     /* run-directory/NAME.lock, held as long as one of both processes lives */
	int signals;  /* signalfd */
	int link;
	pid_t worker;
	unsigned int connection;
	bool is_dying; /* the worker, at the last look */
	bool is_mounted;
	bool is_over;
	int status;   /* exit status */
};

static enum err make_run_directory(const char *path)
{
	if (mkdir(path, 0755) == 0) {
		/* The umask is for secrets; the socket in here is for everybody. */
		if (chmod(path, 0755) == 0)
			return ERR_OK;
	} else if (errno == EEXIST) {
		return ERR_OK;
	}
	log_error("cannot make the run directory %s: %s", path, strerror(errno));
	return err_from_errno(errno);
}

/*
 * umount(8) returns before the daemon has locked the volume and ended: whoever starts it
 * at once waits for that.  A volume that is mounted is in use.
 */
static bool wait_for_lock(const struct parent *parent)
{
	const struct timespec pause = {.tv_nsec = 50 * NS_PER_MS};
	int64_t end = clock_boot_ns() + (parent->config->deadline_ms + END_MS) * NS_PER_MS;

	while (flock(parent->lock, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK || io_is_mount(parent->config->mountpoint) ||
		    clock_boot_ns() > end)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

static enum err take_lock(struct parent *parent)
{
	const struct config *config = parent->config;
	char *path = config_run_path(config, "lock");
	enum err err = ERR_OK;

	if (!path)
		return ERR_NO_MEMORY;
	parent->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (parent->lock < 0) {
		err = err_from_errno(errno);
		log_error("%s: %s", path, strerror(errno));
		if (err == ERR_DENIED)
			log_hint("it mounts, and needs root: sudo phifsd %s", config->words);
	} else if (!wait_for_lock(parent)) {
		err = ERR_BUSY;
		log_error("%s is running already", config->name);
		log_hint("phifsctl status %s", config->words);
	}
	free(path);
	return err;
}

static void block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGCHLD);
	sigprocmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static enum err run_worker(struct parent *parent, int link, pid_t parent_pid)
{
	struct worker_setup setup = {
		.options = parent->options,
		.config = parent->config,
		.selftest = &parent->selftest,
		.link = link,
	};

	/* A terminal's Ctrl-C goes to the parent only, which hands it on once. */
	(void)setpgid(0, 0);
	/* A parent that is killed: stop in good order; the worker unmounts itself. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) || getppid() != parent_pid)
		return ERR_SYSTEM;
	close(parent->link);
	close(parent->signals);
	detach_forget(&parent->detach);
	return worker_run(&setup);
}

static enum err start_worker(struct parent *parent)
{
	pid_t parent_pid = getpid();
	int ends[2];
	enum err err = link_new(ends);

	if (err)
		return err;
	parent->link = ends[0];
	parent->worker = fork();
	if (parent->worker == 0)
		_exit(err_exit_code(run_worker(parent, ends[1], parent_pid)));
	close(ends[1]);
	return parent->worker < 0 ? err_from_errno(errno) : ERR_OK;
}

static void answer_mount(struct parent *parent)
{
	struct mount_options options = {
		.source = parent->config->name,
		.mountpoint = parent->config->mountpoint,
		.is_read_only = parent->options->is_read_only,
		.uid = geteuid(),
		.gid = getegid(),
	};
	int fd = -1;
	enum err err = parent->is_mounted ? ERR_BUSY
					  : mount_attach(&options, &fd, &parent->connection);

	if (!err)
		parent->is_mounted = true;
	link_answer(parent->link, err, fd, parent->connection);
	if (fd >= 0)
		close(fd);
}

static enum err unmount(struct parent *parent)
{
	enum err err = parent->is_mounted ? mount_detach(parent->config->mountpoint) : ERR_OK;

	if (!err)
		parent->is_mounted = false;
	return err;
}

static void serve_link(struct parent *parent)
{
	enum link_request request;

	if (link_receive(parent->link, &request)) {
		/* The worker ends; SIGCHLD will tell how. */
		close(parent->link);
		parent->link = -1;
	} else if (request == LINK_MOUNT) {
		answer_mount(parent);
	} else if (request == LINK_UNMOUNT) {
		link_answer(parent->link, unmount(parent), -1, 0);
	} else {
		link_answer(parent->link, ERR_OK, -1, 0);
		detach_ready(&parent->detach);
	}
}

static void reap_worker(struct parent *parent)
{
	int status;

	if (waitpid(parent->worker, &status, WNOHANG) != parent->worker)
		return;
	parent->is_over = true;
	if (WIFEXITED(status)) {
		parent->status = WEXITSTATUS(status);
	} else {
		log_error("the worker was ended by signal %d (%s)", WTERMSIG(status),
			  strsignal(WTERMSIG(status)));
		parent->status = err_exit_code(ERR_SYSTEM);
	}
}

/* Its first thread has ended, so all must; SIGCHLD comes with the last. */
static bool worker_is_dying(const struct parent *parent)
{
	char path[64], state = 0;
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)parent->worker);
	stat = fopen(path, "re");
	if (!stat)
		return false;
	if (fscanf(stat, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	fclose(stat);
	return state == 'Z';
}

/*
 * A thread of a killed worker may wait in the kernel for what only the worker
 * could do: that a page is written back, which it is about to drop.  As long as
 * it does, its descriptors stay open and whoever waits for the volume waits for
 * ever.  The end of the connection wakes all of them.
 */
static void look_at_worker(struct parent *parent)
{
	bool was_dying = parent->is_dying;

	parent->is_dying = parent->is_mounted && worker_is_dying(parent);
	if (!parent->is_dying || !was_dying)
		return;
	log_error("the worker was killed and does not end: its connection is aborted");
	if (mount_abort(parent->connection))
		log_hint("umount --force %s", parent->config->mountpoint);
	(void)unmount(parent);
}

static void serve_signal(struct parent *parent)
{
	struct signalfd_siginfo info;

	if (read(parent->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGCHLD)
		reap_worker(parent);
	else
		(void)kill(parent->worker, (int)info.ssi_signo);
}

static void watch(struct parent *parent)
{
	while (!parent->is_over) {
		struct pollfd fds[] = {
			{.fd = parent->signals, .events = POLLIN},
			{.fd = parent->link, .events = POLLIN},
		};

		int ready = poll(fds, 2, LOOK_MS);

		if (ready <= 0) {
			if (ready == 0)
				look_at_worker(parent);
			continue;
		}
		if (fds[1].revents)
			serve_link(parent);
		if (fds[0].revents)
			serve_signal(parent);
	}
	if (unmount(parent) && parent->status == 0)
		parent->status = err_exit_code(ERR_SYSTEM);
}

static enum err prepare(struct parent *parent)
{
	enum err err = make_run_directory(parent->config->run_directory);

	if (!err)
		err = take_lock(parent);
	if (!err)
		err = mount_check(parent->config);
	if (!err)
		selftest_run(parent->config->run_directory, parent->options->masked_init_flags,
			     &parent->selftest);
	return err;
}

int parent_run(const struct options *options, const struct config *config)
{
	struct parent parent = {
		.options = options, .config = config, .lock = -1, .signals = -1, .link = -1};
	sigset_t set;
	enum err err = prepare(&parent);

	if (!err && !options->is_foreground)
		err = detach_start(&parent.detach);
	if (!err) {
		block_signals(&set);
		parent.signals = signalfd(-1, &set, SFD_CLOEXEC);
		err = parent.signals < 0 ? err_from_errno(errno) : start_worker(&parent);
	}
	if (!err)
		watch(&parent);
	return err ? err_exit_code(err) : parent.status;
}

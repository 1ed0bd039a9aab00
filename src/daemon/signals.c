#include "daemon/signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum err signals_open(int *fd)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return err_from_errno(errno);
	*fd = signalfd(-1, &set, SFD_CLOEXEC);
	return *fd < 0 ? err_from_errno(errno) : ERR_OK;
}

enum signals_event signals_wait(int fd, int link, int ended)
{
	struct signalfd_siginfo info;

	for (;;) {
		struct pollfd fds[] = {
			{.fd = fd, .events = POLLIN},
			/* The parent never speaks first: only its end is of interest. */
			{.fd = link, .events = 0},
			{.fd = ended, .events = POLLIN},
		};

		if (poll(fds, 3, -1) < 0)
			continue;
		if (fds[0].revents && read(fd, &info, sizeof(info)) == sizeof(info))
			return info.ssi_signo == SIGHUP ? SIGNALS_RELOAD : SIGNALS_STOP;
		if (fds[1].revents)
			return SIGNALS_STOP;
		if (fds[2].revents)
			return SIGNALS_ENDED;
	}
}

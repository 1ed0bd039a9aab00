#include "daemon/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "base/log.h"

static void log_to_syslog(void *ctx, enum log_level level, const char *text)
{
	static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

	(void)ctx;
	syslog(priorities[level], "%s", text);
}

void detach_streams(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	openlog("phifsd", LOG_PID, LOG_DAEMON);
	log_set_hook(log_to_syslog, NULL);
	for (int standard = 0; fd >= 0 && standard <= 2; standard++)
		(void)dup2(fd, standard);
	if (fd > 2)
		close(fd);
}

/* The first process: exits as the second says, or as it ends. */
static _Noreturn void wait_for_second(int pipe, pid_t second)
{
	char byte;
	ssize_t got;
	int status;

	do
		got = read(pipe, &byte, 1);
	while (got < 0 && errno == EINTR);
	if (got == 1)
		_exit(0);
	while (waitpid(second, &status, 0) < 0 && errno == EINTR)
		continue;
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : err_exit_code(ERR_SYSTEM));
}

enum err detach_start(struct detach *detach)
{
	int ends[2];
	pid_t second;

	if (pipe2(ends, O_CLOEXEC))
		return err_from_errno(errno);
	second = fork();
	if (second < 0) {
		close(ends[0]);
		close(ends[1]);
		return err_from_errno(errno);
	}
	if (second > 0) {
		close(ends[1]);
		wait_for_second(ends[0], second);
	}
	close(ends[0]);
	(void)setsid();
	detach->is_wanted = true;
	detach->pipe = ends[1];
	return ERR_OK;
}

void detach_ready(struct detach *detach)
{
	if (!detach->is_wanted)
		return;
	if (write(detach->pipe, "+", 1) != 1)
		log_warning("whoever started phifsd is gone");
	detach_forget(detach);
	detach_streams();
}

void detach_forget(struct detach *detach)
{
	if (detach->is_wanted)
		close(detach->pipe);
	detach->is_wanted = false;
}

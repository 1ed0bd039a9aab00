#include "crash_process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

pid_t process_fork(void)
{
	pid_t parent = getpid(), child = fork();

	if (child < 0) {
		perror("fork");
		exit(99);
	}
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(99);
	}
	return child;
}

bool process_is_over(pid_t child)
{
	siginfo_t info = {.si_pid = 0};

	return waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == child;
}

bool process_end(pid_t child, int seconds, int *status)
{
	int64_t deadline = clock_boot_ns() + seconds * NS_PER_SECOND;

	while (waitpid(child, status, WNOHANG) != child) {
		if (clock_boot_ns() >= deadline) {
			kill(child, SIGKILL);
			waitpid(child, status, 0);
			return false;
		}
		usleep(200);
	}
	return true;
}

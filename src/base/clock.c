#include "base/clock.h"

#include <errno.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

int64_t clock_boot_ns(void)
{
	return read_clock(CLOCK_BOOTTIME);
}

int64_t clock_wall_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

struct timespec clock_wall(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now;
}

void clock_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

/* POSIX conditions know no CLOCK_BOOTTIME: what is left is counted on CLOCK_MONOTONIC. */
void clock_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t deadline_ns)
{
	int64_t left = deadline_ns - clock_boot_ns();
	int64_t at = read_clock(CLOCK_MONOTONIC) + (left > 0 ? left : 0);
	struct timespec deadline = {.tv_sec = at / NS_PER_SECOND, .tv_nsec = at % NS_PER_SECOND};

	pthread_cond_timedwait(cond, mutex, &deadline);
}

void clock_sleep_ns(int64_t ns)
{
	struct timespec left = {.tv_sec = ns / NS_PER_SECOND, .tv_nsec = ns % NS_PER_SECOND};

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
		;
}

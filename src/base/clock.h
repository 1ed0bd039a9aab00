/*
 * Time.  CLOCK_BOOTTIME counts suspend and cannot be set back: every timeout
 * and idle clock uses it.  Wall time is for time stamps only.
 */
#ifndef PHIFS_BASE_CLOCK_H
#define PHIFS_BASE_CLOCK_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

#define NS_PER_SECOND 1000000000LL
#define NS_PER_MS     1000000LL
#define NS_PER_US     1000LL

/* Nanoseconds since boot, suspend included. */
int64_t clock_boot_ns(void);
/* Nanoseconds since 1970, UTC. */
int64_t clock_wall_ns(void);
/* Wall time as a struct timespec. */
struct timespec clock_wall(void);
/* A condition whose timeouts do not follow the wall clock. */
void clock_cond_init(pthread_cond_t *cond);
/* Wait on such a condition until `deadline_ns` (clock_boot_ns) at most. */
void clock_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t deadline_ns);
/* Blocks for at least `ns`. */
void clock_sleep_ns(int64_t ns);

#endif

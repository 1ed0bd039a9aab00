/* Children that end with us at the latest, and may end badly. */
#ifndef PHIFS_TESTS_CRASH_PROCESS_H
#define PHIFS_TESTS_CRASH_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* fork; aborts on failure. */
pid_t process_fork(void);
/* It has ended already; process_end says how. */
bool process_is_over(pid_t child);
/* Waits; false: it had to be killed after `seconds`. */
bool process_end(pid_t child, int seconds, int *status);

#endif

/* Readiness and watchdog of systemd (sd_notify(3)), without libsystemd. */
#ifndef PHIFS_DAEMON_NOTIFY_H
#define PHIFS_DAEMON_NOTIFY_H

#include <stdint.h>

/*
 * Send "READY=1", "STOPPING=1", "WATCHDOG=1" or "STATUS=..." to the service
 * manager; nothing happens if there is none.  Thread-safe.
 */
void notify_send(const char *state);

/* Nanoseconds between two WATCHDOG=1 that keep the manager content; 0: none wanted. */
int64_t notify_watchdog_ns(void);

#endif

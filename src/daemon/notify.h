/* Readiness and watchdog of systemd (sd_notify(3)), without libsystemd. */
#ifndef PHIFS_DAEMON_NOTIFY_H
#define PHIFS_DAEMON_NOTIFY_H

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

#define NOTIFY_WORDS_MAX 512

/*
 * Send "READY=1", "STOPPING=1", "WATCHDOG=1" or "STATUS=..." to the service
 * manager; nothing happens if there is none.  Thread-safe.
 */
void notify_send(const char *state);

/* Nanoseconds between two WATCHDOG=1 that keep the manager content; 0: none wanted. */
int64_t notify_watchdog_ns(void);

/*
 * What a person types to start the daemon anew: systemctl if a service manager started
 * it, else umount and phifsd.
 */
void notify_restart_words(const struct config *config, char *words, size_t size);

#endif

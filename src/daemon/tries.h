/*
 * Wrong passphrases, slowed down for each caller and slot: the first
 * TRIES_FREE at once, then after a pause that doubles up to TRIES_PAUSE_MAX_MS.
 * A try counts as wrong from its beginning until it turned out right.  Nobody
 * is ever locked out: that would be a weapon.
 *
 * In memory only: restarting the daemon takes root, who has better ways.
 * Not thread-safe.
 */
#ifndef PHIFS_DAEMON_TRIES_H
#define PHIFS_DAEMON_TRIES_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define TRIES_FREE         3u
#define TRIES_PAUSE_MS     1000
#define TRIES_PAUSE_MAX_MS 60000
#define TRIES_MAX          64u /* callers and slots remembered; the oldest is forgotten */

struct tries {
	struct {
		uid_t uid;
		uint32_t slot;
		uint32_t wrong;
		int64_t last_ns;
	} entries[TRIES_MAX];
};

/* Count a try; ERR_AGAIN, and it is not counted, if it comes `*wait_ms` too early. */
enum err tries_begin(struct tries *tries, uid_t uid, uint32_t slot, int64_t now_ns,
		     int64_t *wait_ms) MUST_CHECK;
/* It was right. */
void tries_forget(struct tries *tries, uid_t uid, uint32_t slot);

#endif

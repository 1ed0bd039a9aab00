/*
 * Names of user ids for records, without a name service in a request: from
 * /etc/passwd at once, from elsewhere (NSS) when the ticker has asked.
 * Bounded: USERS_CACHED ids, the newer displaces the older.  Thread-safe.
 */
#ifndef PHIFS_FSOPS_USERS_H
#define PHIFS_FSOPS_USERS_H

#include <sys/types.h>

#include "base/err.h"

#define USERS_CACHED  1024
#define USER_NAME_MAX 32
#define USER_AGE_MS   600000 /* then it is asked again */

struct users;

enum err users_new(struct users **users) MUST_CHECK;
void users_free(struct users *users);
/* "" if not known (yet). */
void users_name(struct users *users, uid_t uid, char name[USER_NAME_MAX]);
/* Ask NSS for what is not in /etc/passwd; may take long. */
void users_tick(struct users *users);

#endif

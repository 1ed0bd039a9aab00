/*
 * Who a caller is: the process behind a thread id, and the person it acts for.
 *
 * A process is a thread group with its start time, held by a pidfd: as long as
 * the pidfd is alive its number cannot mean another process.  That a thread
 * belongs to it is asked with tgkill(2), signal 0: two system calls, no /proc.
 *
 * An identity is a process together with the fsuid of its request, as read at
 * one moment: login uid, audit session, groups, executable, terminal or remote
 * host, cgroup.  It never changes; a later look makes a new one.  While a
 * request is being served its thread cannot exit, so /proc/TID is the caller's;
 * the pidfd is looked at again after reading (fuse.md 5).
 *
 * Reading takes some 60 us; path operations take an identity that is younger
 * than IDENTITY_AGE_MS from the cache, opens read groups, login uid and
 * executable afresh.  exec(2) keeps process and start time.
 *
 * Without pidfd calls (kernels before 5.3, or no descriptors left) the start
 * time in /proc/PID/stat is compared instead.
 *
 * No name service is asked: names come from /etc/passwd, and for others from a
 * cache that the ticker fills (identities_tick), so the first records of a
 * directory-service user carry the uid alone.
 *
 * Thread-safe; locks are sharded by process.
 */
#ifndef PHIFS_FSOPS_IDENTITY_H
#define PHIFS_FSOPS_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "audit/audit.h"
#include "base/err.h"
#include "policy/policy.h"

#define IDENTITY_AGE_MS    1000
#define IDENTITIES_MAX     4096 /* cached; identities that handles hold come on top */

struct identities;
struct identity;

enum err identities_new(struct identities **identities) MUST_CHECK;
/* No identity may be held any more. */
void identities_free(struct identities *identities);
/* Forget what is cached (the lock); identities held elsewhere stay valid. */
void identities_wipe(struct identities *identities);
/* Once a second: drop processes that ended, find names of new uids (NSS, may take long). */
void identities_tick(struct identities *identities);

/*
 * The identity of thread `tid` acting as `uid`/`gid`; a reference for the
 * caller.  `is_fresh`: read now (opens).  ERR_DENIED: the process cannot be
 * seen (tid 0: another pid namespace) or ended meanwhile; ERR_NO_MEMORY.
 */
enum err identity_of(struct identities *identities, pid_t tid, uid_t uid, gid_t gid,
		     bool is_fresh, struct identity **identity) MUST_CHECK;
struct identity *identity_hold(struct identity *identity);
void identity_put(struct identity *identity); /* NULL is harmless */

/* `tid` is a thread of the identity's process, which is still the same one. No /proc. */
bool identity_has_thread(const struct identity *identity, pid_t tid);
/* Both are of the same process. */
bool identity_same_process(const struct identity *a, const struct identity *b);
/* The process still exists. */
bool identity_is_alive(const struct identity *identity);

const struct audit_person *identity_person(const struct identity *identity);
/* Valid as long as the identity. */
void identity_subject(const struct identity *identity, struct policy_subject *subject);

#endif

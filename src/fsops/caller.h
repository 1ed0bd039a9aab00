/*
 * Who a caller is: the process behind a thread id, and the person it acts for.
 *
 * A process is a thread group with its start time, held by a pidfd: as long as
 * the pidfd is alive its number cannot mean another process.  That another
 * thread than the first belongs to it is asked with tgkill(2), signal 0: one or
 * two system calls, no /proc.
 *
 * A caller is a process together with the fsuid of its request, as read at
 * one moment: login uid, audit session, groups, executable, terminal or remote
 * host, cgroup.  It never changes; a later look makes a new one.  While a
 * request is being served its thread cannot exit, so /proc/TID is the caller's;
 * the pidfd is looked at again after reading.
 *
 * Reading takes some 20 us; path operations take one that is younger
 * than CALLER_AGE_MS from the cache, opens read groups, login uid and
 * executable afresh, not the cgroup.  exec(2) keeps process and start time.
 *
 * Without pidfd calls (kernels before 5.3, or so many processes are held that
 * the next gets no descriptors) the start time in /proc/PID/stat is compared
 * instead.
 *
 * No name service is asked: names come from /etc/passwd, and for others from a
 * cache that the ticker fills (callers_tick), so the first records of a
 * directory-service user carry the uid alone.
 *
 * Thread-safe; locks are sharded by process.
 */
#ifndef PHIFS_FSOPS_CALLER_H
#define PHIFS_FSOPS_CALLER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "audit/audit.h"
#include "base/err.h"
#include "policy/policy.h"

#define CALLER_AGE_MS 1000
#define CALLERS_MAX   4096 /* cached; those that handles hold come on top */

struct callers;
struct caller;

enum err callers_new(struct callers **callers) MUST_CHECK;
/* No caller may be held any more. */
void callers_free(struct callers *callers);
/* Forget what is cached (the lock); what is held elsewhere stays valid. */
void callers_wipe(struct callers *callers);
/* Once a second: drop processes that ended, find names of new uids (NSS, may take long). */
void callers_tick(struct callers *callers);

/*
 * The caller behind thread `tid` acting as `uid`/`gid`; a reference for
 * who asks.  `is_fresh`: read now (opens).  ERR_DENIED: the process cannot be
 * seen (tid 0: another pid namespace) or ended meanwhile; ERR_NO_MEMORY.
 */
enum err caller_of(struct callers *callers, pid_t tid, uid_t uid, gid_t gid,
		    bool is_fresh, struct caller **caller) MUST_CHECK;
struct caller *caller_hold(struct caller *caller);
void caller_put(struct caller *caller); /* NULL is harmless */

/* `tid` is a thread of the caller's process, which is still the same one. No /proc. */
bool caller_has_thread(const struct caller *caller, pid_t tid);
/* Both are of the same process. */
bool caller_same_process(const struct caller *a, const struct caller *b);
/* The process still exists. */
bool caller_is_alive(const struct caller *caller);

const struct audit_person *caller_person(const struct caller *caller);
/* Valid as long as the caller. */
void caller_subject(const struct caller *caller, struct policy_subject *subject);

#endif

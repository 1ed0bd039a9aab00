/*
 * What /proc says about a thread or process: text files, each read in one go
 * and parsed strictly.  What cannot be read is reported as "not known".
 * Thread-safe; no state.
 */
#ifndef PHIFS_FSOPS_PROC_H
#define PHIFS_FSOPS_PROC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "policy/policy.h"

/*
 * Files of a process that are read again and again, kept open: no path is walked and nothing
 * opened for it.  They stay the process's own, through exec(2), and say that it has ended when
 * it has, whoever has its number then.  -1: not there, or no descriptors left.
 */
struct proc_files {
	int status, login_uid;
};
void proc_open(pid_t pid, struct proc_files *files);
void proc_close(struct proc_files *files);

/*
 * Thread group and supplementary groups of a thread, from its `file` (proc_files.status), or
 * -1: by name.  ERR_NOT_FOUND: it ended.
 */
enum err proc_status(int file, pid_t tid, pid_t *tgid, gid_t groups[POLICY_GROUPS_MAX],
		     size_t *count) MUST_CHECK;
/* Start time in clock ticks since boot, controlling terminal (0: none). */
enum err proc_start(pid_t pid, uint64_t *start, uint32_t *terminal) MUST_CHECK;

/*
 * From `file` (proc_files.login_uid), or -1: by name.  LOGIN_UID_UNSET: nobody logged in, or
 * this kernel knows no logins.  Any other failure is an error: who has no login counts as a
 * service, so a look that failed must not pass for none.
 */
enum err proc_login_uid(int file, pid_t pid, uid_t *uid) MUST_CHECK;
uint32_t proc_session(pid_t pid);   /* UINT32_MAX if not known */
/* Path of the executable, cut at the front if longer; "" if not known (a kernel thread). */
void proc_executable(pid_t pid, char *path, size_t size);
/* Last component of the cgroup. */
void proc_unit(pid_t pid, char *unit, size_t size);
/*
 * "pts/3 10.2.1.7": the terminal and, by utmp, the remote host; "no terminal"
 * without one.
 */
void proc_from(uint32_t terminal, char *from, size_t size);

#endif

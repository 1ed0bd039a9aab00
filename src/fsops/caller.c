#include "fsops/caller.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uthash.h>

#include "base/clock.h"
#include "fsops/proc.h"
#include "fsops/users.h"

#define SHARDS 64
/*
 * One process in so many of the descriptors there may be keeps some, three at most: handles
 * hold their openers long after those ended, and the store has half of all (store.c).
 */
#define FILES_OF_A_PROCESS 8

struct process {
	_Atomic uint32_t users;
	_Atomic uint32_t *kept; /* counted there; NULL: it keeps no descriptors */
	pid_t tgid;
	uint64_t start;
	int pidfd; /* -1: the start time has to be compared */
	struct proc_files files;
	uint32_t terminal;
};

struct key {
	pid_t tgid;
	uid_t uid;
};

struct caller {
	_Atomic uint32_t users;
	struct process *process;
	int64_t read_ns; /* boot time */
	int64_t unit_ns; /* the same of the cgroup, which may be taken from an earlier look */
	struct audit_person person;
	/* Of the cache, under the shard's lock. */
	struct key key;
	UT_hash_handle hh;
	size_t group_count;
	gid_t groups[];
};

struct shard {
	pthread_mutex_t mutex;
	struct caller *table; /* holds a reference of each */
};

struct callers {
	struct users *users;
	uint32_t kept_max;
	_Atomic uint32_t kept; /* processes that keep descriptors */
	struct shard shards[SHARDS];
};

/* --- processes ---------------------------------------------------------------------- */

/* Signal 0: EPERM, too, says that there is one. */
static bool has_thread(pid_t tgid, pid_t tid)
{
	return syscall(SYS_tgkill, tgid, tid, 0) == 0 || errno == EPERM;
}

static bool process_is_alive(const struct process *process)
{
	struct pollfd ended = {.fd = process->pidfd, .events = POLLIN};
	uint32_t terminal;
	uint64_t start;

	/* Readable once its last thread is gone. */
	if (process->pidfd >= 0)
		return poll(&ended, 1, 0) == 0;
	return proc_start(process->tgid, &start, &terminal) == ERR_OK && start == process->start;
}

static void process_put(struct process *process)
{
	if (process == NULL || atomic_fetch_sub(&process->users, 1) > 1)
		return;
	proc_close(&process->files);
	if (process->pidfd >= 0)
		close(process->pidfd);
	if (process->kept != NULL)
		atomic_fetch_sub(process->kept, 1);
	free(process);
}

static void keep_descriptors(struct callers *callers, struct process *p)
{
	p->pidfd = p->files.status = p->files.login_uid = -1;
	if (atomic_fetch_add(&callers->kept, 1) >= callers->kept_max) {
		atomic_fetch_sub(&callers->kept, 1);
		return;
	}
	p->kept = &callers->kept;
	p->pidfd = (int)syscall(SYS_pidfd_open, p->tgid, 0);
	proc_open(p->tgid, &p->files);
}

static enum err process_open(struct callers *callers, pid_t tgid, struct process **process)
{
	struct process *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return ERR_NO_MEMORY;
	atomic_init(&p->users, 1);
	p->tgid = tgid;
	/* First the pidfd, then what is read, then a look whether it lives: one process. */
	keep_descriptors(callers, p);
	if (proc_start(tgid, &p->start, &p->terminal) != ERR_OK) {
		process_put(p);
		return ERR_DENIED;
	}
	*process = p;
	return ERR_OK;
}

/* --- callers ------------------------------------------------------------------------ */

struct caller *caller_hold(struct caller *caller)
{
	atomic_fetch_add(&caller->users, 1);
	return caller;
}

void caller_put(struct caller *caller)
{
	if (caller == NULL || atomic_fetch_sub(&caller->users, 1) > 1)
		return;
	process_put(caller->process);
	free(caller);
}

bool caller_is_alive(const struct caller *caller)
{
	return process_is_alive(caller->process);
}

bool caller_has_thread(const struct caller *caller, pid_t tid)
{
	pid_t tgid = caller->process->tgid;

	/*
	 * In this order: a process that lives now was the same at the first question.
	 * Its first thread has its number, which is nobody else's until it ends.
	 */
	return tid > 0 && (tid == tgid || has_thread(tgid, tid)) && caller_is_alive(caller);
}

bool caller_same_process(const struct caller *a, const struct caller *b)
{
	return a->process == b->process || (a->process->tgid == b->process->tgid &&
					    a->process->start == b->process->start);
}

const struct audit_person *caller_person(const struct caller *caller)
{
	return &caller->person;
}

void caller_subject(const struct caller *caller, struct policy_subject *subject)
{
	*subject = (struct policy_subject){.uid = caller->person.uid,
					   .login_uid = caller->person.login_uid,
					   .groups = caller->groups,
					   .group_count = caller->group_count};
}

static bool is_young(int64_t read_ns)
{
	return clock_boot_ns() - read_ns < CALLER_AGE_MS * NS_PER_MS;
}

/* The cgroup decides nothing: a young look at the same process (`before`, or NULL) is good enough. */
static void read_unit(struct caller *caller, const struct caller *before)
{
	struct audit_person *person = &caller->person;

	if (before != NULL && is_young(before->unit_ns)) {
		memcpy(person->unit, before->person.unit, sizeof(person->unit));
		caller->unit_ns = before->unit_ns;
	} else {
		proc_unit(caller->process->tgid, person->unit, sizeof(person->unit));
		caller->unit_ns = clock_boot_ns();
	}
}

static enum err read_person(struct callers *callers, struct caller *caller, uid_t uid,
			    const struct caller *before)
{
	struct audit_person *person = &caller->person;
	pid_t tgid = caller->process->tgid;

	person->uid = uid;
	person->pid = tgid;
	if (proc_login_uid(caller->process->files.login_uid, tgid, &person->login_uid) != ERR_OK)
		return ERR_DENIED;
	/* The kernel gives both at once. */
	person->session = person->login_uid == LOGIN_UID_UNSET ? UINT32_MAX : proc_session(tgid);
	users_name(callers->users, uid, person->user);
	if (person->login_uid != LOGIN_UID_UNSET)
		users_name(callers->users, person->login_uid, person->login_user);
	proc_executable(tgid, person->exe, sizeof(person->exe));
	read_unit(caller, before);
	if (person->login_uid == LOGIN_UID_UNSET)
		snprintf(person->from, sizeof(person->from), "service");
	else
		proc_from(caller->process->terminal, person->from, sizeof(person->from));
	return ERR_OK;
}

/* Takes `process` over, also on failure; `before`: an earlier look at it, or NULL. */
static enum err caller_read(struct callers *callers, struct process *process, pid_t tid,
			    uid_t uid, gid_t gid, const struct caller *before,
			    struct caller **caller)
{
	gid_t groups[POLICY_GROUPS_MAX];
	struct caller *c = NULL;
	size_t count;
	pid_t tgid;
	/* Groups are a thread's own: the open file is the first one's. */
	int file = tid == process->tgid ? process->files.status : -1;
	enum err err = proc_status(file, tid, &tgid, groups, &count);

	if (err == ERR_OK && tgid == process->tgid)
		c = calloc(1, sizeof(*c) + (count + 1) * sizeof(gid_t));
	if (c == NULL) {
		err = err == ERR_OK && tgid == process->tgid ? ERR_NO_MEMORY : ERR_DENIED;
		process_put(process);
		return err;
	}
	atomic_init(&c->users, 1);
	c->process = process;
	c->key = (struct key){process->tgid, uid};
	c->groups[0] = gid; /* the fsgid: its primary group */
	memcpy(c->groups + 1, groups, count * sizeof(gid_t));
	c->group_count = count + 1;
	err = read_person(callers, c, uid, before);
	c->read_ns = clock_boot_ns();
	if (err != ERR_OK || !caller_has_thread(c, tid)) {
		caller_put(c);
		return ERR_DENIED;
	}
	*caller = c;
	return ERR_OK;
}

/* --- the cache ---------------------------------------------------------------------- */

static struct shard *shard_of(struct callers *callers, pid_t tgid)
{
	return &callers->shards[(unsigned int)tgid % SHARDS];
}

static struct caller *cache_find(struct callers *callers, pid_t tgid, uid_t uid)
{
	struct shard *shard = shard_of(callers, tgid);
	struct key key = {tgid, uid};
	struct caller *caller;

	pthread_mutex_lock(&shard->mutex);
	HASH_FIND(hh, shard->table, &key, sizeof(key), caller);
	if (caller != NULL)
		caller_hold(caller);
	pthread_mutex_unlock(&shard->mutex);
	return caller;
}

/* With the shard's lock. */
static void cache_drop(struct shard *shard, struct caller *caller)
{
	HASH_DEL(shard->table, caller);
	caller_put(caller);
}

static void cache_put(struct callers *callers, struct caller *caller)
{
	struct shard *shard = shard_of(callers, caller->key.tgid);
	struct caller *before;

	pthread_mutex_lock(&shard->mutex);
	HASH_FIND(hh, shard->table, &caller->key, sizeof(caller->key), before);
	if (before != NULL)
		cache_drop(shard, before);
	/* uthash keeps the order of insertion: the head is the oldest. */
	if (HASH_COUNT(shard->table) >= CALLERS_MAX / SHARDS)
		cache_drop(shard, shard->table);
	caller_hold(caller);
	HASH_ADD(hh, shard->table, key, sizeof(caller->key), caller);
	pthread_mutex_unlock(&shard->mutex);
}

/* The thread group of a thread: most callers have one thread, or use the first. */
static enum err group_of(pid_t tid, pid_t *tgid)
{
	gid_t groups[POLICY_GROUPS_MAX];
	size_t count;

	if (tid > 0 && has_thread(tid, tid)) {
		*tgid = tid;
		return ERR_OK;
	}
	return proc_status(-1, tid, tgid, groups, &count) == ERR_OK ? ERR_OK : ERR_DENIED;
}

enum err caller_of(struct callers *callers, pid_t tid, uid_t uid, gid_t gid, bool is_fresh,
		   struct caller **caller)
{
	struct process *process = NULL;
	struct caller *cached, *before = NULL;
	pid_t tgid;
	enum err err = group_of(tid, &tgid);

	if (err != ERR_OK)
		return err;
	cached = cache_find(callers, tgid, uid);
	if (cached != NULL && caller_has_thread(cached, tid)) {
		/* Another primary group makes another subject: sg(1), setfsgid. */
		if (!is_fresh && is_young(cached->read_ns) && cached->groups[0] == gid) {
			*caller = cached;
			return ERR_OK;
		}
		before = cached;
		process = cached->process;
		atomic_fetch_add(&process->users, 1);
	} else {
		err = process_open(callers, tgid, &process);
	}
	if (err == ERR_OK)
		err = caller_read(callers, process, tid, uid, gid, before, caller);
	caller_put(cached);
	if (err == ERR_OK)
		cache_put(callers, *caller);
	return err;
}

/* --- life --------------------------------------------------------------------------- */

static uint32_t kept_max(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0 ||
	    files.rlim_cur / FILES_OF_A_PROCESS > 2 * CALLERS_MAX)
		return 2 * CALLERS_MAX;
	return (uint32_t)(files.rlim_cur / FILES_OF_A_PROCESS);
}

enum err callers_new(struct callers **callers)
{
	struct callers *c = calloc(1, sizeof(*c));
	enum err err;

	if (c == NULL)
		return ERR_NO_MEMORY;
	err = users_new(&c->users);
	if (err != ERR_OK) {
		free(c);
		return err;
	}
	c->kept_max = kept_max();
	for (size_t i = 0; i < SHARDS; i++)
		pthread_mutex_init(&c->shards[i].mutex, NULL);
	*callers = c;
	return ERR_OK;
}

/* Drops those of which `which` is true; all if it is NULL. */
static void cache_sweep(struct callers *callers, bool (*which)(const struct caller *caller))
{
	for (size_t i = 0; i < SHARDS; i++) {
		struct shard *shard = &callers->shards[i];
		struct caller *caller, *next;

		pthread_mutex_lock(&shard->mutex);
		HASH_ITER(hh, shard->table, caller, next) {
			if (which == NULL || which(caller))
				cache_drop(shard, caller);
		}
		pthread_mutex_unlock(&shard->mutex);
	}
}

static bool has_ended(const struct caller *caller)
{
	return !caller_is_alive(caller);
}

void callers_wipe(struct callers *callers)
{
	cache_sweep(callers, NULL);
}

void callers_tick(struct callers *callers)
{
	cache_sweep(callers, has_ended);
	users_tick(callers->users);
}

void callers_free(struct callers *callers)
{
	if (callers == NULL)
		return;
	cache_sweep(callers, NULL);
	for (size_t i = 0; i < SHARDS; i++)
		pthread_mutex_destroy(&callers->shards[i].mutex);
	users_free(callers->users);
	free(callers);
}

/*
 * mount-store [--old-kernel] [--read-only] [--policy FILE] DIR MOUNTPOINT
 *
 * A volume mounted without phifsd: store, audit trail and requests, but no
 * configuration, slots or control socket, and keys that are no secret.  For
 * the tests of src/fsops.  Everything lies below DIR; a volume is made if there
 * is none.
 *
 * Prints "mounted", then runs.  SIGUSR2 locks and unlocks in turn and prints
 * "locked" or "unlocked"; SIGTERM unmounts.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/auditor_key.h"
#include "base/clock.h"
#include "base/secmem.h"
#include "config/config.h"
#include "crypto/crypto.h"
#include "daemon/channel.h"
#include "daemon/invalidate.h"
#include "daemon/mount.h"
#include "daemon/patch.h"
#include "fsops/fsops.h"

#define WORKERS     4
#define DEADLINE_MS 10000

static const char open_policy[] = "[class all]\n"
				  "path = /\n"
				  "mmap = yes\n"
				  "[role everyone]\n"
				  "members = uid:0-65535\n"
				  "login = none\n"
				  "allow = all on all\n";

struct volume {
	const char *dir, *mountpoint, *policy_path;
	bool is_old_kernel, is_read_only;
	char ciphertext[4096], state[4096], journal[4096], ring[4096], key[4096];
	struct audit *audit;
	struct session *session;
	struct store *store;
	struct fsops *fsops;
	struct invalidate *invalidate;
	struct channel *channel;
	struct fuse_session *fuse;
	pthread_t loop;
};

static _Noreturn void fail(const char *what, enum err err)
{
	fprintf(stderr, "mount-store: %s: %s\n", what, err_text(err));
	exit(EXIT_FAILURE);
}

static void must(enum err err, const char *what)
{
	if (err)
		fail(what, err);
}

/* --- parts of a volume ------------------------------------------------------------ */

static struct keyring *make_keyring(void)
{
	const uint8_t fs_id[FS_ID_LEN] = {1}, vk[MASTER_KEY_LEN] = {2}, mk[MASTER_KEY_LEN] = {3};
	struct keyring *keyring;

	must(keyring_new(fs_id, vk, mk, 1, &keyring), "keyring");
	return keyring;
}

static void open_backings(struct volume *v, struct backing **ciphertext, struct backing **state)
{
	must(backing_real_new(v->ciphertext, ciphertext), v->ciphertext);
	must(backing_real_new(v->state, state), v->state);
}

static void make_volume(struct volume *v)
{
	char fingerprint[FINGERPRINT_LEN], pub[4096 + 8];
	const char *files[] = {pub};
	struct backing *ciphertext, *state;
	struct keyring *keyring = make_keyring();

	snprintf(pub, sizeof(pub), "%s.pub", v->key);
	if (mkdir(v->ciphertext, 0700) || mkdir(v->state, 0700))
		fail(v->dir, err_from_errno(errno));
	open_backings(v, &ciphertext, &state);
	must(store_create(ciphertext, state, v->state, keyring, 0, 0, 0755), "store_create");
	backing_free(ciphertext);
	backing_free(state);
	must(auditor_key_create(v->key, NULL, 0, fingerprint), "auditor_key_create");
	must(audit_create(v->journal, files, 1, fingerprint, sizeof(fingerprint)), "audit_create");
	keyring_free(keyring);
}

static void give_evidence(void *ctx, struct audit_evidence *evidence)
{
	(void)ctx;
	*evidence = (struct audit_evidence){0};
}

static void say_failed(void *ctx, enum err why)
{
	(void)ctx;
	fprintf(stderr, "mount-store: the audit trail failed: %s\n", err_text(why));
}

static void open_audit(struct volume *v)
{
	const struct audit_config config = {.volume = "test",
					    .directory = v->journal,
					    .ring_path = v->ring,
					    .segment_size = 64 << 20,
					    .segment_age_ms = CONFIG_NEVER,
					    .evidence = give_evidence,
					    .failed = say_failed};

	must(audit_open(&config, &v->audit), "audit_open");
}

static uint64_t flush_begin(void *audit)
{
	return audit_flush_begin(audit);
}

static enum err flush_wait(void *audit, uint64_t ticket)
{
	return audit_flush_wait(audit, ticket);
}

static void say_integrity(void *ctx, uint64_t number, enum err what, uint64_t block)
{
	(void)ctx;
	fprintf(stderr, "mount-store: object %llu, block %llu: %s\n", (unsigned long long)number,
		(unsigned long long)block, err_text(what));
}

static void say_frozen(void *ctx, enum err why)
{
	(void)ctx;
	fprintf(stderr, "mount-store: the store froze: %s\n", err_text(why));
}

static void open_store(struct volume *v)
{
	struct store_config config = {.state_path = v->state,
				      .read_only = v->is_read_only,
				      .hooks = {.ctx = v->audit,
						.flush_begin = flush_begin,
						.flush_wait = flush_wait,
						.integrity = say_integrity,
						.frozen = say_frozen}};

	open_backings(v, &config.ciphertext, &config.state);
	must(store_open(&config, &v->store), "store_open");
}

static void say_message(void *ctx, bool is_error, int line, const char *text, const char *hint)
{
	(void)ctx;
	(void)is_error;
	(void)hint;
	fprintf(stderr, "mount-store: policy, line %d: %s\n", line, text);
}

static struct policy *load_policy(struct volume *v)
{
	struct policy *policy;

	if (v->policy_path)
		must(policy_load(v->policy_path, say_message, NULL, &policy), v->policy_path);
	else
		must(policy_parse(open_policy, strlen(open_policy), say_message, NULL, &policy),
		     "policy");
	return policy;
}

/* --- requests --------------------------------------------------------------------- */

static void filled(void *ctx, uint64_t number, uint64_t offset, uint64_t length)
{
	struct volume *v = ctx;

	invalidate_add(v->invalidate, number, offset, length);
}

static void drop(void *ctx, uint64_t number, uint64_t offset, uint64_t length)
{
	struct volume *v = ctx;

	fuse_lowlevel_notify_inval_inode(v->fuse, number, (off_t)offset, (off_t)length);
}

static void add_one(void *ctx, uint64_t number)
{
	struct volume *v = ctx;

	invalidate_add(v->invalidate, number, 0, 0);
}

static void add_all(void *ctx)
{
	struct volume *v = ctx;

	fsops_each_filled(v->fsops, add_one, v);
}

static void *serve(void *arg)
{
	struct volume *v = arg;
	struct fuse_loop_config *config = fuse_loop_cfg_create();

	fuse_loop_cfg_set_max_threads(config, WORKERS);
	fuse_loop_cfg_set_idle_threads(config, WORKERS);
	fuse_session_loop_mt(v->fuse, config);
	fuse_loop_cfg_destroy(config);
	return NULL;
}

static void make_fsops(struct volume *v)
{
	const struct fsops_config config = {.store = v->store,
					    .session = v->session,
					    .audit = v->audit,
					    .policy = load_policy(v),
					    .read_only = v->is_read_only,
					    .old_kernel = v->is_old_kernel,
					    .filled = filled,
					    .ctx = v};
	const struct invalidate_calls calls = {.ctx = v, .drop = drop, .add_all = add_all};

	must(fsops_new(&config, &v->fsops), "fsops_new");
	must(invalidate_new(&calls, &v->invalidate), "invalidate_new");
}

static void start_serving(struct volume *v)
{
	const struct mount_options options = {.source = "phifs-test", .mountpoint = v->mountpoint,
					      .is_read_only = v->is_read_only};
	char *arguments[] = {(char *)"mount-store", NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, arguments);
	unsigned int connection;
	int fd;

	must(mount_attach(&options, &fd, &connection), v->mountpoint);
	must(channel_new(fd, v->is_old_kernel ? PATCH_DIRECT_IO_ALLOW_MMAP : 0, &v->channel),
	     "channel_new");
	must(channel_read_init(v->channel), "channel_read_init");
	v->fuse = fuse_session_new(&args, fsops_operations(), sizeof(*fsops_operations()), v->fsops);
	fuse_opt_free_args(&args);
	if (!v->fuse)
		fail("fuse_session_new", ERR_NO_MEMORY);
	must(channel_attach(v->channel, v->fuse), "channel_attach");
	if (pthread_create(&v->loop, NULL, serve, v))
		fail("pthread_create", ERR_NO_MEMORY);
}

/* --- lock and unlock -------------------------------------------------------------- */

static void unlock(struct volume *v)
{
	struct store_recovery recovery;
	struct keyring *keyring = make_keyring();

	must(session_begin_unlock(v->session), "session_begin_unlock");
	must(store_unlock(v->store, keyring, &recovery), "store_unlock");
	session_unlocked(v->session, keyring);
}

static int64_t deadline(void)
{
	return clock_boot_ns() + DEADLINE_MS * NS_PER_MS;
}

static void lock(struct volume *v)
{
	struct store_lock_report report;

	must(session_begin_lock(v->session), "session_begin_lock");
	must(session_wait_quiet(v->session, deadline()), "waiting for operations");
	must(invalidate_pass(v->invalidate, deadline()), "dropping pages");
	session_refuse_writeback(v->session);
	must(session_wait_quiet(v->session, deadline()), "waiting for write-back");
	store_lock(v->store, DEADLINE_MS, &report);
	must(report.err, "store_lock");
	fsops_wipe(v->fsops);
	(void)channel_wipe(v->channel, deadline());
	session_locked(v->session);
}

/* --- life ------------------------------------------------------------------------- */

static void start(struct volume *v)
{
	must(secmem_init(), "secmem_init");
	must(crypto_init(), "crypto_init");
	if (access(v->ciphertext, F_OK) != 0)
		make_volume(v);
	open_audit(v);
	open_store(v);
	must(session_new(CONFIG_NEVER, &v->session), "session_new");
	make_fsops(v);
	unlock(v);
	if (!v->is_read_only)
		must(fsops_make_class_directories(v->fsops), "class directories");
	start_serving(v);
}

static void stop(struct volume *v)
{
	must(mount_detach(v->mountpoint), "umount");
	if (session_state(v->session) == SESSION_UNLOCKED)
		lock(v);
	channel_stop(v->channel);
	while (!channel_is_stopped(v->channel))
		clock_sleep_ns(NS_PER_MS);
	pthread_join(v->loop, NULL);
	invalidate_free(v->invalidate);
	fuse_session_destroy(v->fuse);
	channel_free(v->channel);
	fsops_free(v->fsops);
	store_close(v->store);
	session_free(v->session);
	audit_close(v->audit, 0);
}

static void run(struct volume *v, const sigset_t *signals)
{
	int number;

	puts("mounted");
	while (sigwait(signals, &number) == 0 && number == SIGUSR2) {
		if (session_state(v->session) == SESSION_UNLOCKED) {
			lock(v);
			puts("locked");
		} else {
			unlock(v);
			puts("unlocked");
		}
	}
}

static bool read_arguments(struct volume *v, int argc, char **argv)
{
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--old-kernel") == 0)
			v->is_old_kernel = true;
		else if (strcmp(argv[i], "--read-only") == 0)
			v->is_read_only = true;
		else if (strcmp(argv[i], "--policy") == 0 && i + 1 < argc)
			v->policy_path = argv[++i];
		else
			return false;
	}
	if (argc - i != 2)
		return false;
	v->dir = argv[i];
	v->mountpoint = argv[i + 1];
	snprintf(v->ciphertext, sizeof(v->ciphertext), "%s/ciphertext", v->dir);
	snprintf(v->state, sizeof(v->state), "%s/state", v->dir);
	snprintf(v->journal, sizeof(v->journal), "%s/state/audit", v->dir);
	snprintf(v->ring, sizeof(v->ring), "%s/test.tail", v->dir);
	snprintf(v->key, sizeof(v->key), "%s/auditor", v->dir);
	return true;
}

int main(int argc, char **argv)
{
	static struct volume volume;
	sigset_t signals;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!read_arguments(&volume, argc, argv)) {
		fprintf(stderr, "usage: mount-store [--old-kernel] [--read-only] [--policy FILE] "
				"DIR MOUNTPOINT\n");
		return 2;
	}
	/* Before any thread is made, so that only sigwait gets them. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	start(&volume);
	run(&volume, &signals);
	stop(&volume);
	return EXIT_SUCCESS;
}

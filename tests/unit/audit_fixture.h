/* A journal in a temporary directory with one auditor, for the tests of the trail. */
#ifndef PHIFS_TESTS_AUDIT_FIXTURE_H
#define PHIFS_TESTS_AUDIT_FIXTURE_H

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/audit.h"
#include "audit/auditor_key.h"
#include "audit/reader.h"
#include "audit/segment_file.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "crypto/crypto.h"
#include "tests/unit/unit.h"

#define FINDINGS_MAX 64

struct fixture {
	char directory[64], journal[80], ring[80], key_file[80];
	struct auditor_key *key;
	struct audit_config config;
	_Atomic int failures;
	enum err failure;
	struct audit_evidence evidence;
};

struct findings {
	size_t count;
	struct audit_finding list[FINDINGS_MAX];
	enum err worst;
	uint64_t records, reads, last_seq;
	uint32_t segments;
};

static inline void quiet(void *ctx, enum log_level level, const char *text)
{
	(void)ctx;
	(void)level;
	(void)text;
}

static inline void count_failure(void *ctx, enum err err)
{
	struct fixture *f = ctx;

	f->failures++;
	f->failure = err;
}

static inline void give_evidence(void *ctx, struct audit_evidence *evidence)
{
	*evidence = ((struct fixture *)ctx)->evidence;
}

/* tmpfs where there is one: tests that commit many seals are kind to disks. */
static inline void fixture_set_up(struct fixture *f)
{
	char fingerprint[FINGERPRINT_LEN], pub[96];
	const char *files[] = {pub};

	ck_assert_ok(crypto_init());
	log_set_hook(quiet, NULL);
	memset(f, 0, sizeof(*f));
	strcpy(f->directory, access("/dev/shm", W_OK) == 0 ? "/dev/shm/phifs-test.XXXXXX"
							   : "/tmp/phifs-test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(f->directory));
	snprintf(f->journal, sizeof(f->journal), "%s/audit", f->directory);
	snprintf(f->ring, sizeof(f->ring), "%s/ehr.tail", f->directory);
	snprintf(f->key_file, sizeof(f->key_file), "%s/officer", f->directory);
	snprintf(pub, sizeof(pub), "%s.pub", f->key_file);
	ck_assert_ok(auditor_key_create(f->key_file, NULL, 0, fingerprint));
	ck_assert_ok(auditor_key_load(f->key_file, NULL, 0, &f->key));
	ck_assert_ok(audit_create(f->journal, files, 1, fingerprint, sizeof(fingerprint)));
	f->config = (struct audit_config){.volume = "ehr", .directory = f->journal,
					  .ring_path = f->ring, .segment_size = 1 << 20,
					  .segment_age_ms = 1000000, .evidence = give_evidence,
					  .failed = count_failure, .ctx = f};
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void remove_all(const char *path)
{
	nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void fixture_tear_down(struct fixture *f)
{
	secmem_free(f->key);
	remove_all(f->directory);
}

static inline struct audit *open_trail(struct fixture *f)
{
	struct audit *audit;

	ck_assert_ok(audit_open(&f->config, &audit));
	return audit;
}

static const struct audit_person nurse = {.uid = 1001, .login_uid = 1001, .session = 4,
					  .pid = 77, .user = "nurse"};

static inline enum err append_open(struct audit *audit, uint64_t handle, const char *path)
{
	const struct audit_event event = {.type = AUDIT_OPEN, .person = &nurse, .handle = handle,
					  .path = path, .patient = 2, .class_name = "archive",
					  .role = "radiology", .rule = 7};

	return audit_append(audit, &event, NULL);
}

static inline enum err append_read(struct audit *audit, uint64_t handle, uint64_t offset,
				   uint64_t *seq)
{
	const struct audit_event event = {.type = AUDIT_READ, .person = &nurse, .handle = handle,
					  .number = 12, .thread = 78, .offset = offset,
					  .length = 4096, .bytes = 4096};

	return audit_append(audit, &event, seq);
}

static inline void append_reads(struct audit *audit, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		ck_assert_ok(append_read(audit, 1, (uint64_t)i * 4096, NULL));
}

/* One run: so many reads, a clean stop. */
static inline void run_once(struct fixture *f, unsigned reads)
{
	struct audit *audit = open_trail(f);

	ck_assert_ok(append_open(audit, 1, "/archive/MRN0042/ct1.dcm"));
	append_reads(audit, reads);
	audit_close(audit, 0);
}

/* A child opens the trail, calls `work` and dies by SIGKILL. */
static inline void killed_run(struct fixture *f, void (*work)(struct audit *, void *), void *ctx)
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct audit *audit;

		if (audit_open(&f->config, &audit) == ERR_OK)
			work(audit, ctx);
		kill(getpid(), SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static inline void keep_finding(void *ctx, const struct audit_finding *finding)
{
	struct findings *findings = ctx;

	if (getenv("AUDIT_TEST_VERBOSE") != NULL)
		fprintf(stderr, "%s segment %u record %llu: %s\n",
			audit_verdict_name(finding->verdict), finding->segment,
			(unsigned long long)finding->seq, finding->detail);
	if (findings->count < FINDINGS_MAX)
		findings->list[findings->count++] = *finding;
}

static inline void verify(struct fixture *f, const struct auditor_key *key,
			  struct findings *findings)
{
	struct audit_reader *reader;
	struct audit_record record;
	struct audit_summary summary;
	enum err err;

	memset(findings, 0, sizeof(*findings));
	ck_assert_ok(audit_reader_open(f->journal, key, keep_finding, findings, &reader));
	while ((err = audit_reader_next(reader, &record)) == ERR_OK) {
		findings->records++;
		findings->reads += record.type == AUDIT_READ;
	}
	ck_assert_int_eq(err, ERR_NOT_FOUND);
	audit_reader_summary(reader, &summary);
	findings->worst = summary.worst;
	findings->last_seq = summary.last_seq;
	findings->segments = summary.segments;
	audit_reader_close(reader);
}

static inline bool has_finding(const struct findings *findings, enum audit_verdict verdict)
{
	for (size_t i = 0; i < findings->count; i++) {
		if (findings->list[i].verdict == verdict)
			return true;
	}
	return false;
}

static inline void segment_path(const struct fixture *f, uint32_t number, char path[128])
{
	char name[SEGMENT_NAME_MAX];

	segment_name(number, name);
	snprintf(path, 128, "%s/%s", f->journal, name);
}

#endif

/* The trail: made, appended to, flushed, full; what it holds comes back to the auditor alone. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "tests/unit/audit_unit.h"

START_TEST(test_create_refuses)
{
	char fingerprint[FINGERPRINT_LEN], pub[96], other[96];
	const char *files[] = {pub, pub};

	set_up();
	snprintf(pub, sizeof(pub), "%s.pub", f.key_file);
	snprintf(other, sizeof(other), "%s/other", f.directory);
	ck_assert_int_eq(audit_create(other, files, 0, fingerprint, 52), ERR_INVALID);
	ck_assert_int_eq(audit_create(other, files, 2, fingerprint, 52), ERR_INVALID);
	files[0] = f.key_file; /* the secret one */
	ck_assert_int_eq(audit_create(other, files, 1, fingerprint, 52), ERR_FORMAT);
	files[0] = "/nonexistent";
	ck_assert_int_eq(audit_create(other, files, 1, fingerprint, 52), ERR_NOT_FOUND);
	files[0] = pub;
	ck_assert_int_eq(audit_create(f.journal, files, 1, fingerprint, 52), ERR_EXISTS);
	ck_assert_ok(audit_create(other, files, 1, fingerprint, 52));
	ck_assert_uint_eq(strlen(fingerprint), 7 + 43);
	tear_down();
}
END_TEST

START_TEST(test_append_flush_close)
{
	struct audit *audit;
	struct audit_status status;
	struct findings findings;
	uint64_t seq, flushed;

	set_up();
	audit = open_trail(&f);
	ck_assert_ok(append_open(audit, 1, "/archive/MRN0042/ct1.dcm"));
	ck_assert_ok(append_read(audit, 1, 0, &seq));
	flushed = audit_flush_begin(audit);
	ck_assert_uint_ge(flushed, seq);
	ck_assert_ok(audit_flush_wait(audit, seq));
	audit_status(audit, &status);
	ck_assert_uint_ge(status.durable, seq);
	ck_assert(status.appended >= seq && !status.is_failed && !status.is_connected);
	ck_assert_int_eq(audit_flush_wait(audit, status.appended + 100), ERR_INVALID);
	ck_assert_ok(audit_seal(audit));
	audit_status(audit, &status);
	ck_assert_uint_gt(status.sealed, seq);
	audit_close(audit, 0);
	verify(&f, f.key, &findings);
	ck_assert_uint_eq(findings.count, 0);
	ck_assert_uint_eq(findings.reads, 1);
	/* Not while it is open: one process only. */
	audit = open_trail(&f);
	ck_assert_int_eq(audit_open(&f.config, &(struct audit *){NULL}), ERR_BUSY);
	audit_close(audit, 0);
	ck_assert_int_eq(f.failures, 0);
	tear_down();
}
END_TEST

START_TEST(test_refuses_bad_events)
{
	struct audit *audit;
	struct audit_event event = {.type = AUDIT_TYPE_COUNT};

	set_up();
	audit = open_trail(&f);
	ck_assert_int_eq(audit_append(audit, &event, NULL), ERR_INVALID);
	event.type = AUDIT_SEAL;
	ck_assert_int_eq(audit_append(audit, &event, NULL), ERR_INVALID);
	audit_close(audit, 0);
	tear_down();
}
END_TEST

START_TEST(test_content_comes_back)
{
	struct audit_reader *reader;
	struct audit_record record;
	bool has_open = false;

	set_up();
	run_once(&f, 1);
	ck_assert_ok(audit_reader_open(f.journal, f.key, NULL, NULL, &reader));
	while (audit_reader_next(reader, &record) == ERR_OK) {
		if (record.type != AUDIT_OPEN)
			continue;
		has_open = true;
		ck_assert_str_eq(record.body->event.path, "/archive/MRN0042/ct1.dcm");
		ck_assert_str_eq(record.body->person.user, "nurse");
		ck_assert_int_eq(record.body->event.rule, 7);
	}
	ck_assert(has_open);
	audit_reader_close(reader);
	/* The name is nowhere in clear. */
	for (uint32_t i = 1; i <= 1; i++) {
		char path[128];

		segment_path(&f, i, path);
		ck_assert(!file_has(path, "MRN0042", 7));
		ck_assert(!file_has(path, "nurse", 5));
	}
	tear_down();
}
END_TEST

START_TEST(test_reads_are_small)
{
	struct audit *audit;
	struct stat before, after;
	char path[128];

	set_up();
	run_once(&f, 0);
	segment_path(&f, 1, path);
	ck_assert_int_eq(stat(path, &before), 0);
	audit = open_trail(&f);
	ck_assert_ok(append_open(audit, 1, "/archive/MRN0042/ct1.dcm"));
	append_reads(audit, 1000);
	audit_close(audit, 0);
	segment_path(&f, 2, path);
	ck_assert_int_eq(stat(path, &after), 0);
	/* Same segment but for the reads and at most a seal. */
	ck_assert_int_le(after.st_size - before.st_size, 1000 * 128 + SEAL_RECORD_MAX);
	tear_down();
}
END_TEST

static void *append_many(void *ctx)
{
	uint64_t seq;

	for (unsigned i = 0; i < 5000; i++) {
		if (append_read(ctx, 1, i, &seq) != ERR_OK)
			return ctx;
		if (i % 500 == 0 && audit_flush_wait(ctx, seq) != ERR_OK)
			return ctx;
	}
	return NULL;
}

START_TEST(test_many_threads)
{
	pthread_t threads[8];
	struct findings findings;
	struct audit *audit;
	void *result;

	set_up();
	audit = open_trail(&f);
	for (unsigned i = 0; i < 8; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, append_many, audit), 0);
	for (unsigned i = 0; i < 8; i++) {
		pthread_join(threads[i], &result);
		ck_assert_ptr_null(result);
	}
	audit_close(audit, 0);
	verify(&f, f.key, &findings);
	ck_assert_uint_eq(findings.count, 0);
	ck_assert_uint_eq(findings.reads, 40000);
	/* 3.6 MB in segments of 1 MiB. */
	ck_assert_uint_ge(findings.segments, 2);
	tear_down();
}
END_TEST

static void count_done(void *ctx, enum err err)
{
	atomic_int *counts = ctx;

	counts[err == ERR_OK ? 0 : 1]++;
}

START_TEST(test_flush_async)
{
	static atomic_int counts[2];
	struct audit *audit;
	uint64_t seq;

	set_up();
	audit = open_trail(&f);
	for (unsigned i = 0; i < 1000; i++) {
		ck_assert_ok(append_read(audit, 1, i, &seq));
		audit_flush_async(audit, seq, count_done, counts);
	}
	ck_assert_ok(audit_flush_wait(audit, seq));
	audit_flush_async(audit, seq, count_done, counts);
	audit_flush_async(audit, seq + 1000, count_done, counts);
	audit_close(audit, 0);
	ck_assert_int_eq(counts[0], 1001);
	ck_assert_int_eq(counts[1], 1);
	tear_down();
}
END_TEST

/* --- failures ----------------------------------------------------------------------- */

START_TEST(test_disk_full)
{
	struct audit *audit;
	const struct rlimit limit = {200 << 10, RLIM_INFINITY};
	enum err err = ERR_OK;
	uint64_t seq;

	set_up();
	signal(SIGXFSZ, SIG_IGN);
	f.config.segment_size = 64 << 10;
	audit = open_trail(&f);
	/* Files may not grow: EFBIG stands for ENOSPC. */
	f.config.segment_size = 1 << 30;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (unsigned i = 0; i < 20000 && err == ERR_OK; i++)
		err = append_read(audit, 1, i, &seq);
	for (unsigned i = 0; i < 200 && f.failures == 0; i++)
		clock_sleep_ns(20 * NS_PER_MS);
	ck_assert_int_eq(f.failures, 1);
	ck_assert_int_eq(append_read(audit, 1, 0, &seq), ERR_AUDIT);
	ck_assert_int_eq(audit_seal(audit), ERR_AUDIT);
	audit_close(audit, 0);
	ck_assert_int_eq(f.failures, 1);
	tear_down();
}
END_TEST

START_TEST(test_evidence_in_seals)
{
	struct audit_reader *reader;
	struct audit_record record;
	struct audit *audit;
	bool has_seal = false;

	set_up();
	f.evidence.store_seq = 4711;
	f.evidence.slots_generation = 3;
	f.evidence.policy_digest[5] = 9;
	audit = open_trail(&f);
	audit_close(audit, 0);
	ck_assert_ok(audit_reader_open(f.journal, f.key, NULL, NULL, &reader));
	while (audit_reader_next(reader, &record) == ERR_OK) {
		if (record.type != AUDIT_SEAL)
			continue;
		has_seal = true;
		ck_assert_mem_eq(&record.seal->evidence, &f.evidence, sizeof(f.evidence));
	}
	ck_assert(has_seal);
	audit_reader_close(reader);
	tear_down();
}
END_TEST

START_TEST(test_full_segment_at_stop)
{
	struct findings findings;

	/* A rotation that is due at the stop must not take the stop seal's place. */
	fixture_set_up(&f);
	f.config.segment_size = 64 << 10;
	for (unsigned int i = 0; i < 5; i++)
		run_once(&f, 1000);
	verify(&f, f.key, &findings);
	ck_assert_uint_eq(findings.count, 0);
	fixture_tear_down(&f);
}
END_TEST

UNIT_MAIN("audit-trail", test_create_refuses, test_append_flush_close, test_refuses_bad_events,
	  test_content_comes_back, test_reads_are_small, test_many_threads, test_flush_async,
	  test_disk_full, test_evidence_in_seals, test_full_segment_at_stop)

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "audit/body.h"
#include "audit/ring.h"
#include "audit/state.h"
#include "tests/unit/audit_fixture.h"

static struct fixture f;

static void set_up(void)
{
	fixture_set_up(&f);
}

static void tear_down(void)
{
	fixture_tear_down(&f);
}

/* --- ring ----------------------------------------------------------------- */

START_TEST(test_ring_wraps)
{
	static const uint8_t jid[AUDIT_ID_LEN] = {1};
	static uint8_t data[RECORD_MAX];
	struct ring *ring;
	struct ring_entry entry;
	enum ring_found found;
	uint64_t put = 0, got = 0;

	set_up();
	ck_assert_ok(ring_open(f.ring, jid, &ring, &found));
	ck_assert_int_eq(found, RING_NEW);
	while (put < 3 * (RING_SIZE / 5000)) {
		size_t len = 1000 + put * 37 % 9000;
		enum err err;

		memset(data, (int)put, len);
		err = ring_put(ring, RING_RECORD, data, len, false);
		if (err == ERR_OK) {
			put++;
			continue;
		}
		ck_assert_int_eq(err, ERR_FULL);
		/* Half of it back, each entry as it was put. */
		for (uint64_t stop = got + (put - got) / 2; got < stop;) {
			ck_assert_ok(ring_get(ring, ring_drained(ring), &entry));
			if (entry.kind == RING_RECORD) {
				ck_assert_uint_eq(entry.len, 1000 + got * 37 % 9000);
				ck_assert_uint_eq(entry.data[0], (uint8_t)got);
				ck_assert_uint_eq(entry.data[entry.len - 1], (uint8_t)got);
				got++;
			}
			ring_release(ring, entry.next);
		}
	}
	ck_assert_uint_gt(ring_head(ring), 2 * (uint64_t)RING_SIZE);
	ring_close(ring, false);
	ck_assert_ok(ring_open(f.ring, jid, &ring, &found));
	ck_assert_int_eq(found, RING_OLD);
	ring_close(ring, false);
	ck_assert_ok(ring_open(f.ring, (const uint8_t[AUDIT_ID_LEN]){2}, &ring, &found));
	ck_assert_int_eq(found, RING_NEW);
	ck_assert_uint_eq(ring_head(ring), 0);
	ring_close(ring, true);
	ck_assert_int_ne(access(f.ring, F_OK), 0);
	tear_down();
}
END_TEST

START_TEST(test_ring_reserve)
{
	static const uint8_t jid[AUDIT_ID_LEN] = {1};
	static uint8_t data[RECORD_MAX];
	struct ring *ring;
	enum ring_found found;

	set_up();
	ck_assert_ok(ring_open(f.ring, jid, &ring, &found));
	while (ring_put(ring, RING_RECORD, data, 8000, false) == ERR_OK)
		;
	for (unsigned i = 0; i < 20; i++)
		ck_assert_ok(ring_put(ring, RING_RECORD, data, 8000, true));
	ring_close(ring, true);
	tear_down();
}
END_TEST

/* --- state ------------------------------------------------------------------ */

static off_t state_size(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return st.st_size;
}

START_TEST(test_state_two_slots)
{
	struct audit_state *state, *again;
	struct state_file *file;
	int dir_fd, fd;
	uint8_t byte;
	uint64_t generation;
	off_t size;

	set_up();
	dir_fd = open(f.journal, O_RDONLY | O_DIRECTORY);
	ck_assert_ok(state_open(dir_fd, &file, &state));
	ck_assert_int_eq(state_open(dir_fd, &file, &again), ERR_BUSY);
	state->epoch = 77;
	ck_assert_ok(state_commit(file, state));
	generation = state->generation;
	state_close(file, state);
	/* Whichever slot is damaged, the other one serves. */
	fd = openat(dir_fd, "state", O_RDWR);
	size = state_size(fd);
	for (off_t at = 100; at < size; at += size / 2) {
		ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
		byte ^= 1;
		ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
		ck_assert_ok(state_peek(dir_fd, &again));
		ck_assert(again->epoch == 77 && again->generation == generation);
		state_close(NULL, again);
		byte ^= 1;
		ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
	}
	/* Both: nothing is guessed. */
	for (off_t at = 100; at < size; at += size / 2) {
		ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
		byte ^= 1;
		ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
	}
	ck_assert_int_eq(state_peek(dir_fd, &again), ERR_TAMPERED);
	close(fd);
	close(dir_fd);
	tear_down();
}
END_TEST

/* Does `needle` stand anywhere in the file? */
static bool file_has(const char *path, const void *needle, size_t len)
{
	uint8_t *data;
	size_t size;
	bool found;

	ck_assert_ok(io_read_file(AT_FDCWD, path, 1 << 26, &data, &size));
	found = memmem(data, size, needle, len) != NULL;
	free(data);
	return found;
}

START_TEST(test_state_erases)
{
	char path[128];
	uint8_t secret[SIGN_SECRET_LEN], key[AUDIT_KEY_LEN];
	struct audit_state *state;
	struct state_file *file;
	int dir_fd;

	set_up();
	snprintf(path, sizeof(path), "%s/state", f.journal);
	dir_fd = open(f.journal, O_RDONLY | O_DIRECTORY);
	ck_assert_ok(state_open(dir_fd, &file, &state));
	for (uint32_t i = 1; i <= 1500; i++) {
		memset(key, (int)i | 1, sizeof(key));
		ck_assert_ok(state_add_key(state, i, key));
	}
	memcpy(secret, state->current.secret, sizeof(secret));
	ck_assert_ok(state_commit(file, state));
	ck_assert(file_has(path, secret, sizeof(secret)) && file_has(path, key, sizeof(key)));
	state_next_epoch(state);
	state_drop_keys(state, 1500);
	ck_assert_uint_eq(state->key_count, 1);
	state_drop_keys(state, UINT32_MAX);
	ck_assert_ptr_null(state_key(state, 1500));
	ck_assert_ok(state_commit(file, state));
	/* Gone from both slots at once. */
	ck_assert(!file_has(path, secret, sizeof(secret)) && !file_has(path, key, sizeof(key)));
	state_close(file, state);
	close(dir_fd);
	tear_down();
}
END_TEST

/* --- the trail ---------------------------------------------------------------- */

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

/* --- kills ----------------------------------------------------------------------- */

struct work {
	unsigned reads;
	int64_t pause_ms;
	int report; /* a pipe: the last appended number */
};

static void append_and_report(struct audit *audit, void *ctx)
{
	struct work *work = ctx;
	uint64_t seq = 0;

	if (append_open(audit, 1, "/archive/MRN0042/ct1.dcm") != ERR_OK)
		return;
	for (unsigned i = 0; i < work->reads; i++) {
		if (append_read(audit, 1, i, &seq) != ERR_OK)
			return;
	}
	clock_sleep_ns(work->pause_ms * NS_PER_MS);
	(void)!write(work->report, &seq, sizeof(seq));
}

START_TEST(test_kill_loses_nothing)
{
	/* Right after an append; after the drain; in the midst of rotations and seals. */
	static const struct work works[] = {{10, 0, 0}, {10, 200, 0}, {0, 0, 0}, {60000, 0, 0},
					    {60000, 1200, 0}, {500, 5, 0}, {20000, 1, 0}};
	struct findings findings;
	uint64_t reads = 0, seq;
	int ends[2];

	set_up();
	ck_assert_int_eq(pipe(ends), 0);
	for (unsigned i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
		struct work work = works[i];

		work.report = ends[1];
		killed_run(&f, append_and_report, &work);
		ck_assert_int_eq(read(ends[0], &seq, sizeof(seq)), sizeof(seq));
		reads += work.reads;
	}
	run_once(&f, 1);
	verify(&f, f.key, &findings);
	ck_assert_uint_eq(findings.reads, reads + 1);
	ck_assert(has_finding(&findings, VERDICT_UNCLEAN));
	ck_assert_int_eq(findings.worst, ERR_UNPROVEN);
	tear_down();
}
END_TEST

static void append_for_ever(struct audit *audit, void *ctx)
{
	uint64_t seq;

	/* Each append that returned is counted in the pipe's other end. */
	while (append_read(audit, 1, 0, &seq) == ERR_OK)
		*(volatile uint64_t *)ctx = seq;
}

START_TEST(test_kill_at_random)
{
	uint64_t *shared = NULL;
	struct findings findings;
	char path[96];
	int fd;

	set_up();
	f.config.segment_size = 64 << 10;
	snprintf(path, sizeof(path), "%s/shared", f.directory);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	ck_assert_int_eq(ftruncate(fd, 4096), 0);
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(shared, MAP_FAILED);
	for (unsigned round = 0; round < 8; round++) {
		pid_t pid = fork();
		struct audit *audit;

		if (pid == 0) {
			if (audit_open(&f.config, &audit) == ERR_OK)
				append_for_ever(audit, shared);
			_exit(1);
		}
		clock_sleep_ns((30 + 37 * round % 200) * NS_PER_MS);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		audit = open_trail(&f);
		audit_close(audit, 0);
		verify(&f, f.key, &findings);
		ck_assert_int_ne(findings.worst, ERR_TAMPERED);
		ck_assert_uint_ge(findings.last_seq, *shared);
	}
	munmap(shared, 4096);
	close(fd);
	tear_down();
}
END_TEST

START_TEST(test_ring_lost)
{
	struct work work = {100, 0, open("/dev/null", O_WRONLY)};
	struct findings findings;

	/* Killed, and /run emptied: what was not yet on disk is gone, and it is said. */
	set_up();
	killed_run(&f, append_and_report, &work);
	ck_assert_int_eq(unlink(f.ring), 0);
	run_once(&f, 1);
	verify(&f, f.key, &findings);
	ck_assert(has_finding(&findings, VERDICT_UNCLEAN));
	ck_assert_int_eq(findings.worst, ERR_UNPROVEN);
	tear_down();
}
END_TEST

START_TEST(test_ring_edited)
{
	struct work work = {100, 0, open("/dev/null", O_WRONLY)};
	struct audit *audit;
	uint8_t byte;
	int fd;

	set_up();
	/* An old ring whose records do not verify: 4096 bytes of header, then entries. */
	killed_run(&f, append_and_report, &work);
	fd = open(f.ring, O_RDWR);
	for (off_t at = 4096 + 2000; at < 4096 + 9000; at += 60) {
		ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
		byte ^= 0x40;
		ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
	}
	close(fd);
	ck_assert_int_eq(audit_open(&f.config, &audit), ERR_TAMPERED);
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

START_TEST(test_keys_are_erased)
{
	struct audit_state *state;
	int dir_fd;

	/* Without a forwarder nobody needs them once a segment is finished. */
	set_up();
	run_once(&f, 40000);
	dir_fd = open(f.journal, O_RDONLY | O_DIRECTORY);
	ck_assert_ok(state_peek(dir_fd, &state));
	ck_assert(state->is_clean);
	ck_assert_uint_eq(state->key_count, 0);
	state_close(NULL, state);
	close(dir_fd);
	tear_down();
}
END_TEST

static void append_some(struct audit *audit, void *ctx)
{
	(void)ctx;
	append_reads(audit, 10);
}

START_TEST(test_killed_before_the_header)
{
	const uint8_t stale[AUDIT_KEY_LEN] = {7};
	struct audit_state *state;
	struct state_file *file;
	struct findings findings;
	int dir_fd;

	/* The key of segment 2 is in the state, its header nowhere. */
	set_up();
	run_once(&f, 3);
	dir_fd = open(f.journal, O_RDONLY | O_DIRECTORY);
	ck_assert_ok(state_open(dir_fd, &file, &state));
	ck_assert_ok(state_add_key(state, 2, stale));
	ck_assert_ok(state_commit(file, state));
	state_close(file, state);
	close(dir_fd);
	killed_run(&f, append_some, NULL);
	run_once(&f, 3);
	verify(&f, f.key, &findings);
	ck_assert_int_eq(findings.worst, ERR_UNPROVEN);
	ck_assert_uint_eq(findings.reads, 3 + 10 + 3);
	tear_down();
}
END_TEST

START_TEST(test_auditor_keys)
{
	char path[96], fingerprint[FINGERPRINT_LEN], text[FINGERPRINT_LEN];
	struct auditor_key *key;
	struct stat st;
	uint8_t public_key[BOX_PUBLIC_LEN];
	bool needs = false;

	set_up();
	snprintf(path, sizeof(path), "%s/deputy", f.directory);
	ck_assert_ok(auditor_key_create(path, "correct horse", 13, fingerprint));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(auditor_key_create(path, NULL, 0, fingerprint), ERR_EXISTS);
	ck_assert_ok(auditor_key_needs_passphrase(path, &needs));
	ck_assert(needs);
	ck_assert_int_eq(auditor_key_load(path, "wrong", 5, &key), ERR_PASSPHRASE);
	ck_assert_int_eq(auditor_key_load(path, NULL, 0, &key), ERR_PASSPHRASE);
	ck_assert_ok(auditor_key_load(path, "correct horse", 13, &key));
	auditor_fingerprint(key->public_key, text);
	ck_assert_str_eq(text, fingerprint);
	secmem_free(key);
	ck_assert_ok(auditor_key_needs_passphrase(f.key_file, &needs));
	ck_assert(!needs);
	strcat(path, ".pub");
	ck_assert_ok(auditor_public_load(path, public_key));
	ck_assert_int_eq(auditor_key_load(path, NULL, 0, &key), ERR_FORMAT);
	ck_assert_int_eq(auditor_public_load(f.key_file, public_key), ERR_FORMAT);
	tear_down();
}
END_TEST

START_TEST(test_auditor_key_files_hostile)
{
	static const char *const costs[] = {"3 63", "3 1", "3 9999", "99 256", "0 256", "-1 256"};
	uint8_t *data, public_key[BOX_PUBLIC_LEN];
	char path[96], fingerprint[FINGERPRINT_LEN];
	struct auditor_key *key;
	size_t len;

	set_up();
	snprintf(path, sizeof(path), "%s/k", f.directory);
	ck_assert_ok(io_read_file(AT_FDCWD, f.key_file, 4096, &data, &len));
	for (size_t cut = 0; cut + 1 < len; cut++) {
		unlink(path);
		ck_assert_ok(io_create_file(AT_FDCWD, path, data, cut, 0600));
		ck_assert_int_eq(auditor_key_load(path, NULL, 0, &key), ERR_FORMAT);
		ck_assert_int_eq(auditor_public_load(path, public_key), ERR_FORMAT);
	}
	free(data);
	/* Costs below the floor or above the ceiling are not paid. */
	unlink(path);
	ck_assert_ok(auditor_key_create(path, "x", 1, fingerprint));
	ck_assert_ok(io_read_file(AT_FDCWD, path, 4096, &data, &len));
	for (unsigned i = 0; i < sizeof(costs) / sizeof(costs[0]); i++) {
		const char *rest = strstr((char *)data, " 3 256 ") + 7;
		char text[512];

		snprintf(text, sizeof(text), "phifs-auditor-secret-1 argon2id %s %s", costs[i],
			 rest);
		unlink(path);
		ck_assert_ok(io_create_file(AT_FDCWD, path, text, strlen(text), 0600));
		ck_assert_int_eq(auditor_key_load(path, "x", 1, &key), ERR_FORMAT);
	}
	free(data);
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

UNIT_MAIN("audit-trail", test_ring_wraps, test_ring_reserve, test_state_two_slots,
	  test_state_erases, test_create_refuses, test_append_flush_close, test_refuses_bad_events,
	  test_content_comes_back, test_reads_are_small, test_many_threads, test_flush_async,
	  test_kill_loses_nothing, test_kill_at_random, test_ring_lost, test_ring_edited,
	  test_disk_full, test_full_segment_at_stop, test_evidence_in_seals,
	  test_keys_are_erased, test_killed_before_the_header, test_auditor_keys,
	  test_auditor_key_files_hostile)

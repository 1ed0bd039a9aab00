/* A trail whose process is killed: what was appended is there, and what is not is said. */
#include <sys/mman.h>

#include "audit/state.h"
#include "tests/unit/audit_unit.h"

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

UNIT_MAIN("audit kill", test_kill_loses_nothing, test_kill_at_random, test_ring_lost,
	  test_ring_edited, test_killed_before_the_header)

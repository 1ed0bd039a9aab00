/* What a kill or a power loss excuses in a journal, and what they do not. */
#include "audit/state.h"
#include "tests/unit/audit_attack.h"

static void work_little(struct audit *audit, void *ctx)
{
	uint64_t seq = 0;

	for (unsigned i = 0; i < *(unsigned *)ctx; i++)
		(void)!append_read(audit, 1, i, &seq);
	(void)!audit_flush_wait(audit, seq);
	clock_sleep_ns(50 * NS_PER_MS);
}

START_TEST(test_killed)
{
	unsigned reads = 10;

	set_up_runs();
	killed_run(&f, work_little, &reads);
	expect(VERDICT_UNSEALED, ERR_UNPROVEN);
	run_once(&f, 1);
	expect(VERDICT_UNCLEAN, ERR_UNPROVEN);
	tear_down();
}
END_TEST

START_TEST(test_crash_attack)
{
	unsigned reads = 10;
	struct file file;

	/*
	 * Kill, then edit what the last seal does not yet cover.  In the same boot
	 * nothing can be torn: the daemon refuses.
	 */
	set_up_runs();
	killed_run(&f, work_little, &reads);
	load(4, &file);
	file.data[file.records[file.count - 3] + 40] ^= 1;
	store_bytes(4, file.data, file.len);
	ck_assert_int_eq(audit_open(&f.config, &(struct audit *){NULL}), ERR_TAMPERED);
	free(file.data);
	tear_down();
}
END_TEST

static void change_boot_id(void)
{
	struct audit_state *state;
	struct state_file *file;
	int dir_fd = open(f.journal, O_RDONLY | O_DIRECTORY);

	ck_assert_ok(state_open(dir_fd, &file, &state));
	state->boot_id[0] ^= 1;
	ck_assert_ok(state_commit(file, state));
	state_close(file, state);
	close(dir_fd);
}

/* A run of ten reads, then another boot, the ring gone, the last record half written. */
static void lose_power(void)
{
	unsigned reads = 10;
	struct file file;

	killed_run(&f, work_little, &reads);
	change_boot_id();
	unlink(f.ring);
	load(4, &file);
	memset(file.data + file.records[file.count - 1] + 30, 0,
	       file.len - file.records[file.count - 1] - 30);
	store_bytes(4, file.data, file.len);
	free(file.data);
}

START_TEST(test_power_loss)
{
	struct findings findings;

	set_up_runs();
	lose_power();
	run_once(&f, 1);
	verify(&f, f.key, &findings);
	ck_assert(has_finding(&findings, VERDICT_UNCLEAN));
	ck_assert_int_eq(findings.worst, ERR_UNPROVEN);
	ck_assert_uint_eq(findings.reads, 15 + 9 + 1);
	/* Without a key a record's body is not checked, but this one is gone. */
	verify(&f, NULL, &findings);
	ck_assert_int_eq(findings.worst, ERR_UNPROVEN);
	tear_down();
}
END_TEST

START_TEST(test_power_loss_twice)
{
	unsigned reads = 10;
	struct findings findings;

	/* The second comes before the first seal: the last sealed place is the run before. */
	set_up_runs();
	lose_power();
	killed_run(&f, work_little, &reads);
	change_boot_id();
	unlink(f.ring);
	run_once(&f, 1);
	verify(&f, f.key, &findings);
	ck_assert(has_finding(&findings, VERDICT_UNCLEAN));
	ck_assert_int_eq(findings.worst, ERR_UNPROVEN);
	tear_down();
}
END_TEST

START_TEST(test_power_loss_does_not_excuse_edits)
{
	unsigned reads = 10;
	struct file file;

	/* ... of what was sealed. */
	set_up_runs();
	killed_run(&f, work_little, &reads);
	change_boot_id();
	unlink(f.ring);
	run_once(&f, 1);
	load(4, &file);
	file.data[file.records[1] + 40] ^= 1;
	store_bytes(4, file.data, file.len);
	expect(VERDICT_EDITED, ERR_TAMPERED);
	free(file.data);
	load(3, &file);
	file.data[file.records[1] + 40] ^= 1;
	store_bytes(3, file.data, file.len);
	expect(VERDICT_EDITED, ERR_TAMPERED);
	free(file.data);
	tear_down();
}
END_TEST

UNIT_MAIN("audit crash", test_killed, test_crash_attack, test_power_loss,
	  test_power_loss_twice, test_power_loss_does_not_excuse_edits)

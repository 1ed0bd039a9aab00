/* The backing that fails, or kills its process, at a chosen call. */
#include "backing_unit.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static struct backing *fault_on_sim(void)
{
	struct backing *sim, *fault;

	ck_assert_ok(backing_sim_new(&sim));
	ck_assert_ok(backing_fault_new(sim, &fault));
	return fault;
}

START_TEST(test_fault)
{
	struct backing *b = fault_on_sim();
	uint8_t data[1024];
	int file;

	check_all(b);
	memset(data, 9, sizeof(data));
	file = make(b, "f");
	backing_fault_arm(b, 2, ERR_IO, false);
	fill(b, file, 1, 1024, 0);
	ck_assert_int_eq(b->ops->pwrite(b, file, data, sizeof(data), 0), ERR_IO);
	ck_assert_uint_eq(byte_at(b, file, 511), 9);
	ck_assert_uint_eq(byte_at(b, file, 512), 1);
	ck_assert_ok(b->ops->fdatasync(b, file));

	backing_fault_arm(b, 1, ERR_FULL, true);
	ck_assert_uint_eq(byte_at(b, file, 0), 9);
	ck_assert_int_eq(b->ops->fdatasync(b, file), ERR_FULL);
	ck_assert_int_eq(b->ops->truncate(b, file, 0), ERR_FULL);
	ck_assert_int_eq(b->ops->punch(b, file, 0, 1), ERR_FULL);
	ck_assert_int_eq(b->ops->rename(b, "f", "g"), ERR_FULL);
	ck_assert_int_eq(b->ops->unlink(b, "f"), ERR_FULL);
	ck_assert_int_eq(b->ops->mkdir(b, "d"), ERR_FULL);
	ck_assert_int_eq(b->ops->sync_dir(b, "."), ERR_FULL);
	ck_assert_int_eq(b->ops->sync_all(b), ERR_FULL);
	ck_assert_int_eq(try_open(b, "h", BACKING_CREATE), ERR_FULL);
	ck_assert_ok(try_open(b, "f", 0));
	backing_fault_arm(b, 0, ERR_OK, false);
	ck_assert_ok(b->ops->rename(b, "f", "g"));
	b->ops->close(b, file);
	backing_free(b);
}
END_TEST

START_TEST(test_fault_kill)
{
	struct backing *b = fault_on_sim();
	uint64_t calls = backing_fault_calls(b);
	int status;
	pid_t child;

	b->ops->close(b, make(b, "f"));
	ck_assert_uint_eq(backing_fault_calls(b), calls + 1);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		backing_fault_arm_kill(b, 2);
		if (b->ops->sync_dir(b, ".") != ERR_OK)
			_exit(2);
		if (b->ops->sync_dir(b, ".") != ERR_OK)
			_exit(3);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	backing_free(b);
}
END_TEST

UNIT_MAIN("backing fault", test_fault, test_fault_kill)

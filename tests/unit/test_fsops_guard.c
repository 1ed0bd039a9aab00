/* The guard on a real store with a real trail: who may, and what is answered. */
#include "fsops_wards.h"

static struct events events;

START_TEST(test_default_is_no)
{
	struct world w;
	uint64_t file;
	int error;

	file = world_with_file(&w);
	ck_assert_uint_eq(world_open(&w, asker(STRANGER), file, O_RDONLY, &error), 0);
	ck_assert_int_eq(error, EACCES);
	ck_assert_uint_eq(world_open(&w, asker(0), file, O_RDONLY, &error), 0);
	ck_assert_int_eq(error, EACCES);
	ck_assert_uint_eq(world_open(&w, asker(VIEWER), file, O_RDWR, &error), 0);
	ck_assert_int_eq(error, EACCES);
	world_release(&w, file, world_open(&w, asker(VIEWER), file, O_RDONLY, &error));
	ck_assert_uint_eq(world_mkdir(&w, VIEWER, STORE_ROOT, "d", &error), 0);
	ck_assert_int_eq(error, EACCES);
	ck_assert_int_eq(world_unlink(&w, VIEWER, STORE_ROOT, "a"), EACCES);
	ck_assert_uint_ne(fixture_find(&w.store, STORE_ROOT, "a"), 0);
	world_free(&w);
}
END_TEST

/* --- create covers what its handle does --------------------------------------------- */

START_TEST(test_create_covers_its_handle)
{
	struct world w;
	struct answer answer;
	struct guard *guard;
	struct stat st = {0};
	uint64_t file = 0, handle;
	int error;

	world_new(&w, policy_text);
	handle = world_create(&w, asker(DEPOSITOR), STORE_ROOT, "a", O_RDWR, &file);
	ck_assert_uint_ne(handle, 0);
	ck_assert_int_eq(world_write(&w, asker(DEPOSITOR), OP_WRITE, file, handle, 0, 10), 10);
	ck_assert_int_eq(world_read(&w, asker(DEPOSITOR), file, handle, 0, 10, false), 10);
	/* fchmod(2): no handle in the request, but this process holds the one that made it. */
	answer = asker(DEPOSITOR);
	guard = begin(&w, &answer, OP_SETATTR,
		      (struct guard_target){.number = file, .set = STORE_SET_MODE});
	ck_assert_ptr_nonnull(guard);
	guard_end_attr(guard, ERR_OK, &st, 1);
	ck_assert_int_eq(wait_answer(&answer), -1);
	/* Neither a reload nor a lock in between takes that away. */
	ck_assert_ok(fsops_set_policy(w.fsops, world_policy(policy_text)));
	fsops_wipe(w.fsops);
	answer = asker(DEPOSITOR);
	guard = begin(&w, &answer, OP_SETATTR,
		      (struct guard_target){.number = file, .set = STORE_SET_MODE});
	ck_assert_ptr_nonnull(guard);
	guard_end_attr(guard, ERR_OK, &st, 1);
	ck_assert_int_eq(wait_answer(&answer), -1);
	world_release(&w, file, handle);
	ck_assert_int_eq(refusal(&w, asker(DEPOSITOR), OP_SETATTR,
				 (struct guard_target){.number = file, .set = STORE_SET_MODE}),
			 EACCES);
	ck_assert_uint_eq(world_open(&w, asker(DEPOSITOR), file, O_RDONLY, &error), 0);
	ck_assert_uint_eq(world_open(&w, asker(DEPOSITOR), file, O_WRONLY, &error), 0);
	world_free(&w);
}
END_TEST

START_TEST(test_truncating_open_is_write)
{
	struct world w;
	uint64_t file;
	int error;

	file = world_with_file(&w);
	ck_assert_uint_eq(world_open(&w, asker(VIEWER), file, O_RDONLY | O_TRUNC, &error), 0);
	ck_assert_int_eq(error, EACCES);
	world_release(&w, file, world_open(&w, asker(NURSE), file, O_RDONLY | O_TRUNC, &error));
	world_free(&w);
}
END_TEST

/* truncate(2) of a set-id file by who may write: the kernel sends the new mode along. */
START_TEST(test_dropping_set_id_is_part_of_a_write)
{
	struct world w;
	struct guard_target target = {.set = STORE_SET_MODE | STORE_SET_SIZE};
	static const char writer[] = "[class all]\npath = /\n[role one]\nmembers = uid:1001\n"
				     "allow = create write on all\n"
				     "[role two]\nmembers = uid:1004\nallow = attr on all\n";

	world_new(&w, writer);
	target.number = made_file(&w, NURSE, STORE_ROOT, "a");
	target.mode = 0600;
	ck_assert_int_eq(set_attr(&w, asker(NURSE), target), EACCES);
	target.mode = 04755;
	target.set = STORE_SET_MODE;
	ck_assert_int_eq(set_attr(&w, asker(PSYCHIATRIST), target), -1);
	target.set = STORE_SET_MODE | STORE_SET_SIZE;
	target.mode = 0700;
	ck_assert_int_eq(set_attr(&w, asker(NURSE), target), EACCES);
	target.mode = 0755;
	ck_assert_int_eq(set_attr(&w, asker(NURSE), target), -1);
	/* And not back. */
	target.mode = 04755;
	ck_assert_int_eq(set_attr(&w, asker(NURSE), target), EACCES);
	world_free(&w);
}
END_TEST

START_TEST(test_read_only)
{
	struct world w;
	uint64_t file, handle;
	int error;

	file = world_with_file(&w);
	w.fsops->config.read_only = true;
	ck_assert_uint_eq(world_open(&w, asker(NURSE), file, O_RDWR, &error), 0);
	ck_assert_int_eq(error, EROFS);
	ck_assert_int_eq(world_unlink(&w, NURSE, STORE_ROOT, "a"), EROFS);
	handle = world_open(&w, asker(NURSE), file, O_RDONLY, &error);
	ck_assert_int_eq(world_read(&w, asker(NURSE), file, handle, 0, 10, false), 10);
	world_release(&w, file, handle);
	world_free(&w);
}
END_TEST

/* --- page cache --------------------------------------------------------------------- */

static void add_number(void *ctx, uint64_t number)
{
	*(uint64_t *)ctx += number;
}

START_TEST(test_fills_and_writebacks)
{
	struct world w;
	uint64_t file, one, two, sum = 0;
	const struct event *event;
	int error;

	file = world_with_file(&w);
	one = world_open(&w, asker(NURSE), file, O_RDWR, &error);
	two = world_open(&w, asker(PSYCHIATRIST), file, O_RDWR, &error);
	ck_assert_int_eq(world_read(&w, asker(NURSE), file, one, 0, 4096, true), 100);
	ck_assert_uint_eq(w.fills, 1);
	ck_assert_uint_eq(w.filled_number, file);
	ck_assert_uint_eq(w.filled_length, 4096);
	fsops_each_filled(w.fsops, add_number, &sum);
	ck_assert_uint_eq(sum, file);
	/* pid 0, uid 0, any handle: neither refused nor anybody's. */
	ck_assert_int_eq(world_write(&w, asker_as(0, 0), OP_WRITEBACK, file, two, 0, 50), 50);
	ck_assert_uint_eq(fsops_writebacks(w.fsops), 1);
	sum = 0;
	fsops_each_filled(w.fsops, add_number, &sum);
	ck_assert_uint_eq(sum, file);
	world_release(&w, file, one);
	world_release(&w, file, two);
	world_events(&w, &events);
	event = event_of(&events, AUDIT_READ);
	ck_assert_int_eq(event->via, AUDIT_VIA_FILL);
	for (size_t i = 0; i < events.count; i++)
		if (events.list[i].type == AUDIT_WRITE && events.list[i].via != AUDIT_VIA_DIRECT)
			event = &events.list[i];
	ck_assert_int_eq(event->via, AUDIT_VIA_WRITEBACK);
	ck_assert(!event->has_person);
	ck_assert_uint_eq(event->handle, 0);
	ck_assert_msg(strstr(event->detail, "one of handles") == event->detail, "%s",
		      event->detail);
	world_free(&w);
}
END_TEST

/* --- what phifsctl shows ------------------------------------------------------------ */

static void note_holder(void *ctx, const struct fsops_holder *holder)
{
	struct fsops_holder *last = ctx;

	*last = *holder;
}

static void note_refusal(void *ctx, const struct fsops_refusal *refusal)
{
	struct fsops_refusal *first = ctx;

	if (first->wall_ns == 0)
		*first = *refusal;
}

START_TEST(test_what_phifsctl_shows)
{
	struct world w;
	struct fsops_holder holder = {0};
	struct fsops_refusal why = {0};
	uint64_t file, one, two;
	int error;

	file = world_with_file(&w);
	one = world_open(&w, asker(NURSE), file, O_RDONLY, &error);
	fsops_holders(w.fsops, note_holder, &holder);
	ck_assert_int_eq(holder.pid, 0);
	two = world_open(&w, asker(NURSE), file, O_RDWR, &error);
	fsops_holders(w.fsops, note_holder, &holder);
	ck_assert_int_eq(holder.pid, getpid());
	ck_assert_uint_eq(holder.files, 1);
	ck_assert_str_eq(holder.command, "test_fsops_guard");
	(void)world_open(&w, asker(0), file, O_RDONLY, &error);
	(void)world_open(&w, asker(VIEWER), file, O_RDWR, &error);
	fsops_refusals(w.fsops, 0, note_refusal, &why);
	ck_assert_str_eq(why.cause, "no rule allows it; root is not a role");
	ck_assert_str_eq(why.class_name, "wards");
	ck_assert_str_eq(why.action, "read");
	why.wall_ns = 0;
	fsops_refusals(w.fsops, (uid_t)-1, note_refusal, &why);
	ck_assert_uint_eq(why.uid, VIEWER);
	world_release(&w, file, one);
	world_release(&w, file, two);
	world_free(&w);
}
END_TEST

/* An operation without a row would pass the guard by. */
START_TEST(test_every_operation_has_a_row)
{
	const void *const *members = (const void *const *)(const void *)fsops_operations();
	bool has_row;

	for (size_t i = 0; i < sizeof(struct fuse_lowlevel_ops) / sizeof(void *); i++) {
		has_row = false;
		for (enum op op = 0; op < OP_COUNT; op++)
			has_row |= op_row(op)->member == i * sizeof(void *);
		ck_assert_msg(members[i] == NULL || has_row, "member %zu has no row", i);
	}
}
END_TEST

UNIT_MAIN("fsops guard", test_default_is_no, test_create_covers_its_handle,
	  test_truncating_open_is_write, test_dropping_set_id_is_part_of_a_write, test_read_only,
	  test_fills_and_writebacks, test_what_phifsctl_shows, test_every_operation_has_a_row)

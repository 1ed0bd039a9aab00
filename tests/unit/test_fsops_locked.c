/* What is answered while the volume is being locked, and once it is. */
#include "fsops_wards.h"

static struct events events;

static void lock_world(struct world *w)
{
	struct store_lock_report report;

	ck_assert_ok(session_begin_lock(w->session));
	ck_assert_ok(session_wait_quiet(w->session, clock_boot_ns() + 20 * NS_PER_SECOND));
	session_refuse_writeback(w->session);
	store_lock(w->store.store, 30000, &report);
	ck_assert_ok(report.err);
	fsops_wipe(w->fsops);
	session_locked(w->session);
}

static void unlock_world(struct world *w)
{
	struct store_recovery recovery;

	ck_assert_ok(session_begin_unlock(w->session));
	ck_assert_ok(store_unlock(w->store.store, w->store.keyring, &recovery));
	session_unlocked(w->session, NULL);
}

START_TEST(test_locked_answers)
{
	struct world w;
	struct answer answer;
	struct guard *guard;
	uint64_t file, handle;
	size_t refused = 0;
	int error;

	file = world_with_file(&w);
	handle = world_open(&w, asker(NURSE), file, O_RDWR, &error);
	lock_world(&w);
	for (enum op op = 0; op < OP_COUNT; op++) {
		const struct guard_target target = {.number = file, .handle = handle,
						    .dir = STORE_ROOT, .name = "b",
						    .new_dir = STORE_ROOT, .new_name = "c",
						    .xattr = "user.x"};

		answer = asker(NURSE);
		guard = begin(&w, &answer, op, target);
		if (op_row(op)->locked == REFUSE) {
			ck_assert_msg(guard == NULL, "%s", op_row(op)->name);
			ck_assert_int_eq(wait_answer(&answer), ENOKEY);
			refused++;
		} else {
			ck_assert_msg(guard != NULL, "%s", op_row(op)->name);
			ck_assert(guard_is_locked(guard));
			guard_end_err(guard, ERR_OK);
			ck_assert_int_eq(wait_answer(&answer), 0);
		}
	}
	unlock_world(&w);
	/* The same descriptor. */
	ck_assert_int_eq(world_read(&w, asker(NURSE), file, handle, 0, 10, false), 10);
	ck_assert_int_eq(world_write(&w, asker(NURSE), OP_WRITE, file, handle, 0, 10), 10);
	world_release(&w, file, handle);
	world_events(&w, &events);
	/* The first, and one count of all the others. */
	ck_assert_uint_eq(events_of(&events, AUDIT_LOCKED), 2);
	ck_assert_str_eq(event_of(&events, AUDIT_LOCKED)->detail, "the volume is locked");
	ck_assert_uint_eq(event_of(&events, AUDIT_LOCKED)->uid, NURSE);
	for (size_t i = 0, seen = 0; i < events.count; i++)
		if (events.list[i].type == AUDIT_LOCKED && seen++ == 1)
			ck_assert_uint_eq(events.list[i].count, refused - 1);
	world_free(&w);
}
END_TEST

START_TEST(test_writeback_goes_on_while_locking)
{
	struct world w;
	uint64_t file, handle;
	int error;

	file = world_with_file(&w);
	handle = world_open(&w, asker(NURSE), file, O_RDWR, &error);
	ck_assert_ok(session_begin_lock(w.session));
	ck_assert_int_eq(world_write(&w, asker(NURSE), OP_WRITE, file, handle, 0, 10), -ENOKEY);
	ck_assert_int_eq(world_write(&w, asker_as(0, 0), OP_WRITEBACK, file, handle, 0, 10), 10);
	session_refuse_writeback(w.session);
	ck_assert_int_eq(world_write(&w, asker_as(0, 0), OP_WRITEBACK, file, handle, 0, 10),
			 -ENOKEY);
	session_locked(w.session);
	world_release(&w, file, handle);
	world_free(&w);
}
END_TEST

UNIT_MAIN("fsops locked", test_locked_answers, test_writeback_goes_on_while_locking)

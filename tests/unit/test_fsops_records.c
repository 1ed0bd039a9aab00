/* What the guard records, and what is answered when it cannot. */
#include "fsops_wards.h"

#include "audit/trail.h"

static struct events events;

START_TEST(test_records_of_a_session)
{
	struct world w;
	uint64_t file, handle;
	const struct event *event;
	int error;

	file = world_with_file(&w);
	handle = world_open(&w, asker(NURSE), file, O_RDONLY, &error);
	ck_assert_int_eq(world_read(&w, asker(NURSE), file, handle, 10, 50, false), 50);
	ck_assert_int_eq(world_read(&w, asker(NURSE), file, handle, 60, 4096, false), 40);
	world_release(&w, file, handle);
	ck_assert_int_eq(world_unlink(&w, NURSE, STORE_ROOT, "a"), 0);
	world_events(&w, &events);

	ck_assert_uint_eq(events_of(&events, AUDIT_CREATE), 1);
	event = event_of(&events, AUDIT_CREATE);
	ck_assert_str_eq(event->path, "/a");
	ck_assert_str_eq(event->class_name, "wards");
	ck_assert_str_eq(event->role, "nurses");
	ck_assert_int_eq(event->rule, 11);
	ck_assert_uint_eq(events_of(&events, AUDIT_OPEN), 2);
	ck_assert_uint_eq(events_of(&events, AUDIT_WRITE), 1);
	event = event_of(&events, AUDIT_WRITE);
	ck_assert_uint_eq(event->length, 100);
	ck_assert_uint_eq(event->uid, NURSE);
	ck_assert_int_eq(event->pid, getpid());
	ck_assert_uint_eq(events_of(&events, AUDIT_READ), 2);
	event = event_of(&events, AUDIT_READ);
	ck_assert_uint_eq(event->handle, handle);
	ck_assert_uint_eq(event->offset, 10);
	ck_assert_uint_eq(event->length, 50);
	ck_assert_uint_eq(event->bytes, 50);
	ck_assert_uint_eq(event[1].offset, 60);
	ck_assert_uint_eq(event[1].length, 4096);
	ck_assert_uint_eq(event[1].bytes, 40);
	ck_assert_uint_eq(events_of(&events, AUDIT_CLOSE), 2);
	event = event_of(&events, AUDIT_DELETE);
	ck_assert_str_eq(event->path, "/a");
	ck_assert(event->has_object);
	ck_assert_uint_eq(event->number, file);
	world_free(&w);
}
END_TEST

START_TEST(test_failed_change_has_two_records)
{
	struct world w;
	int error;

	world_new(&w, policy_text);
	made_dir(&w, STORE_ROOT, "d");
	ck_assert_uint_eq(world_mkdir(&w, PSYCHIATRIST, STORE_ROOT, "d", &error), 0);
	ck_assert_int_eq(error, EEXIST);
	world_events(&w, &events);
	ck_assert_uint_eq(events_of(&events, AUDIT_CREATE), 3);
	ck_assert_int_eq(events.list[0].err, ERR_OK);
	ck_assert_int_eq(events.list[1].err, ERR_OK);
	ck_assert_int_eq(events.list[2].err, ERR_EXISTS);
	ck_assert_str_eq(events.list[2].path, "/d");
	world_free(&w);
}
END_TEST

START_TEST(test_refusal_is_recorded_and_parked)
{
	struct world w;
	struct answer answer = asker(STRANGER);
	struct audit_status status;
	const struct event *event;
	uint64_t file;
	int error;

	file = world_with_file(&w);
	ck_assert_ptr_null(begin(&w, &answer, OP_OPEN,
				 (struct guard_target){.number = file, .flags = O_RDONLY}));
	ck_assert_int_eq(wait_answer(&answer), EACCES);
	/* On disk before the answer. */
	audit_status(w.audit, &status);
	ck_assert_uint_ge(status.durable, status.appended);
	/* The same again within the second: told at once, counted. */
	for (int i = 0; i < 5; i++)
		ck_assert_uint_eq(world_open(&w, asker(STRANGER), file, O_RDONLY, &error), 0);
	world_events(&w, &events);
	event = event_of(&events, AUDIT_DENY);
	ck_assert_int_eq(event->err, ERR_DENIED);
	ck_assert_str_eq(event->path, "/a");
	ck_assert_str_eq(event->action, "read");
	ck_assert_str_eq(event->detail, "no rule allows it");
	ck_assert_uint_eq(event->uid, STRANGER);
	ck_assert_uint_ge(events_of(&events, AUDIT_DENY), 2);
	error = 0;
	for (size_t i = 0; i < events.count; i++)
		if (events.list[i].type == AUDIT_DENY)
			ck_assert_str_eq(events.list[i].path, "/a");
	for (size_t i = 0; i < events.count; i++)
		if (events.list[i].type == AUDIT_DENY)
			error += events.list[i].count == 0 ? 1 : (int)events.list[i].count;
	ck_assert_int_eq(error, 6);
	world_free(&w);
}
END_TEST

/* --- the trail fails ---------------------------------------------------------------- */

/* No record, no access: neither data nor change. */
START_TEST(test_no_record_no_access)
{
	struct world w;
	uint64_t file, handle, ignored;
	int error;

	file = world_with_file(&w);
	handle = world_open(&w, asker(NURSE), file, O_RDWR, &error);
	w.audit->append.is_closed = true;
	ck_assert_int_eq(world_read(&w, asker(NURSE), file, handle, 0, 10, false), -EIO);
	ck_assert_int_eq(world_write(&w, asker(NURSE), OP_WRITE, file, handle, 0, 10), -EIO);
	ck_assert_uint_eq(world_open(&w, asker(NURSE), file, O_RDONLY, &error), 0);
	ck_assert_int_eq(error, EIO);
	ck_assert_uint_eq(world_create(&w, asker(NURSE), STORE_ROOT, "b", O_RDWR, &ignored), 0);
	ck_assert_uint_eq(fixture_find(&w.store, STORE_ROOT, "b"), 0);
	ck_assert_int_eq(world_unlink(&w, NURSE, STORE_ROOT, "a"), EIO);
	ck_assert_uint_ne(fixture_find(&w.store, STORE_ROOT, "a"), 0);
	w.audit->append.is_closed = false;
	ck_assert_int_eq(world_read(&w, asker(NURSE), file, handle, 0, 10, false), 10);
	world_release(&w, file, handle);
	ck_assert_uint_eq(handle_table_count(w.fsops->handles), 0);
	world_free(&w);
}
END_TEST

START_TEST(test_summary_class)
{
	struct world w;
	uint64_t db, file, handle;
	const struct event *event;
	int error;

	world_new(&w, policy_text);
	db = world_mkdir(&w, NURSE, STORE_ROOT, "db", &error);
	file = made_file(&w, NURSE, db, "a");
	handle = world_open(&w, asker(NURSE), file, O_RDWR, &error);
	for (uint64_t i = 0; i < 20; i++)
		ck_assert_int_eq(world_read(&w, asker(NURSE), file, handle, i, 10, false), 10);
	ticker_work(w.fsops, true);
	ck_assert_int_eq(world_read(&w, asker(NURSE), file, handle, 50, 10, false), 10);
	w.audit->append.is_closed = true;
	ck_assert_uint_eq(world_open(&w, asker(NURSE), file, O_RDWR, &error), 0);
	ck_assert_int_eq(world_read(&w, asker(NURSE), file, handle, 0, 10, false), -EIO);
	w.audit->append.is_closed = false;
	ticker_work(w.fsops, false);
	world_release(&w, file, handle);
	world_events(&w, &events);
	ck_assert_uint_eq(events_of(&events, AUDIT_READ), 2);
	event = event_of(&events, AUDIT_READ);
	ck_assert_uint_eq(event->count, 20);
	ck_assert_uint_eq(event->offset, 0);
	ck_assert_uint_eq(event->length, 29);
	ck_assert_uint_eq(event->bytes, 200);
	world_free(&w);
}
END_TEST

/* An interrupted open(2): the kernel will send no RELEASE. */
START_TEST(test_open_that_nobody_hears_of)
{
	struct world w;
	struct answer answer;
	uint64_t file;
	int error;

	file = world_with_file(&w);
	answer = asker(NURSE);
	answer.refuse_body = -ENOENT;
	(void)world_open(&w, answer, file, O_RDWR, &error);
	ck_assert_uint_eq(handle_table_count(w.fsops->handles), 0);
	world_events(&w, &events);
	ck_assert_uint_eq(events_of(&events, AUDIT_OPEN), 2);
	ck_assert_uint_eq(events_of(&events, AUDIT_CLOSE), 2);
	world_free(&w);
}
END_TEST

/* Anybody may ask the control socket for what he may not, in a loop. */
START_TEST(test_refusals_of_others_are_counted)
{
	struct world w;
	struct audit_person person = {.uid = STRANGER, .login_uid = LOGIN_UID_UNSET};
	const struct audit_event event = {.type = AUDIT_DENY, .err = ERR_DENIED,
					  .person = &person, .action = "reload"};
	unsigned int first = 0;

	world_new(&w, policy_text);
	for (int i = 0; i < 1000; i++)
		first += fsops_note_refusal(w.fsops, &event, "control socket");
	ck_assert_uint_ge(first, 1);
	ck_assert_uint_le(first, 3);
	world_events(&w, &events);
	ck_assert_uint_ge(events_of(&events, AUDIT_DENY), 1);
	ck_assert_uint_le(events_of(&events, AUDIT_DENY), 3);
	ck_assert_str_eq(event_of(&events, AUDIT_DENY)->action, "reload");
	ck_assert_uint_ge(event_of(&events, AUDIT_DENY)->count, 300);
	world_free(&w);
}
END_TEST

UNIT_MAIN("fsops records", test_records_of_a_session, test_failed_change_has_two_records,
	  test_refusal_is_recorded_and_parked, test_no_record_no_access, test_summary_class,
	  test_open_that_nobody_hears_of, test_refusals_of_others_are_counted)

/* The person of a handle: its opener while the same process uses it, else who uses it. */
#include "fsops_wards.h"

static struct events events;

/* A pool thread of the same process with another uid: the opener's, and never refused. */
START_TEST(test_server_thread_is_the_opener)
{
	struct world w;
	uint64_t file, handle;
	const struct event *event;
	int error;

	file = world_with_file(&w);
	handle = world_open(&w, asker(NURSE), file, O_RDONLY, &error);
	ck_assert_int_eq(world_read(&w, asker(STRANGER), file, handle, 0, 10, false), 10);
	world_release(&w, file, handle);
	world_events(&w, &events);
	ck_assert_uint_eq(events_of(&events, AUDIT_IDENTITY), 0);
	event = event_of(&events, AUDIT_READ);
	ck_assert_uint_eq(event->uid, NURSE);
	world_free(&w);
}
END_TEST

START_TEST(test_another_process_is_itself)
{
	struct world w;
	pid_t child = child_new();
	uint64_t file, handle;
	const struct event *event;
	int error;

	file = world_with_file(&w);
	handle = world_open(&w, asker(NURSE), file, O_RDONLY, &error);
	ck_assert_int_eq(world_read(&w, asker_as(child, VIEWER), file, handle, 0, 10, false), 10);
	ck_assert_int_eq(world_read(&w, asker_as(child, VIEWER), file, handle, 10, 10, false), 10);
	ck_assert_int_eq(world_read(&w, asker(NURSE), file, handle, 20, 10, false), 10);
	child_end(child);
	/* One that may not. */
	child = child_new();
	ck_assert_int_eq(world_read(&w, asker_as(child, STRANGER), file, handle, 30, 10, false),
			 -EACCES);
	ck_assert_int_eq(world_read(&w, asker_as(child, STRANGER), file, handle, 30, 10, false),
			 -EACCES);
	ck_assert_int_eq(world_read(&w, asker(NURSE), file, handle, 40, 10, false), 10);
	child_end(child);
	world_release(&w, file, handle);
	world_events(&w, &events);
	ck_assert_uint_eq(events_of(&events, AUDIT_IDENTITY), 1);
	event = event_of(&events, AUDIT_IDENTITY);
	ck_assert_uint_eq(event->uid, VIEWER);
	ck_assert_uint_eq(event->handle, handle);
	ck_assert_str_eq(event->role, "viewers");
	ck_assert_str_eq(event->path, "/a");
	event = event_of(&events, AUDIT_READ);
	ck_assert_uint_eq(event[0].uid, VIEWER);
	ck_assert_uint_eq(event[1].uid, VIEWER);
	ck_assert_uint_eq(event[2].uid, NURSE);
	ck_assert_uint_eq(events_of(&events, AUDIT_READ), 4);
	event = event_of(&events, AUDIT_DENY);
	ck_assert_uint_eq(event->uid, STRANGER);
	world_free(&w);
}
END_TEST

/* A copy that may be read and not written: the refusal is about the file written to. */
START_TEST(test_refused_copy_names_its_target)
{
	struct world w;
	pid_t child = child_new();
	uint64_t from, to, reader, writer;
	const struct event *event;
	int error;

	world_new(&w, policy_text);
	from = made_file(&w, NURSE, STORE_ROOT, "from");
	to = made_file(&w, NURSE, STORE_ROOT, "to");
	reader = world_open(&w, asker(NURSE), from, O_RDONLY, &error);
	writer = world_open(&w, asker(NURSE), to, O_WRONLY, &error);
	ck_assert_int_eq(refusal(&w, asker_as(child, VIEWER), OP_COPY_RANGE,
				 (struct guard_target){.number = from, .handle = reader,
						       .out_number = to, .out_handle = writer,
						       .length = 10}),
			 EACCES);
	child_end(child);
	world_release(&w, from, reader);
	world_release(&w, to, writer);
	world_events(&w, &events);
	event = event_of(&events, AUDIT_DENY);
	ck_assert_uint_eq(event->uid, VIEWER);
	ck_assert_str_eq(event->path, "/to");
	ck_assert_uint_eq(event->handle, writer);
	ck_assert_str_eq(event->action, "write");
	world_free(&w);
}
END_TEST

START_TEST(test_unseen_process_is_refused)
{
	struct world w;
	uint64_t file;
	int error;

	file = world_with_file(&w);
	ck_assert_uint_eq(world_open(&w, asker_as(0, NURSE), file, O_RDONLY, &error), 0);
	ck_assert_int_eq(error, EACCES);
	world_events(&w, &events);
	ck_assert_str_eq(event_of(&events, AUDIT_DENY)->detail,
			 "the calling process cannot be seen");
	ck_assert_str_eq(event_of(&events, AUDIT_DENY)->action, "read");
	world_free(&w);
}
END_TEST

/* Read-ahead of a process that has ended is nobody's: not the opener's either. */
START_TEST(test_fill_of_nobody_is_not_served)
{
	struct world w;
	pid_t child = child_new();
	uint64_t file, handle;
	int error;

	file = world_with_file(&w);
	handle = world_open(&w, asker(NURSE), file, O_RDONLY, &error);
	child_end(child);
	ck_assert_int_lt(world_read(&w, asker_as(child, STRANGER), file, handle, 0, 10, true), 0);
	ck_assert_int_eq(world_read(&w, asker(NURSE), file, handle, 0, 10, true), 10);
	world_release(&w, file, handle);
	world_events(&w, &events);
	ck_assert_uint_eq(events_of(&events, AUDIT_READ), 1);
	ck_assert_uint_eq(events_of(&events, AUDIT_DENY), 0);
	world_free(&w);
}
END_TEST

static void keep_holder(void *ctx, const struct fsops_holder *holder)
{
	*(struct fsops_holder *)ctx = *holder;
}

/* Who reads has files open, but no lock waits for him. */
START_TEST(test_who_has_files_open)
{
	struct fsops_holder opener = {0}, writer = {0};
	uint64_t file, reading, writing;
	struct world w;
	int error;

	file = world_with_file(&w);
	reading = world_open(&w, asker(NURSE), file, O_RDONLY, &error);
	fsops_openers(w.fsops, keep_holder, &opener);
	ck_assert_int_eq(opener.pid, getpid());
	ck_assert_uint_eq(opener.open, 1);
	ck_assert_uint_eq(opener.files, 0);
	ck_assert_str_ne(opener.from, "");
	fsops_holders(w.fsops, keep_holder, &writer);
	ck_assert_int_eq(writer.pid, 0);
	writing = world_open(&w, asker(NURSE), file, O_RDWR, &error);
	fsops_holders(w.fsops, keep_holder, &writer);
	ck_assert_int_eq(writer.pid, getpid());
	ck_assert_uint_eq(writer.open, 2);
	ck_assert_uint_eq(writer.files, 1);
	world_release(&w, file, reading);
	world_release(&w, file, writing);
	world_free(&w);
}
END_TEST

UNIT_MAIN("fsops persons", test_server_thread_is_the_opener, test_another_process_is_itself,
	  test_refused_copy_names_its_target, test_unseen_process_is_refused,
	  test_fill_of_nobody_is_not_served, test_who_has_files_open)

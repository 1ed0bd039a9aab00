/* The guard on a real store with a real trail: who may, what is recorded, what is answered. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "fsops_fixture.h"

#include "audit/trail.h"

/* 1001 edits wards, 1002 views them, 1003 deposits; psychiatry is another class. */
static const char policy_text[] =
	"[class wards]\n"
	"path = /\n"
	"[class psychiatry]\n"
	"path = /wards/*/psychiatry\n"
	"patient = 4\n"
	"[class database]\n"
	"path = /db\n"
	"audit = summary\n"
	"[role nurses]\n"
	"members = uid:1001\n"
	"allow = edit on wards, database\n"
	"[role viewers]\n"
	"members = uid:1002\n"
	"allow = view on wards\n"
	"[role inbox]\n"
	"members = uid:1003\n"
	"allow = deposit on wards\n"
	"deny = read on wards\n"
	"[role psychiatrists]\n"
	"members = uid:1004\n"
	"allow = edit on psychiatry, wards\n";
#define NURSE        1001
#define VIEWER       1002
#define DEPOSITOR    1003
#define PSYCHIATRIST 1004
#define STRANGER     1005

static struct events events;

static uint64_t made_dir(struct world *w, uint64_t dir, const char *name)
{
	int error;
	uint64_t number = world_mkdir(w, PSYCHIATRIST, dir, name, &error);

	ck_assert_int_eq(error, -1);
	return number;
}

/* A closed file. */
static uint64_t made_file(struct world *w, uid_t uid, uint64_t dir, const char *name)
{
	uint64_t number = 0, handle = world_create(w, asker(uid), dir, name, O_RDWR, &number);

	ck_assert_uint_ne(handle, 0);
	ck_assert_int_eq(world_write(w, asker(uid), OP_WRITE, number, handle, 0, 100), 100);
	world_release(w, number, handle);
	return number;
}

START_TEST(test_default_is_no)
{
	struct world w;
	uint64_t file;
	int error;

	world_new(&w, policy_text);
	file = made_file(&w, NURSE, STORE_ROOT, "a");
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

START_TEST(test_records_of_a_session)
{
	struct world w;
	uint64_t file, handle;
	const struct event *event;
	int error;

	world_new(&w, policy_text);
	file = made_file(&w, NURSE, STORE_ROOT, "a");
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

	world_new(&w, policy_text);
	file = made_file(&w, NURSE, STORE_ROOT, "a");
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

	world_new(&w, policy_text);
	file = made_file(&w, NURSE, STORE_ROOT, "a");
	ck_assert_uint_eq(world_open(&w, asker(VIEWER), file, O_RDONLY | O_TRUNC, &error), 0);
	ck_assert_int_eq(error, EACCES);
	world_release(&w, file, world_open(&w, asker(NURSE), file, O_RDONLY | O_TRUNC, &error));
	world_free(&w);
}
END_TEST

static int set_attr(struct world *w, struct answer answer, struct guard_target target)
{
	struct guard *guard = begin(w, &answer, OP_SETATTR, target);
	struct store_setattr set = {.valid = target.set, .mode = target.mode};
	struct store_attr attr;
	struct stat st = {0};

	if (guard != NULL)
		guard_end_attr(guard, store_setattr(w->store.store, target.number, &set, &attr),
			       &st, 1);
	return wait_answer(&answer);
}

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

/* --- classes ------------------------------------------------------------------------ */

START_TEST(test_directories_keep_their_class)
{
	struct world w;
	uint64_t wards, five;

	world_new(&w, policy_text);
	wards = made_dir(&w, STORE_ROOT, "wards");
	five = made_dir(&w, wards, "5");
	made_dir(&w, five, "psychiatry");
	made_dir(&w, five, "tmp");
	made_dir(&w, wards, "6");
	/* Away from under the pattern, and into it. */
	ck_assert_int_eq(world_rename(&w, PSYCHIATRIST, wards, "5", STORE_ROOT, "old5"), EXDEV);
	ck_assert_int_eq(world_rename(&w, PSYCHIATRIST, five, "tmp", five, "psychiatry2"), 0);
	ck_assert_int_eq(world_rename(&w, PSYCHIATRIST, five, "psychiatry", five, "open"), EXDEV);
	ck_assert_int_eq(world_rename(&w, PSYCHIATRIST, wards, "6", wards, "7"), 0);
	ck_assert_int_eq(world_rename(&w, PSYCHIATRIST, five, "psychiatry2",
				      fixture_find(&w.store, wards, "7"), "psychiatry"),
			 EXDEV);
	world_events(&w, &events);
	ck_assert_int_eq(event_of(&events, AUDIT_DENY)->err, ERR_CLASS);
	ck_assert_str_eq(event_of(&events, AUDIT_DENY)->new_path, "/old5");
	world_free(&w);
}
END_TEST

START_TEST(test_file_moves_by_who_may_do_both)
{
	struct world w;
	struct fsops_status status;
	uint64_t wards, five, psychiatry, file;
	const struct event *event;
	int error;

	world_new(&w, policy_text);
	wards = made_dir(&w, STORE_ROOT, "wards");
	five = made_dir(&w, wards, "5");
	psychiatry = made_dir(&w, five, "psychiatry");
	file = made_file(&w, NURSE, five, "a");
	ck_assert_int_eq(world_rename(&w, NURSE, five, "a", psychiatry, "a"), EACCES);
	world_release(&w, file, world_open(&w, asker(NURSE), file, O_RDONLY, &error));
	ck_assert_int_eq(world_rename(&w, PSYCHIATRIST, five, "a", psychiatry, "a"), 0);
	/* The class follows the name at once. */
	ck_assert_uint_eq(world_open(&w, asker(NURSE), file, O_RDONLY, &error), 0);
	ck_assert_int_eq(world_link(&w, PSYCHIATRIST, file, five, "b"), EXDEV);
	ck_assert_int_eq(world_link(&w, PSYCHIATRIST, file, psychiatry, "b"), -1);
	ck_assert_int_eq(world_rename(&w, PSYCHIATRIST, psychiatry, "b", five, "b"), EXDEV);
	fsops_status(w.fsops, &status);
	ck_assert_uint_eq(status.refused_across_classes, 2);
	world_events(&w, &events);
	for (size_t i = 0; i < events.count; i++) {
		event = &events.list[i];
		if (event->type == AUDIT_RENAME)
			break;
	}
	ck_assert_int_eq(event->type, AUDIT_RENAME);
	ck_assert_str_eq(event->class_name, "wards");
	ck_assert_str_eq(event->new_class_name, "psychiatry");
	ck_assert_str_eq(event->path, "/wards/5/a");
	ck_assert_str_eq(event->new_path, "/wards/5/psychiatry/a");
	world_free(&w);
}
END_TEST

/* A reload that puts the names of one file into two classes. */
START_TEST(test_split_link_set_needs_both)
{
	struct world w;
	uint64_t left, right, file;
	int error;
	static const char split[] = "[class left]\npath = /left\n"
				    "[class right]\npath = /right\n"
				    "[role one]\nmembers = uid:1001\nallow = edit on left\n"
				    "[role both]\nmembers = uid:1004\n"
				    "allow = edit on left, right\n";

	world_new(&w, policy_text);
	left = made_dir(&w, STORE_ROOT, "left");
	right = made_dir(&w, STORE_ROOT, "right");
	file = made_file(&w, NURSE, left, "a");
	ck_assert_int_eq(world_link(&w, NURSE, file, right, "a"), -1);
	ck_assert_ok(fsops_set_policy(w.fsops, world_policy(split)));
	ck_assert_uint_eq(world_open(&w, asker(NURSE), file, O_RDONLY, &error), 0);
	ck_assert_int_eq(world_unlink(&w, NURSE, left, "a"), EACCES);
	world_release(&w, file, world_open(&w, asker(PSYCHIATRIST), file, O_RDONLY, &error));
	ck_assert_int_eq(world_unlink(&w, PSYCHIATRIST, right, "a"), 0);
	world_release(&w, file, world_open(&w, asker(NURSE), file, O_RDONLY, &error));
	world_free(&w);
}
END_TEST

START_TEST(test_reload_ends_open_handles)
{
	struct world w;
	uint64_t file, handle, other, wide;
	int error;
	static const char less[] = "[class wards]\npath = /\n[role nurses]\nmembers = uid:1001\n"
				   "allow = edit on wards\n";

	world_new(&w, policy_text);
	file = made_file(&w, NURSE, STORE_ROOT, "a");
	handle = world_open(&w, asker(VIEWER), file, O_RDONLY, &error);
	other = world_open(&w, asker(NURSE), file, O_RDWR, &error);
	ck_assert_int_eq(world_read(&w, asker(VIEWER), file, handle, 0, 10, false), 10);
	ck_assert_int_eq(world_read(&w, asker(VIEWER), file, handle, 0, 10, true), 10);
	wide = w.fills;
	ck_assert_ok(fsops_set_policy(w.fsops, world_policy(less)));
	ck_assert_uint_eq(w.fills, wide + 1); /* what is mapped is dropped */
	ck_assert_uint_eq(w.filled_length, 0);
	ck_assert_int_eq(world_read(&w, asker(VIEWER), file, handle, 0, 10, false), -EACCES);
	ck_assert_int_eq(world_read(&w, asker(NURSE), file, other, 0, 10, false), 10);
	/* Dead is dead: a policy that allows it again needs a new open. */
	ck_assert_ok(fsops_set_policy(w.fsops, world_policy(policy_text)));
	ck_assert_int_eq(world_read(&w, asker(VIEWER), file, handle, 0, 10, false), -EACCES);
	ck_assert_int_eq(world_write(&w, asker(NURSE), OP_WRITE, file, other, 0, 10), 10);
	world_release(&w, file, handle);
	world_release(&w, file, other);
	world_free(&w);
}
END_TEST

/* A file without a name has the class that it was opened in, if there still is one. */
START_TEST(test_reload_and_a_file_without_a_name)
{
	struct world w;
	uint64_t file, handle;
	int error;
	static const char renamed[] = "[class other]\npath = /\n[role one]\nmembers = uid:1001\n"
				      "allow = edit on other\n";

	world_new(&w, policy_text);
	file = made_file(&w, NURSE, STORE_ROOT, "a");
	handle = world_open(&w, asker(NURSE), file, O_RDWR, &error);
	ck_assert_int_eq(world_unlink(&w, NURSE, STORE_ROOT, "a"), 0);
	ck_assert_ok(fsops_set_policy(w.fsops, world_policy(policy_text)));
	ck_assert_int_eq(world_read(&w, asker(NURSE), file, handle, 0, 10, false), 10);
	ck_assert_int_eq(set_attr(&w, asker(NURSE), (struct guard_target){
				  .number = file, .handle = handle, .set = STORE_SET_SIZE}),
			 -1);
	ck_assert_ok(fsops_set_policy(w.fsops, world_policy(renamed)));
	ck_assert_int_eq(world_read(&w, asker(NURSE), file, handle, 0, 10, false), -EACCES);
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

	world_new(&w, policy_text);
	file = made_file(&w, NURSE, STORE_ROOT, "a");
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

/* --- the lock ----------------------------------------------------------------------- */

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

	world_new(&w, policy_text);
	file = made_file(&w, NURSE, STORE_ROOT, "a");
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

/* A role that ends ends its open files at the next tick: here it is the first that looks. */
START_TEST(test_a_role_that_ends_is_decided_anew)
{
	struct world w;
	uint64_t file, handle, generation;
	int error;

	world_new(&w, policy_text);
	file = made_file(&w, NURSE, STORE_ROOT, "a");
	handle = world_open(&w, asker(NURSE), file, O_RDWR, &error);
	generation = scopes_generation(w.fsops->scopes);
	ticker_work(w.fsops, false);
	ck_assert_uint_eq(scopes_generation(w.fsops->scopes), generation);
	ck_assert_ok(scopes_renew(w.fsops->scopes));
	ck_assert_uint_eq(scopes_generation(w.fsops->scopes), generation + 1);
	/* The policy says the same: the handle goes on. */
	ck_assert_int_eq(world_write(&w, asker(NURSE), OP_WRITE, file, handle, 0, 10), 10);
	ck_assert_ok(fsops_set_policy(w.fsops, world_policy(policy_text)));
	ck_assert_int_eq(world_write(&w, asker(NURSE), OP_WRITE, file, handle, 0, 10), 10);
	world_release(&w, file, handle);
	world_free(&w);
}
END_TEST

START_TEST(test_writeback_goes_on_while_locking)
{
	struct world w;
	uint64_t file, handle;
	int error;

	world_new(&w, policy_text);
	file = made_file(&w, NURSE, STORE_ROOT, "a");
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

/* --- the trail fails ---------------------------------------------------------------- */

/* No record, no access: neither data nor change. */
START_TEST(test_no_record_no_access)
{
	struct world w;
	uint64_t file, handle, ignored;
	int error;

	world_new(&w, policy_text);
	file = made_file(&w, NURSE, STORE_ROOT, "a");
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

	world_new(&w, policy_text);
	file = made_file(&w, NURSE, STORE_ROOT, "a");
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

START_TEST(test_read_only)
{
	struct world w;
	uint64_t file, handle;
	int error;

	world_new(&w, policy_text);
	file = made_file(&w, NURSE, STORE_ROOT, "a");
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

	world_new(&w, policy_text);
	file = made_file(&w, NURSE, STORE_ROOT, "a");
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

START_TEST(test_class_directories)
{
	struct world w;
	struct store_attr attr;
	uint64_t site;
	static const char text[] = "[class inbox]\npath = /site/inbox\nowner = root:root\n"
				   "mode = 2770\n[class any]\npath = /wards/*/x\n";

	world_new(&w, text);
	ck_assert_ok(fsops_make_class_directories(w.fsops));
	ck_assert_ok(fsops_make_class_directories(w.fsops));
	site = fixture_find(&w.store, STORE_ROOT, "site");
	ck_assert_ok(store_getattr(w.store.store, fixture_find(&w.store, site, "inbox"), &attr));
	ck_assert_uint_eq(attr.object.mode, S_IFDIR | 02770);
	ck_assert_uint_eq(fixture_find(&w.store, STORE_ROOT, "wards"), 0);
	world_events(&w, &events);
	ck_assert_uint_eq(events_of(&events, AUDIT_CREATE), 2);
	ck_assert_str_eq(events.list[1].path, "/site/inbox");
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

UNIT_MAIN("fsops guard", test_default_is_no, test_records_of_a_session,
	  test_failed_change_has_two_records, test_refusal_is_recorded_and_parked,
	  test_create_covers_its_handle, test_truncating_open_is_write,
	  test_dropping_set_id_is_part_of_a_write, test_reload_and_a_file_without_a_name,
	  test_directories_keep_their_class,
	  test_file_moves_by_who_may_do_both, test_split_link_set_needs_both,
	  test_reload_ends_open_handles, test_fills_and_writebacks, test_locked_answers,
	  test_a_role_that_ends_is_decided_anew, test_writeback_goes_on_while_locking,
	  test_no_record_no_access, test_summary_class,
	  test_open_that_nobody_hears_of, test_read_only, test_what_phifsctl_shows,
	  test_refusals_of_others_are_counted, test_class_directories, test_every_operation_has_a_row)

/* Files, links and directories keep their class, or move by who may do both. */
#include "fsops_wards.h"

static struct events events;

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

UNIT_MAIN("fsops classes", test_directories_keep_their_class, test_file_moves_by_who_may_do_both,
	  test_split_link_set_needs_both, test_class_directories)

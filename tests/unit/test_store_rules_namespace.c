/* Rules of the namespace: what goes into one transaction, and when objects go (I21 to I23, R3). */
#include <sys/stat.h>

#include "store/volume.h"
#include "test_store_rules.h"

START_TEST(i21_an_fsynced_file_can_be_reached)
{
	struct scene scene, after;
	struct store_attr dir, file, found;
	struct answer answer;

	scene_new(&scene);
	ck_assert_ok(store_create_node(scene.store, STORE_ROOT, "d", S_IFDIR | 0755, 0, 0, 0, &dir));
	ck_assert_ok(store_create_node(scene.store, dir.number, "f", S_IFREG | 0644, 0, 0, 0,
				       &file));
	scene_write_begin(&scene, file.number, 0, "reached", 7, true, &answer);
	ck_assert_ok(answer_wait(&answer));
	scene_cut(&scene, 0, &after);
	ck_assert_ok(store_lookup(after.store, STORE_ROOT, "d", &found));
	ck_assert_ok(store_lookup(after.store, found.number, "f", &found));
	scene_expect(&after, found.number, "reached", 7);
	scene_free(&after);
	scene_free(&scene);
}
END_TEST

START_TEST(i21_names_are_a_prefix_of_history)
{
	struct scene scene, after;
	struct store_attr attr;
	uint64_t a, b;

	scene_new(&scene);
	a = scene_create(&scene, "a");
	scene_write(&scene, a, 0, "1", 1);
	b = scene_create(&scene, "b");
	scene_rename(&scene, "a", "c");
	ck_assert_ok(store_link(scene.store, a, STORE_ROOT, "d", &attr));
	ck_assert_ok(store_setxattr(scene.store, a, "user.note", "n", 1, 0));
	scene_fsync(&scene, b);
	scene_cut(&scene, 0, &after);
	ck_assert_uint_eq(scene_find(&after, "a"), 0);
	ck_assert_uint_eq(scene_find(&after, "c"), a);
	ck_assert_uint_eq(scene_find(&after, "d"), a);
	ck_assert_ok(store_getattr(after.store, a, &attr));
	ck_assert_uint_eq(attr.object.nlink, 2);
	scene_free(&after);
	scene_free(&scene);
}
END_TEST

START_TEST(i21_links_of_a_streaming_file_go_with_its_names)
{
	struct scene scene, after;
	struct store_attr attr;
	uint64_t x;

	x = scene_new_with_x(&scene, 512 * KIB);
	scene_write(&scene, x, 512 * KIB, letters('b', 512 * KIB), 512 * KIB);
	ck_assert_ok(store_link(scene.store, x, STORE_ROOT, "y", &attr));
	scene_commit_another(&scene);
	scene_cut(&scene, 0, &after);
	ck_assert_uint_eq(scene_find(&after, "y"), x);
	ck_assert_ok(store_getattr(after.store, x, &attr));
	ck_assert_uint_eq(attr.object.nlink, 2);
	scene_expect(&after, x, letters('a', 512 * KIB), 512 * KIB);
	scene_free(&after);
	scene_free(&scene);
}
END_TEST

START_TEST(i22_a_name_brings_what_is_behind_it)
{
	struct scene scene, after;
	uint64_t x, y;

	scene_new(&scene);
	x = scene_create(&scene, "x");
	y = scene_create(&scene, "y");
	scene_write(&scene, x, 0, letters('a', 100 * KIB), 100 * KIB);
	scene_write(&scene, y, 0, letters('a', 100 * KIB), 100 * KIB);
	scene_checkpoint(&scene);
	/* Large enough not to be taken because there is room. */
	scene_truncate(&scene, y, 0);
	for (unsigned int i = 0; i < 10; i++)
		scene_write(&scene, y, i * 10 * KIB, letters('b', 10 * KIB), 10 * KIB);
	scene_rename(&scene, "y", "x");
	scene_commit_another(&scene);
	scene_cut(&scene, 0, &after);
	ck_assert_uint_eq(scene_find(&after, "y"), 0);
	scene_expect(&after, scene_find(&after, "x"), letters('b', 100 * KIB), 100 * KIB);
	scene_free(&after);
	scene_free(&scene);
}
END_TEST

START_TEST(i22_rewriting_leaves_old_or_new_but_never_nothing)
{
	struct scene scene, after;
	uint64_t x;

	x = scene_new_with_x(&scene, 100 * KIB);
	ck_assert_ok(store_open_node(scene.store, x, true));
	for (unsigned int i = 0; i < 10; i++) {
		scene_cut(&scene, i % 2, &after);
		scene_expect(&after, scene_find(&after, "x"), letters('a', 100 * KIB), 100 * KIB);
		scene_free(&after);
		scene_write(&scene, x, i * 10 * KIB, letters('b', 10 * KIB), 10 * KIB);
	}
	store_release_node(scene.store, x);
	scene_fsync(&scene, x);
	scene_cut_expect(&scene, 0, "x", letters('b', 100 * KIB), 100 * KIB);
	scene_free(&scene);
}
END_TEST

START_TEST(i23_an_unlinked_file_lives_until_its_last_close)
{
	struct scene scene;
	char path[OBJECT_PATH_LEN];
	uint64_t x;

	x = scene_new_with_x(&scene, 20 * KIB);
	scene_path(&scene, x, path);
	ck_assert_ok(store_unlink(scene.store, STORE_ROOT, "x"));
	scene_sync(&scene);
	scene_applied(&scene);
	ck_assert(scene_is_on_disk(&scene, path));
	scene_expect(&scene, x, letters('a', 20 * KIB), 20 * KIB);
	store_release_node(scene.store, x);
	scene_sync(&scene);
	scene_applied(&scene);
	ck_assert(!scene_is_on_disk(&scene, path));
	ck_assert_uint_eq(scene_version(&scene, x), 0);
	scene_free(&scene);
}
END_TEST

START_TEST(i23_what_a_cut_left_unlinked_goes_at_the_next_mount)
{
	struct scene scene, after;
	char path[OBJECT_PATH_LEN];
	uint64_t x;

	x = scene_new_with_x(&scene, 20 * KIB);
	scene_path(&scene, x, path);
	ck_assert_ok(store_unlink(scene.store, STORE_ROOT, "x"));
	scene_checkpoint(&scene);
	scene_cut(&scene, 0, &after);
	ck_assert_uint_eq(after.recovery.deleted, 1);
	scene_checkpoint(&after);
	ck_assert(!scene_is_on_disk(&after, path));
	ck_assert_uint_eq(scene_version(&after, x), 0);
	scene_free(&after);
	scene_free(&scene);
}
END_TEST

START_TEST(i23_a_deleted_file_is_stale_and_no_damage)
{
	struct scene scene;
	uint64_t x;

	scene_new(&scene);
	x = scene_create_of(&scene, "x", 'a', 20 * KIB);
	store_release_node(scene.store, x);
	scene_checkpoint(&scene);
	/* Somebody has its number, but no reference. */
	ck_assert_uint_eq(scene_find(&scene, "x"), x);
	store_forget(scene.store, x, 1);
	ck_assert_ok(store_unlink(scene.store, STORE_ROOT, "x"));
	scene_checkpoint(&scene);
	ck_assert_int_eq(store_open_node(scene.store, x, false), ERR_STALE);
	ck_assert_int_eq(scene_read_error(&scene, x), ERR_STALE);
	ck_assert_uint_eq(atomic_load(&scene.store->damaged), 0);
	scene_free(&scene);
}
END_TEST

static void count_finding(void *ctx, const struct object_id *id, enum err what, uint64_t block)
{
	(void)id;
	(void)what;
	(void)block;
	++*(unsigned int *)ctx;
}

/* Its rows are there until its deletion is applied; its attributes have one of their own. */
START_TEST(i23_what_a_cut_left_unlinked_is_no_finding)
{
	struct store_check_counts counts;
	struct scene scene, after;
	unsigned int findings = 0;
	uint64_t x;

	x = scene_new_with_x(&scene, 20 * KIB);
	ck_assert_ok(store_setxattr(scene.store, x, "user.note", "x", 1, 0));
	ck_assert_ok(store_unlink(scene.store, STORE_ROOT, "x"));
	scene_checkpoint(&scene);
	scene_cut(&scene, 0, &after);
	ck_assert_uint_eq(after.recovery.deleted, 1);
	ck_assert_ok(store_check(after.store, count_finding, NULL, &findings, &counts));
	ck_assert_uint_eq(findings, 0);
	ck_assert_uint_eq(counts.objects, 1);
	scene_free(&after);
	scene_free(&scene);
}
END_TEST

/* Looked up by somebody, who opens it when it is gone from the directory. */
START_TEST(i23_an_unlinked_file_lives_until_it_is_forgotten)
{
	char path[OBJECT_PATH_LEN], name[STORE_PATH_MAX];
	struct store_attr attr;
	struct scene scene;
	uint64_t x;

	scene_new(&scene);
	x = scene_create_of(&scene, "x", 'a', 20 * KIB);
	store_release_node(scene.store, x);
	scene_checkpoint(&scene);
	scene_path(&scene, x, path);
	ck_assert_ok(store_lookup(scene.store, STORE_ROOT, "x", &attr));
	ck_assert_ok(store_lookup(scene.store, STORE_ROOT, "x", &attr));
	ck_assert_ok(store_unlink(scene.store, STORE_ROOT, "x"));
	scene_checkpoint(&scene);
	ck_assert_ok(store_path(scene.store, x, name, sizeof(name)));
	ck_assert_str_eq(name, "/x");
	ck_assert_ok(store_open_node(scene.store, x, false));
	scene_expect(&scene, x, letters('a', 20 * KIB), 20 * KIB);
	scene_truncate(&scene, x, 10);
	store_release_node(scene.store, x);
	store_forget(scene.store, x, 1);
	scene_checkpoint(&scene);
	ck_assert(scene_is_on_disk(&scene, path));
	ck_assert_ok(store_getattr(scene.store, x, &attr));
	ck_assert_uint_eq(attr.object.nlink, 0);
	store_forget(scene.store, x, 1);
	scene_checkpoint(&scene);
	ck_assert(!scene_is_on_disk(&scene, path));
	ck_assert_uint_eq(scene_version(&scene, x), 0);
	ck_assert_int_eq(store_open_node(scene.store, x, false), ERR_STALE);
	scene_free(&scene);
}
END_TEST

/* The same over a lock, in which it is forgotten or not. */
START_TEST(i23_an_unlinked_file_lives_over_a_lock)
{
	char path[OBJECT_PATH_LEN], other_path[OBJECT_PATH_LEN];
	struct store_lock_report report;
	struct store_attr attr;
	struct scene scene;
	uint64_t x, other;

	scene_new(&scene);
	x = scene_create_of(&scene, "x", 'a', 20 * KIB);
	other = scene_create_of(&scene, "other", 'b', 20 * KIB);
	store_release_node(scene.store, x);
	store_release_node(scene.store, other);
	ck_assert_ok(store_lookup(scene.store, STORE_ROOT, "x", &attr));
	ck_assert_ok(store_lookup(scene.store, STORE_ROOT, "other", &attr));
	ck_assert_ok(store_unlink(scene.store, STORE_ROOT, "x"));
	ck_assert_ok(store_unlink(scene.store, STORE_ROOT, "other"));
	scene_path(&scene, x, path);
	scene_path(&scene, other, other_path);
	store_lock(scene.store, 10000, &report);
	ck_assert_ok(report.err);
	store_forget(scene.store, other, 1);
	ck_assert_ok(store_unlock(scene.store, world_keyring(), &scene.recovery));
	ck_assert_uint_eq(scene.recovery.deleted, 1);
	scene_checkpoint(&scene);
	ck_assert(!scene_is_on_disk(&scene, other_path));
	scene_expect(&scene, x, letters('a', 20 * KIB), 20 * KIB);
	store_forget(scene.store, x, 1);
	scene_checkpoint(&scene);
	ck_assert(!scene_is_on_disk(&scene, path));
	scene_free(&scene);
}
END_TEST

START_TEST(r3_a_rename_over_waits_for_its_sources_data)
{
	struct scene scene;
	struct answer renaming;
	uint64_t target, x;
	int hold;

	scene_new(&scene);
	target = scene_create_of(&scene, "target", 'a', 100 * KIB);
	scene_checkpoint(&scene);
	x = scene_create_of(&scene, "x", 'b', 512 * KIB);
	hold = watch_hold(scene.disk, WATCH_FDATASYNC, "objects/", false);
	scene_rename_begin(&scene, "x", "target", &renaming);
	ck_assert(watch_wait_held(scene.disk, hold, &renaming.is_there));
	ck_assert(!atomic_load(&renaming.is_there));
	ck_assert_uint_eq(scene_find(&scene, "target"), target);
	scene_commit_another(&scene);
	scene_cut_expect(&scene, 0, "target", letters('a', 100 * KIB), 100 * KIB);
	scene_release(&scene, hold, &renaming);
	ck_assert_uint_eq(scene_find(&scene, "target"), x);
	/* Whoever commits the name commits the data. */
	scene_commit_another(&scene);
	scene_cut_expect(&scene, 0, "target", letters('b', 512 * KIB), 512 * KIB);
	scene_free(&scene);
}
END_TEST

RULES(namespace, i21_an_fsynced_file_can_be_reached, i21_names_are_a_prefix_of_history,
      i21_links_of_a_streaming_file_go_with_its_names, i22_a_name_brings_what_is_behind_it,
      i22_rewriting_leaves_old_or_new_but_never_nothing,
      i23_an_unlinked_file_lives_until_its_last_close,
      i23_what_a_cut_left_unlinked_goes_at_the_next_mount,
      i23_a_deleted_file_is_stale_and_no_damage,
      i23_what_a_cut_left_unlinked_is_no_finding,
      i23_an_unlinked_file_lives_until_it_is_forgotten, i23_an_unlinked_file_lives_over_a_lock,
      r3_a_rename_over_waits_for_its_sources_data)

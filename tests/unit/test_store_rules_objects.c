/* Rules of objects' files: made, moved and removed, also by a recovery (R8). */
#include "store/volume.h"
#include "test_store_rules.h"

START_TEST(r8_a_stream_that_was_never_committed_is_removed)
{
	struct scene scene, after;

	scene_new(&scene);
	scene_create_of(&scene, "x", 'a', 512 * KIB);
	scene_cut_closed(&scene, 1, 1, &after);
	ck_assert_uint_eq(scene_files_in(&after, "objects/new"), 1);
	ck_assert_ok(scene_open(&after));
	ck_assert_uint_eq(scene_files_in(&after, "objects/new"), 0);
	ck_assert_uint_eq(scene_find(&after, "x"), 0);
	scene_free(&after);
	scene_free(&scene);
}
END_TEST

/*
 * "x" of `len` letters 'a' is committed and held before the applier's first such call:
 * an image of then, in which it has no file in its shard, opened.
 */
static void cut_before_apply(struct scene *scene, size_t len, enum watch_call call,
			     struct scene *after, char path[OBJECT_PATH_LEN])
{
	uint64_t x;
	int hold;

	scene_new(scene);
	x = scene_create_of(scene, "x", 'a', len);
	hold = watch_hold(scene->disk, call, "objects/", false);
	scene_fsync(scene, x);
	ck_assert(watch_wait_held(scene->disk, hold, NULL));
	scene_path(scene, x, path);
	scene_cut_closed(scene, 1, 1, after);
	ck_assert(!scene_is_on_disk(after, path));
	ck_assert_ok(scene_open(after));
	ck_assert_uint_eq(after->recovery.damaged, 0);
	scene_expect(after, scene_find(after, "x"), letters('a', len), len);
}

START_TEST(r8_recovery_finds_an_object_in_new)
{
	struct scene scene, after;
	char path[OBJECT_PATH_LEN];

	/* Nothing of it is applied: in new there are the streamed blocks alone. */
	cut_before_apply(&scene, 512 * KIB, WATCH_PWRITE, &after, path);
	ck_assert(scene_is_on_disk(&after, path));
	ck_assert_uint_eq(scene_files_in(&after, "objects/new"), 0);
	scene_free(&after);
	scene_free(&scene);
}
END_TEST

START_TEST(r8_an_absent_file_is_made_again_from_its_creating_record)
{
	struct scene scene, after;
	char path[OBJECT_PATH_LEN];

	cut_before_apply(&scene, 20 * KIB, WATCH_CREATE, &after, path);
	scene_free(&after);
	scene_free(&scene);
}
END_TEST

START_TEST(r8_an_absent_file_without_one_was_deleted)
{
	struct scene scene, after;
	char path[OBJECT_PATH_LEN];
	uint64_t x;

	x = scene_new_with_x(&scene, 20 * KIB);
	scene_write(&scene, x, 0, letters('b', 20 * KIB), 20 * KIB);
	scene_fsync(&scene, x);
	scene_path(&scene, x, path);
	scene_cut_closed(&scene, 0, 0, &after);
	scene_remove(&after, path);
	ck_assert_ok(scene_open(&after));
	ck_assert_uint_eq(after.recovery.damaged, 1);
	ck_assert_int_eq(scene_read_error(&after, scene_find(&after, "x")), ERR_DELETED);
	scene_free(&after);
	scene_free(&scene);
}
END_TEST

START_TEST(r8_a_deletion_cancels_what_came_before)
{
	struct scene scene, after;
	char path[OBJECT_PATH_LEN];
	uint64_t x;
	int hold;

	scene_new(&scene);
	x = scene_create_of(&scene, "x", 'a', 20 * KIB);
	scene_fsync(&scene, x);
	scene_applied(&scene);
	scene_path(&scene, x, path);
	hold = watch_hold(scene.disk, WATCH_UNLINK, "objects/", false);
	scene_unlink(&scene, "x", x);
	scene_sync(&scene);
	ck_assert(watch_wait_held(scene.disk, hold, NULL));
	scene_cut_closed(&scene, 1, 1, &after);
	ck_assert(scene_is_on_disk(&after, path));
	ck_assert_ok(scene_open(&after));
	ck_assert(!scene_is_on_disk(&after, path));
	ck_assert_uint_eq(scene_find(&after, "x"), 0);
	ck_assert_uint_eq(scene_version(&after, x), 0);
	scene_free(&after);
	watch_release(scene.disk, hold);
	scene_free(&scene);
}
END_TEST

START_TEST(r8_nothing_is_unlinked_or_moved_before_its_flush)
{
	struct scene scene;
	struct answer answer;
	uint64_t gone, x, since;
	int hold;

	scene_new(&scene);
	gone = scene_create(&scene, "gone");
	scene_write(&scene, gone, 0, "x", 1);
	scene_checkpoint(&scene);
	x = scene_create_of(&scene, "x", 'a', 512 * KIB);
	since = watch_now();
	hold = watch_hold(scene.disk, WATCH_FDATASYNC, "journal", false);
	scene_unlink(&scene, "gone", gone);
	scene_fsync_begin(&scene, x, &answer);
	ck_assert(watch_wait_held(scene.disk, hold, &answer.is_there));
	ck_assert_uint_eq(watch_count(scene.disk, since, WATCH_UNLINK, "objects/"), 0);
	ck_assert_uint_eq(watch_count(scene.disk, since, WATCH_RENAME, "objects/"), 0);
	scene_release(&scene, hold, &answer);
	watch_wait(scene.disk, since, WATCH_UNLINK, "objects/");
	watch_wait(scene.disk, since, WATCH_RENAME, "objects/new/");
	scene_free(&scene);
}
END_TEST

START_TEST(r8_a_new_name_comes_with_its_object)
{
	struct scene scene;
	uint64_t x;

	scene_new(&scene);
	x = scene_create(&scene, "x");
	/* Streamed and not flushed: the transaction that has the name takes no data. */
	scene_write(&scene, x, 0, letters('a', 512 * KIB), 512 * KIB);
	scene_commit_another(&scene);
	scene_cut_expect(&scene, 0, "x", "", 0);
	scene_free(&scene);
}
END_TEST

RULES(objects, r8_a_stream_that_was_never_committed_is_removed,
      r8_recovery_finds_an_object_in_new,
      r8_an_absent_file_is_made_again_from_its_creating_record,
      r8_an_absent_file_without_one_was_deleted, r8_a_deletion_cancels_what_came_before,
      r8_nothing_is_unlinked_or_moved_before_its_flush, r8_a_new_name_comes_with_its_object)

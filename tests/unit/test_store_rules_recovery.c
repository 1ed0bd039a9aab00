/* Rules of recovery: what is replayed, and what is one file's damage (I12, I13). */
#include "store/volume.h"
#include "test_store_rules.h"

/* --- I12 --------------------------------------------------------------------------------- */

/* Something of everything: overwritten, truncated, new, streamed, renamed, deleted. */
static void make_history(struct scene *scene)
{
	uint64_t x, gone;

	x = scene_create_of(scene, "x", 'a', 600 * KIB);
	gone = scene_create_of(scene, "gone", 'a', 8 * KIB);
	scene_checkpoint(scene);
	scene_truncate(scene, x, 520 * KIB);
	scene_fsync(scene, x);
	scene_applied(scene);
	scene_write(scene, x, 0, letters('b', 520 * KIB), 520 * KIB);
	scene_fsync(scene, x);
	scene_create_of(scene, "y", 'c', 300 * KIB);
	scene_unlink(scene, "gone", gone);
	scene_rename(scene, "y", "z");
	scene_write(scene, scene_create(scene, "inline"), 0, "small", 5);
	scene_sync(scene);
}

static void expect_history(struct scene *scene)
{
	ck_assert_uint_eq(scene->recovery.damaged, 0);
	scene_expect(scene, scene_find(scene, "x"), letters('b', 520 * KIB), 520 * KIB);
	scene_expect(scene, scene_find(scene, "z"), letters('c', 300 * KIB), 300 * KIB);
	scene_expect(scene, scene_find(scene, "inline"), "small", 5);
	ck_assert_uint_eq(scene_find(scene, "y"), 0);
	ck_assert_uint_eq(scene_find(scene, "gone"), 0);
	ck_assert_uint_eq(scene_files_in(scene, "objects/new"), 0);
}

struct second_cut {
	struct scene *scene;
	struct world image;
	uint64_t choice;
	bool is_made;
};

static void cut_again(void *ctx)
{
	struct second_cut *second = ctx;

	world_image(&second->scene->world, second->choice, &second->image);
	second->is_made = true;
}

START_TEST(i12_recovery_may_be_cut_anywhere)
{
	struct scene scene;
	bool is_over = false;

	scene_new(&scene);
	make_history(&scene);
	for (uint64_t n = 1; !is_over; n++) {
		struct scene once, twice = {.settings = scene.settings};
		struct second_cut second = {.scene = &once, .choice = n % 3 == 2 ? n : n % 3};

		scene_cut_closed(&scene, n % 2, 1, &once);
		world_arm(&once.world, n, cut_again, &second);
		ck_assert_ok(scene_open(&once));
		world_arm(&once.world, 0, NULL, NULL);
		expect_history(&once);
		scene_free(&once);
		is_over = !second.is_made;
		if (is_over)
			continue;
		twice.world = second.image;
		ck_assert_ok(scene_open(&twice));
		expect_history(&twice);
		scene_free(&twice);
		ck_assert_uint_lt(n, 1000);
	}
	scene_free(&scene);
}
END_TEST

START_TEST(i12_what_was_recovered_is_durable)
{
	struct scene scene, once, twice;

	scene_new(&scene);
	make_history(&scene);
	scene_cut(&scene, 0, &once);
	expect_history(&once);
	scene_cut(&once, 0, &twice);
	ck_assert(twice.recovery.was_clean);
	expect_history(&twice);
	scene_free(&twice);
	scene_free(&once);
	scene_free(&scene);
}
END_TEST

/* --- I13 ----------------------------------------------------------------------------------- */

START_TEST(i13_a_root_that_does_not_fit_is_one_damaged_file)
{
	struct scene scene, after;
	char path[OBJECT_PATH_LEN];
	uint64_t x, y;

	scene_new(&scene);
	x = scene_create(&scene, "x");
	y = scene_create(&scene, "y");
	scene_write(&scene, x, 0, letters('a', 64 * KIB), 64 * KIB);
	scene_write(&scene, y, 0, letters('a', 64 * KIB), 64 * KIB);
	scene_checkpoint(&scene);
	scene_write(&scene, x, 0, "b", 1);
	scene_fsync(&scene, x);
	scene_path(&scene, x, path);
	scene_cut_closed(&scene, 0, 0, &after);
	/* An entry that the replay does not write. */
	scene_flip(&after, path, NODE_HEADER_LEN + 5 * ENTRY_LEN);
	ck_assert_ok(scene_open(&after));
	ck_assert_uint_eq(after.recovery.damaged, 1);
	ck_assert_int_eq(err_exit_code(scene_read_error(&after, x)), 8);
	scene_expect(&after, scene_find(&after, "y"), letters('a', 64 * KIB), 64 * KIB);
	scene_free(&after);
	scene_free(&scene);
}
END_TEST

/* --- what somebody put in a file's place -------------------------------------------------------- */

/* Looked up, not opened. */
static uint64_t attr_number(struct scene *scene, const char *name)
{
	struct store_attr attr;

	ck_assert_ok(store_lookup(scene->store, STORE_ROOT, name, &attr));
	return attr.number;
}

static void put_directory(struct scene *scene, const char *path)
{
	struct backing *disk = scene->world.ciphertext;

	ck_assert_ok(disk->ops->mkdir(disk, path));
	ck_assert_ok(disk->ops->sync_all(disk));
}

START_TEST(i13_a_directory_in_a_files_place_is_this_files_damage)
{
	char path_x[OBJECT_PATH_LEN], path_gone[OBJECT_PATH_LEN];
	struct scene scene, after;
	uint64_t x;

	scene_new_with_changes(&scene, path_x, path_gone);
	scene_cut_closed(&scene, 1, 1, &after);
	scene_remove(&after, path_x);
	put_directory(&after, path_x);
	put_directory(&after, path_gone);
	put_directory(&after, "objects/new/00112233445566778899aabbccddeeff");
	ck_assert_ok(scene_open(&after));
	ck_assert_uint_eq(after.recovery.damaged, 1);
	ck_assert_uint_eq(scene_find(&after, "gone"), 0);
	scene_expect(&after, scene_find(&after, "y"), letters('a', 20 * KIB), 20 * KIB);
	x = attr_number(&after, "x");
	ck_assert_int_eq(store_open_node(after.store, x, false), ERR_TAMPERED);
	scene_free(&after);
	scene_free(&scene);
}
END_TEST

START_TEST(r7_a_directory_in_a_files_place_does_not_stop_a_checkpoint)
{
	char path_x[OBJECT_PATH_LEN], path_gone[OBJECT_PATH_LEN];
	struct scene scene;

	scene_new_with_changes(&scene, path_x, path_gone);
	scene_remove(&scene, path_x);
	put_directory(&scene, path_x);
	scene_checkpoint(&scene);
	ck_assert_int_eq(atomic_load(&scene.store->frozen), ERR_OK);
	scene_free(&scene);
}
END_TEST

/* The disk was full, or gone for a moment: the same daemon is asked again. */
START_TEST(i12_a_recovery_that_failed_can_be_tried_again)
{
	char path_x[OBJECT_PATH_LEN], path_gone[OBJECT_PATH_LEN];
	struct scene scene, after;

	scene_new_with_changes(&scene, path_x, path_gone);
	scene_cut_closed(&scene, 1, 1, &after);
	world_watch(&after.world);
	watch_fail(after.world.disk_watch, WATCH_SYNC_ALL, "", ERR_IO);
	ck_assert_int_eq(scene_open(&after), ERR_IO);
	ck_assert_ok(store_unlock(after.store, world_keyring(), &after.recovery));
	ck_assert_uint_eq(after.recovery.damaged, 0);
	scene_expect(&after, scene_find(&after, "x"), letters('b', 20 * KIB), 20 * KIB);
	scene_free(&after);
	scene_free(&scene);
}
END_TEST

RULES(recovery, i12_a_recovery_that_failed_can_be_tried_again,
      i13_a_directory_in_a_files_place_is_this_files_damage,
      r7_a_directory_in_a_files_place_does_not_stop_a_checkpoint,
      i12_recovery_may_be_cut_anywhere, i12_what_was_recovered_is_durable,
      i13_a_root_that_does_not_fit_is_one_damaged_file)

/* I24: what a failing or full disk does.  Nothing acknowledged is lost, nothing is retried. */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/node.h"
#include "store/part.h"
#include "store/volume.h"
#include "test_store_rules.h"

/* "x" is durable with 'a', then overwritten with 'b' in memory. */
static uint64_t make_overwritten(struct scene *scene)
{
	uint64_t x;

	x = scene_new_with_x(scene, 20 * KIB);
	scene_write(scene, x, 0, letters('b', 20 * KIB), 20 * KIB);
	return x;
}

/* The first transaction of x that is not in place; whoever reads it finds freed memory, or not. */
static const struct part *node_content_parts(struct scene *scene, uint64_t x)
{
	struct node *node = node_find(scene->store, x);
	const struct part *part;
	unsigned int count = 0;

	ck_assert_ptr_nonnull(node);
	part = node->content->parts_first;
	for (const struct part *each = part; each != NULL; each = each->content_next) {
		ck_assert_ptr_eq(each->node, node);
		count++;
	}
	ck_assert_uint_eq(count, 2);
	node_put(scene->store, node);
	return part;
}

static void wait_frozen(struct scene *scene)
{
	for (int i = 0; i < 50000 && atomic_load(&scene->store->frozen) == ERR_OK; i++)
		usleep(100);
}

static void expect_frozen(struct scene *scene, uint64_t x)
{
	struct store_status status;
	struct store_attr attr;
	struct answer answer;
	uint64_t since = watch_now();

	wait_frozen(scene);
	store_status(scene->store, &status);
	ck_assert(status.is_frozen);
	scene_write_begin(scene, x, 0, "c", 1, false, &answer);
	ck_assert_int_eq(answer_wait(&answer), ERR_FROZEN);
	ck_assert_int_eq(store_create_node(scene->store, STORE_ROOT, "new", 0100644, 0, 0, 0, &attr),
			 ERR_FROZEN);
	scene_fsync_begin(scene, x, &answer);
	ck_assert_int_eq(answer_wait(&answer), ERR_FROZEN);
	/* Everything is kept for whoever reads, and nothing is tried again. */
	scene_expect(scene, x, letters('b', 20 * KIB), 20 * KIB);
	ck_assert_uint_eq(watch_count(scene->disk, since, WATCH_FDATASYNC, "journal"), 0);
}

/* A call of the commit fails: its fsync does, and a cut then finds that letter. */
static void commit_fails(bool is_state, enum watch_call call, const char *path, char letter)
{
	struct scene scene;
	struct answer answer;
	uint64_t x = make_overwritten(&scene);

	watch_fail(is_state ? scene.state : scene.disk, call, path, ERR_IO);
	scene_fsync_begin(&scene, x, &answer);
	ck_assert_int_ne(answer_wait(&answer), ERR_OK);
	expect_frozen(&scene, x);
	scene_cut_expect(&scene, 0, "x", letters(letter, 20 * KIB), 20 * KIB);
	scene_free(&scene);
}

START_TEST(i24_a_failed_journal_write_freezes)
{
	commit_fails(false, WATCH_PWRITE, "journal", 'a');
}
END_TEST

START_TEST(i24_a_failed_journal_flush_freezes)
{
	commit_fails(false, WATCH_FDATASYNC, "journal", 'a');
}
END_TEST

START_TEST(i24_a_failed_anchor_freezes)
{
	commit_fails(true, WATCH_PWRITE, "anchor", 'b');
}
END_TEST

START_TEST(i24_a_failed_apply_freezes_and_loses_nothing)
{
	struct scene scene;
	struct answer answer;
	uint64_t x = make_overwritten(&scene);

	watch_fail(scene.disk, WATCH_PWRITE, "objects/", ERR_IO);
	scene_fsync_begin(&scene, x, &answer);
	/* The apply may fail before the answer goes out. */
	ck_assert(answer_wait(&answer) == ERR_OK || answer.err == ERR_FROZEN);
	expect_frozen(&scene, x);
	scene_cut_expect(&scene, 0, "x", letters('b', 20 * KIB), 20 * KIB);
	scene_free(&scene);
}
END_TEST

START_TEST(i24_a_failed_data_flush_freezes)
{
	struct scene scene;
	struct answer answer;
	uint64_t x = make_overwritten(&scene), y;

	y = scene_create_of(&scene, "y", 'c', 512 * KIB);
	watch_fail(scene.disk, WATCH_FDATASYNC, "objects/", ERR_IO);
	scene_fsync_begin(&scene, y, &answer);
	ck_assert_int_ne(answer_wait(&answer), ERR_OK);
	expect_frozen(&scene, x);
	scene_free(&scene);
}
END_TEST

START_TEST(i24_a_failed_write_of_fresh_data_is_the_writers)
{
	struct scene scene;
	struct answer answer;
	uint64_t x;

	scene_new(&scene);
	x = scene_create(&scene, "x");
	watch_fail(scene.disk, WATCH_PWRITE, "objects/", ERR_IO);
	scene_write_begin(&scene, x, 0, letters('a', 512 * KIB), 512 * KIB, false, &answer);
	ck_assert_int_eq(answer_wait(&answer), ERR_IO);
	ck_assert_uint_eq(scene_size(&scene, x), 0);
	/* Nothing durable is concerned: the volume goes on. */
	scene_write(&scene, x, 0, letters('a', 512 * KIB), 512 * KIB);
	scene_fsync(&scene, x);
	scene_expect(&scene, x, letters('a', 512 * KIB), 512 * KIB);
	scene_free(&scene);
}
END_TEST

/* Found by crash-faults: it froze, and stayed so when there was room again. */
static void finds_no_room_once(bool is_state, const char *path)
{
	struct scene scene;
	uint64_t x = make_overwritten(&scene);

	/* Without the ballast, which would help. */
	ck_assert(space_release(scene.store->space));
	watch_fail(is_state ? scene.state : scene.disk, WATCH_PWRITE, path, ERR_FULL);
	scene_fsync(&scene, x);
	scene_applied(&scene);
	ck_assert_int_eq(atomic_load(&scene.store->frozen), ERR_OK);
	scene_cut_expect(&scene, 0, "x", letters('b', 20 * KIB), 20 * KIB);
	scene_free(&scene);
}

START_TEST(i24_room_that_is_missing_is_waited_for)
{
	finds_no_room_once(false, "journal");
	finds_no_room_once(true, "anchor");
	finds_no_room_once(false, "objects/");
}
END_TEST

START_TEST(i24_a_full_disk_can_be_unlocked)
{
	struct backing_space space;
	struct scene scene, after;
	struct backing *disk;
	uint64_t x;
	int file;

	scene_new(&scene);
	x = scene_create_of(&scene, "x", 'a', 20 * KIB);
	scene_fsync(&scene, x);
	/* Nothing of it is in place. */
	scene_cut_closed(&scene, 0, 0, &after);
	disk = after.world.ciphertext;
	ck_assert_ok(disk->ops->space(disk, &space));
	ck_assert_ok(disk->ops->open(disk, "somebody-elses", BACKING_CREATE, &file));
	ck_assert_ok(disk->ops->truncate(disk, file, space.free_bytes));
	disk->ops->close(disk, file);
	ck_assert_ok(scene_open(&after));
	scene_expect(&after, scene_find(&after, "x"), letters('a', 20 * KIB), 20 * KIB);
	scene_free(&after);
	scene_free(&scene);
}
END_TEST

START_TEST(i24_a_full_disk_refuses_writers_and_can_be_emptied)
{
	struct store_statfs before;
	struct scene scene, after;
	struct answer answer = {.err = ERR_OK};
	struct store_attr attr;
	uint64_t x, y;

	scene_new(&scene);
	x = scene_create(&scene, "x");
	y = scene_create(&scene, "y");
	scene_write(&scene, x, 0, letters('a', MIB), MIB);
	scene_write(&scene, y, 0, letters('b', MIB), MIB);
	scene_checkpoint(&scene);
	ck_assert_ok(store_statfs(scene.store, &before));
	backing_sim_set_space(scene.world.ciphertext,
			      (before.blocks - before.blocks_free) * BLOCK_SIZE + 65 * MIB, 100000);
	/* What it knows of the disk may be a tenth of a second old. */
	for (unsigned int i = 0; i < 2000 && answer.err == ERR_OK; i++) {
		scene_write_begin(&scene, x, MIB + (uint64_t)i * 64 * KIB, letters('a', 64 * KIB),
				  64 * KIB, false, &answer);
		ck_assert(answer_wait(&answer) == ERR_OK || answer.err == ERR_FULL);
		usleep(500);
	}
	ck_assert_int_eq(answer.err, ERR_FULL);
	for (unsigned int i = 0; i < 200; i++) {
		char name[16];

		snprintf(name, sizeof(name), "file%u", i);
		if (store_create_node(scene.store, STORE_ROOT, name, 0100644, 0, 0, 0, &attr) ==
		    ERR_FULL)
			break;
		ck_assert_uint_lt(i, 199);
		usleep(1000);
	}
	scene_sync(&scene);
	ck_assert_int_eq(atomic_load(&scene.store->frozen), ERR_OK);
	scene_expect(&scene, y, letters('b', MIB), MIB);
	/* Removing and cutting need no room. */
	scene_unlink(&scene, "y", y);
	scene_truncate(&scene, x, 4);
	scene_checkpoint(&scene);
	scene_cut(&scene, 0, &after);
	scene_expect(&after, scene_find(&after, "x"), "aaaa", 4);
	ck_assert_uint_eq(scene_find(&after, "y"), 0);
	scene_free(&after);
	backing_sim_set_space(scene.world.ciphertext, 1ull << 40, 100000);
	for (unsigned int i = 0; i < 2000; i++) {
		scene_write_begin(&scene, x, 0, letters('c', 64 * KIB), 64 * KIB, false, &answer);
		if (answer_wait(&answer) == ERR_OK)
			break;
		usleep(1000);
	}
	scene_fsync(&scene, x);
	scene_expect(&scene, x, letters('c', 64 * KIB), 64 * KIB);
	scene_free(&scene);
}
END_TEST

/*
 * What could not be put in place is still a transaction of its content: the
 * next gather, which runs beside the failure, hangs its own behind it.
 */
START_TEST(i24_a_failed_apply_leaves_its_content_whole)
{
	struct scene scene;
	struct answer first, second;
	uint64_t x = make_overwritten(&scene);
	int apply = watch_hold(scene.disk, WATCH_PWRITE, "objects/", false);
	int flush;

	watch_fail(scene.disk, WATCH_PWRITE, "objects/", ERR_IO);
	scene_fsync_begin(&scene, x, &first);
	watch_wait_held(scene.disk, apply, NULL);
	ck_assert_ok(answer_wait(&first));
	flush = watch_hold(scene.disk, WATCH_FDATASYNC, "journal", false);
	scene_write(&scene, x, 0, letters('c', 20 * KIB), 20 * KIB);
	scene_fsync_begin(&scene, x, &second);
	watch_wait_held(scene.disk, flush, NULL);
	watch_release(scene.disk, apply);
	wait_frozen(&scene);
	usleep(20000); /* all that the applier still does after it froze: the more, the harder */
	watch_release(scene.disk, flush);
	ck_assert(answer_wait(&second) == ERR_OK || second.err == ERR_FROZEN);
	scene_expect(&scene, x, letters('c', 20 * KIB), 20 * KIB);
	ck_assert_ptr_nonnull(node_content_parts(&scene, x));
	scene_cut_expect(&scene, 0, "x", letters('c', 20 * KIB), 20 * KIB);
	scene_free(&scene);
}
END_TEST

START_TEST(i24_a_reader_does_not_wait_for_a_failed_apply)
{
	struct scene scene;
	struct store_status status;
	char path[OBJECT_PATH_LEN];
	struct answer answer;
	uint64_t x;

	x = scene_new_with_x(&scene, 20 * KIB);
	scene_path(&scene, x, path);
	scene_flip(&scene, path, layout_page_of_block(1) * BLOCK_SIZE + 7);
	scene_write(&scene, x, 0, letters('b', 4 * KIB), 4 * KIB);
	watch_fail(scene.disk, WATCH_PWRITE, "objects/", ERR_IO);
	scene_fsync_begin(&scene, x, &answer);
	ck_assert(answer_wait(&answer) == ERR_OK || answer.err == ERR_FROZEN);
	wait_frozen(&scene);
	ck_assert_int_eq(scene_read_error(&scene, x), ERR_FROZEN);
	/* Nobody can tell damage from a half-written state: no alarm. */
	store_status(scene.store, &status);
	ck_assert_uint_eq(status.damaged, 0);
	scene_free(&scene);
}
END_TEST

START_TEST(i24_a_lock_that_gives_up_forgets_names)
{
	static struct store *kept; /* its threads may hang in it: store_close leaves it alone */
	struct store_lock_report report;
	struct scene scene;
	struct node *node;
	uint64_t x = make_overwritten(&scene);
	int hold = watch_hold(scene.disk, WATCH_FDATASYNC, "journal", false);

	node = node_find(scene.store, x);
	ck_assert_ptr_nonnull(node->name);
	store_lock(scene.store, 100, &report);
	ck_assert_int_ne(report.err, ERR_OK);
	ck_assert_uint_gt(report.bytes_given_up, 0);
	pthread_mutex_lock(&node->mutex);
	ck_assert_ptr_null(node->name);
	pthread_mutex_unlock(&node->mutex);
	node_put(scene.store, node);
	scene_cut_expect(&scene, 0, "x", letters('a', 20 * KIB), 20 * KIB);
	watch_release(scene.disk, hold);
	kept = scene.store;
	scene_free(&scene);
	ck_assert_ptr_nonnull(kept);
}
END_TEST

/* What was cut off stays cut off for readers, whatever was queued behind the flush that failed. */
START_TEST(i24_a_failed_flush_keeps_its_shrink)
{
	struct scene scene;
	struct answer first, second;
	uint8_t back[BLOCK_SIZE], zeroes[BLOCK_SIZE] = {0};
	size_t got = 0;
	uint64_t x;
	int flush;

	scene_new(&scene);
	x = scene_create(&scene, "x");
	scene_truncate(&scene, x, MIB);
	scene_write(&scene, x, 768 * KIB, letters('a', BLOCK_SIZE), BLOCK_SIZE);
	scene_checkpoint(&scene);
	scene_truncate(&scene, x, 700 * KIB);
	scene_truncate(&scene, x, MIB);
	scene_write(&scene, x, 0, letters('b', 128 * KIB), 128 * KIB);
	watch_fail(scene.disk, WATCH_FDATASYNC, "objects/", ERR_IO);
	flush = scene_fsync_held(&scene, x, WATCH_FDATASYNC, "objects/", &first);
	scene_fsync_begin(&scene, x, &second);
	watch_release(scene.disk, flush);
	ck_assert_int_ne(answer_wait(&first), ERR_OK);
	ck_assert_int_ne(answer_wait(&second), ERR_OK);
	/* The flusher comes to the second one, if it does, in no time. */
	clock_sleep_ns(100 * NS_PER_MS);
	ck_assert_ok(store_read(scene.store, x, 768 * KIB, back, sizeof(back), &got));
	ck_assert_uint_eq(got, sizeof(back));
	ck_assert_mem_eq(back, zeroes, sizeof(back));
	scene_free(&scene);
}
END_TEST

RULES(failure, i24_a_failed_flush_keeps_its_shrink, i24_a_lock_that_gives_up_forgets_names,
      i24_a_reader_does_not_wait_for_a_failed_apply,
      i24_a_failed_apply_leaves_its_content_whole,
      i24_a_failed_journal_write_freezes, i24_a_failed_journal_flush_freezes,
      i24_a_failed_anchor_freezes, i24_a_failed_apply_freezes_and_loses_nothing,
      i24_a_failed_data_flush_freezes, i24_a_failed_write_of_fresh_data_is_the_writers,
      i24_a_full_disk_can_be_unlocked, i24_a_full_disk_refuses_writers_and_can_be_emptied,
      i24_room_that_is_missing_is_waited_for)

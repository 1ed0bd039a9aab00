/* Rules of streaming: cuts, positions, ranges in flight (I2, I8 to I11, R1 to R6). */
#include <unistd.h>

#include "store/content.h"
#include "test_store_rules.h"

START_TEST(i2_nothing_streams_where_a_transaction_is_not_applied)
{
	struct scene scene;
	uint64_t x;
	int apply;

	scene_new(&scene);
	x = scene_create(&scene, "x");
	scene_truncate(&scene, x, MIB);
	scene_checkpoint(&scene);
	/* One transaction puts a block there, the next takes it away; none is applied. */
	apply = watch_hold(scene.disk, WATCH_PWRITE, "objects/", false);
	scene_write(&scene, x, 10 * BLOCK_SIZE, letters('a', BLOCK_SIZE), BLOCK_SIZE);
	scene_fsync(&scene, x);
	ck_assert(watch_wait_held(scene.disk, apply, NULL));
	scene_truncate(&scene, x, 0);
	scene_fsync(&scene, x);
	scene_write(&scene, x, 0, letters('b', 128 * KIB), 128 * KIB);
	scene_fsync(&scene, x);
	watch_release(scene.disk, apply);
	scene_checkpoint(&scene);
	scene_cut_expect(&scene, 1, "x", letters('b', 128 * KIB), 128 * KIB);
	scene_free(&scene);
}
END_TEST

START_TEST(r4_a_block_that_a_truncate_rewrites_counts_as_written)
{
	struct scene scene;
	uint64_t x;
	int apply;

	scene_new(&scene);
	x = scene_create(&scene, "x");
	/* What was inline becomes a block, though nothing was ever written. */
	scene_truncate(&scene, x, 100);
	scene_truncate(&scene, x, 128 * KIB);
	apply = watch_hold(scene.disk, WATCH_PWRITE, "objects/", false);
	scene_fsync(&scene, x);
	ck_assert(watch_wait_held(scene.disk, apply, NULL));
	scene_write(&scene, x, 0, letters('b', 128 * KIB), 128 * KIB);
	scene_fsync(&scene, x);
	watch_release(scene.disk, apply);
	scene_checkpoint(&scene);
	scene_cut_expect(&scene, 1, "x", letters('b', 128 * KIB), 128 * KIB);
	scene_free(&scene);
}
END_TEST

START_TEST(i9_nothing_streams_below_an_unapplied_shrink)
{
	struct scene scene;
	uint64_t x, since;
	int apply;

	x = scene_new_with_x(&scene, 512 * KIB);
	apply = watch_hold(scene.disk, WATCH_TRUNCATE, "objects/", false);
	scene_truncate(&scene, x, 0);
	scene_fsync(&scene, x);
	ck_assert(watch_wait_held(scene.disk, apply, NULL));
	since = watch_now();
	scene_write(&scene, x, 0, letters('b', 128 * KIB), 128 * KIB);
	ck_assert_uint_eq(watch_count(scene.disk, since, WATCH_PWRITE, "objects/"), 0);
	watch_release(scene.disk, apply);
	scene_sync(&scene);
	scene_applied(&scene);
	/* Once it is applied, streaming resumes. */
	since = watch_now();
	scene_write(&scene, x, 128 * KIB, letters('b', 128 * KIB), 128 * KIB);
	ck_assert_uint_gt(watch_count(scene.disk, since, WATCH_PWRITE, "objects/"), 0);
	scene_sync(&scene);
	scene_cut_expect(&scene, 1, "x", letters('b', 256 * KIB), 256 * KIB);
	scene_free(&scene);
}
END_TEST

START_TEST(r4_nothing_streams_below_a_shrink_in_memory)
{
	struct scene scene;
	uint64_t x, since;

	x = scene_new_with_x(&scene, 512 * KIB);
	since = watch_now();
	scene_truncate(&scene, x, 0);
	scene_write(&scene, x, 0, letters('b', 128 * KIB), 128 * KIB);
	ck_assert_uint_eq(watch_count(scene.disk, since, WATCH_ANY, "objects/"), 0);
	scene_cut_expect(&scene, 1, "x", letters('a', 512 * KIB), 512 * KIB);
	scene_free(&scene);
}
END_TEST

START_TEST(r4_nothing_streams_below_a_shrink_in_a_cut)
{
	struct scene scene;
	struct answer answer;
	uint64_t x;
	int flush;

	x = scene_new_with_x(&scene, 512 * KIB);
	/* Streamed data makes the fsync a cut; the shrink goes into it. */
	scene_write(&scene, x, 512 * KIB, letters('a', 512 * KIB), 512 * KIB);
	scene_truncate(&scene, x, 0);
	scene_write(&scene, x, 0, "b", 1);
	flush = scene_fsync_held(&scene, x, WATCH_FDATASYNC, "objects/", &answer);
	scene_write(&scene, x, 128 * KIB, letters('c', 128 * KIB), 128 * KIB);
	scene_cut_expect(&scene, 1, "x", letters('a', 512 * KIB), 512 * KIB);
	scene_release(&scene, flush, &answer);
	scene_free(&scene);
}
END_TEST

/* Not a rule: what keeps a file that is made anew from being written twice. */
START_TEST(r4_who_waits_for_a_truncation_streams)
{
	struct scene scene;
	struct answer answer;
	uint64_t x, since;
	int apply;

	x = scene_new_with_x(&scene, 2 * MIB);
	apply = watch_hold(scene.disk, WATCH_TRUNCATE, "objects/", false);
	scene_truncate(&scene, x, 0);
	scene_settle_begin(&scene, x, &answer);
	ck_assert(watch_wait_held(scene.disk, apply, &answer.is_there));
	ck_assert(!atomic_load(&answer.is_there));
	scene_release(&scene, apply, &answer);
	since = watch_now();
	scene_write(&scene, x, 0, letters('b', 128 * KIB), 128 * KIB);
	ck_assert_uint_gt(watch_count(scene.disk, since, WATCH_PWRITE, "objects/"), 0);
	/* Nothing to wait for: little was cut off. */
	scene_sync(&scene);
	scene_truncate(&scene, x, 0);
	scene_settle_begin(&scene, x, &answer);
	ck_assert(atomic_load(&answer.is_there));
	scene_free(&scene);
}
END_TEST

START_TEST(r4_who_waits_for_a_truncation_does_not_wait_for_a_frozen_store)
{
	struct scene scene;
	struct answer answer;
	uint64_t x;

	x = scene_new_with_x(&scene, 2 * MIB);
	watch_fail(scene.disk, WATCH_PWRITE, "journal", ERR_IO);
	scene_truncate(&scene, x, 0);
	scene_settle_begin(&scene, x, &answer);
	ck_assert_ok(answer_wait(&answer));
	scene_free(&scene);
}
END_TEST

START_TEST(i10_data_of_the_final_state_only)
{
	struct scene scene, after;
	uint64_t x;

	scene_new(&scene);
	x = scene_create_of(&scene, "x", 'a', 8 * KIB);
	scene_write(&scene, x, 20 * BLOCK_SIZE, letters('b', BLOCK_SIZE), BLOCK_SIZE);
	scene_truncate(&scene, x, 8 * KIB);
	scene_fsync(&scene, x);
	scene_truncate(&scene, x, 21 * BLOCK_SIZE);
	scene_checkpoint(&scene);
	scene_cut(&scene, 0, &after);
	x = scene_find(&after, "x");
	for (size_t i = 2; i < 21; i++) {
		uint8_t block[BLOCK_SIZE];
		size_t got;

		ck_assert_ok(store_read(after.store, x, i * BLOCK_SIZE, block, BLOCK_SIZE, &got));
		for (size_t k = 0; k < BLOCK_SIZE; k++)
			ck_assert_uint_eq(block[k], 0);
	}
	scene_free(&after);
	scene_free(&scene);
}
END_TEST

START_TEST(i11_replay_skips_what_is_synced)
{
	struct scene scene, after;
	uint64_t x;

	x = scene_new_with_x(&scene, 512 * KIB);
	/* The truncation stays in the journal; redone, it would destroy what streams next. */
	scene_truncate(&scene, x, 0);
	scene_fsync(&scene, x);
	scene_applied(&scene);
	scene_write(&scene, x, 0, letters('b', 512 * KIB), 512 * KIB);
	scene_fsync(&scene, x);
	for (uint64_t choice = 0; choice < 2; choice++) {
		scene_cut(&scene, choice, &after);
		ck_assert_uint_gt(after.recovery.transactions, 1);
		scene_expect(&after, scene_find(&after, "x"), letters('b', 512 * KIB), 512 * KIB);
		scene_free(&after);
	}
	scene_free(&scene);
}
END_TEST

START_TEST(i11_base_is_what_was_applied_before_the_flush)
{
	struct scene scene;
	struct answer answer;
	uint8_t *expected = malloc(MIB);
	uint64_t x;
	int apply, flush;

	memset(expected, 'a', MIB);
	memset(expected, 'b', BLOCK_SIZE);
	x = scene_new_with_x(&scene, 512 * KIB);
	apply = watch_hold(scene.disk, WATCH_PWRITE, "objects/", false);
	scene_write(&scene, x, 0, letters('b', BLOCK_SIZE), BLOCK_SIZE);
	scene_fsync(&scene, x);
	ck_assert(watch_wait_held(scene.disk, apply, NULL));
	scene_write(&scene, x, 512 * KIB, letters('a', 512 * KIB), 512 * KIB);
	/* Its fdatasync is over when the overwrite is applied. */
	flush = watch_hold(scene.disk, WATCH_FDATASYNC, "objects/", true);
	scene_fsync_begin(&scene, x, &answer);
	ck_assert(watch_wait_held(scene.disk, flush, &answer.is_there));
	watch_release(scene.disk, apply);
	scene_applied(&scene);
	scene_release(&scene, flush, &answer);
	scene_cut_expect(&scene, 0, "x", expected, MIB);
	scene_free(&scene);
	free(expected);
}
END_TEST

/*
 * A transaction truncates "x" and changes "y"; the first is in place, the second is held:
 * gives the hold.
 */
static int scene_new_with_x_cut_off(struct scene *scene, uint64_t *x)
{
	char path[OBJECT_PATH_LEN];
	uint64_t y, since;
	int apply;

	*x = scene_new_with_x(scene, 512 * KIB);
	y = scene_create_of(scene, "y", 'a', 20 * KIB);
	scene_checkpoint(scene);
	scene_path(scene, y, path);
	since = watch_now();
	apply = watch_hold(scene->disk, WATCH_PWRITE, path, false);
	scene_truncate(scene, *x, 0);
	scene_write(scene, y, 0, letters('b', BLOCK_SIZE), BLOCK_SIZE);
	scene_sync(scene);
	ck_assert(watch_wait_held(scene->disk, apply, NULL));
	scene_path(scene, *x, path);
	ck_assert_uint_eq(watch_count(scene->disk, since, WATCH_TRUNCATE, path), 1);
	return apply;
}

/* "x" streams again as soon as its own part is in place, however much of the transaction is not. */
START_TEST(i11_base_has_a_part_that_is_applied_before_its_transaction)
{
	struct scene scene;
	char path[OBJECT_PATH_LEN];
	uint64_t x, since;
	int apply;

	apply = scene_new_with_x_cut_off(&scene, &x);
	scene_path(&scene, x, path);
	since = watch_now();
	scene_write(&scene, x, 0, letters('b', 128 * KIB), 128 * KIB);
	ck_assert_uint_gt(watch_count(scene.disk, since, WATCH_PWRITE, path), 0);
	scene_fsync(&scene, x);
	/* A replay of that truncation would take away what has streamed since. */
	scene_cut_expect(&scene, 0, "x", letters('b', 128 * KIB), 128 * KIB);
	scene_cut_expect(&scene, 1, "x", letters('b', 128 * KIB), 128 * KIB);
	watch_release(scene.disk, apply);
	scene_free(&scene);
}
END_TEST

/* The same, of a file that was closed and is opened again meanwhile. */
START_TEST(i11_base_has_what_is_applied_before_it_is_loaded)
{
	struct scene scene;
	uint64_t x;
	int apply;

	apply = scene_new_with_x_cut_off(&scene, &x);
	content_trim(scene.store, 0);
	scene_write(&scene, x, 0, letters('b', 128 * KIB), 128 * KIB);
	scene_fsync(&scene, x);
	scene_cut_expect(&scene, 0, "x", letters('b', 128 * KIB), 128 * KIB);
	watch_release(scene.disk, apply);
	scene_free(&scene);
}
END_TEST

/* The same, while a later part of "x" waits. */
START_TEST(i11_base_has_what_is_applied_though_more_waits)
{
	struct scene scene;
	uint64_t x;
	int apply;

	apply = scene_new_with_x_cut_off(&scene, &x);
	scene_write(&scene, x, 0, letters('b', BLOCK_SIZE), BLOCK_SIZE);
	scene_fsync(&scene, x);
	scene_write(&scene, x, BLOCK_SIZE, letters('b', 128 * KIB), 128 * KIB);
	scene_fsync(&scene, x);
	scene_cut_expect(&scene, 0, "x", letters('b', 132 * KIB), 132 * KIB);
	scene_cut_expect(&scene, 1, "x", letters('b', 132 * KIB), 132 * KIB);
	watch_release(scene.disk, apply);
	scene_free(&scene);
}
END_TEST

/* --- cuts ------------------------------------------------------------------------------------ */

START_TEST(r1_nobody_waits_for_anothers_stream)
{
	struct scene scene;
	struct answer answer;
	uint64_t x, y;
	int hold;

	scene_new(&scene);
	x = scene_create_of(&scene, "x", 'a', 512 * KIB);
	hold = scene_fsync_held(&scene, x, WATCH_FDATASYNC, "objects/", &answer);
	y = scene_create(&scene, "y");
	scene_write(&scene, y, 0, "soon", 4);
	scene_fsync(&scene, y);
	ck_assert(!atomic_load(&answer.is_there));
	scene_cut_expect(&scene, 0, "y", "soon", 4);
	scene_release(&scene, hold, &answer);
	scene_free(&scene);
}
END_TEST

START_TEST(r1_a_cut_is_ready_when_its_data_is_durable)
{
	struct scene scene;
	uint64_t x;

	scene_new(&scene);
	x = scene_create_of(&scene, "x", 'a', 512 * KIB);
	scene_fsync(&scene, x);
	scene_cut_expect(&scene, 0, "x", letters('a', 512 * KIB), 512 * KIB);
	scene_free(&scene);
}
END_TEST

START_TEST(r1_a_cut_is_frozen)
{
	struct scene scene;
	struct answer answer;
	uint64_t x;
	int flush;

	scene_new(&scene);
	x = scene_create_of(&scene, "x", 'a', 512 * KIB);
	flush = scene_fsync_held(&scene, x, WATCH_FDATASYNC, "objects/", &answer);
	/* Written behind the cut: neither its bytes nor its size are in it. */
	scene_write(&scene, x, 0, "not in the cut", 14);
	scene_write(&scene, x, 512 * KIB, letters('a', 512 * KIB), 512 * KIB);
	scene_release(&scene, flush, &answer);
	scene_cut_expect(&scene, 0, "x", letters('a', 512 * KIB), 512 * KIB);
	scene_free(&scene);
}
END_TEST

START_TEST(r1_the_timer_starts_the_flusher)
{
	struct world_settings settings = {.commit_interval_ms = 20};
	struct scene scene, after;
	uint64_t x, since = watch_now();

	scene_new_with(&scene, &settings);
	x = scene_create_of(&scene, "x", 'a', 512 * KIB);
	watch_wait(scene.disk, since, WATCH_FDATASYNC, "objects/");
	for (int i = 0; i < 200; i++) {
		scene_cut(&scene, 0, &after);
		x = scene_find(&after, "x");
		if (x != 0 && scene_size(&after, x) > 0)
			break;
		scene_free(&after);
		usleep(10000);
	}
	scene_expect(&after, scene_find(&after, "x"), letters('a', 512 * KIB), 512 * KIB);
	scene_free(&after);
	scene_free(&scene);
}
END_TEST

START_TEST(r2_an_fsync_takes_a_cut_of_its_own)
{
	struct scene scene;
	struct answer first, second;
	uint64_t x;
	int flush, next;

	scene_new(&scene);
	x = scene_create_of(&scene, "x", 'a', 512 * KIB);
	flush = scene_fsync_held(&scene, x, WATCH_FDATASYNC, "objects/", &first);
	scene_write(&scene, x, 512 * KIB, letters('a', 512 * KIB), 512 * KIB);
	scene_fsync_begin(&scene, x, &second);
	next = watch_hold(scene.disk, WATCH_FDATASYNC, "objects/", false);
	scene_release(&scene, flush, &first);
	ck_assert(watch_wait_held(scene.disk, next, NULL));
	ck_assert(!atomic_load(&second.is_there));
	scene_release(&scene, next, &second);
	scene_cut_expect(&scene, 0, "x", letters('a', MIB), MIB);
	scene_free(&scene);
}
END_TEST

/* --- in flight ------------------------------------------------------------------------------------ */

START_TEST(r5_nothing_is_seen_before_it_is_written)
{
	struct scene scene;
	struct answer writing;
	struct helper *writer;
	uint64_t x;
	int hold;

	scene_new(&scene);
	x = scene_create(&scene, "x");
	hold = watch_hold(scene.disk, WATCH_PWRITE, "objects/new/", false);
	writer = scene_write_beside(&scene, x, 0, letters('a', 256 * KIB), 256 * KIB, &writing);
	ck_assert(watch_wait_held(scene.disk, hold, &writing.is_there));
	ck_assert_uint_eq(scene_size(&scene, x), 0);
	scene_fsync(&scene, x);
	scene_cut_expect(&scene, 1, "x", "", 0);
	scene_release(&scene, hold, &writing);
	helper_join(writer);
	scene_fsync(&scene, x);
	scene_cut_expect(&scene, 0, "x", letters('a', 256 * KIB), 256 * KIB);
	scene_free(&scene);
}
END_TEST

START_TEST(r5_a_truncate_waits_for_streams_in_flight)
{
	struct scene scene;
	struct answer writing, cutting;
	struct helper *writer, *cutter;
	uint64_t x;
	int hold;

	scene_new(&scene);
	x = scene_create(&scene, "x");
	hold = watch_hold(scene.disk, WATCH_PWRITE, "objects/new/", true);
	writer = scene_write_beside(&scene, x, 0, letters('a', 256 * KIB), 256 * KIB, &writing);
	ck_assert(watch_wait_held(scene.disk, hold, &writing.is_there));
	cutter = scene_truncate_beside(&scene, x, 100, &cutting);
	while (atomic_load(&scene.store->change_waiters) == 0 && !atomic_load(&cutting.is_there))
		usleep(100);
	ck_assert(!atomic_load(&cutting.is_there));
	scene_release(&scene, hold, &writing);
	ck_assert_ok(answer_wait(&cutting));
	helper_join(writer);
	helper_join(cutter);
	scene_expect(&scene, x, letters('a', 100), 100);
	scene_free(&scene);
}
END_TEST

START_TEST(r6_a_new_objects_name_is_durable_too)
{
	struct scene scene;
	uint64_t x, since = watch_now();
	int apply;

	scene_new(&scene);
	x = scene_create_of(&scene, "x", 'a', 512 * KIB);
	apply = watch_hold(scene.disk, WATCH_PWRITE, "objects/", false);
	scene_fsync(&scene, x);
	ck_assert_uint_gt(watch_first(scene.disk, since, WATCH_SYNC_DIR, "objects/new"), 0);
	scene_cut_expect(&scene, 0, "x", letters('a', 512 * KIB), 512 * KIB);
	watch_release(scene.disk, apply);
	scene_free(&scene);
}
END_TEST

START_TEST(r6_again_if_the_applier_moved_it)
{
	struct scene scene;
	struct answer answer;
	char path[OBJECT_PATH_LEN], shard[sizeof("objects/xx")];
	uint64_t x, since;
	int apply, sync;

	scene_new(&scene);
	x = scene_create_of(&scene, "x", 'a', 512 * KIB);
	apply = watch_hold(scene.disk, WATCH_PWRITE, "objects/", false);
	sync = watch_hold(scene.disk, WATCH_SYNC_DIR, "objects/new", true);
	scene_fsync_begin(&scene, x, &answer);
	ck_assert(watch_wait_held(scene.disk, sync, &answer.is_there));
	/* Its name is committed without its data, and moves to its shard. */
	since = watch_now();
	scene_commit_another(&scene);
	watch_release(scene.disk, apply);
	watch_wait(scene.disk, since, WATCH_RENAME, "objects/new/");
	scene_applied(&scene);
	since = watch_now();
	scene_release(&scene, sync, &answer);
	scene_path(&scene, x, path);
	memcpy(shard, path, sizeof(shard) - 1);
	shard[sizeof(shard) - 1] = '\0';
	ck_assert_uint_gt(watch_first(scene.disk, since, WATCH_SYNC_DIR, shard), 0);
	ck_assert_uint_lt(watch_first(scene.disk, since, WATCH_SYNC_DIR, shard),
			  watch_first(scene.disk, since, WATCH_PWRITE, "journal"));
	scene_free(&scene);
}
END_TEST

/* --- what nobody asked for --------------------------------------------------------------------------- */

START_TEST(i8_changes_stay_in_memory_until_the_timer)
{
	struct scene scene;
	struct world_settings settings = {.commit_interval_ms = 200};
	uint64_t x, since;

	x = scene_new_with_x(&scene, 64 * KIB);
	since = watch_now();
	scene_write(&scene, x, 0, letters('b', 64 * KIB), 64 * KIB);
	scene_truncate(&scene, x, 100);
	scene_rename(&scene, "x", "y");
	ck_assert_uint_eq(watch_count(scene.disk, since, WATCH_ANY, ""), 0);
	scene_free(&scene);

	scene_new_with(&scene, &settings);
	x = scene_create(&scene, "x");
	since = watch_now();
	scene_write(&scene, x, 0, "by itself", 9);
	watch_wait(scene.disk, since, WATCH_FDATASYNC, "journal");
	scene_applied(&scene);
	scene_cut_expect(&scene, 0, "x", "by itself", 9);
	scene_free(&scene);
}
END_TEST

START_TEST(i8_writers_over_the_limit_are_parked)
{
	struct world_settings settings = {.commit_interval_ms = SCENE_NO_TIMER, .dirty_max = MIB};
	struct scene scene;
	struct answer answers[32];
	uint64_t x;
	int hold, parked = -1;

	scene_new_with(&scene, &settings);
	x = scene_create_of(&scene, "x", 'a', 2 * MIB);
	scene_checkpoint(&scene);
	hold = watch_hold(scene.disk, WATCH_FDATASYNC, "journal", false);
	/* Overwriting never streams: all of it is in memory. */
	for (int i = 0; i < 32 && parked < 0; i++) {
		scene_write_begin(&scene, x, (uint64_t)i * 64 * KIB, letters('b', 64 * KIB),
				  64 * KIB, false, &answers[i]);
		if (!atomic_load(&answers[i].is_there))
			parked = i;
	}
	ck_assert_int_ge(parked, 15);
	ck_assert(watch_wait_held(scene.disk, hold, &answers[parked].is_there));
	ck_assert(!atomic_load(&answers[parked].is_there));
	watch_release(scene.disk, hold);
	ck_assert_ok(answer_wait(&answers[parked]));
	scene_free(&scene);
}
END_TEST

RULES(streaming, i2_nothing_streams_where_a_transaction_is_not_applied,
      r4_a_block_that_a_truncate_rewrites_counts_as_written,
      i9_nothing_streams_below_an_unapplied_shrink, r4_nothing_streams_below_a_shrink_in_memory,
      r4_nothing_streams_below_a_shrink_in_a_cut, r4_who_waits_for_a_truncation_streams,
      r4_who_waits_for_a_truncation_does_not_wait_for_a_frozen_store, i10_data_of_the_final_state_only,
      i11_replay_skips_what_is_synced, i11_base_is_what_was_applied_before_the_flush,
      i11_base_has_a_part_that_is_applied_before_its_transaction,
      i11_base_has_what_is_applied_though_more_waits,
      i11_base_has_what_is_applied_before_it_is_loaded,
      r1_nobody_waits_for_anothers_stream, r1_a_cut_is_ready_when_its_data_is_durable,
      r1_a_cut_is_frozen, r1_the_timer_starts_the_flusher, r2_an_fsync_takes_a_cut_of_its_own,
      r5_nothing_is_seen_before_it_is_written, r5_a_truncate_waits_for_streams_in_flight,
      r6_a_new_objects_name_is_durable_too, r6_again_if_the_applier_moved_it,
      i8_changes_stay_in_memory_until_the_timer, i8_writers_over_the_limit_are_parked)

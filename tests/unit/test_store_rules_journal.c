/* Rules of the journal: what is written before what (I1, I3 to I7, R7). */
#include <unistd.h>

#include "store/apply.h"
#include "store/committer.h"
#include "store/volume.h"
#include "test_store_rules.h"

START_TEST(i1_durable_bytes_wait_for_the_journal)
{
	struct scene scene;
	struct answer answer;
	uint64_t x, since;
	int hold;

	x = scene_new_with_x(&scene, 128 * KIB);
	since = watch_now();
	hold = watch_hold(scene.disk, WATCH_PWRITE, "journal", false);
	scene_write(&scene, x, 0, letters('b', 128 * KIB), 128 * KIB);
	scene_fsync_begin(&scene, x, &answer);
	ck_assert(watch_wait_held(scene.disk, hold, &answer.is_there));
	ck_assert_uint_eq(watch_count(scene.disk, since, WATCH_ANY, "objects/"), 0);
	scene_cut_expect(&scene, 1, "x", letters('a', 128 * KIB), 128 * KIB);
	scene_release(&scene, hold, &answer);
	scene_applied(&scene);
	ck_assert_uint_gt(watch_first(scene.disk, since, WATCH_PWRITE, "objects/"),
			  watch_first(scene.disk, since, WATCH_FDATASYNC, "journal"));
	scene_cut_expect(&scene, 0, "x", letters('b', 128 * KIB), 128 * KIB);
	scene_free(&scene);
}
END_TEST

START_TEST(i3_streamed_data_is_flushed_before_its_record)
{
	struct scene scene;
	struct answer answer;
	uint64_t x;
	int hold;

	scene_new(&scene);
	x = scene_create_of(&scene, "x", 'a', 512 * KIB);
	hold = scene_fsync_held(&scene, x, WATCH_FDATASYNC, "objects/", &answer);
	/* Others commit meanwhile, with the name: what they bring of x is nothing. */
	scene_commit_another(&scene);
	ck_assert(!atomic_load(&answer.is_there));
	scene_cut_expect(&scene, 0, "x", "", 0);
	scene_release(&scene, hold, &answer);
	scene_cut_expect(&scene, 0, "x", letters('a', 512 * KIB), 512 * KIB);
	scene_free(&scene);
}
END_TEST

START_TEST(i4_an_apply_writes_its_own_transactions_tree)
{
	struct scene scene;
	struct answer first, second;
	uint8_t *expected;
	uint64_t x;
	int apply, append;

	x = scene_new_with_x(&scene, 64 * KIB);
	apply = watch_hold(scene.disk, WATCH_PWRITE, "objects/", false);
	scene_write(&scene, x, 0, letters('b', BLOCK_SIZE), BLOCK_SIZE);
	scene_fsync_begin(&scene, x, &first);
	ck_assert_ok(answer_wait(&first));
	ck_assert(watch_wait_held(scene.disk, apply, NULL));
	/* The next one has changed the same tree page in memory, and is not in the journal. */
	append = watch_hold(scene.disk, WATCH_PWRITE, "journal", false);
	scene_write(&scene, x, BLOCK_SIZE, letters('c', BLOCK_SIZE), BLOCK_SIZE);
	scene_fsync_begin(&scene, x, &second);
	ck_assert(watch_wait_held(scene.disk, append, &second.is_there));
	watch_release(scene.disk, apply);
	scene_applied(&scene);
	expected = malloc(64 * KIB);
	memset(expected, 'a', 64 * KIB);
	memset(expected, 'b', BLOCK_SIZE);
	scene_cut_expect(&scene, 1, "x", expected, 64 * KIB);
	scene_release(&scene, append, &second);
	free(expected);
	scene_free(&scene);
}
END_TEST

START_TEST(i5_an_fsync_is_answered_after_the_flush)
{
	struct scene scene;
	struct answer answer;
	uint64_t x;
	int hold;

	scene_new(&scene);
	x = scene_create(&scene, "x");
	scene_write(&scene, x, 0, "durable", 7);
	hold = scene_fsync_held(&scene, x, WATCH_FDATASYNC, "journal", &answer);
	ck_assert(!atomic_load(&answer.is_there));
	scene_release(&scene, hold, &answer);
	scene_cut_expect(&scene, 0, "x", "durable", 7);
	scene_free(&scene);
}
END_TEST

struct trail {
	atomic_uint begun;
	atomic_bool is_waited_for, is_flushed;
};

static uint64_t trail_flush_begin(void *ctx)
{
	struct trail *trail = ctx;

	atomic_fetch_add(&trail->begun, 1);
	return 7;
}

static enum err trail_flush_wait(void *ctx, uint64_t ticket)
{
	struct trail *trail = ctx;

	atomic_store(&trail->is_waited_for, true);
	while (!atomic_load(&trail->is_flushed))
		usleep(100);
	return ticket == 7 ? ERR_OK : ERR_INVALID;
}

START_TEST(i5_an_fsync_is_answered_after_the_audit_trails_flush)
{
	struct trail trail = {.is_flushed = true};
	struct world_settings settings = {.commit_interval_ms = SCENE_NO_TIMER,
					  .hooks = {.ctx = &trail,
						    .flush_begin = trail_flush_begin,
						    .flush_wait = trail_flush_wait}};
	struct answer answer;
	struct scene scene;
	uint64_t x;

	scene_new_with(&scene, &settings);
	x = scene_create(&scene, "x");
	scene_fsync(&scene, x);
	atomic_store(&trail.is_flushed, false);
	atomic_store(&trail.is_waited_for, false);
	scene_write(&scene, x, 0, "x", 1);
	atomic_store(&trail.begun, 0);
	scene_fsync_begin(&scene, x, &answer);
	while (!atomic_load(&trail.is_waited_for) && !atomic_load(&answer.is_there))
		usleep(100);
	ck_assert(!atomic_load(&answer.is_there));
	/* By who asked, while the transaction is put together, and for what came since. */
	ck_assert_uint_eq(atomic_load(&trail.begun), 2);
	atomic_store(&trail.is_flushed, true);
	ck_assert_ok(answer_wait(&answer));
	scene_free(&scene);
}
END_TEST

START_TEST(i6_the_anchor_follows_the_journal)
{
	struct scene scene, after;
	struct answer answer;
	uint64_t x, since;
	int hold;

	scene_new(&scene);
	x = scene_create(&scene, "x");
	scene_write(&scene, x, 0, "durable", 7);
	since = watch_now();
	hold = scene_fsync_held(&scene, x, WATCH_FDATASYNC, "journal", &answer);
	ck_assert_uint_eq(watch_count(scene.state, since, WATCH_PWRITE, "anchor"), 0);
	/* The journal loses the transaction, the state directory loses nothing. */
	scene_cut_closed(&scene, 0, 1, &after);
	ck_assert_ok(scene_open(&after));
	scene_free(&after);
	scene_release(&scene, hold, &answer);
	ck_assert_uint_gt(watch_first(scene.state, since, WATCH_PWRITE, "anchor"),
			  watch_first(scene.disk, since, WATCH_FDATASYNC, "journal"));
	scene_free(&scene);
}
END_TEST

START_TEST(i6_rows_are_of_applied_states)
{
	struct scene scene;
	uint64_t x, version;
	int hold;

	x = scene_new_with_x(&scene, 8 * KIB);
	version = scene_version(&scene, x);
	hold = watch_hold(scene.disk, WATCH_PWRITE, "objects/", false);
	scene_write(&scene, x, 0, letters('b', 8 * KIB), 8 * KIB);
	scene_fsync(&scene, x);
	ck_assert(watch_wait_held(scene.disk, hold, NULL));
	ck_assert_uint_eq(scene_version(&scene, x), version);
	watch_release(scene.disk, hold);
	scene_applied(&scene);
	ck_assert_uint_eq(scene_version(&scene, x), version + 1);
	scene_free(&scene);
}
END_TEST

/* Both: while a checkpoint is under way, commits go on in the other half only. */
static void commit_during_checkpoint(struct scene *scene)
{
	struct scene after;
	int hold;

	scene_new(scene);
	scene_write(scene, scene_create(scene, "x"), 0, "in the first half", 17);
	scene_sync(scene);
	scene_applied(scene);
	hold = watch_hold(scene->disk, WATCH_SYNC_DIR, "objects/new", false);
	committer_checkpoint(scene->store->committer);
	ck_assert(watch_wait_held(scene->disk, hold, NULL));
	scene_write(scene, scene_create(scene, "y"), 0, "in the second half", 18);
	scene_sync(scene);
	/* There is no free half: this must not begin one. */
	committer_checkpoint(scene->store->committer);
	scene_commit_another(scene);
	scene_write(scene, scene_create(scene, "z"), 0, "behind it", 9);
	scene_sync(scene);
	scene_cut(scene, 0, &after);
	ck_assert_uint_ge(after.recovery.transactions, 4);
	scene_expect(&after, scene_find(&after, "x"), "in the first half", 17);
	scene_expect(&after, scene_find(&after, "y"), "in the second half", 18);
	scene_expect(&after, scene_find(&after, "z"), "behind it", 9);
	scene_free(&after);
	watch_release(scene->disk, hold);
}

START_TEST(i7_a_half_is_kept_until_the_ledger_has_it)
{
	struct scene scene;

	commit_during_checkpoint(&scene);
	scene_free(&scene);
}
END_TEST

START_TEST(r7_the_chain_goes_on_in_the_other_half)
{
	struct scene scene, after;

	commit_during_checkpoint(&scene);
	scene_checkpoint(&scene);
	scene_cut(&scene, 0, &after);
	ck_assert(after.recovery.was_clean);
	scene_expect(&after, scene_find(&after, "z"), "behind it", 9);
	scene_free(&after);
	scene_free(&scene);
}
END_TEST

START_TEST(r7_a_checkpoint_leaves_nothing_to_the_journal)
{
	struct scene scene, after;
	uint64_t x;

	scene_new(&scene);
	x = scene_create_of(&scene, "journaled", 'a', 20 * KIB);
	scene_create_of(&scene, "streamed", 'b', 600 * KIB);
	scene_checkpoint(&scene);
	scene_cut(&scene, 0, &after);
	ck_assert(after.recovery.was_clean);
	scene_expect(&after, scene_find(&after, "journaled"), letters('a', 20 * KIB), 20 * KIB);
	scene_expect(&after, scene_find(&after, "streamed"), letters('b', 600 * KIB), 600 * KIB);
	scene_free(&after);
	scene_write(&scene, x, 0, letters('c', 20 * KIB), 20 * KIB);
	scene_checkpoint(&scene);
	scene_cut_expect(&scene, 0, "journaled", letters('c', 20 * KIB), 20 * KIB);
	scene_free(&scene);
}
END_TEST

START_TEST(r7_a_checkpoint_makes_deletions_durable)
{
	struct scene scene, after;
	char path[OBJECT_PATH_LEN];
	uint64_t x;

	x = scene_new_with_x(&scene, 8 * KIB);
	ck_assert_ok(scene.world.ciphertext->ops->sync_all(scene.world.ciphertext));
	scene_path(&scene, x, path);
	scene_unlink(&scene, "x", x);
	scene_checkpoint(&scene);
	scene_cut(&scene, 0, &after);
	ck_assert(after.recovery.was_clean);
	ck_assert(!scene_is_on_disk(&after, path));
	ck_assert_uint_eq(scene_version(&after, x), 0);
	scene_free(&after);
	scene_free(&scene);
}
END_TEST

RULES(journal, i1_durable_bytes_wait_for_the_journal,
      i3_streamed_data_is_flushed_before_its_record,
      i4_an_apply_writes_its_own_transactions_tree, i5_an_fsync_is_answered_after_the_flush,
      i5_an_fsync_is_answered_after_the_audit_trails_flush, i6_the_anchor_follows_the_journal,
      i6_rows_are_of_applied_states, i7_a_half_is_kept_until_the_ledger_has_it,
      r7_the_chain_goes_on_in_the_other_half, r7_a_checkpoint_leaves_nothing_to_the_journal,
      r7_a_checkpoint_makes_deletions_durable)

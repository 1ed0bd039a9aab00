/* Rules of recovery: what is replayed, adopted, refused (I12 to I15, R8). */
#include <pthread.h>

#include "format/journal_record.h"
#include "store/journal.h"
#include "store/volume.h"
#include "test_store_rules.h"

/* --- I12 --------------------------------------------------------------------------------- */

/* Something of everything: overwritten, truncated, new, streamed, renamed, deleted. */
static void make_history(struct scene *scene)
{
	uint64_t x, y, gone;

	x = scene_create(scene, "x");
	scene_write(scene, x, 0, letters('a', 600 * KIB), 600 * KIB);
	gone = scene_create(scene, "gone");
	scene_write(scene, gone, 0, letters('a', 8 * KIB), 8 * KIB);
	scene_checkpoint(scene);
	scene_truncate(scene, x, 520 * KIB);
	scene_fsync(scene, x);
	scene_applied(scene);
	scene_write(scene, x, 0, letters('b', 520 * KIB), 520 * KIB);
	scene_fsync(scene, x);
	y = scene_create(scene, "y");
	scene_write(scene, y, 0, letters('c', 300 * KIB), 300 * KIB);
	store_release_node(scene->store, gone);
	ck_assert_ok(store_unlink(scene->store, STORE_ROOT, "gone"));
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

/* --- I14 ------------------------------------------------------------------------------------- */

/* The last transaction of a journal that begins at the ledger's position. */
static uint64_t last_transaction(struct scene *scene, struct world *world,
				 struct journal_header *header)
{
	struct ledger_position position;
	struct journal_txn txn;
	struct journal_scan *scan;
	uint64_t at = 0, next;

	ck_assert_ok(ledger_position(scene->store->ledger, &position));
	next = JOURNAL_START + (uint64_t)position.half * JOURNAL_HALF_LEN;
	ck_assert_ok(journal_scan_new(world->ciphertext, world_keyring(), &position, &scan));
	while (journal_scan_next(scan, &txn) == ERR_OK) {
		at = next;
		next += journal_txn_len(&txn.header);
		*header = txn.header;
		free(txn.data);
	}
	journal_scan_free(scan);
	ck_assert_uint_ne(at, 0);
	return at;
}

/* A transaction with data that the anchor does not name yet. */
static void append_beyond_anchor(struct scene *scene, uint64_t *x, struct answer *answer)
{
	int hold;

	scene_new(scene);
	*x = scene_create(scene, "x");
	scene_write(scene, *x, 0, letters('a', 8 * KIB), 8 * KIB);
	scene_sync(scene);
	hold = watch_hold(scene->state, WATCH_PWRITE, "anchor", false);
	scene_write(scene, *x, 0, letters('b', 8 * KIB), 8 * KIB);
	scene_fsync_begin(scene, *x, answer);
	ck_assert(watch_wait_held(scene->state, hold, &answer->is_there));
}

START_TEST(i14_a_whole_tail_is_adopted)
{
	struct scene scene, after;
	struct answer answer;
	uint64_t x;

	append_beyond_anchor(&scene, &x, &answer);
	scene_cut(&scene, 1, &after);
	ck_assert_uint_eq(after.recovery.adopted, 1);
	scene_expect(&after, scene_find(&after, "x"), letters('b', 8 * KIB), 8 * KIB);
	scene_free(&after);
	watch_release_all(scene.state);
	ck_assert_ok(answer_wait(&answer));
	scene_free(&scene);
}
END_TEST

START_TEST(i14_the_first_bad_tag_ends_the_journal)
{
	struct scene scene, after;
	struct journal_header header;
	struct answer answer;
	uint64_t x, at;

	append_beyond_anchor(&scene, &x, &answer);
	scene_cut_closed(&scene, 1, 1, &after);
	at = last_transaction(&scene, &after.world, &header);
	ck_assert_uint_gt(header.pages, 0);
	scene_flip(&after, "journal", at + journal_pages_offset(&header) + BLOCK_SIZE / 2);
	ck_assert_ok(scene_open(&after));
	ck_assert_uint_eq(after.recovery.adopted, 0);
	ck_assert_uint_eq(after.recovery.damaged, 0);
	scene_expect(&after, scene_find(&after, "x"), letters('a', 8 * KIB), 8 * KIB);
	scene_free(&after);
	watch_release_all(scene.state);
	ck_assert_ok(answer_wait(&answer));
	scene_free(&scene);
}
END_TEST

START_TEST(i14_a_journal_without_what_the_anchor_names_is_refused)
{
	struct scene scene, after;
	struct journal_header header;
	uint64_t x, at;

	scene_new(&scene);
	x = scene_create(&scene, "x");
	scene_write(&scene, x, 0, letters('a', 8 * KIB), 8 * KIB);
	scene_sync(&scene);
	scene_cut_closed(&scene, 1, 1, &after);
	at = last_transaction(&scene, &after.world, &header);
	scene_flip(&after, "journal", at + JOURNAL_HEADER_LEN);
	ck_assert_int_eq(scene_open(&after), ERR_ROLLBACK);
	scene_free(&after);
	scene_free(&scene);
}
END_TEST

START_TEST(i14_the_anchor_names_one_history)
{
	struct scene ours, copy, theirs, mixed;
	struct backing *state;

	scene_new(&ours);
	scene_write(&ours, scene_create(&ours, "x"), 0, "both", 4);
	scene_sync(&ours);
	scene_checkpoint(&ours);
	scene_cut(&ours, 1, &copy);
	/* As many transactions in the copy, with something else in them. */
	while (journal_seq(copy.store->journal) < journal_seq(ours.store->journal) + 1)
		scene_commit_another(&copy);
	while (journal_seq(ours.store->journal) < journal_seq(copy.store->journal))
		scene_commit_another(&ours);
	scene_cut_closed(&ours, 1, 1, &mixed);
	scene_cut_closed(&copy, 1, 1, &theirs);
	state = mixed.world.state;
	mixed.world.state = theirs.world.state;
	theirs.world.state = state;
	ck_assert_int_eq(scene_open(&mixed), ERR_ROLLBACK);
	scene_free(&mixed);
	scene_free(&theirs);
	scene_free(&copy);
	scene_free(&ours);
}
END_TEST

/* --- I15 ---------------------------------------------------------------------------------------- */

START_TEST(i15_each_mount_is_a_session_of_its_own)
{
	struct ledger_position first, second;
	struct scene scene, after;

	scene_new(&scene);
	scene_commit_another(&scene);
	scene_cut(&scene, 0, &after);
	ck_assert_ok(ledger_position(scene.store->ledger, &first));
	ck_assert_ok(ledger_position(after.store->ledger, &second));
	ck_assert_mem_ne(first.session, second.session, JOURNAL_SESSION_LEN);
	scene_free(&after);
	scene_free(&scene);
}
END_TEST

START_TEST(i15_another_sessions_transaction_never_chains)
{
	struct ledger_position position;
	struct journal_scan *scan;
	struct journal_txn txn;
	struct scene scene;

	scene_new(&scene);
	scene_commit_another(&scene);
	ck_assert_ok(ledger_position(scene.store->ledger, &position));
	ck_assert_ok(journal_scan_new(scene.world.ciphertext, world_keyring(), &position, &scan));
	ck_assert_ok(journal_scan_next(scan, &txn));
	free(txn.data);
	journal_scan_free(scan);
	position.session[3] ^= 1;
	ck_assert_ok(journal_scan_new(scene.world.ciphertext, world_keyring(), &position, &scan));
	ck_assert_int_eq(journal_scan_next(scan, &txn), ERR_NOT_FOUND);
	journal_scan_free(scan);
	scene_free(&scene);
}
END_TEST

/* --- R8 -------------------------------------------------------------------------------------------- */

START_TEST(r8_a_stream_that_was_never_committed_is_removed)
{
	struct scene scene, after;
	uint64_t x;

	scene_new(&scene);
	x = scene_create(&scene, "x");
	scene_write(&scene, x, 0, letters('a', 512 * KIB), 512 * KIB);
	scene_cut_closed(&scene, 1, 1, &after);
	ck_assert_uint_eq(scene_files_in(&after, "objects/new"), 1);
	ck_assert_ok(scene_open(&after));
	ck_assert_uint_eq(scene_files_in(&after, "objects/new"), 0);
	ck_assert_uint_eq(scene_find(&after, "x"), 0);
	scene_free(&after);
	scene_free(&scene);
}
END_TEST

START_TEST(r8_recovery_finds_an_object_in_new)
{
	struct scene scene, after;
	char path[OBJECT_PATH_LEN];
	uint64_t x;
	int hold;

	scene_new(&scene);
	x = scene_create(&scene, "x");
	scene_write(&scene, x, 0, letters('a', 512 * KIB), 512 * KIB);
	/* Nothing of it is applied: in new there are the streamed blocks alone. */
	hold = watch_hold(scene.disk, WATCH_PWRITE, "objects/", false);
	scene_fsync(&scene, x);
	ck_assert(watch_wait_held(scene.disk, hold, NULL));
	scene_path(&scene, x, path);
	scene_cut_closed(&scene, 1, 1, &after);
	ck_assert(!scene_is_on_disk(&after, path));
	ck_assert_ok(scene_open(&after));
	ck_assert_uint_eq(after.recovery.damaged, 0);
	ck_assert(scene_is_on_disk(&after, path));
	ck_assert_uint_eq(scene_files_in(&after, "objects/new"), 0);
	scene_expect(&after, scene_find(&after, "x"), letters('a', 512 * KIB), 512 * KIB);
	scene_free(&after);
	watch_release(scene.disk, hold);
	scene_free(&scene);
}
END_TEST

START_TEST(r8_an_absent_file_is_made_again_from_its_creating_record)
{
	struct scene scene, after;
	char path[OBJECT_PATH_LEN];
	uint64_t x;
	int hold;

	scene_new(&scene);
	x = scene_create(&scene, "x");
	scene_write(&scene, x, 0, letters('a', 20 * KIB), 20 * KIB);
	hold = watch_hold(scene.disk, WATCH_CREATE, "objects/", false);
	scene_fsync(&scene, x);
	ck_assert(watch_wait_held(scene.disk, hold, NULL));
	scene_path(&scene, x, path);
	scene_cut_closed(&scene, 1, 1, &after);
	ck_assert(!scene_is_on_disk(&after, path));
	ck_assert_ok(scene_open(&after));
	scene_expect(&after, scene_find(&after, "x"), letters('a', 20 * KIB), 20 * KIB);
	scene_free(&after);
	watch_release(scene.disk, hold);
	scene_free(&scene);
}
END_TEST

START_TEST(r8_an_absent_file_without_one_was_deleted)
{
	struct scene scene, after;
	char path[OBJECT_PATH_LEN];
	uint64_t x;

	scene_new(&scene);
	x = scene_create(&scene, "x");
	scene_write(&scene, x, 0, letters('a', 20 * KIB), 20 * KIB);
	scene_checkpoint(&scene);
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
	x = scene_create(&scene, "x");
	scene_write(&scene, x, 0, letters('a', 20 * KIB), 20 * KIB);
	scene_fsync(&scene, x);
	scene_applied(&scene);
	scene_path(&scene, x, path);
	hold = watch_hold(scene.disk, WATCH_UNLINK, "objects/", false);
	store_release_node(scene.store, x);
	ck_assert_ok(store_unlink(scene.store, STORE_ROOT, "x"));
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
	x = scene_create(&scene, "x");
	scene_write(&scene, x, 0, letters('a', 512 * KIB), 512 * KIB);
	since = watch_now();
	hold = watch_hold(scene.disk, WATCH_FDATASYNC, "journal", false);
	store_release_node(scene.store, gone);
	ck_assert_ok(store_unlink(scene.store, STORE_ROOT, "gone"));
	scene_fsync_begin(&scene, x, &answer);
	ck_assert(watch_wait_held(scene.disk, hold, &answer.is_there));
	ck_assert_uint_eq(watch_count(scene.disk, since, WATCH_UNLINK, "objects/"), 0);
	ck_assert_uint_eq(watch_count(scene.disk, since, WATCH_RENAME, "objects/"), 0);
	watch_release(scene.disk, hold);
	ck_assert_ok(answer_wait(&answer));
	watch_wait(scene.disk, since, WATCH_UNLINK, "objects/");
	watch_wait(scene.disk, since, WATCH_RENAME, "objects/new/");
	scene_free(&scene);
}
END_TEST

START_TEST(r8_a_new_name_comes_with_its_object)
{
	struct scene scene, after;
	uint64_t x;

	scene_new(&scene);
	x = scene_create(&scene, "x");
	/* Streamed and not flushed: the transaction that has the name takes no data. */
	scene_write(&scene, x, 0, letters('a', 512 * KIB), 512 * KIB);
	scene_commit_another(&scene);
	scene_cut(&scene, 0, &after);
	scene_expect(&after, scene_find(&after, "x"), "", 0);
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

/* "x" overwritten, "gone" deleted, "y" untouched: all committed, nothing check-pointed. */
static void make_changes(struct scene *scene, char path_x[OBJECT_PATH_LEN],
			 char path_gone[OBJECT_PATH_LEN])
{
	uint64_t x, y, gone;

	scene_new(scene);
	x = scene_create(scene, "x");
	y = scene_create(scene, "y");
	gone = scene_create(scene, "gone");
	scene_write(scene, x, 0, letters('a', 20 * KIB), 20 * KIB);
	scene_write(scene, y, 0, letters('a', 20 * KIB), 20 * KIB);
	scene_write(scene, gone, 0, letters('a', 20 * KIB), 20 * KIB);
	scene_path(scene, x, path_x);
	scene_path(scene, gone, path_gone);
	scene_checkpoint(scene);
	scene_write(scene, x, 0, letters('b', 20 * KIB), 20 * KIB);
	store_release_node(scene->store, gone);
	ck_assert_ok(store_unlink(scene->store, STORE_ROOT, "gone"));
	scene_sync(scene);
	scene_applied(scene);
}

START_TEST(i13_a_directory_in_a_files_place_is_this_files_damage)
{
	char path_x[OBJECT_PATH_LEN], path_gone[OBJECT_PATH_LEN];
	struct scene scene, after;
	uint64_t x;

	make_changes(&scene, path_x, path_gone);
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

	make_changes(&scene, path_x, path_gone);
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

	make_changes(&scene, path_x, path_gone);
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

/* --- a disk that says one thing and then another ----------------------------------------------- */

#define HEADER_PAGES_AT 24 /* magic 8, format 4, seq 8, length of the records 4 */

/* Where the newest transaction begins that lies at the start of a half. */
static uint64_t newest_at_a_start(struct scene *scene)
{
	uint64_t best = 0, best_seq = 0;

	for (uint64_t half = 0; half < 2; half++) {
		uint64_t at = JOURNAL_START + half * JOURNAL_HALF_LEN;
		uint8_t bytes[JOURNAL_HEADER_LEN];
		struct journal_header header;

		scene_peek(scene, "journal", bytes, sizeof(bytes), at);
		if (journal_header_decode(bytes, &header) == ERR_OK && header.seq > best_seq) {
			best_seq = header.seq;
			best = at;
		}
	}
	ck_assert_uint_gt(best_seq, 0);
	return best;
}

static void *open_beside(void *ctx)
{
	struct scene *scene = ctx;
	static enum err err;

	err = scene_open(scene);
	return &err;
}

START_TEST(i14_a_header_is_what_its_mac_covers)
{
	char path_x[OBJECT_PATH_LEN], path_gone[OBJECT_PATH_LEN];
	struct scene scene, after;
	pthread_t thread;
	uint8_t pages, more;
	uint64_t at;
	void *err;
	int hold;

	make_changes(&scene, path_x, path_gone);
	scene_cut_closed(&scene, 1, 1, &after);
	at = newest_at_a_start(&after) + HEADER_PAGES_AT;
	scene_peek(&after, "journal", &pages, 1, at);
	more = pages + 1;
	scene_poke(&after, "journal", &more, 1, at);
	world_watch(&after.world);
	hold = watch_hold(after.world.disk_watch, WATCH_READ, "journal", true);
	ck_assert_int_eq(pthread_create(&thread, NULL, open_beside, &after), 0);
	watch_wait_held(after.world.disk_watch, hold, NULL);
	scene_poke(&after, "journal", &pages, 1, at);
	watch_release(after.world.disk_watch, hold);
	pthread_join(thread, &err);
	ck_assert_int_eq(*(enum err *)err, ERR_ROLLBACK);
	scene_free(&after);
	scene_free(&scene);
}
END_TEST

RULES(recovery, i14_a_header_is_what_its_mac_covers,
      i12_a_recovery_that_failed_can_be_tried_again,
      i13_a_directory_in_a_files_place_is_this_files_damage,
      r7_a_directory_in_a_files_place_does_not_stop_a_checkpoint,
      i12_recovery_may_be_cut_anywhere, i12_what_was_recovered_is_durable,
      i13_a_root_that_does_not_fit_is_one_damaged_file, i14_a_whole_tail_is_adopted,
      i14_the_first_bad_tag_ends_the_journal,
      i14_a_journal_without_what_the_anchor_names_is_refused, i14_the_anchor_names_one_history,
      i15_each_mount_is_a_session_of_its_own, i15_another_sessions_transaction_never_chains,
      r8_a_stream_that_was_never_committed_is_removed, r8_recovery_finds_an_object_in_new,
      r8_an_absent_file_is_made_again_from_its_creating_record,
      r8_an_absent_file_without_one_was_deleted, r8_a_deletion_cancels_what_came_before,
      r8_nothing_is_unlinked_or_moved_before_its_flush, r8_a_new_name_comes_with_its_object)

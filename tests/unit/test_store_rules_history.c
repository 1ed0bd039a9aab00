/* Rules of the journal's history: what of it is adopted, and what is refused (I14, I15). */
#include <pthread.h>

#include "format/journal_record.h"
#include "store/journal.h"
#include "store/volume.h"
#include "test_store_rules.h"

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
	*x = scene_create_of(scene, "x", 'a', 8 * KIB);
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
	uint64_t at;

	scene_new(&scene);
	scene_create_of(&scene, "x", 'a', 8 * KIB);
	scene_sync(&scene);
	scene_cut_closed(&scene, 1, 1, &after);
	at = last_transaction(&scene, &after.world, &header);
	scene_flip(&after, "journal", at + JOURNAL_HEADER_LEN);
	ck_assert_int_eq(scene_open(&after), ERR_ROLLBACK);
	scene_free(&after);
	scene_free(&scene);
}
END_TEST

/* Found by file systems that were shut down under a recovery. */
START_TEST(i14_a_journal_that_cannot_be_opened_is_an_error)
{
	struct store_lock_report report;
	struct scene scene;

	scene_new(&scene);
	store_lock(scene.store, 10000, &report);
	ck_assert_ok(report.err);
	scene_remove(&scene, "journal");
	ck_assert_int_eq(store_unlock(scene.store, world_keyring(), &scene.recovery), ERR_DELETED);
	scene_free(&scene);
}
END_TEST

/* The anchor of that transaction as a write that was cut off left it. */
static void tear_anchor(struct scene *scene, uint64_t seq)
{
	struct backing *state = scene->world.state;
	uint8_t half[ANCHOR_LEN / 2] = {0};
	int file;

	ck_assert_ok(state->ops->open(state, "anchor", 0, &file));
	ck_assert_ok(state->ops->pwrite(state, file, half, sizeof(half),
					(seq & 1) * ANCHOR_SLOT_LEN + ANCHOR_LEN / 2));
	state->ops->close(state, file);
}

START_TEST(i14_a_torn_anchor_is_mended_before_the_other_is_written)
{
	struct scene scene, once, twice;
	uint64_t seq;

	scene_new(&scene);
	scene_create(&scene, "x");
	scene_sync(&scene);
	seq = journal_seq(scene.store->journal);
	scene_cut_closed(&scene, 1, 1, &once);
	tear_anchor(&once, seq);
	ck_assert_ok(scene_open(&once));
	ck_assert_uint_eq(once.recovery.adopted, 1);
	scene_commit_another(&once);
	seq = journal_seq(once.store->journal);
	scene_cut_closed(&once, 1, 1, &twice);
	tear_anchor(&twice, seq);
	ck_assert_ok(scene_open(&twice));
	scene_free(&twice);
	scene_free(&once);
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

/* --- I14, between epochs and over a lock ---------------------------------------------------- */

/* Both slots: {seq, epoch, MAC} under that epoch's key. */
static void put_anchor(struct scene *scene, const struct keyring *keyring, uint64_t seq,
		       const uint8_t mac[JOURNAL_MAC_LEN])
{
	struct anchor anchor = {.seq = seq, .epoch = keyring_epoch(keyring)};
	uint8_t slots[2 * ANCHOR_SLOT_LEN] = {0}, key[32];
	struct backing *state = scene->world.state;
	int file;

	memcpy(anchor.fs_id, keyring_fs_id(keyring), sizeof(anchor.fs_id));
	memcpy(anchor.journal_mac, mac, JOURNAL_MAC_LEN);
	ck_assert_ok(keyring_anchor_key(keyring, anchor.epoch, key));
	anchor_encode(&anchor, key, slots);
	memcpy(slots + ANCHOR_SLOT_LEN, slots, ANCHOR_LEN);
	ck_assert_ok(state->ops->open(state, "anchor", 0, &file));
	ck_assert_ok(state->ops->pwrite(state, file, slots, sizeof(slots), 0));
	state->ops->close(state, file);
}

static struct ledger *open_ledger(struct scene *scene, struct ledger_position *position)
{
	struct ledger *ledger;
	uint8_t key[32];

	ck_assert_ok(keyring_ledger_key(world_keyring(), key));
	ck_assert_ok(ledger_open(scene->world.directory, false, &ledger));
	ck_assert_ok(ledger_set_key(ledger, key));
	ck_assert_ok(ledger_position(ledger, position));
	return ledger;
}

/* What somebody who was removed makes with the keys that he kept. */
START_TEST(i14_an_older_epoch_never_follows_a_newer_anchor)
{
	uint8_t master_keys[2 * MASTER_KEY_LEN] = {0};
	struct ledger_position position;
	struct scene scene, after;
	struct keyring *keyring;

	scene_new(&scene);
	memcpy(master_keys, keyring_master_key(world_keyring(), 1), MASTER_KEY_LEN);
	ck_assert_ok(keyring_new(keyring_fs_id(world_keyring()), master_keys, master_keys, 2,
				 &keyring));
	scene_create_of(&scene, "late", 'a', 10);
	scene_sync(&scene);
	scene_cut_closed(&scene, 0, 1, &after);
	ledger_close(open_ledger(&after, &position));
	put_anchor(&after, keyring, position.start_seq - 1, position.previous_mac);
	after.settings.keyring = keyring;
	ck_assert_ok(scene_open(&after));
	ck_assert_uint_eq(after.recovery.transactions, 0);
	ck_assert_uint_eq(scene_find(&after, "late"), 0);
	scene_free(&after);
	scene_free(&scene);
	keyring_free(keyring);
}
END_TEST

static enum err unlock_again(struct scene *scene, uint64_t generation)
{
	store_set_slots_generation(scene->store, generation);
	return store_unlock(scene->store, world_keyring(), &scene->recovery);
}

/* Ledger and anchor agree, on a history that is not its own. */
START_TEST(i14_a_locked_store_takes_nothing_but_what_it_left)
{
	struct store_lock_report report;
	struct ledger_position position;
	struct ledger *ledger;
	struct scene scene;

	scene_new(&scene);
	scene_commit_another(&scene);
	store_lock(scene.store, 10000, &report);
	ck_assert_ok(report.err);
	ledger = open_ledger(&scene, &position);
	position.previous_mac[7] ^= 1;
	ck_assert_ok(ledger_commit(ledger, &position));
	put_anchor(&scene, world_keyring(), position.start_seq - 1, position.previous_mac);
	ledger_close(ledger);
	ck_assert_int_eq(unlock_again(&scene, 0), ERR_ROLLBACK);
	ledger = open_ledger(&scene, &position);
	position.previous_mac[7] ^= 1;
	ck_assert_ok(ledger_commit(ledger, &position));
	put_anchor(&scene, world_keyring(), position.start_seq - 1, position.previous_mac);
	ledger_close(ledger);
	ck_assert_ok(unlock_again(&scene, 0));
	scene_free(&scene);
}
END_TEST

START_TEST(i14_a_locked_store_knows_the_newest_slot_file)
{
	struct world_settings settings = {.commit_interval_ms = SCENE_NO_TIMER,
					  .slots_generation = 2};
	struct store_lock_report report;
	struct ledger_position position;
	struct ledger *ledger;
	struct scene scene;

	scene_new_with(&scene, &settings);
	store_lock(scene.store, 10000, &report);
	ck_assert_ok(report.err);
	ledger = open_ledger(&scene, &position);
	position.slots_generation = 1;
	ck_assert_ok(ledger_commit(ledger, &position));
	ledger_close(ledger);
	ck_assert_int_eq(unlock_again(&scene, 1), ERR_ROLLBACK);
	ck_assert_ok(unlock_again(&scene, 3));
	scene_free(&scene);
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

	scene_new_with_changes(&scene, path_x, path_gone);
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

RULES(history, i14_a_header_is_what_its_mac_covers, i14_a_whole_tail_is_adopted,
      i14_the_first_bad_tag_ends_the_journal,
      i14_a_journal_without_what_the_anchor_names_is_refused, i14_the_anchor_names_one_history,
      i14_a_torn_anchor_is_mended_before_the_other_is_written,
      i14_a_journal_that_cannot_be_opened_is_an_error,
      i14_an_older_epoch_never_follows_a_newer_anchor,
      i14_a_locked_store_takes_nothing_but_what_it_left,
      i14_a_locked_store_knows_the_newest_slot_file,
      i15_each_mount_is_a_session_of_its_own, i15_another_sessions_transaction_never_chains)

/*
 * The lock while the disk hangs: lock_sequence over a real session and a real
 * store, whose calls of the disk are held.
 */
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/crew.h"
#include "daemon/lock_sequence.h"
#include "scene.h"
#include "session/session.h"
#include "store/volume.h"
#include "unit.h"

#define DEADLINE_MS 800
/* The store's least share comes on top, and this machine may be slow. */
#define SETTLE_NS   (200 * NS_PER_MS) /* long enough to read ahead what was asked for */
#define LIMIT_MS    (DEADLINE_MS + LOCK_STORE_MIN_MS + 3000)

/* Static: what a hung store leaves behind is not freed, and not lost either. */
static struct scene scene;
static struct session *session;

struct waiting {
	atomic_bool is_answered;
	enum err err;
};

/* --- the steps, as daemon/lock.c has them, without kernel and audit ------------------- */

static enum err begin(void *ctx)
{
	(void)ctx;
	return session_begin_lock(session);
}

static enum err wait_quiet(void *ctx, int64_t deadline_ns)
{
	(void)ctx;
	return session_wait_quiet(session, deadline_ns);
}

static uint64_t in_flight(void *ctx)
{
	(void)ctx;
	return session_in_flight(session);
}

static enum err drop_pages(void *ctx, int64_t deadline_ns)
{
	(void)ctx;
	(void)deadline_ns;
	return ERR_OK;
}

static uint64_t writebacks(void *ctx)
{
	(void)ctx;
	return 0;
}

static void refuse_writeback(void *ctx)
{
	(void)ctx;
	session_refuse_writeback(session);
}

static void close_store(void *ctx, uint32_t deadline_ms, struct lock_report *report)
{
	struct store_lock_report result;

	(void)ctx;
	if (report->in_flight > 0)
		store_abandon(scene.store, deadline_ms, &result);
	else
		store_lock(scene.store, deadline_ms, &result);
	report->bytes_given_up = result.bytes_given_up;
	report->store_err = result.err;
}

static enum err flush_audit(void *ctx)
{
	(void)ctx;
	return ERR_OK;
}

static unsigned int wipe(void *ctx)
{
	(void)ctx;
	return 0;
}

static void record(void *ctx, const struct lock_report *report)
{
	(void)ctx;
	(void)report;
}

static void finish(void *ctx)
{
	(void)ctx;
	session_locked(session);
}

static int64_t lock_it(struct lock_report *report)
{
	const struct lock_steps steps = {
		.begin = begin,
		.wait_quiet = wait_quiet,
		.in_flight = in_flight,
		.drop_pages = drop_pages,
		.writebacks = writebacks,
		.refuse_writeback = refuse_writeback,
		.close_store = close_store,
		.flush_audit = flush_audit,
		.wipe = wipe,
		.record = record,
		.finish = finish,
	};
	int64_t start = clock_boot_ns();

	ck_assert_ok(lock_sequence(&steps, DEADLINE_MS, report));
	return (clock_boot_ns() - start) / NS_PER_MS;
}

/* --- requests, counted like those of fsops --------------------------------------------- */

static void answered(void *ctx, enum err err, size_t bytes)
{
	struct waiting *waiting = ctx;

	(void)bytes;
	waiting->err = err;
	atomic_store(&waiting->is_answered, true);
	session_leave(session);
}

static void write_durably(uint64_t number, const void *data, size_t len, struct waiting *waiting)
{
	ck_assert_ok(session_enter(session, NEED_UNLOCKED));
	store_write(scene.store, number, 0, data, len, true, answered, waiting);
}

static void setup(void)
{
	static const uint8_t some_key[MASTER_KEY_LEN] = {1};
	struct keyring *keyring;

	scene_new(&scene);
	ck_assert_ok(keyring_new(some_key, some_key, some_key, 1, &keyring));
	ck_assert_ok(session_new(INT64_MAX, &session));
	ck_assert_ok(session_begin_unlock(session));
	session_unlocked(session, keyring);
}

static void check_locked(int64_t took_ms)
{
	struct store_attr attr;

	ck_assert_int_lt(took_ms, LIMIT_MS);
	ck_assert_int_eq(session_state(session), SESSION_LOCKED);
	ck_assert_ptr_null(session_keyring(session));
	ck_assert_int_eq(store_lookup(scene.store, STORE_ROOT, "file", &attr), ERR_LOCKED);
}

static void wait_answered(struct waiting *waiting)
{
	for (int i = 0; i < 10000 && !atomic_load(&waiting->is_answered); i++)
		clock_sleep_ns(NS_PER_MS);
	ck_assert(atomic_load(&waiting->is_answered));
}

START_TEST(test_nothing_hangs)
{
	static struct waiting waiting;
	struct lock_report report;
	uint64_t number;

	setup();
	number = scene_create(&scene, "file");
	write_durably(number, "text", 4, &waiting);
	check_locked(lock_it(&report));
	ck_assert(lock_report_is_clean(&report));
	wait_answered(&waiting);
	ck_assert_ok(waiting.err);
	session_free(session);
	scene_free(&scene);
}
END_TEST

/* The commit does not come through: the parked write keeps the session busy. */
START_TEST(test_journal_hangs)
{
	static struct waiting waiting;
	struct lock_report report;
	uint64_t number;
	int hold;

	setup();
	number = scene_create(&scene, "file");
	hold = watch_hold(scene.disk, WATCH_FDATASYNC, "journal", false);
	write_durably(number, "text", 4, &waiting);
	ck_assert(watch_wait_held(scene.disk, hold, NULL));
	check_locked(lock_it(&report));
	ck_assert_int_eq(report.in_flight, 1);
	ck_assert_int_ne(report.store_err, ERR_OK);
	ck_assert(!lock_report_is_clean(&report));
	/* When the disk comes back the thread finds nothing it could harm. */
	watch_release_all(scene.disk);
	wait_answered(&waiting);
	ck_assert_int_eq(session_in_flight(session), 0);
	check_locked(0);
}
END_TEST

/* A request hangs in the disk itself while everything else could be committed. */
START_TEST(test_request_hangs)
{
	struct lock_report report;
	struct store_recovery recovery;
	struct answer answer = {.err = ERR_OK};
	struct helper *helper;
	uint64_t number, other;
	int hold;

	setup();
	number = scene_create(&scene, "file");
	other = scene_create(&scene, "other");
	scene_write(&scene, other, 0, "text", 4);
	hold = watch_hold(scene.disk, WATCH_PWRITE, "objects/", false);
	ck_assert_ok(session_enter(session, NEED_UNLOCKED));
	helper = scene_write_beside(&scene, number, 0, letters('x', MIB), MIB, &answer);
	ck_assert(watch_wait_held(scene.disk, hold, NULL));
	check_locked(lock_it(&report));
	ck_assert_int_eq(report.in_flight, 1);
	/* Even if all was committed: this store is not used again. */
	ck_assert_int_eq(store_unlock(scene.store, world_keyring(), &recovery), ERR_BUSY);
	watch_release_all(scene.disk);
	helper_join(helper);
	session_leave(session);
	check_locked(0);
}
END_TEST

/* What is read ahead is no request: nobody waits for it, and the lock does not either. */
START_TEST(test_reading_ahead_hangs)
{
	static uint8_t data[64 * KIB];
	struct lock_report report;
	uint64_t number, at = 0;
	size_t got;
	int hold;

	if (crew_helpers_for_machine() == 0)
		return;
	setup();
	number = scene_create(&scene, "file");
	for (; at < 4 * MIB; at += MIB)
		scene_write(&scene, number, at, letters('x', MIB), MIB);
	scene_checkpoint(&scene);
	for (at = 0; at < 7 * sizeof(data); at += sizeof(data)) {
		ck_assert_ok(store_read(scene.store, number, at, data, sizeof(data), &got));
		clock_sleep_ns(SETTLE_NS);
	}
	/* This asks for the next piece, and has all that it wants itself. */
	hold = watch_hold(scene.disk, WATCH_READ, "objects/", true);
	ck_assert_ok(store_read(scene.store, number, at, data, sizeof(data), &got));
	ck_assert(watch_wait_held(scene.disk, hold, NULL));
	check_locked(lock_it(&report));
	ck_assert_int_eq(report.in_flight, 0);
	ck_assert_int_ne(report.store_err, ERR_OK);
	/* It comes back to wiped keys: that is no damage. */
	watch_release_all(scene.disk);
	clock_sleep_ns(SETTLE_NS);
	ck_assert_uint_eq(atomic_load(&scene.store->damaged), 0);
	check_locked(0);
}
END_TEST

UNIT_MAIN("daemon/hung", test_nothing_hangs, test_journal_hangs, test_request_hangs,
	  test_reading_ahead_hangs)

#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "session/session.h"

static struct keyring *some_keyring(void)
{
	static const uint8_t fs_id[FS_ID_LEN], key[MASTER_KEY_LEN] = {1};
	struct keyring *keyring;

	ck_assert_ok(keyring_new(fs_id, key, key, 1, &keyring));
	return keyring;
}

static struct session *unlocked_session(int64_t idle_ms)
{
	struct session *session;

	ck_assert_ok(session_new(idle_ms, &session));
	ck_assert_ok(session_begin_unlock(session));
	session_unlocked(session, some_keyring());
	return session;
}

static int64_t in_ms(int64_t ms)
{
	return clock_boot_ns() + ms * NS_PER_MS;
}

/* Each need in each state, as session.h says. */
START_TEST(test_needs)
{
	static const struct {
		enum session_state state;
		enum err unlocked, writeback, nothing;
	} table[] = {
		{SESSION_LOCKED, ERR_LOCKED, ERR_LOCKED, ERR_OK},
		{SESSION_UNLOCKING, ERR_LOCKED, ERR_LOCKED, ERR_OK},
		{SESSION_UNLOCKED, ERR_OK, ERR_OK, ERR_OK},
		{SESSION_LOCKING, ERR_LOCKED, ERR_OK, ERR_OK},
		{SESSION_DRAINED, ERR_LOCKED, ERR_LOCKED, ERR_OK},
		{SESSION_CLOSED, ERR_LOCKED, ERR_LOCKED, ERR_OK},
	};
	struct session *session;

	ck_assert_ok(session_new(INT64_MAX, &session));
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		uint64_t expected = 1 + (table[i].unlocked == ERR_OK) +
				    (table[i].writeback == ERR_OK);

		if (table[i].state == SESSION_UNLOCKING)
			ck_assert_ok(session_begin_unlock(session));
		if (table[i].state == SESSION_UNLOCKED)
			session_unlocked(session, some_keyring());
		if (table[i].state == SESSION_LOCKING)
			ck_assert_ok(session_begin_lock(session));
		if (table[i].state == SESSION_DRAINED)
			session_refuse_writeback(session);
		if (table[i].state == SESSION_CLOSED)
			session_store_closed(session, true);
		ck_assert_int_eq(session_state(session), table[i].state);
		ck_assert_int_eq(session_enter(session, NEED_UNLOCKED), table[i].unlocked);
		ck_assert_int_eq(session_enter(session, NEED_WRITEBACK), table[i].writeback);
		ck_assert_int_eq(session_enter(session, NEED_NOTHING), table[i].nothing);
		ck_assert_uint_eq(session_in_flight(session), expected);
		while (session_in_flight(session) > 0)
			session_leave(session);
	}
	session_free(session);
}
END_TEST

START_TEST(test_transitions)
{
	struct session *session;

	ck_assert_ok(session_new(INT64_MAX, &session));
	ck_assert_int_eq(session_begin_lock(session), ERR_LOCKED);
	ck_assert_ok(session_begin_unlock(session));
	ck_assert_int_eq(session_begin_unlock(session), ERR_BUSY);
	ck_assert_int_eq(session_begin_lock(session), ERR_BUSY);
	session_unlock_failed(session);
	ck_assert_int_eq(session_state(session), SESSION_LOCKED);
	ck_assert_ok(session_begin_unlock(session));
	ck_assert_ptr_null(session_keyring(session));
	session_unlocked(session, some_keyring());
	ck_assert_ptr_nonnull(session_keyring(session));
	ck_assert_int_eq(session_begin_unlock(session), ERR_BUSY);
	ck_assert_ok(session_begin_lock(session));
	ck_assert_int_eq(session_begin_lock(session), ERR_BUSY);
	session_refuse_writeback(session);
	ck_assert(session_is_committed(session));
	session_store_closed(session, false);
	ck_assert(!session_is_committed(session));
	ck_assert_int_eq(session_begin_unlock(session), ERR_BUSY);
	ck_assert_ptr_nonnull(session_keyring(session));
	session_locked(session);
	ck_assert_ptr_null(session_keyring(session));
	ck_assert_str_eq(session_state_name(session_state(session)), "locked");
	session_free(session);
}
END_TEST

START_TEST(test_deadline)
{
	struct session *session = unlocked_session(INT64_MAX);
	int64_t start;

	ck_assert_ok(session_enter(session, NEED_UNLOCKED));
	ck_assert_ok(session_begin_lock(session));
	start = clock_boot_ns();
	ck_assert_int_eq(session_wait_quiet(session, in_ms(60)), ERR_AGAIN);
	ck_assert_int_ge(clock_boot_ns() - start, 60 * NS_PER_MS);
	ck_assert_int_lt(clock_boot_ns() - start, 2 * NS_PER_SECOND);
	session_leave(session);
	ck_assert_ok(session_wait_quiet(session, in_ms(0)));
	session_free(session);
}
END_TEST

static void *leave_later(void *session)
{
	clock_sleep_ns(50 * NS_PER_MS);
	session_leave(session);
	return NULL;
}

/* A parked operation ends on another thread, and the waiter is woken by it. */
START_TEST(test_parked)
{
	struct session *session = unlocked_session(INT64_MAX);
	pthread_t thread;

	ck_assert_ok(session_enter(session, NEED_WRITEBACK));
	ck_assert_ok(session_begin_lock(session));
	ck_assert_int_eq(pthread_create(&thread, NULL, leave_later, session), 0);
	ck_assert_ok(session_wait_quiet(session, in_ms(10000)));
	ck_assert_uint_eq(session_in_flight(session), 0);
	pthread_join(thread, NULL);
	session_free(session);
}
END_TEST

START_TEST(test_idle)
{
	struct session *session = unlocked_session(100);

	ck_assert_int_gt(session_idle_left_ms(session), 0);
	ck_assert_int_le(session_idle_left_ms(session), 100);
	clock_sleep_ns(60 * NS_PER_MS);
	session_touch(session);
	clock_sleep_ns(60 * NS_PER_MS);
	ck_assert_int_gt(session_idle_left_ms(session), 0);
	clock_sleep_ns(50 * NS_PER_MS);
	ck_assert_int_eq(session_idle_left_ms(session), 0);
	ck_assert_ok(session_begin_lock(session));
	ck_assert_int_eq(session_idle_left_ms(session), INT64_MAX);
	session_free(session);

	session = unlocked_session(INT64_MAX);
	ck_assert_int_eq(session_idle_left_ms(session), INT64_MAX);
	session_free(session);
}
END_TEST

#define THREADS 4
#define ROUNDS 60

struct storm {
	struct session *session;
	enum session_need need;
	_Atomic bool stop;
	_Atomic uint64_t entered;
	/* Written by the locker when nobody may be inside, read by those inside. */
	int guarded;
};

static void *storm_thread(void *arg)
{
	struct storm *storm = arg;

	while (!atomic_load(&storm->stop)) {
		if (session_enter(storm->session, storm->need))
			continue;
		session_touch(storm->session);
		if (storm->need == NEED_UNLOCKED)
			ck_assert_int_eq(storm->guarded, 0);
		atomic_fetch_add(&storm->entered, 1);
		session_leave(storm->session);
	}
	return NULL;
}

static void storm_lock_cycle(struct storm *storm)
{
	ck_assert_ok(session_begin_lock(storm->session));
	ck_assert_ok(session_wait_quiet(storm->session, in_ms(20000)));
	session_refuse_writeback(storm->session);
	ck_assert_ok(session_wait_quiet(storm->session, in_ms(20000)));
	/* A race with an operation that was let in would be seen here by TSan. */
	storm->guarded = 1;
	session_locked(storm->session);
	storm->guarded = 0;
	ck_assert_ok(session_begin_unlock(storm->session));
	session_unlocked(storm->session, some_keyring());
	clock_sleep_ns(NS_PER_MS);
}

static void run_storm(enum session_need need)
{
	struct storm storm = {.session = unlocked_session(INT64_MAX), .need = need};
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, storm_thread, &storm), 0);
	while (atomic_load(&storm.entered) == 0)
		clock_sleep_ns(NS_PER_MS);
	for (int i = 0; i < ROUNDS; i++)
		storm_lock_cycle(&storm);
	atomic_store(&storm.stop, true);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(session_in_flight(storm.session), 0);
	session_free(storm.session);
}

/* No operation is inside between "quiet" and the next unlock. */
START_TEST(test_storm_of_operations)
{
	run_storm(NEED_UNLOCKED);
}
END_TEST

/* GETATTR without end must not keep a lock from becoming quiet. */
START_TEST(test_storm_of_getattr)
{
	run_storm(NEED_NOTHING);
}
END_TEST

START_TEST(test_storm_of_writeback)
{
	run_storm(NEED_WRITEBACK);
}
END_TEST

UNIT_MAIN("session", test_needs, test_transitions, test_deadline, test_parked, test_idle,
	  test_storm_of_operations, test_storm_of_getattr, test_storm_of_writeback)

#include "session/session.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

/*
 * The one atomic word: bits 0-2 the state, bit 3 "newcomers, wait a moment",
 * above it the number of operations in flight.  Counting first and looking at
 * the state in the same atomic closes the gap between both.
 */
#define STATE_MASK 0x7u
#define HOLD_BIT   0x8u
#define COUNT_ONE  0x10u

/*
 * While the lock waits for quiet, each newcomer is held back this long, once:
 * a storm of GETATTR could otherwise keep the count above zero for ever.  The
 * bound makes a deadlock impossible whatever the operations in flight wait for.
 */
#define HOLD_NS (20 * NS_PER_MS)
/* A wait on the monotonic clock is cut into such pieces, so that suspend is noticed. */
#define WAIT_PIECE_NS (200 * NS_PER_MS)
/* The idle clock is written at most this often: workers share its cache line. */
#define TOUCH_NS (5 * NS_PER_MS)

struct session {
	_Atomic uint64_t word;
	_Atomic int64_t touched_ns;
	_Atomic int64_t since_ns;
	struct keyring *_Atomic keyring;
	_Atomic bool is_committed; /* by the last lock */
	int64_t idle_ms;
	/* Only the slow paths: waiting for quiet, being held back. */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
};

static const bool allowed[][SESSION_CLOSED + 1] = {
	[NEED_UNLOCKED] = {[SESSION_UNLOCKED] = true},
	[NEED_WRITEBACK] = {[SESSION_UNLOCKED] = true, [SESSION_LOCKING] = true},
	[NEED_NOTHING] = {true, true, true, true, true, true},
};

static enum session_state word_state(uint64_t word)
{
	return (enum session_state)(word & STATE_MASK);
}

const char *session_state_name(enum session_state state)
{
	static const char *const names[] = {"locked", "unlocking", "unlocked", "locking",
					    "locking", "locking"};

	return names[state];
}

enum err session_new(int64_t idle_ms, struct session **session)
{
	struct session *s = calloc(1, sizeof(*s));
	pthread_condattr_t attr;

	if (!s)
		return ERR_NO_MEMORY;
	atomic_init(&s->word, SESSION_LOCKED);
	atomic_init(&s->touched_ns, clock_boot_ns());
	atomic_init(&s->since_ns, clock_boot_ns());
	atomic_init(&s->keyring, NULL);
	atomic_init(&s->is_committed, true);
	s->idle_ms = idle_ms;
	pthread_mutex_init(&s->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &attr);
	pthread_condattr_destroy(&attr);
	*session = s;
	return ERR_OK;
}

void session_free(struct session *session)
{
	if (!session)
		return;
	keyring_free(atomic_load(&session->keyring));
	pthread_cond_destroy(&session->changed);
	pthread_mutex_destroy(&session->mutex);
	free(session);
}

/* Called with the mutex; returns when something changed or after `ns`. */
static void wait_for_change(struct session *session, int64_t ns)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	ns += until.tv_nsec;
	until.tv_sec += ns / NS_PER_SECOND;
	until.tv_nsec = ns % NS_PER_SECOND;
	pthread_cond_timedwait(&session->changed, &session->mutex, &until);
}

static void announce_change(struct session *session)
{
	pthread_mutex_lock(&session->mutex);
	pthread_cond_broadcast(&session->changed);
	pthread_mutex_unlock(&session->mutex);
}

static void hold_back(struct session *session)
{
	int64_t until = clock_boot_ns() + HOLD_NS;
	int64_t left;

	pthread_mutex_lock(&session->mutex);
	while ((atomic_load(&session->word) & HOLD_BIT) && (left = until - clock_boot_ns()) > 0)
		wait_for_change(session, left);
	pthread_mutex_unlock(&session->mutex);
}

enum err session_enter(struct session *session, enum session_need need)
{
	uint64_t word = atomic_fetch_add(&session->word, COUNT_ONE);

	if (word & HOLD_BIT) {
		session_leave(session);
		hold_back(session);
		word = atomic_fetch_add(&session->word, COUNT_ONE);
	}
	if (allowed[need][word_state(word)])
		return ERR_OK;
	session_leave(session);
	return ERR_LOCKED;
}

void session_leave(struct session *session)
{
	uint64_t word = atomic_fetch_sub(&session->word, COUNT_ONE) - COUNT_ONE;

	if ((word & HOLD_BIT) && word < COUNT_ONE)
		announce_change(session);
}

void session_touch(struct session *session)
{
	int64_t now = clock_boot_ns();

	if (now - atomic_load_explicit(&session->touched_ns, memory_order_relaxed) > TOUCH_NS)
		atomic_store_explicit(&session->touched_ns, now, memory_order_relaxed);
}

enum session_state session_state(const struct session *session)
{
	return word_state(atomic_load(&session->word));
}

int64_t session_idle_left_ms(const struct session *session)
{
	int64_t passed;

	if (session->idle_ms == INT64_MAX || session_state(session) != SESSION_UNLOCKED)
		return INT64_MAX;
	passed = (clock_boot_ns() - atomic_load(&session->touched_ns)) / NS_PER_MS;
	return passed >= session->idle_ms ? 0 : session->idle_ms - passed;
}

int64_t session_since_ns(const struct session *session)
{
	return atomic_load(&session->since_ns);
}

/* Count and hold bit stay as they are. */
static bool change_state(struct session *session, enum session_state from, enum session_state to)
{
	uint64_t word = atomic_load(&session->word);

	do {
		if (word_state(word) != from)
			return false;
	} while (!atomic_compare_exchange_weak(&session->word, &word,
					       (word & ~(uint64_t)STATE_MASK) | to));
	atomic_store(&session->since_ns, clock_boot_ns());
	return true;
}

enum err session_begin_unlock(struct session *session)
{
	return change_state(session, SESSION_LOCKED, SESSION_UNLOCKING) ? ERR_OK : ERR_BUSY;
}

void session_unlocked(struct session *session, struct keyring *keyring)
{
	atomic_store(&session->keyring, keyring);
	atomic_store(&session->touched_ns, clock_boot_ns());
	(void)change_state(session, SESSION_UNLOCKING, SESSION_UNLOCKED);
}

void session_unlock_failed(struct session *session)
{
	(void)change_state(session, SESSION_UNLOCKING, SESSION_LOCKED);
}

const struct keyring *session_keyring(const struct session *session)
{
	return atomic_load(&session->keyring);
}

enum err session_begin_lock(struct session *session)
{
	if (change_state(session, SESSION_UNLOCKED, SESSION_LOCKING))
		return ERR_OK;
	return session_state(session) == SESSION_LOCKED ? ERR_LOCKED : ERR_BUSY;
}

enum err session_wait_quiet(struct session *session, int64_t deadline_boot_ns)
{
	int64_t left;
	bool quiet;

	pthread_mutex_lock(&session->mutex);
	atomic_fetch_or(&session->word, HOLD_BIT);
	while (!(quiet = session_in_flight(session) == 0) &&
	       (left = deadline_boot_ns - clock_boot_ns()) > 0)
		wait_for_change(session, left < WAIT_PIECE_NS ? left : WAIT_PIECE_NS);
	atomic_fetch_and(&session->word, ~(uint64_t)HOLD_BIT);
	pthread_cond_broadcast(&session->changed);
	pthread_mutex_unlock(&session->mutex);
	return quiet ? ERR_OK : ERR_AGAIN;
}

void session_refuse_writeback(struct session *session)
{
	(void)change_state(session, SESSION_LOCKING, SESSION_DRAINED);
}

void session_store_closed(struct session *session, bool is_committed)
{
	/* First: who sees the state believes it. */
	atomic_store(&session->is_committed, is_committed);
	(void)change_state(session, SESSION_DRAINED, SESSION_CLOSED);
}

bool session_is_committed(const struct session *session)
{
	return atomic_load(&session->is_committed);
}

void session_locked(struct session *session)
{
	keyring_free(atomic_exchange(&session->keyring, NULL));
	if (!change_state(session, SESSION_CLOSED, SESSION_LOCKED))
		(void)change_state(session, SESSION_DRAINED, SESSION_LOCKED);
}

uint64_t session_in_flight(const struct session *session)
{
	return atomic_load(&session->word) / COUNT_ONE;
}

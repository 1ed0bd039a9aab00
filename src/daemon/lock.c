#include "daemon/lock.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "crypto/aead.h"
#include "daemon/record.h"

#define WIPE_BUFFERS_MS 1000

/* One lock being carried out. */
struct locking {
	struct volume *volume;
	const struct lock_order *order;
};

/* --- the steps ---------------------------------------------------------------- */

static enum err begin(void *ctx)
{
	struct locking *locking = ctx;

	return session_begin_lock(locking->volume->session);
}

static enum err wait_quiet(void *ctx, int64_t deadline_ns)
{
	struct locking *locking = ctx;

	return session_wait_quiet(locking->volume->session, deadline_ns);
}

static uint64_t in_flight(void *ctx)
{
	struct locking *locking = ctx;

	return session_in_flight(locking->volume->session);
}

static enum err drop_pages(void *ctx, int64_t deadline_ns)
{
	struct locking *locking = ctx;

	return invalidate_pass(locking->volume->invalidate, deadline_ns);
}

static uint64_t writebacks(void *ctx)
{
	struct locking *locking = ctx;

	return fsops_writebacks(locking->volume->fsops);
}

static void refuse_writeback(void *ctx)
{
	struct locking *locking = ctx;

	session_refuse_writeback(locking->volume->session);
}

/* With operations that still hang in there, memory they use must stay. */
static void close_store(void *ctx, uint32_t deadline_ms, struct lock_report *report)
{
	struct locking *locking = ctx;
	struct volume *volume = locking->volume;
	struct store_lock_report result;

	volume_set_store_open(volume, false);
	if (report->in_flight > 0)
		store_abandon(volume->store, deadline_ms, &result);
	else
		store_lock(volume->store, deadline_ms, &result);
	report->bytes_given_up = result.bytes_given_up;
	report->store_err = result.err;
	volume->is_hung = volume->is_hung || report->in_flight > 0 || result.err;
	/* Workers that wait with an answer for this moment must get at their buffers to wipe them. */
	session_store_closed(volume->session, result.bytes_given_up == 0 && !result.err);
}

static enum err flush_audit(void *ctx)
{
	struct locking *locking = ctx;

	return record_flush(locking->volume->audit, LOCK_AUDIT_MS);
}

static unsigned int wipe(void *ctx)
{
	struct locking *locking = ctx;
	struct volume *volume = locking->volume;
	unsigned int buffers;

	fsops_wipe(volume->fsops);
	callers_wipe(volume->callers);
	aead_wipe_all();
	buffers = channel_wipe(volume->channel, clock_boot_ns() + WIPE_BUFFERS_MS * NS_PER_MS);
	pthread_mutex_lock(&volume->mutex);
	volume->epoch = 0;
	pthread_mutex_unlock(&volume->mutex);
	return buffers;
}

/* The seal says that nothing came after; a disk that hangs is not waited for. */
static void record(void *ctx, const struct lock_report *report)
{
	struct locking *locking = ctx;
	struct volume *volume = locking->volume;
	bool is_clean = lock_report_is_clean(report);
	char detail[256];
	struct audit_event event = {.type = AUDIT_LOCK,
				    .err = is_clean ? ERR_OK : ERR_INTERRUPTED,
				    .person = locking->order->person,
				    .detail = detail};

	snprintf(detail, sizeof(detail),
		 "reason=%s passes=%u in-flight=%" PRIu64 " bytes-given-up=%" PRIu64
		 " cache-kept=%d buffers=%u store=%s audit=%s",
		 locking->order->reason, report->passes, report->in_flight, report->bytes_given_up,
		 report->is_cache_kept, report->buffers,
		 report->store_err ? err_name(report->store_err) : "OK",
		 report->audit_err ? err_name(report->audit_err) : "OK");
	if (record_quickly(volume->audit, &event) ||
	    record_flush(volume->audit, LOCK_AUDIT_MS) || audit_seal(volume->audit))
		log_error("%s: the lock could not be recorded", volume->config->name);
	if (!is_clean) {
		log_error("%s: the lock had to give up something: %s", volume->config->name,
			  detail);
		log_hint("see the LOCK record: phifs-audit show %s --event LOCK --key KEY",
			 volume->config->words);
	}
}

static void finish(void *ctx)
{
	struct locking *locking = ctx;
	const struct lock_order *order = locking->order;

	session_locked(locking->volume->session);
	volume_note_change(locking->volume, order->reason,
			   order->person ? order->person->user : "", (uid_t)-1);
}

static enum err run(struct locking *locking, struct lock_report *report)
{
	const struct lock_steps steps = {
		.ctx = locking,
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
	struct volume *volume = locking->volume;
	enum err err;

	pthread_mutex_lock(&volume->change);
	err = lock_sequence(&steps, volume->config->deadline_ms, report);
	pthread_mutex_unlock(&volume->change);
	return err == ERR_LOCKED ? ERR_BUSY : err;
}

/* --- grace -------------------------------------------------------------------- */

static void count_holder(void *ctx, const struct fsops_holder *holder)
{
	unsigned int *count = ctx;

	(void)holder;
	(*count)++;
}

static bool is_wanted(const struct lock_order *order)
{
	return !order->is_wanted || order->is_wanted(order->ctx);
}

/* Until nobody has a file open for writing, the time is over, or somebody else locked. */
static enum err give_grace(struct volume *volume, const struct lock_order *order)
{
	int64_t deadline = clock_boot_ns() + order->grace_ms * NS_PER_MS;
	unsigned int writers = 1;

	if (order->grace_ms > 0 && order->each)
		fsops_holders(volume->fsops, order->each, order->ctx);
	while (clock_boot_ns() < deadline && writers > 0 &&
	       session_state(volume->session) == SESSION_UNLOCKED) {
		if (!is_wanted(order))
			return ERR_INTERRUPTED;
		writers = 0;
		fsops_holders(volume->fsops, count_holder, &writers);
		if (writers > 0)
			clock_sleep_ns(LOCK_LOOK_MS * NS_PER_MS);
	}
	return ERR_OK;
}

enum err lock_volume(struct volume *volume, const struct lock_order *order,
		     struct lock_report *report)
{
	struct locking locking = {volume, order};
	enum err err;

	*report = (struct lock_report){0};
	if (session_state(volume->session) != SESSION_UNLOCKED &&
	    session_state(volume->session) != SESSION_UNLOCKING)
		return ERR_BUSY;
	err = give_grace(volume, order);
	return err ? err : run(&locking, report);
}

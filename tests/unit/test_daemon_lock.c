/* The order and the deadline of the lock, over fake callbacks. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/lock_sequence.h"

struct fake {
	char log[256];
	enum err begin_err;
	bool is_hung;         /* operations never end */
	bool is_cache_hung;   /* pages are never dropped */
	unsigned int dirty_passes; /* passes that bring write-back */
	uint64_t writebacks;
	uint32_t store_ms;
	enum err audit_err;
	struct lock_report recorded;
};

static void note(struct fake *fake, const char *what)
{
	strcat(fake->log, what);
	strcat(fake->log, " ");
}

static enum err fake_begin(void *ctx)
{
	struct fake *fake = ctx;

	note(fake, "begin");
	return fake->begin_err;
}

static enum err until(int64_t deadline_ns)
{
	int64_t left = deadline_ns - clock_boot_ns();

	if (left > 0)
		clock_sleep_ns(left);
	return ERR_AGAIN;
}

static enum err fake_quiet(void *ctx, int64_t deadline_ns)
{
	struct fake *fake = ctx;

	note(fake, "quiet");
	return fake->is_hung ? until(deadline_ns) : ERR_OK;
}

static uint64_t fake_in_flight(void *ctx)
{
	struct fake *fake = ctx;

	return fake->is_hung ? 3 : 0;
}

static enum err fake_drop(void *ctx, int64_t deadline_ns)
{
	struct fake *fake = ctx;

	note(fake, "drop");
	if (fake->is_cache_hung)
		return until(deadline_ns);
	if (fake->dirty_passes > 0) {
		fake->dirty_passes--;
		fake->writebacks += 5;
	}
	return ERR_OK;
}

static uint64_t fake_writebacks(void *ctx)
{
	return ((struct fake *)ctx)->writebacks;
}

static void fake_refuse(void *ctx)
{
	note(ctx, "refuse");
}

static void fake_store(void *ctx, uint32_t deadline_ms, struct lock_report *report)
{
	struct fake *fake = ctx;

	note(fake, "store");
	fake->store_ms = deadline_ms;
	report->bytes_given_up = fake->is_hung ? 4096 : 0;
}

static enum err fake_flush(void *ctx)
{
	struct fake *fake = ctx;

	note(fake, "flush");
	return fake->audit_err;
}

static unsigned int fake_wipe(void *ctx)
{
	note(ctx, "wipe");
	return 0;
}

static void fake_record(void *ctx, const struct lock_report *report)
{
	struct fake *fake = ctx;

	note(fake, "record");
	fake->recorded = *report;
}

static void fake_finish(void *ctx)
{
	note(ctx, "finish");
}

static struct lock_steps steps_of(struct fake *fake)
{
	return (struct lock_steps){
		.ctx = fake,
		.begin = fake_begin,
		.wait_quiet = fake_quiet,
		.in_flight = fake_in_flight,
		.drop_pages = fake_drop,
		.writebacks = fake_writebacks,
		.refuse_writeback = fake_refuse,
		.close_store = fake_store,
		.flush_audit = fake_flush,
		.wipe = fake_wipe,
		.record = fake_record,
		.finish = fake_finish,
	};
}

START_TEST(test_order)
{
	struct fake fake = {.log = ""};
	struct lock_steps steps = steps_of(&fake);
	struct lock_report report;

	ck_assert_ok(lock_sequence(&steps, 30000, &report));
	ck_assert_str_eq(fake.log,
			 "begin quiet drop refuse quiet store flush wipe record finish ");
	ck_assert(lock_report_is_clean(&report));
	ck_assert_uint_eq(report.passes, 1);
	ck_assert_uint_gt(fake.store_ms, 29000);
}
END_TEST

START_TEST(test_refused)
{
	struct fake fake = {.begin_err = ERR_BUSY};
	struct lock_steps steps = steps_of(&fake);
	struct lock_report report;

	ck_assert_int_eq(lock_sequence(&steps, 30000, &report), ERR_BUSY);
	ck_assert_str_eq(fake.log, "begin ");
}
END_TEST

/* A pass that brought write-back is repeated, until one did not. */
START_TEST(test_dirty_pages)
{
	struct fake fake = {.dirty_passes = 1};
	struct lock_steps steps = steps_of(&fake);
	struct lock_report report;

	ck_assert_ok(lock_sequence(&steps, 30000, &report));
	ck_assert_str_eq(fake.log,
			 "begin quiet drop drop refuse quiet store flush wipe record finish ");
	ck_assert_uint_eq(report.passes, 2);
	ck_assert(lock_report_is_clean(&report));
}
END_TEST

START_TEST(test_dirty_pages_without_end)
{
	struct fake fake = {.dirty_passes = 1000};
	struct lock_steps steps = steps_of(&fake);
	struct lock_report report;

	ck_assert_ok(lock_sequence(&steps, 30000, &report));
	ck_assert_uint_eq(report.passes, LOCK_PASSES_MAX);
}
END_TEST

/* Hung storage: the keys go after the deadline all the same, and it is counted. */
START_TEST(test_deadline)
{
	struct fake fake = {.is_hung = true, .is_cache_hung = true};
	struct lock_steps steps = steps_of(&fake);
	struct lock_report report;
	int64_t start = clock_boot_ns();

	ck_assert_ok(lock_sequence(&steps, 200, &report));
	ck_assert_int_ge(clock_boot_ns() - start, 170 * NS_PER_MS);
	ck_assert_int_lt(clock_boot_ns() - start, 2 * NS_PER_SECOND);
	ck_assert_str_eq(fake.log,
			 "begin quiet drop refuse quiet store flush wipe record finish ");
	ck_assert(!lock_report_is_clean(&fake.recorded));
	ck_assert_uint_eq(fake.recorded.in_flight, 3);
	ck_assert_uint_eq(fake.recorded.bytes_given_up, 4096);
	ck_assert(fake.recorded.is_cache_kept);
	ck_assert_uint_ge(fake.store_ms, LOCK_STORE_MIN_MS);
}
END_TEST

/* A broken audit journal never prevents a lock. */
START_TEST(test_broken_audit)
{
	struct fake fake = {.audit_err = ERR_AUDIT};
	struct lock_steps steps = steps_of(&fake);
	struct lock_report report;

	ck_assert_ok(lock_sequence(&steps, 30000, &report));
	ck_assert_ptr_nonnull(strstr(fake.log, "wipe record finish"));
	ck_assert_int_eq(report.audit_err, ERR_AUDIT);
	ck_assert(!lock_report_is_clean(&report));
}
END_TEST

UNIT_MAIN("daemon_lock", test_order, test_refused, test_dirty_pages, test_dirty_pages_without_end,
	  test_deadline, test_broken_audit)

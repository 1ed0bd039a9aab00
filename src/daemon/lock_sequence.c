#include "daemon/lock_sequence.h"

#include <string.h>

#include "base/clock.h"

/* Page write-back that the drop brings is a change that must be committed. */
static void drop_pages(const struct lock_steps *steps, int64_t deadline,
		       struct lock_report *report)
{
	uint64_t before;

	do {
		before = steps->writebacks(steps->ctx);
		report->passes++;
		if (steps->drop_pages(steps->ctx, deadline)) {
			report->is_cache_kept = true;
			return;
		}
	} while (steps->writebacks(steps->ctx) != before && report->passes < LOCK_PASSES_MAX);
}

static void wait_quiet(const struct lock_steps *steps, int64_t deadline,
		       struct lock_report *report)
{
	report->in_flight =
		steps->wait_quiet(steps->ctx, deadline) ? steps->in_flight(steps->ctx) : 0;
}

static uint32_t ms_left(int64_t deadline)
{
	int64_t left = (deadline - clock_boot_ns()) / NS_PER_MS;

	return left < LOCK_STORE_MIN_MS ? LOCK_STORE_MIN_MS : (uint32_t)left;
}

enum err lock_sequence(const struct lock_steps *steps, int64_t deadline_ms,
		       struct lock_report *report)
{
	int64_t start = clock_boot_ns();
	int64_t total = deadline_ms * NS_PER_MS;
	enum err err;

	memset(report, 0, sizeof(*report));
	err = steps->begin(steps->ctx);
	if (err)
		return err;
	/* No step can eat the time of the next: a hung read must not keep pages in the cache. */
	wait_quiet(steps, start + total / 2, report);
	drop_pages(steps, start + total / 4 * 3, report);
	steps->refuse_writeback(steps->ctx);
	wait_quiet(steps, start + total / 8 * 7, report);
	steps->close_store(steps->ctx, ms_left(start + total), report);
	report->audit_err = steps->flush_audit(steps->ctx);
	report->buffers = steps->wipe(steps->ctx);
	steps->record(steps->ctx, report);
	steps->finish(steps->ctx);
	return ERR_OK;
}

bool lock_report_is_clean(const struct lock_report *report)
{
	return report->in_flight == 0 && report->bytes_given_up == 0 && !report->is_cache_kept &&
	       report->buffers == 0 && report->store_err == ERR_OK &&
	       report->audit_err == ERR_OK;
}

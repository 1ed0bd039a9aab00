#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "audit/segment_file.h"
#include "audit/trail.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"

#define DRAIN_BUFFER     (256u << 10)
#define CLEARED_AHEAD    (4u << 20)
#define FLUSH_AFTER_NS   (100 * NS_PER_MS) /* a record is on disk no later */
#define SEAL_LOADED_NS   NS_PER_SECOND
#define SEAL_IDLE_NS     (59 * NS_PER_SECOND) /* on top of that: a minute in all */
#define BOOKMARK_NS      (5 * NS_PER_SECOND)
_Static_assert(DRAIN_BUFFER >= RECORD_MAX, "an entry fits into the buffer");

/* What one round has to do besides draining. */
struct work {
	bool is_stopping;
	bool has_seal, has_rotation, has_commit;
	enum seal_kind kind;
	uint64_t seals;
};

enum err drain_init(struct audit *audit)
{
	struct drain *drain = &audit->drain;
	pthread_condattr_t attr;

	drain->fd = drain->spare_fd = -1;
	drain->buffer = malloc(DRAIN_BUFFER);
	if (drain->buffer == NULL || pthread_mutex_init(&drain->lock, NULL) != 0)
		return ERR_NO_MEMORY;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&drain->wake, &attr);
	pthread_cond_init(&drain->done, NULL);
	pthread_condattr_destroy(&attr);
	return ERR_OK;
}

void drain_free(struct audit *audit)
{
	struct drain *drain = &audit->drain;

	if (drain->fd >= 0)
		close(drain->fd);
	if (drain->spare_fd >= 0)
		close(drain->spare_fd);
	free(drain->buffer);
	pthread_cond_destroy(&drain->wake);
	pthread_cond_destroy(&drain->done);
	pthread_mutex_destroy(&drain->lock);
}

void drain_wake(struct drain *drain)
{
	pthread_mutex_lock(&drain->lock);
	pthread_cond_signal(&drain->wake);
	pthread_mutex_unlock(&drain->lock);
}

enum err drain_clear_ahead(struct drain *drain, int fd)
{
	static const uint8_t zeroes[64 << 10];
	uint64_t end = drain->offset + CLEARED_AHEAD;
	enum err err = ERR_OK;

	if (drain->cleared < drain->offset)
		drain->cleared = drain->offset;
	if (end > drain->allocated)
		end = drain->allocated;
	while (err == ERR_OK && drain->cleared < end) {
		size_t len = sizeof(zeroes) < end - drain->cleared ? sizeof(zeroes)
								   : end - drain->cleared;

		err = io_pwrite_all(fd, zeroes, len, (off_t)drain->cleared);
		if (err == ERR_OK)
			drain->cleared += len;
	}
	return err;
}

static enum err write_buffer(struct drain *drain)
{
	enum err err = io_pwrite_all(drain->fd, drain->buffer, drain->used, (off_t)drain->offset);

	if (err != ERR_OK)
		return err;
	drain->offset += drain->used;
	drain->used = 0;
	return drain->offset > drain->cleared ? drain_clear_ahead(drain, drain->fd) : ERR_OK;
}

/* Cut the finished segment to its length and make it durable. */
static enum err finish_segment(struct drain *drain)
{
	enum err err = write_buffer(drain);

	if (err == ERR_OK && ftruncate(drain->fd, (off_t)drain->offset) < 0)
		err = err_from_errno(errno);
	if (err == ERR_OK)
		err = io_fdatasync(drain->fd);
	close(drain->fd);
	drain->fd = -1;
	return err;
}

enum err drain_finish(struct audit *audit)
{
	return audit->drain.fd >= 0 ? finish_segment(&audit->drain) : ERR_OK;
}

static enum err drain_header(struct audit *audit, const struct ring_entry *entry)
{
	struct drain *drain = &audit->drain;
	enum err err = drain->fd >= 0 ? finish_segment(drain) : ERR_OK;

	if (err == ERR_OK)
		err = rotate_take_spare(audit, audit->drain.segment + 1, entry->data, entry->len);
	return err;
}

static enum err drain_record(struct drain *drain, const struct ring_entry *entry)
{
	struct record_header header;

	if (drain->fd < 0 || !record_header_decode(entry->data, entry->len, &header))
		return ERR_FORMAT;
	memcpy(drain->buffer + drain->used, entry->data, entry->len);
	drain->used += entry->len;
	drain->drained = header.seq;
	drain->is_dirty = true;
	return ERR_OK;
}

/* Everything that is in the ring now into the segment's file. */
static enum err empty_ring(struct audit *audit)
{
	struct drain *drain = &audit->drain;
	struct ring *ring = audit->append.ring;
	uint64_t position = ring_drained(ring), end = ring_head(ring);
	struct ring_entry entry;
	enum err err = ERR_OK;

	while (position < end) {
		err = ring_get(ring, position, &entry);
		if (err == ERR_OK && drain->used + entry.len > DRAIN_BUFFER) {
			err = write_buffer(drain);
			/* Space goes back early: the appenders may need it. */
			if (err == ERR_OK)
				ring_release(ring, position);
		}
		if (err == ERR_OK && entry.kind == RING_RECORD)
			err = drain_record(drain, &entry);
		else if (err == ERR_OK && entry.kind == RING_HEADER)
			err = drain_header(audit, &entry);
		if (err != ERR_OK)
			return err;
		position = entry.next;
	}
	if (drain->used > 0)
		err = write_buffer(drain);
	if (err == ERR_OK)
		ring_release(ring, position);
	return err;
}

/* Callbacks of those whose records are durable (or lost, with `err`). */
static void complete_waiters(struct drain *drain, enum err err)
{
	struct flush_waiter *waiter, **link, *ready = NULL;

	pthread_mutex_lock(&drain->lock);
	for (link = &drain->waiters; (waiter = *link) != NULL;) {
		if (err == ERR_OK && waiter->seq > drain->durable) {
			link = &waiter->next;
			continue;
		}
		*link = waiter->next;
		waiter->next = ready;
		ready = waiter;
	}
	pthread_mutex_unlock(&drain->lock);
	while ((waiter = ready) != NULL) {
		ready = waiter->next;
		waiter->done(waiter->ctx, err);
		free(waiter);
	}
}

enum err drain_sync(struct audit *audit)
{
	struct drain *drain = &audit->drain;
	enum err err = empty_ring(audit);

	if (err == ERR_OK && drain->is_dirty)
		err = io_fdatasync(drain->fd);
	if (err != ERR_OK)
		return err;
	drain->is_dirty = false;
	pthread_mutex_lock(&drain->lock);
	drain->durable = drain->drained;
	drain->durable_end = (struct position){.segment = drain->segment, .offset = drain->offset};
	pthread_cond_broadcast(&drain->done);
	pthread_mutex_unlock(&drain->lock);
	complete_waiters(drain, ERR_OK);
	if (audit->forwarder != NULL)
		forward_wake(audit->forwarder);
	return ERR_OK;
}

static void publish_seal(struct audit *audit, uint64_t seals)
{
	struct drain *drain = &audit->drain;

	pthread_mutex_lock(&drain->lock);
	drain->sealed = audit->state->sealed.chain.seq;
	drain->sealed_at_ns = clock_boot_ns();
	drain->seals_done = seals;
	pthread_cond_broadcast(&drain->done);
	pthread_mutex_unlock(&drain->lock);
	drain->seal_due_ns = clock_boot_ns() + SEAL_LOADED_NS;
}

static enum err drain_round(struct audit *audit, const struct work *work)
{
	bool has_seal = work->has_seal && !work->has_rotation;
	enum err err = ERR_OK;

	if (work->has_rotation)
		err = rotate_segment(audit, true, NULL);
	else if (has_seal)
		err = rotate_seal(audit, work->kind);
	if (err == ERR_OK)
		err = drain_sync(audit);
	if (err == ERR_OK && (work->has_rotation || has_seal || work->has_commit))
		err = rotate_commit(audit);
	if (err == ERR_OK && (work->has_rotation || has_seal))
		publish_seal(audit, work->seals);
	/* Ahead of need; if it fails now, the rotation tries again and decides. */
	if (err == ERR_OK && work->has_rotation && rotate_prepare_spare(audit) != ERR_OK)
		log_warning("no space to preallocate the next audit segment of %s",
			    audit->config.volume);
	return err;
}

/* With drain.lock held: is the current segment full or old enough? */
static bool is_rotation_due(struct audit *audit, int64_t now)
{
	struct drain *drain = &audit->drain;
	uint64_t backlog = ring_head(audit->append.ring) - ring_drained(audit->append.ring);

	/*
	 * While very many segments wait for the collector no key is added: the
	 * segment just grows.  The rest of the table is for restarts.
	 */
	if (audit->state->key_count >= STATE_KEYS_MAX / 2)
		return false;
	return drain->offset + backlog >= audit->config.segment_size ||
	       (now - drain->segment_since_ns) / NS_PER_MS >= audit->config.segment_age_ms;
}

/* With drain.lock held: what is to be done now; false: nothing, until `*due`. */
static bool find_work(struct audit *audit, struct work *work, int64_t *due)
{
	struct drain *drain = &audit->drain;
	int64_t now = clock_boot_ns();
	bool has_data = ring_head(audit->append.ring) != ring_drained(audit->append.ring);
	bool has_unsealed = drain->durable > drain->sealed || has_data;

	if (has_data && drain->dirty_since_ns == 0)
		drain->dirty_since_ns = now;
	*work = (struct work){.is_stopping = drain->is_stopping,
			      .seals = drain->seals_wanted,
			      .kind = drain->seal_kind};
	if (!audit->append.is_closed) {
		bool is_wanted = drain->seals_wanted > drain->seals_done;

		/* A rotation seals too, but only a stop seal ends the run. */
		work->has_rotation = is_rotation_due(audit, now) &&
				     !(is_wanted && drain->seal_kind == SEAL_STOP);
		work->has_seal = is_wanted ||
				 now >= drain->seal_due_ns + (has_unsealed ? 0 : SEAL_IDLE_NS);
	}
	work->has_commit = drain->is_bookmark_new && now - drain->committed_at_ns >= BOOKMARK_NS;
	if (drain->seals_wanted == drain->seals_done)
		work->kind = SEAL_PERIODIC;
	if (work->is_stopping || work->has_rotation || work->has_seal || work->has_commit ||
	    drain->is_hurried || drain->flush_wanted > drain->durable ||
	    (has_data && now - drain->dirty_since_ns >= FLUSH_AFTER_NS))
		return true;
	*due = drain->seal_due_ns + (has_unsealed ? 0 : SEAL_IDLE_NS);
	if (audit->append.is_closed)
		*due = now + SEAL_IDLE_NS;
	if (has_data && drain->dirty_since_ns + FLUSH_AFTER_NS < *due)
		*due = drain->dirty_since_ns + FLUSH_AFTER_NS;
	if (drain->is_bookmark_new && drain->committed_at_ns + BOOKMARK_NS < *due)
		*due = drain->committed_at_ns + BOOKMARK_NS;
	return false;
}

static void sleep_until(struct drain *drain, int64_t due)
{
	struct timespec until;
	int64_t left = due - clock_boot_ns();

	if (left <= 0)
		return;
	clock_gettime(CLOCK_MONOTONIC, &until);
	left += until.tv_nsec;
	until.tv_sec += left / NS_PER_SECOND;
	until.tv_nsec = left % NS_PER_SECOND;
	pthread_cond_timedwait(&drain->wake, &drain->lock, &until);
}

/* With drain.lock held: sleep until there may be something to do. */
static void rest(struct audit *audit, int64_t due)
{
	struct drain *drain = &audit->drain;
	bool is_idle = drain->dirty_since_ns == 0;

	/* The flag first, then a look at the ring: see wake_if_needed(). */
	atomic_store(&drain->is_idle, is_idle);
	atomic_thread_fence(memory_order_seq_cst);
	if (!is_idle || ring_head(audit->append.ring) == ring_drained(audit->append.ring))
		sleep_until(drain, due);
	atomic_store(&drain->is_idle, false);
}

/* False: the trail has failed, and its owner closes it. */
static bool wait_for_work(struct audit *audit, struct work *work)
{
	struct drain *drain = &audit->drain;
	bool is_failed;
	int64_t due;

	pthread_mutex_lock(&drain->lock);
	while (!(is_failed = atomic_load(&drain->is_failed)) && !find_work(audit, work, &due) &&
	       (drain->has_told_failure || !atomic_load(&drain->is_ring_full)))
		rest(audit, due);
	while (is_failed && !drain->is_stopping)
		pthread_cond_wait(&drain->wake, &drain->lock);
	drain->is_hurried = false;
	drain->dirty_since_ns = 0;
	pthread_mutex_unlock(&drain->lock);
	return !is_failed;
}

/* Tell the owner, once; with `is_final` nothing can be appended any more. */
static void tell_failure(struct audit *audit, enum err err, bool is_final)
{
	struct drain *drain = &audit->drain;

	if (is_final) {
		pthread_mutex_lock(&drain->lock);
		atomic_store(&drain->is_failed, true);
		pthread_cond_broadcast(&drain->done);
		pthread_mutex_unlock(&drain->lock);
		complete_waiters(drain, ERR_AUDIT);
	}
	if (drain->has_told_failure)
		return;
	drain->has_told_failure = true;
	log_error("the audit journal of %s cannot be written: %s", audit->config.volume,
		  err_text(err));
	log_hint("free space below %s, then restart the volume's daemon", audit->config.directory);
	if (audit->config.failed != NULL)
		audit->config.failed(audit->config.ctx, err);
}

static void *drain_main(void *ctx)
{
	struct audit *audit = ctx;
	struct work work = {.is_stopping = false};

	prctl(PR_SET_NAME, "phifs-audit");
	while (!work.is_stopping && wait_for_work(audit, &work)) {
		enum err err = drain_round(audit, &work);

		if (err != ERR_OK)
			tell_failure(audit, err, true);
		else if (atomic_load(&audit->drain.is_ring_full))
			tell_failure(audit, ERR_FULL, false);
	}
	return NULL;
}

enum err drain_start(struct audit *audit)
{
	struct drain *drain = &audit->drain;

	drain->seal_due_ns = clock_boot_ns() + SEAL_LOADED_NS;
	if (pthread_create(&drain->thread, NULL, drain_main, audit) != 0)
		return ERR_NO_MEMORY;
	drain->is_started = true;
	return ERR_OK;
}

void drain_stop(struct audit *audit)
{
	struct drain *drain = &audit->drain;

	if (!drain->is_started)
		return;
	pthread_mutex_lock(&drain->lock);
	drain->is_stopping = true;
	pthread_cond_signal(&drain->wake);
	pthread_mutex_unlock(&drain->lock);
	pthread_join(drain->thread, NULL);
	drain->is_started = false;
}

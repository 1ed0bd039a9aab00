#include <stdlib.h>
#include <string.h>

#include "audit/body.h"
#include "audit/trail.h"
#include "base/clock.h"
#include "base/secmem.h"

/* From here on the drain thread does not wait for the end of its 100 ms. */
#define HURRY_FROM (RING_SIZE / 4)

enum err append_init(struct appender *append)
{
	enum err err = aead_new(&append->aead);

	if (err != ERR_OK)
		return err;
	aead_exempt(append->aead);
	append->keys = secmem_alloc(sizeof(*append->keys));
	append->record = malloc(RECORD_MAX);
	if (append->keys == NULL || append->record == NULL)
		return ERR_NO_MEMORY;
	return pthread_mutex_init(&append->lock, NULL) == 0 ? ERR_OK : ERR_NO_MEMORY;
}

void append_free(struct appender *append)
{
	pthread_mutex_destroy(&append->lock);
	free(append->record);
	secmem_free(append->keys);
	aead_free(append->aead);
}

enum err append_record(struct appender *append, enum audit_type type, const uint8_t *body,
		       size_t len, bool is_reserved)
{
	const struct chain before = append->chain;
	enum err err = record_seal(append->aead, append->keys, &append->chain, type,
				   clock_wall_ns(), body, len, append->record);

	if (err == ERR_OK)
		err = ring_put(append->ring, RING_RECORD, append->record, len + RECORD_OVERHEAD,
			       is_reserved);
	if (err != ERR_OK) {
		/* Never existed.  Its nonce depends on its content, so the next may differ. */
		append->chain = before;
		return err;
	}
	append->segment_end += len + RECORD_OVERHEAD;
	append->counts[type]++;
	atomic_store(&append->appended, append->chain.seq);
	return ERR_OK;
}

enum err append_own(struct appender *append, enum audit_type type, const char *detail)
{
	const struct audit_event event = {.type = type, .detail = detail};
	uint8_t body[BODY_MAX];
	size_t len = body_encode(&event, clock_boot_ns() / NS_PER_US, body, sizeof(body));

	return append_record(append, type, body, len, true);
}

/* The drain sleeps without a time limit only while the ring is empty. */
static void wake_if_needed(struct audit *audit, uint64_t used)
{
	struct drain *drain = &audit->drain;

	/* Our entry before this look; the drain sets the flag before it looks for entries. */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load(&drain->is_idle) && atomic_exchange(&drain->is_idle, false))
		drain_wake(drain);
	else if (used > HURRY_FROM) {
		pthread_mutex_lock(&drain->lock);
		if (!drain->is_hurried) {
			drain->is_hurried = true;
			pthread_cond_signal(&drain->wake);
		}
		pthread_mutex_unlock(&drain->lock);
	}
}

enum err audit_append(struct audit *audit, const struct audit_event *event, uint64_t *seq)
{
	struct appender *append = &audit->append;
	uint8_t body[BODY_MAX];
	uint64_t used;
	size_t len;
	enum err err = ERR_AUDIT;

	if ((unsigned int)event->type >= AUDIT_TYPE_COUNT || event->type == AUDIT_SEAL)
		return ERR_INVALID;
	if (atomic_load(&audit->drain.is_failed))
		return ERR_AUDIT;
	len = body_encode(event, clock_boot_ns() / NS_PER_US, body, sizeof(body));
	pthread_mutex_lock(&append->lock);
	if (!append->is_closed)
		err = append_record(append, event->type, body, len, false);
	if (err == ERR_OK && seq != NULL)
		*seq = append->chain.seq;
	used = ring_head(append->ring) - ring_drained(append->ring);
	pthread_mutex_unlock(&append->lock);
	secmem_wipe(body, len);
	if (err == ERR_FULL && !atomic_exchange(&audit->drain.is_ring_full, true))
		drain_wake(&audit->drain);
	wake_if_needed(audit, used);
	return err == ERR_OK ? ERR_OK : ERR_AUDIT;
}

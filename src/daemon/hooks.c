#include "daemon/hooks.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "daemon/record.h"

static uint64_t flush_begin(void *ctx)
{
	struct volume *volume = ctx;

	return audit_flush_begin(volume->audit);
}

static enum err flush_wait(void *ctx, uint64_t ticket)
{
	struct volume *volume = ctx;

	return audit_flush_wait(volume->audit, ticket);
}

/* The first half of the name of an object's file: phifs-volume locate takes it. */
static void first_digits(uint64_t number, char digits[2 * sizeof(number) + 1])
{
	uint8_t bytes[sizeof(number)];

	store_u64(bytes, number);
	hex_encode(bytes, sizeof(bytes), digits);
}

/* On a thread that holds locks of the store: the ring must do, and no call back into it. */
static void integrity(void *ctx, uint64_t number, enum err what, uint64_t block)
{
	struct volume *volume = ctx;
	char digits[2 * sizeof(number) + 1], detail[96];
	const struct audit_event event = {
		.type = AUDIT_INTEGRITY, .err = what, .number = number, .detail = detail};

	first_digits(number, digits);
	snprintf(detail, sizeof(detail), "object %s, block %" PRIu64, digits, block);
	log_error("%s: %s: %s", volume->config->name, detail, err_text(what));
	log_hint("which file is it: phifs-volume locate %s %s", volume->config->words, digits);
	if (record_quickly(volume->audit, &event))
		log_error("%s: this could not be recorded", volume->config->name);
}

static void frozen(void *ctx, enum err why)
{
	struct volume *volume = ctx;
	const struct audit_event event = {
		.type = AUDIT_INTEGRITY, .err = why, .detail = "frozen: nothing is changed any more"};

	if (record_quickly(volume->audit, &event))
		log_error("%s: this could not be recorded", volume->config->name);
	log_hint("mend the disk below %s, then restart phifsd: what was acknowledged is kept",
		 volume->config->ciphertext);
}

void hooks_of_store(struct volume *volume, struct store_hooks *hooks)
{
	*hooks = (struct store_hooks){
		.ctx = volume,
		.flush_begin = flush_begin,
		.flush_wait = flush_wait,
		.integrity = integrity,
		.frozen = frozen,
	};
}

/* A closed store shows what it last had. */
void hook_evidence(void *ctx, struct audit_evidence *evidence)
{
	struct volume *volume = ctx;

	volume_look_at_store(volume);
	pthread_mutex_lock(&volume->mutex);
	*evidence = volume->evidence;
	pthread_mutex_unlock(&volume->mutex);
}

/* A ring that was full for a moment refuses by itself; a dead journal locks the volume. */
void hook_audit_failed(void *ctx, enum err why)
{
	struct volume *volume = ctx;

	log_error("%s: accesses are refused, they cannot be recorded: %s", volume->config->name,
		  err_text(why));
	if (why != ERR_FULL)
		atomic_store(&volume->is_audit_failed, true);
}

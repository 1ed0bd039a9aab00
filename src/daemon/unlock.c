#include "daemon/unlock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secmem.h"
#include "daemon/notify.h"
#include "daemon/record.h"
#include "keys/keyfile.h"

/* One try; everything below is undone in the opposite order if a step fails. */
struct unlocking {
	struct volume *volume;
	const struct unlock_order *order;
	struct unlock_result *result;
	int hold; /* keeps phifs-key from changing the slots meanwhile; -1: not held */
	struct slots *slots;
	struct keyring *keyring;
};

__attribute__((format(printf, 3, 4))) static void tell(char *text, size_t size,
							const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(text, size, format, args);
	va_end(args);
}

#define MESSAGE(unlocking, ...) \
	tell((unlocking)->result->message, UNLOCK_TEXT_MAX, __VA_ARGS__)
#define HINT(unlocking, ...) tell((unlocking)->result->hint, UNLOCK_TEXT_MAX, __VA_ARGS__)

/* --- the keys ----------------------------------------------------------------- */

static uid_t caller_uid(const struct unlock_order *order)
{
	return order->person ? order->person->uid : (uid_t)-1;
}

static enum err wait_your_turn(struct unlocking *unlocking)
{
	const struct unlock_order *order = unlocking->order;
	int64_t wait_ms;
	enum err err = tries_begin(&unlocking->volume->tries, caller_uid(order),
				   order->factor.slot, clock_boot_ns(), &wait_ms);

	if (err)
		MESSAGE(unlocking, "too many wrong passphrases: try again in %lld s",
			(long long)(wait_ms + 999) / 1000);
	return err;
}

static enum err record_try(struct unlocking *unlocking, enum err outcome)
{
	const struct slots_opened *opened = &unlocking->result->opened;
	char what[SLOT_NAME_MAX + 32] = "no slot";

	if (!outcome)
		snprintf(what, sizeof(what), "slot %u (%s)", opened->slot, opened->name);
	else if (unlocking->order->factor.slot > 0)
		snprintf(what, sizeof(what), "slot %u", unlocking->order->factor.slot);
	return record_event(unlocking->volume->audit, AUDIT_AUTH, outcome,
			    unlocking->order->person, "%s by %s", what,
			    slot_kind_word((uint8_t)unlocking->order->factor.kind));
}

static bool is_integrity(enum err err)
{
	return err_exit_code(err) == err_exit_code(ERR_TAMPERED) ||
	       err_exit_code(err) == err_exit_code(ERR_UNPROVEN);
}

static void record_integrity(struct unlocking *unlocking, enum err err, const char *detail)
{
	const struct volume *volume = unlocking->volume;

	if (is_integrity(err) && record_event(volume->audit, AUDIT_INTEGRITY, err,
					      unlocking->order->person, "%s", detail))
		log_error("%s: this could not be recorded", volume->config->name);
}

static void explain_keys(struct unlocking *unlocking, enum err err)
{
	const char *words = unlocking->volume->config->words;

	if (err == ERR_TAMPERED || err == ERR_ROLLBACK || err == ERR_FORMAT) {
		MESSAGE(unlocking, "the slot file: %s", err_text(err));
		HINT(unlocking, "restore the file \"%s\" from a backup, then: phifs-key list %s",
		     SLOTS_FILE_NAME, words);
	} else if (err == ERR_DENIED) {
		MESSAGE(unlocking, "this slot has no right to unlock");
		HINT(unlocking, "which have: phifs-key list %s", words);
	}
}

/* A read-only volume is opened without: nothing is written then. */
static enum err hold_slots(struct unlocking *unlocking)
{
	const struct volume *volume = unlocking->volume;
	enum err err;

	if (volume->setup->options->is_read_only)
		return ERR_OK;
	err = slots_hold(volume->config->state, &unlocking->hold);
	if (err == ERR_BUSY)
		MESSAGE(unlocking, "phifs-key is changing its slots: try again");
	else if (err)
		MESSAGE(unlocking, "the slot file's lock in %s: %s", volume->config->state,
			err_text(err));
	return err;
}

static enum err open_keys(struct unlocking *unlocking)
{
	const struct config *config = unlocking->volume->config;
	const struct unlock_order *order = unlocking->order;
	enum err err = wait_your_turn(unlocking), recorded;

	if (!err)
		err = hold_slots(unlocking);
	if (err)
		return err;
	err = slots_load(config->ciphertext, config->state, &unlocking->slots);
	if (!err)
		err = slots_unlock(unlocking->slots, &order->factor, 0, &unlocking->result->opened,
				   NULL, &unlocking->keyring);
	explain_keys(unlocking, err);
	record_integrity(unlocking, err, "slot file");
	/* A try that cannot be recorded did not happen. */
	recorded = record_try(unlocking, err);
	if (!err || err == ERR_DENIED)
		tries_forget(&unlocking->volume->tries, caller_uid(order), order->factor.slot);
	return recorded ? recorded : err;
}

/* --- the store ---------------------------------------------------------------- */

static void explain_store(struct unlocking *unlocking, enum err err)
{
	const char *words = unlocking->volume->config->words;

	MESSAGE(unlocking, "the store: %s", err_text(err));
	if (err == ERR_ROLLBACK)
		HINT(unlocking, "an older copy of a directory lies there; what it lacks: "
				"phifs-volume check %s", words);
	else if (err == ERR_UNPROVEN)
		HINT(unlocking, "is the state directory's disk mounted? ls %s",
		     unlocking->volume->config->state);
	else
		HINT(unlocking, "what is damaged: phifs-volume check %s", words);
}

static enum err open_store(struct unlocking *unlocking)
{
	struct volume *volume = unlocking->volume;
	enum err err;

	store_set_slots_generation(volume->store, unlocking->result->opened.generation);
	err = store_unlock(volume->store, unlocking->keyring, &unlocking->result->recovery);
	if (!err)
		return ERR_OK;
	explain_store(unlocking, err);
	record_integrity(unlocking, err, "unlock refused");
	return err;
}

static enum err record_unlock(struct unlocking *unlocking)
{
	const struct store_recovery *recovery = &unlocking->result->recovery;
	const struct slots_opened *opened = &unlocking->result->opened;

	return record_event(unlocking->volume->audit, AUDIT_UNLOCK, ERR_OK,
			    unlocking->order->person,
			    "slot=%u (%s) generation=%" PRIu64 " clean=%d replayed=%" PRIu64
			    " adopted=%" PRIu64 " objects=%" PRIu64 " damaged=%" PRIu64
			    " deleted=%" PRIu64,
			    opened->slot, opened->name, opened->generation, recovery->was_clean,
			    recovery->transactions, recovery->adopted, recovery->objects,
			    recovery->damaged, recovery->deleted);
}

/* --- what belongs to it, and does not stop it --------------------------------- */

static void mend(struct unlocking *unlocking)
{
	struct volume *volume = unlocking->volume;
	const struct config *config = volume->config;
	enum err err = ERR_OK;

	if (volume->setup->options->is_read_only)
		return;
	if (slots_need_save(unlocking->slots))
		err = slots_save(unlocking->slots, config->ciphertext, config->state);
	if (err)
		log_warning("%s: the two copies of the slot file differ: %s", config->name,
			    err_text(err));
	err = fsops_make_class_directories(volume->fsops);
	if (err)
		log_warning("%s: directories of the policy's classes: %s", config->name,
			    err_text(err));
}

static void note_keys(struct unlocking *unlocking)
{
	struct volume *volume = unlocking->volume;

	pthread_mutex_lock(&volume->mutex);
	volume->evidence.slots_generation = unlocking->result->opened.generation;
	volume->slot_count = slots_count(unlocking->slots);
	volume->epoch = keyring_epoch(unlocking->keyring);
	pthread_mutex_unlock(&volume->mutex);
}

static void note_open(struct unlocking *unlocking)
{
	const struct unlock_order *order = unlocking->order;
	const struct slots_opened *opened = &unlocking->result->opened;
	char by[VOLUME_WORD_MAX];

	snprintf(by, sizeof(by), "slot %u (%.40s)", opened->slot, opened->name);
	session_unlocked(unlocking->volume->session, unlocking->keyring);
	unlocking->keyring = NULL;
	volume_note_change(unlocking->volume, order->reason, by, caller_uid(order));
	log_info("%s is unlocked by %s", unlocking->volume->config->name, by);
}

/* The state is UNLOCKING. */
static enum err open_all(struct unlocking *unlocking)
{
	struct volume *volume = unlocking->volume;
	struct store_lock_report ignored;
	enum err err = open_keys(unlocking);

	if (!err)
		err = open_store(unlocking);
	if (err)
		return err;
	volume_set_store_open(volume, true);
	note_keys(unlocking);
	err = record_unlock(unlocking);
	if (err) {
		volume_set_store_open(volume, false);
		store_lock(volume->store, (uint32_t)volume->config->deadline_ms, &ignored);
		return err;
	}
	mend(unlocking);
	note_open(unlocking);
	return ERR_OK;
}

static enum err begin(struct unlocking *unlocking)
{
	struct volume *volume = unlocking->volume;
	char restart[UNLOCK_TEXT_MAX];

	if (volume->is_hung) {
		MESSAGE(unlocking, "the disk did not answer when it was locked: phifsd must be "
				   "started anew");
		notify_restart_words(volume->config, restart, sizeof(restart));
		HINT(unlocking, "%s", restart);
		return ERR_FROZEN;
	}
	if (session_begin_unlock(volume->session) == ERR_OK)
		return ERR_OK;
	MESSAGE(unlocking, "it is %s already",
		session_state_name(session_state(volume->session)));
	return ERR_BUSY;
}

enum err unlock_volume(struct volume *volume, const struct unlock_order *order,
		       struct unlock_result *result)
{
	struct unlocking unlocking = {volume, order, result, -1, NULL, NULL};
	enum err err;

	*result = (struct unlock_result){0};
	pthread_mutex_lock(&volume->change);
	err = begin(&unlocking);
	if (!err) {
		err = open_all(&unlocking);
		if (err)
			session_unlock_failed(volume->session);
	}
	slots_free(unlocking.slots);
	keyring_free(unlocking.keyring);
	if (unlocking.hold >= 0)
		close(unlocking.hold);
	pthread_mutex_unlock(&volume->change);
	return err;
}

/* --- at the start ------------------------------------------------------------- */

static enum err unlock_with_key(struct volume *volume, const uint8_t *bytes, size_t len)
{
	const struct unlock_order order = {
		.factor = {.kind = SLOT_KEYFILE, .bytes = bytes, .len = len}, .reason = "start"};
	struct unlock_result *result = malloc(sizeof(*result));
	enum err err = result ? unlock_volume(volume, &order, result) : ERR_NO_MEMORY;

	if (err && result && result->message[0] != '\0')
		log_error("%s: %s", volume->config->name, result->message);
	if (err && result && result->hint[0] != '\0')
		log_hint("%s", result->hint);
	free(result);
	return err;
}

static void explain_start(const struct config *config, enum err err)
{
	log_error("%s stays locked: unlock-with = %s: %s", config->name, config->unlock_with,
		  err_text(err));
	if (err == ERR_DENIED)
		log_hint("chmod 600 %s", config->unlock_with);
	else if (err == ERR_NOT_FOUND && strncmp(config->unlock_with, KEYFILE_CREDENTIAL,
						 strlen(KEYFILE_CREDENTIAL)) == 0)
		log_hint("LoadCredentialEncrypted= in: systemctl edit phifs@%s", config->name);
	else
		log_hint("phifsctl unlock %s", config->words);
}

void unlock_at_start(struct volume *volume)
{
	const struct config *config = volume->config;
	uint8_t *bytes = NULL;
	size_t len = 0;
	enum err err;

	if (!config->unlock_with)
		return;
	err = keyfile_load(config->unlock_with, &bytes, &len);
	if (!err)
		err = unlock_with_key(volume, bytes, len);
	if (err)
		explain_start(config, err);
	secmem_free(bytes);
}

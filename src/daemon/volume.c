#include "daemon/volume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "crypto/crypto.h"
#include "crypto/hash.h"
#include "daemon/hooks.h"
#include "daemon/record.h"
#include "daemon/reload.h"
#include "keys/slots.h"

/* How long the end waits for a collector to take the last records. */
#define DELIVER_MS 5000

/* --- state of the last change ------------------------------------------------- */

void volume_note_change(struct volume *volume, const char *reason, const char *by, uid_t opener)
{
	pthread_mutex_lock(&volume->mutex);
	snprintf(volume->reason, sizeof(volume->reason), "%s", reason);
	snprintf(volume->by, sizeof(volume->by), "%s", by);
	volume->opener = opener;
	volume->changed_at = clock_wall_ns() / NS_PER_SECOND;
	pthread_cond_broadcast(&volume->changed);
	pthread_mutex_unlock(&volume->mutex);
}

void volume_look_at_store(struct volume *volume)
{
	struct store_status status;

	volume_store_status(volume, &status);
	pthread_mutex_lock(&volume->mutex);
	if (!status.is_locked) {
		volume->evidence.store_seq = status.journal_seq;
		memcpy(volume->evidence.store_mac, status.journal_mac, sizeof(status.journal_mac));
	}
	pthread_mutex_unlock(&volume->mutex);
}

void volume_set_store_open(struct volume *volume, bool is_open)
{
	volume_look_at_store(volume);
	pthread_mutex_lock(&volume->mutex);
	volume->is_store_open = is_open;
	pthread_mutex_unlock(&volume->mutex);
}

/* store_lock frees what store_status looks at: hence the flag, under a lock of our own. */
void volume_store_status(struct volume *volume, struct store_status *status)
{
	*status = (struct store_status){.is_locked = true};
	pthread_mutex_lock(&volume->mutex);
	if (volume->is_store_open)
		store_status(volume->store, status);
	pthread_mutex_unlock(&volume->mutex);
}

/* --- open --------------------------------------------------------------------- */

static enum err check_slots(struct volume *volume)
{
	const struct config *config = volume->config;
	struct slots *slots = NULL;
	enum err err = slots_load(config->ciphertext, config->state, &slots);

	if (!err) {
		volume->slot_count = slots_count(slots);
		volume->evidence.slots_generation = slots_generation(slots);
		slots_free(slots);
		return ERR_OK;
	}
	log_error("the key slots of %s, %s/%s: %s", config->name, config->ciphertext,
		  SLOTS_FILE_NAME, err_text(err));
	if (err == ERR_NOT_FOUND)
		log_hint("is the disk mounted? A new volume is made by: phifs-volume init %s",
			 config->words);
	else
		log_hint("restore the file from a backup, then: phifs-key list %s", config->words);
	return err == ERR_NOT_FOUND ? ERR_UNPROVEN : err;
}

static enum err explain_store(const struct config *config, enum err err)
{
	log_error("the store of %s in %s and %s: %s", config->name, config->ciphertext,
		  config->state, err == ERR_BUSY ? "another process has it" : err_text(err));
	if (err == ERR_BUSY)
		log_hint("which one: fuser -v %s %s", config->ciphertext, config->state);
	else if (err == ERR_NOT_FOUND)
		log_hint("is the disk mounted? ls -ld %s %s", config->ciphertext, config->state);
	else
		log_hint("what is damaged: phifs-volume check %s", config->words);
	return err == ERR_NOT_FOUND ? ERR_UNPROVEN : err;
}

static enum err open_store(struct volume *volume)
{
	const struct config *config = volume->config;
	struct store_config store = {
		.state_path = config->state,
		.read_only = volume->setup->options->is_read_only,
	};
	enum err err = backing_real_new(config->ciphertext, &store.ciphertext);

	hooks_of_store(volume, &store.hooks);
	if (!err)
		err = backing_real_new(config->state, &store.state);
	if (!err)
		err = store_open(&store, &volume->store);
	if (!err)
		return ERR_OK;
	backing_free(store.ciphertext);
	backing_free(store.state);
	return explain_store(config, err);
}

static enum err open_audit(struct volume *volume)
{
	const struct config *config = volume->config;
	char *ring = config_run_path(config, "tail");
	char *directory = NULL;
	enum err err = ERR_NO_MEMORY;

	if (ring && asprintf(&directory, "%s/audit", config->state) > 0) {
		const struct audit_config audit = {
			.volume = config->name,
			.words = config->words,
			.mountpoint = config->mountpoint,
			.directory = directory,
			.ring_path = ring,
			.forward = config->forward,
			.sd_id = config->sd_id,
			.plain_names = config->names == CONFIG_NAMES_PLAIN,
			.coalesce = config->send == CONFIG_SEND_COALESCE,
			.segment_size = (uint64_t)config->segment_size,
			.segment_age_ms = config->segment_age_ms,
			.evidence = hook_evidence,
			.failed = hook_audit_failed,
			.ctx = volume,
		};

		err = audit_open(&audit, &volume->audit);
	}
	free(directory);
	free(ring);
	return err == ERR_NOT_FOUND ? ERR_UNPROVEN : err;
}

static void digest_config(struct volume *volume)
{
	struct hash_part text;

	text.data = config_text(volume->config, &text.len);
	sha256(&text, 1, volume->evidence.config_digest);
}

static enum err record_mount(const struct volume *volume)
{
	const struct worker_setup *setup = volume->setup;
	char policy[2 * POLICY_DIGEST_LEN + 1], config[2 * SHA256_LEN + 1], idle[48] = "never";

	hex_encode(volume->evidence.policy_digest, POLICY_DIGEST_LEN, policy);
	hex_encode(volume->evidence.config_digest, SHA256_LEN, config);
	if (volume->config->idle_ms != CONFIG_NEVER)
		snprintf(idle, sizeof(idle), "%llds", (long long)volume->config->idle_ms / 1000);
	return record_event(volume->audit, AUDIT_MOUNT, ERR_OK, NULL,
			    "version=%s idle=%s%s policy=%s config=%s kernel=%s", PACKAGE_VERSION,
			    idle, setup->options->is_read_only ? " read-only" : "", policy, config,
			    setup->selftest->text);
}

/* A policy that is missing or wrong stops the start: nothing would be decided by it. */
static enum err open_policy(struct volume *volume)
{
	enum err err = reload_load(volume->config, NULL, &volume->policy);

	if (err)
		return err;
	volume->policy_since = clock_wall_ns() / NS_PER_SECOND;
	memcpy(volume->evidence.policy_digest, policy_digest(volume->policy), POLICY_DIGEST_LEN);
	return ERR_OK;
}

static enum err open_parts(struct volume *volume)
{
	enum err err = crypto_init();

	digest_config(volume);
	if (!err)
		err = open_policy(volume);
	if (!err)
		err = check_slots(volume);
	if (!err)
		err = open_store(volume);
	if (!err)
		err = open_audit(volume);
	if (!err)
		err = session_new(volume->config->idle_ms, &volume->session);
	if (!err)
		err = callers_new(&volume->callers);
	return err ? err : record_mount(volume);
}

static void close_parts(struct volume *volume)
{
	if (!volume->fsops)
		policy_free(volume->policy);
	callers_free(volume->callers);
	store_close(volume->store);
	audit_close(volume->audit, DELIVER_MS);
	session_free(volume->session);
	pthread_cond_destroy(&volume->changed);
	pthread_mutex_destroy(&volume->mutex);
	pthread_mutex_destroy(&volume->change);
}

enum err volume_open(const struct worker_setup *setup, struct volume *volume)
{
	enum err err;

	*volume = (struct volume){.setup = setup, .config = setup->config};
	pthread_mutex_init(&volume->change, NULL);
	pthread_mutex_init(&volume->mutex, NULL);
	clock_cond_init(&volume->changed);
	volume_note_change(volume, "start", "", (uid_t)-1);
	if (volume->config->user)
		log_warning("user = %s is not used by this version: phifsd runs as root",
			    volume->config->user);
	err = open_parts(volume);
	if (err)
		close_parts(volume);
	return err;
}

void volume_close(struct volume *volume)
{
	fsops_free(volume->fsops);
	/* The policy went with it. */
	if (volume->fsops)
		volume->policy = NULL;
	volume->fsops = NULL;
	if (record_event(volume->audit, AUDIT_UNMOUNT, ERR_OK, NULL, "%s", ""))
		log_error("%s: the end could not be recorded", volume->config->name);
	close_parts(volume);
}

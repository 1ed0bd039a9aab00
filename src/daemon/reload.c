#include "daemon/reload.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/notify.h"
#include "daemon/record.h"
#include "daemon/volume.h"

/* --- loading ------------------------------------------------------------------ */

struct listener {
	const struct config *config;
	struct reload_messages *messages;
};

static void warn(const struct reload_messages *messages, const char *whole)
{
	char text[RELOAD_TEXT_MAX + 16];

	snprintf(text, sizeof(text), "warning: %s", whole);
	messages->warn(messages->ctx, text);
}

static void hear(void *ctx, bool is_error, int line, const char *text, const char *hint)
{
	struct listener *listener = ctx;
	struct reload_messages *messages = listener->messages;
	char whole[RELOAD_TEXT_MAX];

	if (line > 0)
		snprintf(whole, sizeof(whole), "%s:%d: %s", listener->config->policy, line, text);
	else
		snprintf(whole, sizeof(whole), "%s: %s", listener->config->policy, text);
	if (is_error)
		log_error("%s", whole);
	else
		log_warning("%s", whole);
	if (hint)
		log_hint("%s", hint);
	if (!is_error && messages && messages->warn)
		warn(messages, whole);
	if (!is_error || !messages || messages->first_error[0] != '\0')
		return;
	memcpy(messages->first_error, whole, sizeof(whole));
	snprintf(messages->hint, sizeof(messages->hint), "%s", hint ? hint : "");
}

enum err reload_load(const struct config *config, struct reload_messages *messages,
		     struct policy **policy)
{
	struct reload_messages own = {.warn = NULL};
	struct listener listener = {config, messages ? messages : &own};
	enum err err;

	if (messages)
		messages->first_error[0] = messages->hint[0] = '\0';
	err = policy_load(config->policy, hear, &listener, policy);
	if (!err)
		return ERR_OK;
	/* Not every failure is one of a line. */
	if (listener.messages->first_error[0] == '\0')
		hear(&listener, true, 0, err_text(err), NULL);
	log_hint("see all of it: phifs-policy check %s", config->words);
	return err == ERR_NOT_FOUND ? ERR_CONFIG : err;
}

enum err reload_check(const struct config *config)
{
	struct listener listener = {config, NULL};
	struct policy *policy = NULL;
	enum err err = reload_load(config, NULL, &policy);

	if (err)
		return err;
	(void)policy_check(policy, config->idle_ms, hear, &listener);
	policy_free(policy);
	return ERR_OK;
}

/* --- records ------------------------------------------------------------------ */

struct changes {
	struct audit *audit;
	const struct audit_person *person;
	policy_change *each;
	void *ctx;
	char text[RELOAD_TEXT_MAX]; /* what goes into the next record */
	enum err err;
};

static void record_changes(struct changes *changes)
{
	const struct audit_event event = {
		.type = AUDIT_POLICY, .person = changes->person, .detail = changes->text};

	if (changes->text[0] != '\0' && !changes->err)
		changes->err = record_quickly(changes->audit, &event);
	changes->text[0] = '\0';
}

/* As many lines in one record as fit. */
static void add_change(void *ctx, const char *text)
{
	struct changes *changes = ctx;
	size_t used = strlen(changes->text);

	if (used + strlen(text) + 3 > sizeof(changes->text)) {
		record_changes(changes);
		used = 0;
	}
	snprintf(changes->text + used, sizeof(changes->text) - used, "%s%s", used > 0 ? "; " : "",
		 text);
	if (changes->each)
		changes->each(changes->ctx, text);
}

enum err reload_record(struct audit *audit, const struct audit_person *person,
		       const struct policy *before, const struct policy *after,
		       policy_change *each, void *ctx)
{
	struct changes changes = {audit, person, each, ctx, "", ERR_OK};
	char old_digest[2 * POLICY_DIGEST_LEN + 1], new_digest[2 * POLICY_DIGEST_LEN + 1];

	hex_encode(policy_digest(before), POLICY_DIGEST_LEN, old_digest);
	hex_encode(policy_digest(after), POLICY_DIGEST_LEN, new_digest);
	policy_diff(before, after, add_change, &changes);
	record_changes(&changes);
	if (changes.err)
		return changes.err;
	return record_event(audit, AUDIT_POLICY, ERR_OK, person, "old=%s new=%s", old_digest,
			    new_digest);
}

/* --- all of it ---------------------------------------------------------------- */

static enum err put_in_force(struct volume *volume, struct policy *policy)
{
	enum err err = fsops_set_policy(volume->fsops, policy);

	if (err)
		return err;
	volume->policy = policy;
	pthread_mutex_lock(&volume->mutex);
	memcpy(volume->evidence.policy_digest, policy_digest(policy), POLICY_DIGEST_LEN);
	volume->policy_since = clock_wall_ns() / NS_PER_SECOND;
	pthread_mutex_unlock(&volume->mutex);
	return ERR_OK;
}

static void make_directories(struct volume *volume)
{
	enum err err;

	if (session_enter(volume->session, NEED_UNLOCKED))
		return; /* The next unlock makes them. */
	err = fsops_make_class_directories(volume->fsops);
	session_leave(volume->session);
	if (err)
		log_warning("%s: directories of the policy's classes: %s", volume->config->name,
			    err_text(err));
}

/* Only a start reads it; who edits it should know. */
static void look_at_config(const struct volume *volume, const struct reload_messages *messages)
{
	struct config *config = NULL;
	size_t old_len, new_len;
	const char *old_text = config_text(volume->config, &old_len), *new_text;
	char restart[NOTIFY_WORDS_MAX], text[RELOAD_TEXT_MAX];

	if (config_load(volume->config->file, &config))
		return;
	new_text = config_text(config, &new_len);
	if (old_len != new_len || memcmp(old_text, new_text, old_len) != 0) {
		snprintf(text, sizeof(text), "%.300s has changed: that takes effect at the next "
			 "start", config->file);
		log_warning("%s", text);
		if (messages && messages->warn)
			warn(messages, text);
		notify_restart_words(config, restart, sizeof(restart));
		log_hint("%s", restart);
	}
	config_free(config);
}

enum err reload_policy(struct volume *volume, const struct audit_person *person,
		       policy_change *each, void *ctx, struct reload_messages *messages)
{
	struct policy *policy = NULL;
	enum err err;

	pthread_mutex_lock(&volume->change);
	err = reload_load(volume->config, messages, &policy);
	if (err) {
		if (record_event(volume->audit, AUDIT_POLICY, err, person,
				 "refused: the policy in force stays"))
			err = ERR_AUDIT;
		goto out;
	}
	err = reload_record(volume->audit, person, volume->policy, policy, each, ctx);
	if (err) {
		policy_free(policy);
		goto out;
	}
	err = put_in_force(volume, policy);
	if (err)
		goto out;
	make_directories(volume);
	look_at_config(volume, messages);
	log_info("%s: the policy is in force", volume->config->name);
out:
	pthread_mutex_unlock(&volume->change);
	return err;
}

#include "daemon/answers.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/lock.h"
#include "daemon/record.h"
#include "daemon/reload.h"
#include "daemon/unlock.h"

/* How often a waiting answer looks whether its client is still there. */
#define WAIT_LOOK_MS 250

void answers_person(struct control_call *call, struct audit_person *person)
{
	struct volume *volume = call->ctx;
	struct caller *caller = NULL;

	if (caller_of(volume->callers, call->peer.pid, call->peer.uid, call->peer.gid, true,
		      &caller) == ERR_OK) {
		*person = *caller_person(caller);
		caller_put(caller);
		return;
	}
	/* It ended already: the kernel vouches for the numbers. */
	*person = (struct audit_person){.uid = call->peer.uid,
					.login_uid = (uid_t)-1,
					.session = UINT32_MAX,
					.pid = call->peer.pid};
}

static void copy_text(struct control_call *call, const char *message, const char *hint)
{
	snprintf(call->message, sizeof(call->message), "%s", message);
	snprintf(call->hint, sizeof(call->hint), "%s", hint);
}

/* --- unlock ------------------------------------------------------------------- */

static enum err send_unlocked(struct control_call *call, const struct unlock_result *result)
{
	const struct store_recovery *recovery = &result->recovery;
	struct wire_unlock_report report = {
		.slot = result->opened.slot,
		.was_clean = recovery->was_clean,
		.transactions = (int64_t)recovery->transactions,
		.adopted = (int64_t)recovery->adopted,
		.objects = (int64_t)recovery->objects,
		.damaged = (int64_t)recovery->damaged,
		.deleted = (int64_t)recovery->deleted,
	};

	snprintf(report.slot_name, sizeof(report.slot_name), "%s", result->opened.name);
	return control_part(call, &report);
}

static enum err answer_unlock(struct control_call *call)
{
	const struct wire_request *request = call->request;
	struct audit_person person;
	struct unlock_order order = {
		.factor = {.kind = request->unlock.is_keyfile ? SLOT_KEYFILE : SLOT_PASSPHRASE,
			   .bytes = request->secret,
			   .len = request->secret_len,
			   .slot = (uint32_t)request->unlock.slot},
		.person = &person,
		.reason = "request",
	};
	struct unlock_result result;
	enum err err;

	if (request->secret_len == 0 || request->unlock.slot < 0 ||
	    request->unlock.slot > UINT32_MAX)
		return ERR_INVALID;
	answers_person(call, &person);
	err = unlock_volume(call->ctx, &order, &result);
	copy_text(call, result.message, result.hint);
	return err ? err : send_unlocked(call, &result);
}

/* --- lock --------------------------------------------------------------------- */

static void send_holder(void *ctx, const struct fsops_holder *holder)
{
	struct control_call *call = ctx;
	struct wire_holder part = {
		.pid = holder->pid, .files = holder->open, .writing = holder->files};

	snprintf(part.program, sizeof(part.program), "%s", holder->command);
	snprintf(part.user, sizeof(part.user), "%s", holder->user);
	snprintf(part.from, sizeof(part.from), "%s", holder->from);
	/* A client that does not listen is noticed at the result. */
	(void)!control_part(call, &part);
}

static bool is_still_there(void *ctx)
{
	return !control_is_gone(ctx);
}

static enum err answer_lock(struct control_call *call)
{
	const struct wire_lock_request *request = &call->request->lock;
	struct volume *volume = call->ctx;
	struct audit_person person;
	struct lock_order order = {
		.reason = "request",
		.person = &person,
		.grace_ms = request->now	    ? 0
			    : request->grace_ms > 0 ? request->grace_ms
						    : volume->config->grace_ms,
		.each = send_holder,
		.is_wanted = is_still_there,
		.ctx = call,
	};
	struct lock_report report;
	enum err err;

	if (order.grace_ms < 0 || order.grace_ms > INT64_MAX / NS_PER_MS / 2)
		return ERR_INVALID;
	answers_person(call, &person);
	err = lock_volume(volume, &order, &report);
	if (err == ERR_BUSY)
		copy_text(call, "it is locked already", "");
	if (err || lock_report_is_clean(&report))
		return err;
	copy_text(call, "it is locked, but something had to be given up",
		  "what it was: see the log, and phifs-audit show --event LOCK");
	return report.store_err ? report.store_err : ERR_INTERRUPTED;
}

static enum err answer_holders(struct control_call *call)
{
	struct volume *volume = call->ctx;

	fsops_openers(volume->fsops, send_holder, call);
	return ERR_OK;
}

/* --- reload ------------------------------------------------------------------- */

static void send_change(void *ctx, const char *text)
{
	struct control_call *call = ctx;
	struct wire_change part;

	snprintf(part.text, sizeof(part.text), "%s", text);
	(void)!control_part(call, &part);
}

static enum err answer_reload(struct control_call *call)
{
	struct reload_messages messages = {.warn = send_change, .ctx = call};
	struct audit_person person;
	enum err err;

	answers_person(call, &person);
	err = reload_policy(call->ctx, &person, send_change, call, &messages);
	copy_text(call, messages.first_error, messages.hint);
	return err;
}

/* --- wait --------------------------------------------------------------------- */

static bool is_in_state(const struct volume *volume, const char *wanted)
{
	return strcmp(session_state_name(session_state(volume->session)), wanted) == 0;
}

static enum err answer_wait(struct control_call *call)
{
	const struct wire_wait_request *request = &call->request->wait;
	struct volume *volume = call->ctx;
	int64_t now = clock_boot_ns(), deadline = INT64_MAX, look;

	if (strcmp(request->state, "locked") != 0 && strcmp(request->state, "unlocked") != 0)
		return ERR_INVALID;
	if (request->timeout_ms > 0 && request->timeout_ms < (INT64_MAX - now) / NS_PER_MS)
		deadline = now + request->timeout_ms * NS_PER_MS;
	while (!is_in_state(volume, request->state)) {
		now = clock_boot_ns();
		if (now >= deadline)
			return ERR_AGAIN;
		if (control_is_gone(call))
			return ERR_INTERRUPTED;
		look = now + WAIT_LOOK_MS * NS_PER_MS;
		pthread_mutex_lock(&volume->mutex);
		if (!is_in_state(volume, request->state))
			clock_cond_wait(&volume->changed, &volume->mutex,
					look < deadline ? look : deadline);
		pthread_mutex_unlock(&volume->mutex);
	}
	return ERR_OK;
}

/* --- why ---------------------------------------------------------------------- */

static void name_user(uid_t uid, char *name, size_t size)
{
	struct passwd entry, *found = NULL;
	char text[4096];

	if (getpwuid_r(uid, &entry, text, sizeof(text), &found) == 0 && found)
		snprintf(name, size, "%s", found->pw_name);
	else
		snprintf(name, size, "%u", uid);
}

/* A name first, then a number, as phifs-policy(1) takes them. */
static bool find_user(const char *name, uid_t *uid)
{
	struct passwd entry, *found = NULL;
	unsigned long long number;
	char text[4096], *end;

	if (getpwnam_r(name, &entry, text, sizeof(text), &found) == 0 && found) {
		*uid = found->pw_uid;
		return true;
	}
	number = strtoull(name, &end, 10);
	*uid = (uid_t)number;
	return name[0] >= '0' && name[0] <= '9' && *end == '\0' && number < (uid_t)-1;
}

static void send_refusal(void *ctx, const struct fsops_refusal *refusal)
{
	static const uint8_t no_object[sizeof(refusal->object_id)];
	struct control_call *call = ctx;
	const struct volume *volume = call->ctx;
	struct wire_refusal part = {.time = refusal->wall_ns / NS_PER_SECOND, .count = 1};

	name_user(refusal->uid, part.user, sizeof(part.user));
	if (refusal->login_uid != LOGIN_UID_UNSET)
		name_user(refusal->login_uid, part.login_user, sizeof(part.login_user));
	snprintf(part.action, sizeof(part.action), "%s", refusal->action);
	snprintf(part.class_name, sizeof(part.class_name), "%s", refusal->class_name);
	if (memcmp(refusal->object_id, no_object, sizeof(no_object)) != 0)
		hex_encode(refusal->object_id, sizeof(refusal->object_id), part.object);
	snprintf(part.rule, sizeof(part.rule), "%s",
		 refusal->cause[0] != '\0' ? refusal->cause : err_text(refusal->err));
	if (refusal->err != ERR_LOCKED)
		snprintf(part.hint, sizeof(part.hint), "phifs-policy test %s %s %s PATH",
			 volume->config->words, part.user, part.action);
	(void)!control_part(call, &part);
}

static enum err answer_why(struct control_call *call)
{
	const char *user = call->request->why.user;
	struct volume *volume = call->ctx;
	uid_t uid = call->peer.uid;

	if (user[0] != '\0' && !find_user(user, &uid)) {
		copy_text(call, "there is no such user on this host", "");
		return ERR_NOT_FOUND;
	}
	fsops_refusals(volume->fsops, uid, send_refusal, call);
	return ERR_OK;
}

/* --- keys --------------------------------------------------------------------- */

/* For `status`; what it says is believed only by the next unlock, which verifies it. */
static void count_slots(struct volume *volume, uint64_t generation)
{
	const struct config *config = volume->config;
	struct slots *slots = NULL;
	bool is_loaded = slots_load(config->ciphertext, config->state, &slots) == ERR_OK;

	pthread_mutex_lock(&volume->mutex);
	if (is_loaded)
		volume->slot_count = slots_count(slots);
	if (generation > volume->evidence.slots_generation)
		volume->evidence.slots_generation = generation;
	pthread_mutex_unlock(&volume->mutex);
	slots_free(slots);
}

static enum err answer_key_changed(struct control_call *call)
{
	const struct wire_key_changed_request *request = &call->request->key_changed;
	struct volume *volume = call->ctx;
	struct audit_person person;
	enum err err;

	if (request->generation <= 0 || request->change[0] == '\0')
		return ERR_INVALID;
	answers_person(call, &person);
	err = record_event(volume->audit, AUDIT_KEY, ERR_OK, &person, "%s, generation %lld",
			   request->change, (long long)request->generation);
	if (!err)
		count_slots(volume, (uint64_t)request->generation);
	return err;
}

/* --- the table ---------------------------------------------------------------- */

static uid_t opener(void *ctx)
{
	struct volume *volume = ctx;
	uid_t uid;

	pthread_mutex_lock(&volume->mutex);
	uid = volume->opener;
	pthread_mutex_unlock(&volume->mutex);
	return uid;
}

static void refused(struct control_call *call)
{
	struct volume *volume = call->ctx;
	struct audit_person person;
	const struct audit_event event = {.type = AUDIT_DENY,
					  .err = ERR_DENIED,
					  .person = &person,
					  .action = wire_type_name(call->request->type),
					  .detail = "control socket"};

	answers_person(call, &person);
	/* Anybody may ask in a loop: that must not fill the journal. */
	if (fsops_note_refusal(volume->fsops, &event, event.detail) &&
	    record_quickly(volume->audit, &event))
		log_error("%s: a refusal could not be recorded", volume->config->name);
}

void answers_fill(struct volume *volume, struct control_calls *calls)
{
	*calls = (struct control_calls){
		.ctx = volume,
		.answers = {
#define REQUEST(id, word, request, part, secret) [WIRE_##id] = answer_##word,
#include "wire/requests.def"
#undef REQUEST
		},
		.opener = opener,
		.refused = refused,
	};
}

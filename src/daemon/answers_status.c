#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "daemon/answers.h"

#define COPY(field, text) snprintf(field, sizeof(field), "%s", text)

static void fill_space(const struct config *config, struct wire_status *status)
{
	struct statvfs space;

	if (statvfs(config->ciphertext, &space) == 0) {
		status->bytes_free = (int64_t)(space.f_bavail * space.f_frsize);
		status->bytes_total = (int64_t)(space.f_blocks * space.f_frsize);
	}
	if (statvfs(config->state, &space) == 0)
		status->state_bytes_free = (int64_t)(space.f_bavail * space.f_frsize);
}

static void fill_store(struct volume *volume, struct wire_status *status)
{
	struct store_status store;

	volume_store_status(volume, &store);
	status->is_frozen = store.is_frozen;
	status->objects = (int64_t)store.objects;
	status->damaged = (int64_t)store.damaged;
	status->dirty_bytes = (int64_t)store.dirty_bytes;
	status->commits = (int64_t)store.commits;
	status->checkpoints = (int64_t)store.checkpoints;
	status->journal_seq = (int64_t)store.journal_seq;
}

static void fill_audit(struct volume *volume, struct wire_status *status)
{
	struct audit_status audit;

	audit_status(volume->audit, &audit);
	status->audit_records = (int64_t)audit.appended;
	status->audit_sealed = (int64_t)audit.sealed;
	status->audit_sealed_age_ms = audit.sealed_age_ms;
	status->audit_delivered = (int64_t)audit.delivered;
	status->has_collector = volume->config->forward != NULL;
	status->is_connected = audit.is_connected;
	status->is_audit_failed = audit.is_failed;
}

static void fill_requests(struct volume *volume, struct wire_status *status)
{
	struct fsops_status fsops;

	fsops_status(volume->fsops, &fsops);
	status->handles = (int64_t)fsops.open_handles;
	status->in_flight = (int64_t)session_in_flight(volume->session);
	status->idle_ms = volume->config->idle_ms;
	status->idle_left_ms = session_idle_left_ms(volume->session);
	COPY(status->state, session_state_name(session_state(volume->session)));
}

/* What is kept under the volume's mutex. */
static void fill_noted(struct volume *volume, struct wire_status *status)
{
	pthread_mutex_lock(&volume->mutex);
	COPY(status->reason, volume->reason);
	COPY(status->by, volume->by);
	status->since = volume->changed_at;
	status->slots = (int64_t)volume->slot_count;
	status->slots_generation = (int64_t)volume->evidence.slots_generation;
	status->epoch = volume->epoch;
	status->policy_since = volume->policy_since;
	hex_encode(volume->evidence.policy_digest, POLICY_DIGEST_LEN, status->policy_digest);
	pthread_mutex_unlock(&volume->mutex);
}

enum err answer_status(struct control_call *call)
{
	struct volume *volume = call->ctx;
	const struct config *config = volume->config;
	struct wire_status status = {
		.pid = getpid(), .is_read_only = volume->setup->options->is_read_only};

	COPY(status.name, config->name);
	COPY(status.version, PACKAGE_VERSION);
	COPY(status.mountpoint, config->mountpoint);
	COPY(status.contact, config->contact ? config->contact : "");
	COPY(status.kernel, volume->setup->selftest->text);
	COPY(status.transport, channel_has_ring(volume->channel) ? "io-uring" : "fuse-device");
	fill_space(config, &status);
	fill_store(volume, &status);
	fill_audit(volume, &status);
	fill_requests(volume, &status);
	fill_noted(volume, &status);
	return control_part(call, &status);
}

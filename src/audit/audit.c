#include "audit/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/recover.h"
#include "audit/trail.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secmem.h"

#define SEGMENT_SIZE_MIN (64u << 10)

const char *audit_type_name(enum audit_type type)
{
	static const char *const names[] = {
#define EVENT(name, severity) #name,
#include "audit/events.def"
#undef EVENT
	};

	return (unsigned int)type < AUDIT_TYPE_COUNT ? names[type] : "UNKNOWN";
}

static enum err read_boot_id(uint8_t id[AUDIT_ID_LEN])
{
	char text[40], digits[2 * AUDIT_ID_LEN + 1];
	size_t count = 0;
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	bool is_read = file != NULL && fgets(text, sizeof(text), file) != NULL;

	if (file != NULL)
		fclose(file);
	if (!is_read)
		return ERR_SYSTEM;
	for (const char *c = text; *c != '\0' && count < sizeof(digits) - 1; c++) {
		if (*c != '-')
			digits[count++] = *c;
	}
	digits[count] = '\0';
	return hex_decode(digits, id, AUDIT_ID_LEN) ? ERR_OK : ERR_SYSTEM;
}

static bool copy_text(const char **text)
{
	if (*text == NULL)
		return true;
	*text = strdup(*text);
	return *text != NULL;
}

/* The caller's strings may go away: ours are copies. */
static enum err copy_config(struct audit *audit, const struct audit_config *config)
{
	struct audit_config *copy = &audit->config;
	bool done;

	*copy = *config;
	done = copy_text(&copy->volume);
	done = copy_text(&copy->words) && done;
	done = copy_text(&copy->mountpoint) && done;
	done = copy_text(&copy->directory) && done;
	done = copy_text(&copy->ring_path) && done;
	done = copy_text(&copy->forward) && done;
	done = copy_text(&copy->sd_id) && done;
	if (copy->segment_size < SEGMENT_SIZE_MIN)
		copy->segment_size = SEGMENT_SIZE_MIN;
	return done ? ERR_OK : ERR_NO_MEMORY;
}

static void free_audit(struct audit *audit, bool remove_ring)
{
	drain_free(audit);
	ring_close(audit->append.ring, remove_ring);
	append_free(&audit->append);
	state_close(audit->state_file, audit->state);
	if (audit->dir_fd >= 0)
		close(audit->dir_fd);
	free((char *)audit->config.volume);
	free((char *)audit->config.words);
	free((char *)audit->config.mountpoint);
	free((char *)audit->config.directory);
	free((char *)audit->config.ring_path);
	free((char *)audit->config.forward);
	free((char *)audit->config.sd_id);
	free(audit);
}

/* For hints: what names the volume on a command line. */
static const char *words_of(const struct audit *audit)
{
	return audit->config.words != NULL ? audit->config.words : audit->config.volume;
}

static void explain_open(const struct audit *audit, enum err err)
{
	const char *volume = audit->config.volume, *words = words_of(audit);

	if (err == ERR_BUSY) {
		log_error("the audit journal of %s is in use by another process", volume);
		log_hint("see which one: phifsctl status %s", words);
	} else if (err == ERR_NOT_FOUND) {
		log_error("the audit journal of %s is missing or not whole in %s", volume,
			  audit->config.directory);
		log_hint("restore %s from a backup; what is there: phifs-audit verify %s",
			 audit->config.directory, words);
	} else {
		log_error("the audit journal of %s in %s cannot be opened: %s", volume,
			  audit->config.directory, err_text(err));
		log_hint("see what is wrong: phifs-audit verify %s", words);
	}
}

/* Directory, identity, state, ring: everything that is read before the chain is. */
static enum err open_files(struct audit *audit, enum ring_found *found)
{
	enum err err;

	audit->dir_fd = open(audit->config.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (audit->dir_fd < 0)
		return err_from_errno(errno);
	err = identity_load(audit->dir_fd, &audit->identity);
	if (err == ERR_OK)
		err = state_open(audit->dir_fd, &audit->state_file, &audit->state);
	if (err == ERR_OK && memcmp(audit->state->journal_id, audit->identity.journal_id,
				    AUDIT_ID_LEN) != 0)
		err = ERR_TAMPERED;
	if (err == ERR_OK)
		err = ring_open(audit->config.ring_path, audit->identity.journal_id,
				&audit->append.ring, found);
	/* INVALID: something else than a file lies there. */
	return err == ERR_FORMAT || err == ERR_INVALID ? ERR_TAMPERED : err;
}

/* The bookmarks with which the forwarder starts. */
static void set_bookmarks(struct audit *audit, bool is_same_boot)
{
	struct drain *drain = &audit->drain;
	const struct audit_state *state = audit->state;
	/* Where the segment that is about to begin will begin. */
	const struct position begin = {audit->append.segment + 1, 0, audit->append.chain};

	if (!state->is_forwarding || audit->config.forward == NULL) {
		drain->delivered = drain->settled = begin;
		if (state->is_forwarding && state->key_count > 0)
			log_warning("records of %s that wait for syslog-ng will not be sent: "
				    "'forward' is not set any more",
				    audit->config.volume);
		return;
	}
	/* What a collector wrote in the last minute before a power cut may be gone. */
	drain->delivered = is_same_boot ? state->delivered : state->settled;
	/* Nothing is left to be sent; the key of that segment may be gone. */
	if (drain->delivered.chain.seq == begin.chain.seq)
		drain->delivered = begin;
	drain->settled = drain->delivered;
}

/* Take over where the recovery ended and begin this run's first segment. */
static enum err begin_run(struct audit *audit, const struct recovery *recovery)
{
	struct audit_state *state = audit->state;
	bool is_same_boot = memcmp(state->boot_id, audit->boot_id, AUDIT_ID_LEN) == 0;
	char last[2 * SHA256_LEN + 1], old_boot[2 * AUDIT_ID_LEN + 1], detail[256];
	enum err err;

	audit->append.chain = recovery->end.chain;
	audit->append.segment = recovery->end.segment;
	memcpy(audit->append.counts, recovery->counts, sizeof(recovery->counts));
	audit->drain.segment = recovery->end.segment;
	audit->drain.drained = audit->drain.durable = recovery->end.chain.seq;
	audit->drain.sealed = recovery->was_clean ? recovery->end.chain.seq : 0;
	audit->drain.sealed_at_ns = clock_boot_ns();
	set_bookmarks(audit, is_same_boot);
	hex_encode(recovery->end.chain.hash, SHA256_LEN, last);
	hex_encode(state->boot_id, AUDIT_ID_LEN, old_boot);
	snprintf(detail, sizeof(detail),
		 "last=%" PRIu64 " hash=%s torn=%" PRIu64 " ring=%" PRIu64 " boot=%s",
		 recovery->end.chain.seq, last, recovery->torn, recovery->from_ring, old_boot);
	if (!recovery->was_clean)
		log_warning("the last run of %s ended without a stop: audit records up to %" PRIu64
			    " are there, %" PRIu64 " of them from the ring; %" PRIu64
			    " torn bytes",
			    audit->config.volume, recovery->end.chain.seq, recovery->from_ring,
			    recovery->torn);
	state->sealed = recovery->end;
	memcpy(state->counts, recovery->counts, sizeof(recovery->counts));
	state->is_clean = false;
	memcpy(state->boot_id, audit->boot_id, AUDIT_ID_LEN);
	ring_reset(audit->append.ring);
	err = rotate_segment(audit, false, recovery->was_clean ? NULL : detail);
	if (err == ERR_OK)
		err = drain_sync(audit);
	if (err == ERR_OK)
		err = rotate_commit(audit);
	return err == ERR_OK ? rotate_prepare_spare(audit) : err;
}

/* It has said what is wrong. */
static enum err recover(struct audit *audit, enum ring_found found, struct recovery *recovery)
{
	enum err err = recover_trail(audit->dir_fd, audit->config.volume, &audit->identity,
				     audit->state, audit->append.ring, found, audit->boot_id,
				     recovery);

	if (err != ERR_OK)
		log_hint("%s stays closed. To see what is wrong: phifs-audit verify %s",
			 audit->config.volume, words_of(audit));
	return err;
}

enum err audit_open(const struct audit_config *config, struct audit **out)
{
	struct audit *audit = calloc(1, sizeof(*audit));
	struct recovery recovery;
	enum ring_found found = RING_NEW;
	enum err err;

	if (audit == NULL)
		return ERR_NO_MEMORY;
	audit->dir_fd = -1;
	err = drain_init(audit);
	if (err == ERR_OK)
		err = append_init(&audit->append);
	if (err == ERR_OK)
		err = copy_config(audit, config);
	if (err == ERR_OK)
		err = read_boot_id(audit->boot_id);
	if (err == ERR_OK) {
		err = open_files(audit, &found);
		if (err != ERR_OK)
			explain_open(audit, err);
	}
	if (err == ERR_OK)
		err = recover(audit, found, &recovery);
	if (err == ERR_OK)
		err = begin_run(audit, &recovery);
	if (err == ERR_OK && audit->config.forward != NULL)
		err = forward_start(audit);
	if (err == ERR_OK)
		err = drain_start(audit);
	if (err != ERR_OK) {
		forward_stop(audit, 0);
		free_audit(audit, false);
		return err;
	}
	*out = audit;
	return ERR_OK;
}

/* Ask for a seal and wait until it is durable. */
static enum err seal_and_wait(struct audit *audit, enum seal_kind kind)
{
	struct drain *drain = &audit->drain;
	uint64_t ticket;
	enum err err;

	pthread_mutex_lock(&drain->lock);
	ticket = ++drain->seals_wanted;
	drain->seal_kind = kind;
	pthread_cond_signal(&drain->wake);
	while (drain->seals_done < ticket && !atomic_load(&drain->is_failed))
		pthread_cond_wait(&drain->done, &drain->lock);
	err = drain->seals_done >= ticket ? ERR_OK : ERR_AUDIT;
	pthread_mutex_unlock(&drain->lock);
	return err;
}

enum err audit_seal(struct audit *audit)
{
	return seal_and_wait(audit, SEAL_LOCK);
}

void audit_close(struct audit *audit, int64_t deliver_ms)
{
	bool is_clean;

	if (audit == NULL)
		return;
	is_clean = seal_and_wait(audit, SEAL_STOP) == ERR_OK;
	/* First who wakes the forwarder: it is freed then. */
	drain_stop(audit);
	forward_stop(audit, deliver_ms);
	is_clean = is_clean && !atomic_load(&audit->drain.is_failed) &&
		   drain_finish(audit) == ERR_OK;
	if (is_clean) {
		audit->state->is_clean = true;
		is_clean = rotate_commit(audit) == ERR_OK;
	}
	free_audit(audit, is_clean);
}

uint64_t audit_flush_begin(struct audit *audit)
{
	struct drain *drain = &audit->drain;
	uint64_t seq = atomic_load(&audit->append.appended);

	pthread_mutex_lock(&drain->lock);
	if (seq > drain->durable && seq > drain->flush_wanted) {
		drain->flush_wanted = seq;
		pthread_cond_signal(&drain->wake);
	}
	pthread_mutex_unlock(&drain->lock);
	return seq;
}

/* With drain.lock held: make the drain work until `seq` is durable. */
static void want_flush(struct drain *drain, uint64_t seq)
{
	if (seq <= drain->flush_wanted)
		return;
	drain->flush_wanted = seq;
	pthread_cond_signal(&drain->wake);
}

enum err audit_flush_wait(struct audit *audit, uint64_t seq)
{
	struct drain *drain = &audit->drain;
	enum err err;

	if (seq > atomic_load(&audit->append.appended))
		return ERR_INVALID;
	pthread_mutex_lock(&drain->lock);
	while (drain->durable < seq && !atomic_load(&drain->is_failed)) {
		want_flush(drain, seq);
		pthread_cond_wait(&drain->done, &drain->lock);
	}
	err = drain->durable >= seq ? ERR_OK : ERR_AUDIT;
	pthread_mutex_unlock(&drain->lock);
	return err;
}

void audit_flush_async(struct audit *audit, uint64_t seq, audit_done *done, void *ctx)
{
	struct drain *drain = &audit->drain;
	struct flush_waiter *waiter = malloc(sizeof(*waiter));
	enum err err = ERR_AGAIN;

	pthread_mutex_lock(&drain->lock);
	if (seq <= drain->durable)
		err = ERR_OK;
	else if (atomic_load(&drain->is_failed))
		err = ERR_AUDIT;
	else if (waiter == NULL)
		err = ERR_NO_MEMORY;
	else if (seq > atomic_load(&audit->append.appended))
		err = ERR_INVALID;
	if (err == ERR_AGAIN) {
		*waiter = (struct flush_waiter){drain->waiters, seq, done, ctx};
		drain->waiters = waiter;
		want_flush(drain, seq);
	}
	pthread_mutex_unlock(&drain->lock);
	if (err != ERR_AGAIN) {
		free(waiter);
		done(ctx, err);
	}
}

void audit_status(struct audit *audit, struct audit_status *status)
{
	struct drain *drain = &audit->drain;
	int64_t now = clock_boot_ns();

	memset(status, 0, sizeof(*status));
	status->appended = atomic_load(&audit->append.appended);
	status->is_failed = atomic_load(&drain->is_failed);
	status->is_connected = forward_is_connected(audit->forwarder);
	pthread_mutex_lock(&drain->lock);
	status->durable = drain->durable;
	status->sealed = drain->sealed;
	status->sealed_age_ms = drain->sealed == 0 ? 0 : (now - drain->sealed_at_ns) / NS_PER_MS;
	status->delivered = drain->delivered.chain.seq;
	status->segment = drain->durable_end.segment;
	pthread_mutex_unlock(&drain->lock);
}

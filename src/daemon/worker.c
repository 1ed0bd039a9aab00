#include "daemon/worker.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/answers.h"
#include "daemon/detach.h"
#include "daemon/idle.h"
#include "daemon/link.h"
#include "daemon/lock.h"
#include "daemon/notify.h"
#include "daemon/record.h"
#include "daemon/reload.h"
#include "daemon/serve.h"
#include "daemon/signals.h"
#include "daemon/unlock.h"
#include "daemon/watchdog.h"

struct worker {
	struct volume volume;
	struct serve serve;
	struct control *control;
	struct idle *idle;
	struct watchdog *watchdog;
	int signals;
	bool has_ended; /* the connection, before we wanted it */
};

/* --- idle --------------------------------------------------------------------- */

static int64_t idle_left(void *ctx)
{
	struct volume *volume = ctx;

	if (atomic_load(&volume->is_audit_failed) &&
	    session_state(volume->session) == SESSION_UNLOCKED)
		return 0;
	return session_idle_left_ms(volume->session);
}

/* Nobody used the volume for so long: a grace would only lengthen the time. */
static void idle_due(void *ctx)
{
	struct volume *volume = ctx;
	const struct lock_order order = {
		.reason = atomic_load(&volume->is_audit_failed) ? "audit" : "idle"};
	struct lock_report report;

	if (lock_volume(volume, &order, &report) == ERR_OK)
		log_info("%s is locked (%s)", volume->config->name, order.reason);
}

static enum err start_idle(struct worker *worker)
{
	const struct idle_calls calls = {
		.ctx = &worker->volume, .left_ms = idle_left, .due = idle_due};

	return idle_new(&calls, &worker->idle);
}

/* --- watchdog ----------------------------------------------------------------- */

static int64_t stuck_ns(void *ctx)
{
	struct worker *worker = ctx;

	return invalidate_stuck_ns(worker->volume.invalidate);
}

static void abort_connection(void *ctx)
{
	struct worker *worker = ctx;
	enum err err = serve_abort(&worker->serve);
	char restart[NOTIFY_WORDS_MAX];

	log_error("%s: dropping pages hangs in the kernel: the connection was ended%s",
		  worker->volume.config->name, err ? ", but could not be" : "");
	notify_restart_words(worker->volume.config, restart, sizeof(restart));
	log_hint("%s", restart);
}

static void tell_alive(void *ctx)
{
	(void)ctx;
	notify_send("WATCHDOG=1");
}

static enum err start_watchdog(struct worker *worker)
{
	const struct watchdog_calls calls = {
		.ctx = worker,
		.stuck_ns = stuck_ns,
		.abort = abort_connection,
		.alive = tell_alive,
		.alive_ns = notify_watchdog_ns(),
		.stuck_ms = WATCHDOG_STUCK_MS,
	};

	return watchdog_new(&calls, &worker->watchdog);
}

/* --- control ------------------------------------------------------------------ */

static enum err start_control(struct worker *worker)
{
	char *path = config_run_path(worker->volume.config, "sock");
	struct control_calls calls;
	enum err err;

	answers_fill(&worker->volume, &calls);
	err = path ? control_start(&calls, path, &worker->control) : ERR_NO_MEMORY;
	free(path);
	return err;
}

/* --- life --------------------------------------------------------------------- */

static enum err start(struct worker *worker, const struct worker_setup *setup)
{
	enum err err = serve_start(&worker->volume, &worker->serve);

	if (!err)
		err = start_watchdog(worker);
	if (!err)
		err = start_control(worker);
	if (!err)
		err = start_idle(worker);
	if (err)
		return err;
	unlock_at_start(&worker->volume);
	log_info("%s is mounted at %s, %s; kernel %s", setup->config->name,
		 setup->config->mountpoint,
		 session_state_name(session_state(worker->volume.session)), setup->selftest->text);
	notify_send("READY=1");
	err = link_ready(setup->link);
	if (!err && !setup->options->is_foreground)
		detach_streams();
	return err;
}

static void reload(struct volume *volume)
{
	struct reload_messages messages;
	enum err err;

	notify_send("RELOADING=1");
	err = reload_policy(volume, NULL, NULL, NULL, &messages);
	if (err)
		log_warning("%s: the policy in force stays", volume->config->name);
	notify_send("READY=1");
}

static void run(struct worker *worker, int link)
{
	enum signals_event event;

	while ((event = signals_wait(worker->signals, link, worker->serve.ended)) ==
	       SIGNALS_RELOAD)
		reload(&worker->volume);
	worker->has_ended = event == SIGNALS_ENDED;
}

/* Commits everything; whoever is in the middle of something is cut off. */
static void lock_at_end(struct worker *worker)
{
	struct volume *volume = &worker->volume;
	const struct lock_order order = {.reason = worker->has_ended ? "unmounted" : "signal"};
	struct lock_report report;
	enum err err = lock_volume(volume, &order, &report);

	if (err && err != ERR_BUSY)
		log_error("%s could not be locked: %s", volume->config->name, err_text(err));
}

/*
 * Nothing is freed while something hangs in it: the process ends, and what was
 * committed is there at the next start.
 */
static enum err stop(struct worker *worker)
{
	struct volume *volume = &worker->volume;
	enum err err = ERR_OK;

	notify_send("STOPPING=1");
	idle_free(worker->idle);
	if (volume->fsops)
		lock_at_end(worker);
	control_stop(worker->control);
	/* Somebody may have unlocked it in between. */
	if (volume->fsops)
		lock_at_end(worker);
	serve_unmount(&worker->serve);
	watchdog_free(worker->watchdog);
	if (!volume->is_hung)
		err = serve_stop(&worker->serve);
	if (!err && !volume->is_hung) {
		volume_close(volume);
		return ERR_OK;
	}
	(void)!serve_abort(&worker->serve);
	if (record_event(volume->audit, AUDIT_UNMOUNT, ERR_INTERRUPTED, NULL,
			 "something hangs; the process ends"))
		log_error("%s: the end could not be recorded", volume->config->name);
	audit_close(volume->audit, 0);
	return ERR_IO;
}

enum err worker_run(const struct worker_setup *setup)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	enum err err, ended;

	if (!worker)
		return ERR_NO_MEMORY;
	err = signals_open(&worker->signals);
	if (!err)
		err = volume_open(setup, &worker->volume);
	if (err) {
		free(worker);
		return err;
	}
	err = start(worker, setup);
	if (!err)
		run(worker, setup->link);
	ended = stop(worker);
	if (!ended)
		free(worker);
	return err ? err : ended;
}

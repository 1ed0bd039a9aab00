#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "tools/ctl/ctl.h"

/* How often a daemon that is not there yet is looked for. */
#define RETRY_NS (200 * NS_PER_MS)

/* Milliseconds left; 0 is for ever on the wire, so the last one counts as 1. */
static int64_t left_ms(int64_t deadline_ns)
{
	int64_t left = (deadline_ns - clock_boot_ns()) / NS_PER_MS;

	return deadline_ns == INT64_MAX ? 0 : left > 0 ? left : 1;
}

/* One conversation; its result, or ERR_NOT_RUNNING without a word. */
static enum err wait_once(const struct config *config, const struct wire_request *request)
{
	struct wire_result result = {0};
	struct client *client = NULL;
	enum err err = daemon_connect_quietly(config, &client);

	if (err == ERR_OK)
		err = client_call(client, request, NULL, NULL, &result);
	client_close(client);
	if (err == ERR_OK && result.error != ERR_OK && result.error != ERR_AGAIN)
		return cli_fail((enum err)result.error, "%s: %s", config->name, result.message);
	if (err != ERR_OK && err != ERR_NOT_RUNNING)
		return cli_fail(err, "%s: %s", config->name, err_text(err));
	return err != ERR_OK ? err : (enum err)result.error;
}

/*
 * A service that waits for its volume may be started before phifsd is, or see
 * it restarted: a daemon that is not there is waited for.
 */
static enum err wait_until(const struct call *call, const struct config *config, const char *state,
			   int64_t timeout_ms)
{
	struct wire_request request = {.type = WIRE_WAIT};
	int64_t deadline_ns = INT64_MAX;
	enum err err;

	if (timeout_ms < INT64_MAX / NS_PER_MS / 2)
		deadline_ns = clock_boot_ns() + timeout_ms * NS_PER_MS;
	snprintf(request.wait.state, sizeof(request.wait.state), "%s", state);
	do {
		request.wait.timeout_ms = left_ms(deadline_ns);
		err = wait_once(config, &request);
		if (err == ERR_NOT_RUNNING)
			clock_sleep_ns(RETRY_NS);
	} while ((err == ERR_NOT_RUNNING || err == ERR_AGAIN) && clock_boot_ns() < deadline_ns);
	if (err == ERR_NOT_RUNNING)
		daemon_say_not_running(call, config);
	if (err == ERR_AGAIN) {
		cli_fail(err, "%s is not %s yet: the time is over", config->name, state);
		log_hint("how it is: phifsctl status%s", cli_volume_words(call));
	}
	return err;
}

enum err cmd_wait(const struct call *call)
{
	bool unlocked = cli_count(call, OPT_UNLOCKED) > 0, locked = cli_count(call, OPT_LOCKED) > 0;
	struct config *config = NULL;
	int64_t timeout_ms = CONFIG_NEVER;
	enum err err;

	if (unlocked == locked)
		return cli_usage_error(call, "wait for what: --unlocked or --locked?");
	if ((err = ctl_time(call, OPT_TIMEOUT, &timeout_ms)) != ERR_OK ||
	    (err = cli_load_config(call, &config)) != ERR_OK)
		return err;
	err = wait_until(call, config, unlocked ? "unlocked" : "locked", timeout_ms);
	config_free(config);
	return err;
}

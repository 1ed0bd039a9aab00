/*
 * Talking to a volume's daemon, for any tool: errors and hints are printed
 * here, in the same words everywhere.
 */
#ifndef PHIFS_TOOLS_CLI_DAEMON_H
#define PHIFS_TOOLS_CLI_DAEMON_H

#include "config/config.h"
#include "tools/cli/command.h"
#include "wire/client.h"

/* config_load of the call's volume. */
enum err cli_load_config(const struct call *call, struct config **config) MUST_CHECK;

/* Connect; ERR_NOT_RUNNING with a hint how to start it. */
enum err daemon_connect(const struct call *call, const struct config *config,
			struct client **client) MUST_CHECK;
/* What it says then. */
void daemon_say_not_running(const struct call *call, const struct config *config);
/* The same without a word, for tools that work with and without a daemon. */
enum err daemon_connect_quietly(const struct config *config, struct client **client) MUST_CHECK;

/*
 * Returns when no daemon of the volume is ending any more: umount(8) returns earlier.  Returns
 * at once if the volume is mounted, and at last after its lock's deadline.
 */
void daemon_wait_for_end(const struct config *config);

/* client_call, and the result's error printed with its hint and returned. */
enum err daemon_ask(const struct call *call, const struct config *config, struct client *client,
		    const struct wire_request *request, client_part *part, void *ctx) MUST_CHECK;

#endif

#include "tools/cli/daemon.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum err cli_load_config(const struct call *call, struct config **config)
{
	return config_load(call->volume, config);
}

enum err daemon_connect_quietly(const struct config *config, struct client **client)
{
	char *path = config_run_path(config, "sock");
	enum err err = path != NULL ? client_connect(path, client) : ERR_NO_MEMORY;

	free(path);
	return err;
}

enum err daemon_connect(const struct call *call, const struct config *config,
			struct client **client)
{
	enum err err = daemon_connect_quietly(config, client);

	if (err == ERR_NOT_RUNNING) {
		log_error("%s is not running", config->name);
		if (call->volume != NULL && strchr(call->volume, '/') != NULL)
			log_hint("start it with: phifsd%s", cli_volume_words(call));
		else
			log_hint("start it with: systemctl start phifs@%s", config->name);
	} else if (err == ERR_DENIED) {
		log_error("the process behind the socket of %s is not root's: nothing was sent",
			  config->name);
		log_hint("who is it: ls -l %s", config->run_directory);
	} else if (err != ERR_OK) {
		log_error("cannot reach the daemon of %s: %s", config->name, err_text(err));
	}
	return err;
}

/* What to type next when the daemon itself has no better idea. */
static const struct {
	enum err err;
	const char *text; /* the volume's words are put behind it */
} usual_hints[] = {
	{ERR_LOCKED, "unlock it with: phifsctl unlock"},
	{ERR_PASSPHRASE, "other ways in: phifs-key list"},
	{ERR_TAMPERED, "what is damaged: phifs-volume check"},
	{ERR_NOT_RUNNING, "see how it ended, then start it: phifsd"},
	{ERR_FORMAT, "is the daemon of an older version? Compare with: phifsctl status"},
};

static void print_hint(const struct call *call, const struct wire_result *result)
{
	if (result->hint[0] != '\0') {
		log_hint("%s", result->hint);
		return;
	}
	for (size_t i = 0; i < sizeof(usual_hints) / sizeof(usual_hints[0]); i++) {
		if ((enum err)result->error == usual_hints[i].err)
			log_hint("%s%s", usual_hints[i].text, cli_volume_words(call));
	}
}

enum err daemon_ask(const struct call *call, const struct config *config, struct client *client,
		    const struct wire_request *request, client_part *part, void *ctx)
{
	struct wire_result result = {0};
	enum err err = client_call(client, request, part, ctx, &result);

	if (err == ERR_OK && result.error == ERR_OK)
		return ERR_OK;
	if (err != ERR_OK) {
		result.error = err;
		result.hint[0] = '\0';
		log_error("%s: the daemon broke off: %s", config->name, err_text(err));
	} else {
		log_error("%s: %s", config->name,
			  result.message[0] != '\0' ? result.message
						    : err_text((enum err)result.error));
	}
	print_hint(call, &result);
	return (enum err)result.error;
}

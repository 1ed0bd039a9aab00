#include "tools/cli/daemon.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"

#define END_MS 10000 /* of a daemon, behind its lock's deadline */
#define SYSTEMD_RUNS "/run/systemd/system" /* sd_booted(3) */

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

void daemon_wait_for_end(const struct config *config)
{
	const struct timespec pause = {.tv_nsec = 50 * NS_PER_MS};
	int64_t end = clock_boot_ns() + (config->deadline_ms + END_MS) * NS_PER_MS;
	char *path = config_run_path(config, "lock");
	int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	while (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && !io_is_mount(config->mountpoint) &&
	       clock_boot_ns() < end)
		nanosleep(&pause, NULL);
	if (fd >= 0)
		close(fd);
	free(path);
}

void daemon_say_not_running(const struct call *call, const struct config *config)
{
	log_error("%s is not running", config->name);
	/* Where there is no systemd, as in a container, its words would not help. */
	if (access(SYSTEMD_RUNS, F_OK) < 0 || strchr(config->words, '/') != NULL)
		log_hint("start it with: phifsd%s", cli_volume_words(call));
	else
		log_hint("start it with: systemctl start phifs@%s", config->name);
}

enum err daemon_connect(const struct call *call, const struct config *config,
			struct client **client)
{
	enum err err = daemon_connect_quietly(config, client);

	if (err == ERR_NOT_RUNNING) {
		daemon_say_not_running(call, config);
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

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "tools/cli/output.h"
#include "tools/cli/prompt.h"
#include "tools/ctl/ctl.h"

static enum err check_options(const struct call *call, long *slot)
{
	if (cli_count(call, OPT_KEYFILE) > 0 && cli_count(call, OPT_PASSPHRASE_FILE) > 0)
		return cli_usage_error(call, "give --keyfile or --passphrase-file, not both");
	return cli_number(call, OPT_SLOT, 1, 9999, slot);
}

/* Nobody should type a passphrase for a volume that is open. */
static enum err check_locked(struct ctl *ctl)
{
	struct wire_status status;
	char since[32];
	enum err err = ctl_status(ctl, &status);

	if (err != ERR_OK || strcmp(status.state, "unlocked") != 0)
		return err;
	output_time(status.since, since, sizeof(since));
	return cli_fail(ERR_BUSY, "%s is unlocked already, since %s", ctl->config->name, since);
}

static enum err get_secret(const struct ctl *ctl, long slot, struct passphrase *secret)
{
	const char *keyfile = cli_value(ctl->call, OPT_KEYFILE);
	char question[128];

	if (keyfile != NULL)
		return keyfile_get(keyfile, secret);
	if (slot > 0)
		snprintf(question, sizeof(question), "Passphrase for slot %ld of %s", slot,
			 ctl->config->name);
	else
		snprintf(question, sizeof(question), "Passphrase for %s", ctl->config->name);
	return passphrase_get(cli_value(ctl->call, OPT_PASSPHRASE_FILE), question, secret);
}

static void take_report(void *ctx, const void *part)
{
	memcpy(ctx, part, sizeof(struct wire_unlock_report));
}

static void print_report(const struct ctl *ctl, const struct wire_unlock_report *report)
{
	printf("%s is unlocked.\n", ctl->config->name);
	if (!report->was_clean)
		printf("It had not been locked properly: %lld transactions replayed (%lld newer than "
		       "the anchor), %lld files touched, %lld nameless files removed.\n",
		       (long long)report->transactions, (long long)report->adopted,
		       (long long)report->objects, (long long)report->deleted);
	if (report->damaged > 0) {
		log_warning("%lld files do not verify", (long long)report->damaged);
		log_hint("which ones: phifs-volume check%s (its daemon stopped)",
			 cli_volume_words(ctl->call));
	}
}

enum err cmd_unlock(const struct call *call)
{
	struct wire_request request = {.type = WIRE_UNLOCK};
	struct wire_unlock_report report = {0};
	struct passphrase secret = {NULL, 0};
	struct ctl ctl;
	long slot = 0;
	enum err err = check_options(call, &slot);

	if (err != ERR_OK || (err = ctl_open(&ctl, call)) != ERR_OK)
		return err;
	if ((err = check_locked(&ctl)) != ERR_OK ||
	    (err = get_secret(&ctl, slot, &secret)) != ERR_OK)
		goto out;
	request.unlock.slot = slot;
	request.unlock.is_keyfile = cli_count(call, OPT_KEYFILE) > 0;
	request.secret = (uint8_t *)secret.bytes;
	request.secret_len = secret.len;
	err = ctl_ask(&ctl, &request, take_report, &report);
	if (err == ERR_OK && cli_count(call, OPT_JSON) > 0)
		output_json(wire_part_to_json(WIRE_UNLOCK, &report));
	else if (err == ERR_OK)
		print_report(&ctl, &report);
out:
	passphrase_clear(&secret);
	ctl_close(&ctl);
	return err;
}

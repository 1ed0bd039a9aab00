/* Keys and journals that a call is about. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "config/config.h"
#include "crypto/crypto.h"
#include "tools/audit/tool.h"
#include "tools/cli/daemon.h"
#include "tools/cli/prompt.h"

static enum err explain_key(const char *path, enum err err)
{
	if (err == ERR_PASSPHRASE)
		return cli_fail(err, "wrong passphrase for %s", path);
	if (err == ERR_FORMAT) {
		cli_fail(err, "%s is not an auditor's secret key", path);
		log_hint("make one with: phifs-audit keygen --output FILE; "
			 "FILE.pub is the public half");
		return ERR_USAGE;
	}
	return cli_fail(err, "%s: %s", path, err_text(err));
}

enum err key_load(const struct call *call, struct auditor_key **key)
{
	const char *path = cli_value(call, OPT_KEY);
	struct passphrase passphrase = {.bytes = NULL};
	char question[256];
	bool needs_passphrase;
	enum err err;

	*key = NULL;
	if (crypto_init() != ERR_OK)
		return cli_fail(ERR_SYSTEM, "the cryptographic libraries could not be started");
	if (path == NULL)
		return ERR_OK;
	err = auditor_key_needs_passphrase(path, &needs_passphrase);
	if (err != ERR_OK)
		return explain_key(path, err);
	if (needs_passphrase) {
		snprintf(question, sizeof(question), "Passphrase for %.200s", path);
		err = passphrase_get(cli_value(call, OPT_PASSPHRASE_FILE), question, &passphrase);
		if (err != ERR_OK)
			return err;
	}
	err = auditor_key_load(path, passphrase.bytes, passphrase.len, key);
	passphrase_clear(&passphrase);
	return err == ERR_OK ? ERR_OK : explain_key(path, err);
}

enum err journal_find(const struct call *call, char **directory)
{
	const char *given = cli_value(call, OPT_JOURNAL);
	struct config *config;
	enum err err;
	int len;

	if (given != NULL) {
		*directory = strdup(given);
		return *directory != NULL ? ERR_OK : cli_fail(ERR_NO_MEMORY, "out of memory");
	}
	err = cli_load_config(call, &config);
	if (err != ERR_OK)
		return err;
	len = asprintf(directory, "%s/audit", config->state);
	config_free(config);
	return len >= 0 ? ERR_OK : cli_fail(ERR_NO_MEMORY, "out of memory");
}

enum err journal_explain(const struct call *call, const char *directory, enum err err)
{
	switch (err) {
	case ERR_NOT_FOUND:
		cli_fail(err, "there is no audit journal in %s", directory);
		log_hint("a volume's journal is made with it: phifs-volume init --help");
		break;
	case ERR_DENIED:
		if (access(directory, R_OK | X_OK) != 0) {
			cli_fail(err, "%s: %s", directory, strerror(errno));
			log_hint("read it as root, or a copy of it: phifs-audit %s --journal DIR",
				 call->command->name);
			break;
		}
		cli_fail(err, "this key reads none of the segments in %s", directory);
		log_hint("whose keys do is told by: phifs-audit verify%s",
			 cli_volume_words(call));
		break;
	case ERR_TAMPERED:
	case ERR_FORMAT:
		cli_fail(err, "%s/journal does not verify: it was edited or is damaged", directory);
		log_hint("keep the directory as it is, and compare with the collector's copy: "
			 "phifs-audit show --input FILE");
		break;
	default:
		cli_fail(err, "%s: %s", directory, err_text(err));
	}
	return err;
}

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "crypto/crypto.h"
#include "tools/audit/tool.h"
#include "tools/cli/prompt.h"

static enum err explain_exists(const char *path)
{
	cli_fail(ERR_EXISTS, "%s or %s.pub exists; a key is never overwritten", path, path);
	log_hint("choose another name: phifs-audit keygen --output %s-2", path);
	return ERR_EXISTS;
}

/* Before a passphrase is asked for. */
static bool is_taken(const char *path)
{
	char name[PATH_MAX];

	snprintf(name, sizeof(name), "%s.pub", path);
	return access(path, F_OK) == 0 || access(name, F_OK) == 0;
}

static enum err create(const char *path, const struct passphrase *passphrase)
{
	char fingerprint[FINGERPRINT_LEN];
	enum err err = auditor_key_create(path, passphrase->bytes, passphrase->len, fingerprint);

	if (err == ERR_EXISTS)
		return explain_exists(path);
	if (err != ERR_OK)
		return cli_fail(err, "%s: %s", path, err_text(err));
	printf("%s: secret key%s; keep it off the server\n", path,
	       passphrase->bytes == NULL ? ", without a passphrase" : "");
	printf("%s.pub: public key, for: phifs-volume init --auditor-key %s.pub\n", path, path);
	printf("fingerprint: %s\n", fingerprint);
	return ERR_OK;
}

enum err cmd_keygen(const struct call *call)
{
	const char *path = cli_value(call, OPT_OUTPUT);
	struct passphrase passphrase = {.bytes = NULL};
	char question[256];
	enum err err = ERR_OK;

	if (path == NULL)
		return cli_usage_error(call, "--output FILE is missing");
	if (cli_count(call, OPT_NO_PASSPHRASE) > 0 && cli_count(call, OPT_PASSPHRASE_FILE) > 0)
		return cli_usage_error(call,
				       "--no-passphrase and --passphrase-file exclude each other");
	if (is_taken(path))
		return explain_exists(path);
	if (crypto_init() != ERR_OK)
		return cli_fail(ERR_SYSTEM, "the cryptographic libraries could not be started");
	if (cli_count(call, OPT_NO_PASSPHRASE) == 0) {
		snprintf(question, sizeof(question), "Passphrase for %.200s", path);
		err = passphrase_get_new(cli_value(call, OPT_PASSPHRASE_FILE), question,
					 &passphrase);
	}
	if (err == ERR_OK)
		err = create(path, &passphrase);
	passphrase_clear(&passphrase);
	return err;
}

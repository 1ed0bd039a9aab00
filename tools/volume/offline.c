#include "tools/volume/offline.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "crypto/crypto.h"
#include "keys/slots.h"
#include "tools/cli/prompt.h"
#include "tools/volume/tool.h"

static enum err get_factor(const struct call *call, const struct config *config,
			   struct passphrase *secret, struct slots_factor *factor)
{
	const char *keyfile = cli_value(call, OPT_KEYFILE);
	char question[CONFIG_NAME_MAX + 32];
	enum err err;

	if (keyfile != NULL && cli_count(call, OPT_PASSPHRASE_FILE) > 0)
		return cli_usage_error(call, "give --keyfile or --passphrase-file, not both");
	snprintf(question, sizeof(question), "Passphrase for %s", config->name);
	err = keyfile != NULL ? keyfile_get(keyfile, secret)
			      : passphrase_get(cli_value(call, OPT_PASSPHRASE_FILE), question, secret);
	*factor = (struct slots_factor){.kind = keyfile != NULL ? SLOT_KEYFILE : SLOT_PASSPHRASE,
					.bytes = secret->bytes, .len = secret->len};
	return err;
}

static enum err fail_unlock(const struct call *call, const struct config *config, enum err err)
{
	if (err == ERR_PASSPHRASE) {
		cli_fail(err, "wrong passphrase, or not one of %s", config->name);
		log_hint("other ways in: phifs-key list%s", cli_volume_words(call));
	} else {
		cli_fail(err, "the key slots of %s: %s", config->name, err_text(err));
	}
	return err;
}

static enum err open_keys(const struct call *call, const struct config *config,
			  struct offline *offline, uint64_t *generation)
{
	struct slots_opened opened = {0};
	struct passphrase secret = {NULL, 0};
	struct slots_factor factor;
	struct slots *slots = NULL;
	enum err err = slots_load(config->ciphertext, config->state, &slots);

	if (err != ERR_OK)
		return fail_unlock(call, config, err);
	err = get_factor(call, config, &secret, &factor);
	if (err == ERR_OK) {
		err = slots_unlock(slots, &factor, 0, &opened, NULL, &offline->keyring);
		if (err != ERR_OK)
			fail_unlock(call, config, err);
		else if (slots_need_save(slots))
			log_warning("the two copies of the slot file differ: the next unlock "
				    "mends that");
	}
	*generation = opened.generation;
	passphrase_clear(&secret);
	slots_free(slots);
	return err;
}

static enum err open_store(const struct config *config, struct store **store)
{
	struct store_config store_config = {.state_path = config->state, .read_only = true};
	enum err err = backing_real_new(config->ciphertext, &store_config.ciphertext);

	if (err == ERR_OK)
		err = backing_real_new(config->state, &store_config.state);
	if (err == ERR_OK)
		err = store_open(&store_config, store);
	if (err != ERR_OK) {
		backing_free(store_config.ciphertext);
		backing_free(store_config.state);
	}
	return err;
}

/* Recovery has to write, so reading alone cannot tell what is there. */
static enum err fail_store(const struct call *call, const struct config *config, enum err err)
{
	if (err == ERR_READ_ONLY) {
		cli_fail(ERR_UNPROVEN, "%s was not locked properly", config->name);
		log_hint("start and unlock it once, which recovers it: phifsd%s",
			 cli_volume_words(call));
		return ERR_UNPROVEN;
	}
	if (err == ERR_BUSY)
		return cli_fail(err, "%s is in use by another program", config->name);
	if (err == ERR_UNPROVEN)
		return cli_fail(err, "the anchor of %s is missing in %s: whether it is the newest "
				"state cannot be proven", config->name, config->state);
	if (err == ERR_ROLLBACK)
		return cli_fail(err, "the state or the slots of %s are older than what was "
				"acknowledged: was something restored alone?", config->name);
	if (err == ERR_NOT_FOUND) {
		cli_fail(ERR_UNPROVEN, "%s or %s does not hold the volume %s", config->ciphertext,
			 config->state, config->name);
		log_hint("is the disk mounted? ls -l %s %s", config->ciphertext, config->state);
		return ERR_UNPROVEN;
	}
	return cli_fail(err, "the store of %s: %s", config->name, err_text(err));
}

enum err offline_open(const struct call *call, const struct config *config,
		      struct offline *offline)
{
	struct store_recovery recovery;
	uint64_t generation = 0;
	enum err err = crypto_init();

	memset(offline, 0, sizeof(*offline));
	if (err == ERR_OK)
		err = open_keys(call, config, offline, &generation);
	if (err != ERR_OK)
		return err;
	err = open_store(config, &offline->store);
	if (err == ERR_OK) {
		store_set_slots_generation(offline->store, generation);
		err = store_unlock(offline->store, offline->keyring, &recovery);
	}
	if (err == ERR_OK)
		return ERR_OK;
	return fail_store(call, config, err);
}

void offline_close(struct offline *offline)
{
	store_close(offline->store);
	keyring_free(offline->keyring);
}

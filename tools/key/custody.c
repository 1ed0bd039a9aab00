#include "tools/key/custody.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "crypto/crypto.h"
#include "tools/key/generation.h"
#include "tools/key/tool.h"

/* --- what can be wrong ------------------------------------------------------------------ */

static void hint_restore(const struct config *config)
{
	log_hint("put back a copy that is known to be good: cp slots %s/ && cp slots %s/",
		 config->state, config->ciphertext);
}

enum err custody_fail(const struct call *call, const struct config *config, enum err err)
{
	switch (err) {
	case ERR_PASSPHRASE:
		cli_fail(err, "wrong passphrase or key, or not one of %s", config->name);
		log_hint("other ways in: phifs-key list%s", cli_volume_words(call));
		break;
	case ERR_NOT_FOUND:
		cli_fail(err, "no slot file in %s or %s", config->ciphertext, config->state);
		log_hint("a new volume is made by: phifs-volume init");
		break;
	case ERR_TAMPERED:
	case ERR_FORMAT:
		cli_fail(err, "the slot file of %s was edited or damaged; nothing was changed",
			 config->name);
		hint_restore(config);
		break;
	case ERR_ROLLBACK:
		cli_fail(err, "the slot file of %s is older than the one last used; nothing was "
			      "changed", config->name);
		hint_restore(config);
		break;
	default:
		cli_fail(err, "the slot file of %s: %s", config->name, err_text(err));
		if (err == ERR_DENIED && geteuid() != 0)
			log_hint("as root: sudo phifs-key %s%s", call->command->name,
				 cli_volume_words(call));
	}
	return err;
}

/* --- the daemon ----------------------------------------------------------------------------- */

static void take_status(void *ctx, const void *part)
{
	memcpy(ctx, part, sizeof(struct wire_status));
}

static enum err refuse_unlocked(const struct custody *custody)
{
	cli_fail(ERR_BUSY, "%s is unlocked: it would go on with the old keys",
		 custody->config->name);
	log_hint("phifsctl lock%s", cli_volume_words(custody->call));
	return ERR_BUSY;
}

static enum err look_for_daemon(struct custody *custody)
{
	const struct wire_request request = {.type = WIRE_STATUS};
	struct wire_status status = {0};
	enum err err;

	if (custody->daemon != NULL)
		client_close(custody->daemon);
	custody->daemon = NULL;
	err = daemon_connect_quietly(custody->config, &custody->daemon);
	if (err == ERR_NOT_RUNNING)
		return ERR_OK;
	if (err != ERR_OK)
		return daemon_connect(custody->call, custody->config, &custody->daemon);
	err = daemon_ask(custody->call, custody->config, custody->daemon, &request, take_status,
			 &status);
	custody->is_unlocked = strcmp(status.state, "locked") != 0;
	if (err == ERR_OK && custody->must_be_locked && custody->is_unlocked)
		err = refuse_unlocked(custody);
	return err;
}

/* --- opening ---------------------------------------------------------------------------------- */

/* One of two options, or the terminal. */
static enum err get_factor(const struct custody *custody, unsigned int passphrase_option,
			   unsigned int keyfile_option, const char *whose,
			   struct passphrase *secret, struct slots_factor *factor)
{
	const char *keyfile = cli_value(custody->call, keyfile_option);
	const char *file = cli_value(custody->call, passphrase_option);
	char question[CONFIG_NAME_MAX + 64];
	enum err err;

	snprintf(question, sizeof(question), "Passphrase %s %s", whose, custody->config->name);
	err = keyfile != NULL ? keyfile_get(keyfile, secret)
			      : passphrase_get(file, question, secret);
	*factor = (struct slots_factor){.kind = keyfile != NULL ? SLOT_KEYFILE : SLOT_PASSPHRASE,
					.bytes = secret->bytes,
					.len = secret->len};
	return err;
}

static enum err check_options(const struct call *call)
{
	if (cli_count(call, OPT_PASSPHRASE_FILE) > 0 && cli_count(call, OPT_UNLOCK_KEYFILE) > 0)
		return cli_usage_error(call, "give --passphrase-file or --unlock-keyfile, not both");
	if (cli_count(call, OPT_ADMIN_PASSPHRASE_FILE) > 0 &&
	    cli_count(call, OPT_ADMIN_KEYFILE) > 0)
		return cli_usage_error(call,
				       "give --admin-passphrase-file or --admin-keyfile, not both");
	return ERR_OK;
}

static enum err unlock(struct custody *custody)
{
	struct passphrase secret = {NULL, 0};
	struct slots_factor factor;
	struct slots_opened opened;
	enum err err = get_factor(custody, OPT_PASSPHRASE_FILE, OPT_UNLOCK_KEYFILE, "for", &secret,
				  &factor);

	if (err != ERR_OK)
		return err;
	err = slots_unlock(custody->slots, &factor, 0, &opened, &custody->signer,
			   &custody->keyring);
	passphrase_clear(&secret);
	custody->signer_slot = err == ERR_OK ? opened.slot : 0;
	if (err == ERR_DENIED) {
		cli_fail(err, "that slot may not unlock %s", custody->config->name);
		log_hint("unlock with another one, and give this one by --admin-passphrase-file or "
			 "--admin-keyfile");
		return err;
	}
	return err == ERR_OK ? ERR_OK : custody_fail(custody->call, custody->config, err);
}

/* Somebody else signs, if the slot that unlocked may not. */
static enum err sign_in(struct custody *custody)
{
	bool is_given = cli_count(custody->call, OPT_ADMIN_PASSPHRASE_FILE) > 0 ||
			cli_count(custody->call, OPT_ADMIN_KEYFILE) > 0;
	const struct slot_record *unlocked = slots_find(custody->slots, custody->signer_slot);
	struct passphrase secret = {NULL, 0};
	struct slots_factor factor;
	struct slots_opened opened;
	enum err err;

	if (custody->signer != NULL && !is_given)
		return ERR_OK;
	if (!is_given && !prompt_has_terminal()) {
		cli_fail(ERR_DENIED, "slot %u (%s) is not a key-admin", unlocked->id,
			 unlocked->name);
		log_hint("a key-admin's: --admin-passphrase-file FILE or --admin-keyfile FILE");
		return ERR_DENIED;
	}
	err = get_factor(custody, OPT_ADMIN_PASSPHRASE_FILE, OPT_ADMIN_KEYFILE,
			 "of a key-admin of", &secret, &factor);
	if (err != ERR_OK)
		return err;
	slots_signer_free(custody->signer);
	custody->signer = NULL;
	err = slots_sign_in(custody->slots, &factor, &opened, &custody->signer);
	passphrase_clear(&secret);
	if (err == ERR_DENIED)
		return cli_fail(err, "that slot is not a key-admin of %s", custody->config->name);
	if (err != ERR_OK)
		return custody_fail(custody->call, custody->config, err);
	custody->signer_slot = opened.slot;
	return ERR_OK;
}

/* A ledger that cannot be read proves nothing; the daemon would not start with it. */
static enum err check_generation(const struct custody *custody)
{
	uint64_t minimum = 0;
	enum err err = generation_read(custody->config->state, custody->keyring, &minimum);

	if (err != ERR_OK) {
		log_warning("the ledger in %s does not tell whether the slot file is the newest: %s",
			    custody->config->state, err_text(err));
		return ERR_OK;
	}
	err = slots_check_generation(custody->slots, minimum);
	return err == ERR_OK ? ERR_OK : custody_fail(custody->call, custody->config, err);
}

enum err custody_open(struct custody *custody, const struct call *call, bool must_be_locked)
{
	enum err err = check_options(call);

	*custody = (struct custody){.call = call, .must_be_locked = must_be_locked, .hold = -1};
	if (err != ERR_OK || (err = cli_load_config(call, &custody->config)) != ERR_OK)
		return err;
	if ((err = crypto_init()) != ERR_OK)
		return cli_fail(err, "the cryptographic library does not start");
	if ((err = look_for_daemon(custody)) != ERR_OK)
		return err;
	err = slots_load(custody->config->ciphertext, custody->config->state, &custody->slots);
	if (err != ERR_OK)
		return custody_fail(call, custody->config, err);
	custody->generation = slots_generation(custody->slots);
	err = unlock(custody);
	if (err == ERR_OK)
		err = check_generation(custody);
	return err == ERR_OK ? sign_in(custody) : err;
}

/* --- holding ----------------------------------------------------------------------------------- */

static enum err check_unchanged(const struct custody *custody)
{
	struct slots *now;
	enum err err = slots_load(custody->config->ciphertext, custody->config->state, &now);

	if (err != ERR_OK)
		return custody_fail(custody->call, custody->config, err);
	if (slots_generation(now) != custody->generation) {
		err = cli_fail(ERR_BUSY, "the slots of %s were changed meanwhile; nothing was done",
			       custody->config->name);
		log_hint("look again: phifs-key list%s", cli_volume_words(custody->call));
	}
	slots_free(now);
	return err;
}

enum err custody_hold(struct custody *custody)
{
	enum err err = slots_hold(custody->config->state, &custody->hold);

	if (err == ERR_BUSY)
		return cli_fail(err, "another program is changing or opening the slots of %s: try "
				     "again", custody->config->name);
	if (err != ERR_OK)
		return cli_fail(err, "%s: %s", custody->config->state, err_text(err));
	err = look_for_daemon(custody);
	return err == ERR_OK ? check_unchanged(custody) : err;
}

/* --- saving ------------------------------------------------------------------------------------ */

static void tell_daemon(const struct custody *custody, const char *change)
{
	struct wire_request request = {.type = WIRE_KEY_CHANGED};

	snprintf(request.key_changed.change, sizeof(request.key_changed.change), "%s", change);
	request.key_changed.generation = (int64_t)slots_generation(custody->slots);
	if (daemon_ask(custody->call, custody->config, custody->daemon, &request, NULL, NULL) !=
	    ERR_OK)
		log_warning("the change was made, but the audit trail does not have it");
}

enum err custody_save(struct custody *custody, const char *change)
{
	const struct config *config = custody->config;
	enum err err = slots_save(custody->slots, config->ciphertext, config->state);

	if (err != ERR_OK) {
		cli_fail(err, "cannot save the slot file in %s and %s: %s", config->state,
			 config->ciphertext, err_text(err));
		log_hint("see which of the two has it: phifs-key list%s",
			 cli_volume_words(custody->call));
		return err;
	}
	/* An unlocked daemon holds the ledger; it remembers at its next unlock. */
	if (!custody->is_unlocked) {
		err = generation_write(config->state, custody->keyring,
				       slots_generation(custody->slots));
		if (err != ERR_OK)
			log_warning("the ledger will know the new slot file only after the next "
				    "unlock: %s", err_text(err));
	}
	if (custody->daemon != NULL)
		tell_daemon(custody, change);
	return ERR_OK;
}

void custody_close(struct custody *custody)
{
	if (custody->daemon != NULL)
		client_close(custody->daemon);
	slots_signer_free(custody->signer);
	keyring_free(custody->keyring);
	slots_free(custody->slots);
	if (custody->hold >= 0)
		close(custody->hold);
	config_free(custody->config);
}

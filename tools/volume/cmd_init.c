#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "audit/audit.h"
#include "base/log.h"
#include "base/secmem.h"
#include "crypto/crypto.h"
#include "crypto/random.h"
#include "keys/slots.h"
#include "store/store.h"
#include "tools/cli/output.h"
#include "tools/cli/prompt.h"
#include "tools/cli/recovery.h"
#include "tools/volume/made.h"
#include "tools/volume/place.h"
#include "tools/volume/plan.h"
#include "tools/volume/tool.h"

struct init {
	const struct call *call;
	struct plan plan;
	struct made made;
	struct passphrase passphrase;
	char *recovery_key; /* secmem, SLOTS_RECOVERY_LEN + 1 bytes; NULL: none */
	struct slots *slots;
	struct keyring *keyring;
	char journal[FINGERPRINT_LEN];
};

/* --- keys ---------------------------------------------------------------------------- */

static enum err make_keys(struct init *init)
{
	struct slots_new news[] = {
		{.name = init->plan.slot_name,
		 .rights = SLOT_RIGHTS_ALL,
		 .factor = {.kind = SLOT_PASSPHRASE, .bytes = init->passphrase.bytes,
			    .len = init->passphrase.len}},
		{.name = "recovery key",
		 .rights = SLOT_RIGHTS_ALL,
		 .factor = {.kind = SLOT_RECOVERY, .len = SLOTS_RECOVERY_LEN}},
	};
	uint8_t fs_id[FS_ID_LEN];
	enum err err;

	if (init->plan.has_recovery_key) {
		init->recovery_key = secmem_alloc(SLOTS_RECOVERY_LEN + 1);
		if (init->recovery_key == NULL)
			return cli_fail(ERR_NO_MEMORY, "out of memory");
		slots_recovery_new(init->recovery_key);
		news[1].factor.bytes = init->recovery_key;
	}
	random_bytes(fs_id, sizeof(fs_id));
	err = slots_create(fs_id, news, init->recovery_key != NULL ? 2 : 1, &init->slots,
			   &init->keyring);
	return err == ERR_OK ? ERR_OK : cli_fail(err, "cannot make the key slots: %s", err_text(err));
}

static enum err hand_out_recovery_key(struct init *init)
{
	char *text;
	enum err err;

	if (init->recovery_key == NULL)
		return ERR_OK;
	if (init->plan.recovery_file == NULL)
		return recovery_show(init->recovery_key);
	if ((text = secmem_alloc(SLOTS_RECOVERY_LEN + 1)) == NULL)
		return cli_fail(ERR_NO_MEMORY, "out of memory");
	memcpy(text, init->recovery_key, SLOTS_RECOVERY_LEN);
	text[SLOTS_RECOVERY_LEN] = '\n';
	err = made_file(&init->made, init->plan.recovery_file, text, SLOTS_RECOVERY_LEN + 1, 0600);
	secmem_free(text);
	return err;
}

/* --- what is on the disk -------------------------------------------------------------- */

/* /etc/phifs and /var/lib/phifs: nobody should have to make them. */
static enum err make_parent(struct init *init, const char *path, mode_t mode)
{
	char *parent = strdup(path), *slash;
	struct stat st;
	enum err err = ERR_OK;

	if (parent == NULL)
		return cli_fail(ERR_NO_MEMORY, "out of memory");
	slash = strrchr(parent, '/');
	if (slash != parent) {
		*slash = '\0';
		if (stat(parent, &st) < 0 && errno == ENOENT)
			err = made_directory(&init->made, parent, mode);
	}
	free(parent);
	return err;
}

static enum err make_directories(struct init *init)
{
	const struct config *config = init->plan.config;
	enum err err = make_parent(init, config->state, 0700);

	if (err == ERR_OK)
		err = made_directory(&init->made, config->ciphertext, 0700);
	if (err == ERR_OK)
		err = made_directory(&init->made, config->state, 0700);
	return err == ERR_OK ? made_directory(&init->made, config->mountpoint, 0) : err;
}

static enum err make_store(struct init *init)
{
	const struct plan *plan = &init->plan;
	struct backing *ciphertext = NULL, *state = NULL;
	enum err err = backing_real_new(plan->config->ciphertext, &ciphertext);

	if (err == ERR_OK)
		err = backing_real_new(plan->config->state, &state);
	if (err == ERR_OK)
		err = store_create(ciphertext, state, plan->config->state, init->keyring, plan->uid,
				   plan->gid, plan->mode);
	backing_free(ciphertext);
	backing_free(state);
	if (err != ERR_OK)
		cli_fail(err, "cannot make the store in %s and %s: %s", plan->config->ciphertext,
			 plan->config->state, err_text(err));
	if (err == ERR_FULL)
		log_hint("journal, ledger and reserve of an empty volume take 200 MiB of the "
			 "one and 70 MiB of the other: df -h");
	if (err != ERR_OK)
		return err;
	err = slots_save(init->slots, plan->config->ciphertext, plan->config->state);
	return err == ERR_OK ? ERR_OK : cli_fail(err, "cannot save the key slots: %s", err_text(err));
}

static enum err make_journal(struct init *init)
{
	const struct plan *plan = &init->plan;
	char *directory;
	enum err err;

	if (asprintf(&directory, "%s/audit", plan->config->state) < 0)
		return cli_fail(ERR_NO_MEMORY, "out of memory");
	err = audit_create(directory, plan->auditors, plan->auditor_count, init->journal,
			   sizeof(init->journal));
	if (err != ERR_OK)
		cli_fail(err, "cannot make the audit journal %s: %s", directory, err_text(err));
	free(directory);
	return err;
}

/* The configuration last: a volume that has one is whole. */
static enum err make_files(struct init *init)
{
	const struct plan *plan = &init->plan;
	size_t len;
	const char *text = config_text(plan->config, &len);
	enum err err = ERR_OK;

	if (plan->policy_text != NULL)
		err = make_parent(init, plan->config->policy, 0755);
	if (err == ERR_OK && plan->policy_text != NULL)
		err = made_file(&init->made, plan->config->policy, plan->policy_text,
				plan->policy_len, 0644);
	if (err == ERR_OK)
		err = make_parent(init, plan->config->file, 0755);
	return err == ERR_OK ? made_file(&init->made, plan->config->file, text, len, 0644) : err;
}

/* Last of all: what is immutable cannot be taken back. */
static enum err set_immutable(struct init *init)
{
	if (cli_count(init->call, OPT_IMMUTABLE) == 0)
		return ERR_OK;
	return place_make_immutable(init->plan.config->mountpoint);
}

static enum err make_volume(struct init *init)
{
	static enum err (*const steps[])(struct init *) = {
		make_keys,	       make_directories, make_store,	make_journal,
		hand_out_recovery_key, make_files,	 set_immutable,
	};
	enum err err = ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < sizeof(steps) / sizeof(steps[0]); i++) {
		err = made_check();
		if (err == ERR_OK)
			err = steps[i](init);
	}
	return err;
}

/* --- what is said about it --------------------------------------------------------------- */

static void print_line(const char *what, const char *text)
{
	char safe[4400];

	output_printable(text, safe, sizeof(safe));
	printf("  %-14s %s\n", what, safe);
}

static void print_text(const struct init *init)
{
	const struct plan *plan = &init->plan;
	const struct config *config = plan->config;

	printf("Volume %s is made.\n", config->name);
	print_line("configuration", config->file);
	print_line("policy", config->policy);
	print_line("ciphertext", config->ciphertext);
	print_line("state", config->state);
	print_line("mount point", config->mountpoint);
	for (size_t i = 0; i < plan->auditor_count; i++)
		print_line(i == 0 ? "auditors" : "", plan->fingerprints[i]);
	print_line("journal", init->journal);
	print_line("", "note it: it proves where the log begins");
	if (plan->recovery_file != NULL) {
		print_line("recovery key", plan->recovery_file);
		print_line("", "move it away from this host");
	}
}

static void print_json(const struct init *init)
{
	const struct plan *plan = &init->plan;
	const struct config *config = plan->config;
	const char *const fields[][2] = {
		{"name", config->name},		  {"configuration", config->file},
		{"policy", config->policy},	  {"ciphertext", config->ciphertext},
		{"state", config->state},	  {"mountpoint", config->mountpoint},
		{"journal", init->journal},
	};
	struct json_object *object = json_object_new_object();
	struct json_object *auditors = json_object_new_array();
	char safe[4400];

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		output_printable(fields[i][1], safe, sizeof(safe));
		json_object_object_add(object, fields[i][0], json_object_new_string(safe));
	}
	for (size_t i = 0; i < plan->auditor_count; i++)
		json_object_array_add(auditors, json_object_new_string(plan->fingerprints[i]));
	json_object_object_add(object, "auditors", auditors);
	json_object_object_add(object, "has_recovery_key",
			       json_object_new_boolean(plan->has_recovery_key));
	output_json(object);
}

static void report(const struct init *init)
{
	if (cli_count(init->call, OPT_JSON) > 0)
		print_json(init);
	else
		print_text(init);
	fflush(stdout);
	if (!init->plan.has_recovery_key)
		log_warning("there is no recovery key: a lost passphrase is the end of the data");
	if (init->plan.policy_text != NULL)
		log_hint("next, put your names into %s, and then: phifs-policy check%s",
			 init->plan.config->policy, cli_volume_words(init->call));
	else
		log_hint("next: phifsd%s", cli_volume_words(init->call));
}

/* --- the command -------------------------------------------------------------------------- */

static void init_clear(struct init *init)
{
	keyring_free(init->keyring);
	slots_free(init->slots);
	secmem_free(init->recovery_key);
	passphrase_clear(&init->passphrase);
	plan_clear(&init->plan);
}

static enum err get_passphrase(struct init *init)
{
	char question[128];

	snprintf(question, sizeof(question), "Passphrase for key slot 1 (%s)",
		 init->plan.slot_name);
	return passphrase_get_new(cli_value(init->call, OPT_PASSPHRASE_FILE), question,
				  &init->passphrase);
}

enum err cmd_init(const struct call *call)
{
	struct init init = {.call = call};
	enum err err = crypto_init();

	if (err != ERR_OK)
		return cli_fail(err, "the cryptographic library does not start");
	umask(077);
	err = plan_make(call, &init.plan);
	if (err == ERR_OK)
		err = get_passphrase(&init);
	if (err == ERR_OK) {
		made_catch_signals();
		err = make_volume(&init);
		if (err == ERR_OK)
			made_keep(&init.made);
		else
			made_undo(&init.made);
	}
	if (err == ERR_OK)
		report(&init);
	init_clear(&init);
	return err;
}

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/secmem.h"
#include "crypto/random.h"
#include "tools/cli/output.h"
#include "tools/cli/recovery.h"
#include "tools/key/custody.h"
#include "tools/key/tool.h"

#define NEW_KEYFILE_LEN 64 /* bytes */

/* The slot to be made. */
struct addition {
	const struct call *call;
	struct slots_new slot;
	char name[SLOT_NAME_MAX + 1];
	struct passphrase secret; /* behind slot.factor */
	const char *made_file;    /* a key written here */
};

/* --- what is wanted ------------------------------------------------------------------------ */

static enum err set_kind(struct addition *addition)
{
	const struct call *call = addition->call;
	bool is_recovery = cli_count(call, OPT_RECOVERY) > 0 ||
			   cli_count(call, OPT_RECOVERY_KEY_FILE) > 0;
	bool is_keyfile = cli_count(call, OPT_KEYFILE) > 0;
	bool is_passphrase = cli_count(call, OPT_NEW_PASSPHRASE_FILE) > 0;

	if (is_recovery + is_keyfile + is_passphrase > 1)
		return cli_usage_error(call, "a slot is opened by a passphrase, a key file or a "
					     "recovery key: give one");
	if (is_recovery)
		addition->slot.factor.kind = SLOT_RECOVERY;
	else
		addition->slot.factor.kind = is_keyfile ? SLOT_KEYFILE : SLOT_PASSPHRASE;
	return ERR_OK;
}

static enum err set_rights(struct addition *addition)
{
	static const struct {
		const char *word;
		uint8_t rights;
	} words[] = {
		{"unlock", SLOT_RIGHT_UNLOCK},
		{"key-admin", SLOT_RIGHT_KEY_ADMIN},
		{"all", SLOT_RIGHTS_ALL},
	};
	const char *word = cli_value_or(addition->call, OPT_RIGHTS,
					addition->slot.factor.kind == SLOT_RECOVERY ? "all"
										    : "unlock");

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(word, words[i].word) == 0) {
			addition->slot.rights = words[i].rights;
			return ERR_OK;
		}
	}
	return cli_usage_error(addition->call, "--rights is unlock, key-admin or all");
}

static void default_name(struct addition *addition)
{
	const char *keyfile = cli_value(addition->call, OPT_KEYFILE);
	struct passwd *passwd = getpwuid(getuid());
	char host[64] = "";

	if (addition->slot.factor.kind == SLOT_RECOVERY) {
		snprintf(addition->name, sizeof(addition->name), "recovery key");
	} else if (keyfile != NULL) {
		const char *slash = strrchr(keyfile, '/');

		snprintf(addition->name, sizeof(addition->name), "%.60s",
			 slash != NULL ? slash + 1 : keyfile);
	} else {
		if (gethostname(host, sizeof(host) - 1) < 0)
			snprintf(host, sizeof(host), "localhost");
		snprintf(addition->name, sizeof(addition->name), "%.20s@%.40s",
			 passwd != NULL ? passwd->pw_name : "root", host);
	}
}

static enum err set_name(struct addition *addition)
{
	const char *name = cli_value(addition->call, OPT_NAME);

	if (name == NULL)
		default_name(addition);
	else if (strlen(name) > SLOT_NAME_MAX)
		return cli_usage_error(addition->call, "--name has 1 to %u bytes", SLOT_NAME_MAX);
	else
		snprintf(addition->name, sizeof(addition->name), "%s", name);
	addition->slot.name = addition->name;
	for (const char *c = addition->name; *c != '\0'; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return cli_usage_error(addition->call,
					       "a slot's name has no control characters");
	}
	return addition->name[0] != '\0' ? ERR_OK
					 : cli_usage_error(addition->call, "give a --name");
}

static enum err plan(const struct call *call, struct addition *addition)
{
	enum err err;

	memset(addition, 0, sizeof(*addition));
	addition->call = call;
	err = set_kind(addition);
	if (err == ERR_OK)
		err = set_rights(addition);
	return err == ERR_OK ? set_name(addition) : err;
}

/* --- its factor ----------------------------------------------------------------------------- */

static enum err make_keyfile(struct addition *addition, const char *file)
{
	enum err err;

	if ((addition->secret.bytes = secmem_alloc(NEW_KEYFILE_LEN)) == NULL)
		return cli_fail(ERR_NO_MEMORY, "out of memory");
	addition->secret.len = NEW_KEYFILE_LEN;
	random_bytes(addition->secret.bytes, NEW_KEYFILE_LEN);
	err = io_create_file(AT_FDCWD, file, addition->secret.bytes, NEW_KEYFILE_LEN, 0600);
	if (err != ERR_OK)
		return cli_fail(err, "cannot make the key file %s: %s", file, err_text(err));
	addition->made_file = file;
	return ERR_OK;
}

static enum err get_keyfile(struct addition *addition)
{
	const char *file = cli_value(addition->call, OPT_KEYFILE);

	if (access(file, F_OK) < 0 && errno == ENOENT)
		return make_keyfile(addition, file);
	return keyfile_get(file, &addition->secret);
}

static enum err make_recovery_key(struct addition *addition)
{
	const char *file = cli_value(addition->call, OPT_RECOVERY_KEY_FILE);
	enum err err;

	if ((addition->secret.bytes = secmem_alloc(SLOTS_RECOVERY_LEN + 1)) == NULL)
		return cli_fail(ERR_NO_MEMORY, "out of memory");
	addition->secret.len = SLOTS_RECOVERY_LEN;
	slots_recovery_new(addition->secret.bytes);
	if (file == NULL)
		return recovery_show(addition->secret.bytes);
	err = recovery_write(addition->secret.bytes, file);
	if (err == ERR_OK)
		addition->made_file = file;
	return err;
}

static enum err get_passphrase(struct addition *addition)
{
	char question[SLOT_NAME_MAX + 64], name[4 * SLOT_NAME_MAX + 1];

	output_printable(addition->name, name, sizeof(name));
	snprintf(question, sizeof(question), "New passphrase for slot %.80s", name);
	return passphrase_get_new(cli_value(addition->call, OPT_NEW_PASSPHRASE_FILE), question,
				  &addition->secret);
}

static enum err get_new_factor(struct addition *addition)
{
	enum err err;

	switch (addition->slot.factor.kind) {
	case SLOT_KEYFILE:
		err = get_keyfile(addition);
		break;
	case SLOT_RECOVERY:
		err = make_recovery_key(addition);
		break;
	default:
		err = get_passphrase(addition);
	}
	addition->slot.factor.bytes = addition->secret.bytes;
	addition->slot.factor.len = addition->secret.len;
	return err;
}

/* --- the command ------------------------------------------------------------------------------ */

static enum err save(struct custody *custody, const struct addition *addition, uint32_t id)
{
	char name[4 * SLOT_NAME_MAX + 1], change[128];
	const char *rights = slot_rights_words(addition->slot.rights);
	enum err err;

	output_printable(addition->name, name, sizeof(name));
	snprintf(change, sizeof(change), "added slot %u (%.64s), rights: %s", id, name, rights);
	err = custody_save(custody, change);
	if (err != ERR_OK)
		return err;
	printf("Slot %u (%s) is added to %s; rights: %s.\n", id, name, custody->config->name, rights);
	if (addition->made_file != NULL)
		printf("%s was written.%s\n", addition->made_file,
		       addition->slot.factor.kind == SLOT_RECOVERY ? " Move it away from this host."
								   : "");
	return ERR_OK;
}

static enum err fail_add(const struct custody *custody, enum err err)
{
	if (err != ERR_FULL)
		return custody_fail(custody->call, custody->config, err);
	cli_fail(err, "%s has %u slots: there is no room for another", custody->config->name,
		 SLOTS_MAX);
	log_hint("first: phifs-key remove%s SLOT", cli_volume_words(custody->call));
	return err;
}

/* Two slots of one key file: who removes the one would think that the file opens nothing now. */
static enum err refuse_twice(struct custody *custody, const struct addition *addition)
{
	struct slots_opened opened = {0};
	struct keyring *keyring = NULL;
	enum err err;

	if (addition->slot.factor.kind != SLOT_KEYFILE || addition->made_file != NULL)
		return ERR_OK;
	err = slots_unlock(custody->slots, &addition->slot.factor, 0, &opened, NULL, &keyring);
	keyring_free(keyring);
	if (err == ERR_PASSPHRASE)
		return ERR_OK;
	if (err != ERR_OK && err != ERR_DENIED)
		return custody_fail(custody->call, custody->config, err);
	cli_fail(ERR_BUSY, "this key file opens a slot of %s already", custody->config->name);
	log_hint("which ones there are: phifs-key list%s", cli_volume_words(custody->call));
	return ERR_BUSY;
}

static enum err add_slot(struct custody *custody, struct addition *addition)
{
	uint32_t id = 0;
	enum err err = get_new_factor(addition);

	if (err != ERR_OK)
		return err;
	err = refuse_twice(custody, addition);
	if (err == ERR_OK)
		err = custody_hold(custody);
	if (err == ERR_OK) {
		err = slots_add(custody->slots, custody->keyring, custody->signer, &addition->slot,
				&id);
		if (err != ERR_OK)
			fail_add(custody, err);
	}
	if (err != ERR_OK && addition->made_file != NULL)
		unlink(addition->made_file);
	/* If it is saved in one place only, the slot may live: its key is kept. */
	return err == ERR_OK ? save(custody, addition, id) : err;
}

enum err cmd_add(const struct call *call)
{
	struct addition addition;
	struct custody custody;
	enum err err = plan(call, &addition);

	if (err != ERR_OK)
		return err;
	err = custody_open(&custody, call, false);
	if (err == ERR_OK)
		err = add_slot(&custody, &addition);
	passphrase_clear(&addition.secret);
	custody_close(&custody);
	return err;
}

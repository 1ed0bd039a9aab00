#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "tools/cli/output.h"
#include "tools/key/custody.h"
#include "tools/key/tool.h"

static enum err parse_slot(const struct call *call, uint32_t *id)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(call->operands[0], &end, 10);
	if (errno != 0 || *end != '\0' || call->operands[0][0] < '0' ||
	    call->operands[0][0] > '9' || value == 0 || value > UINT32_MAX) {
		cli_usage_error(call, "SLOT is a number");
		log_hint("which ones: phifs-key list%s", cli_volume_words(call));
		return ERR_USAGE;
	}
	*id = (uint32_t)value;
	return ERR_OK;
}

/* Before anybody is asked for anything. */
static enum err check_slot(const struct call *call, uint32_t id)
{
	struct config *config = NULL;
	struct slots *slots = NULL;
	enum err err = cli_load_config(call, &config);

	if (err != ERR_OK)
		return err;
	err = slots_load(config->ciphertext, config->state, &slots);
	if (err != ERR_OK) {
		custody_fail(call, config, err);
	} else if (slots_find(slots, id) == NULL) {
		err = cli_fail(ERR_NOT_FOUND, "%s has no slot %u", config->name, id);
		log_hint("which ones: phifs-key list%s", cli_volume_words(call));
	}
	slots_free(slots);
	config_free(config);
	return err;
}

static enum err explain(const struct custody *custody, uint32_t id, enum err err)
{
	switch (err) {
	case ERR_DENIED:
		if (id == custody->signer_slot) {
			cli_fail(err, "slot %u is the one you came with", id);
			log_hint("another key-admin can remove it: --admin-passphrase-file FILE or "
				 "--admin-keyfile FILE");
		} else {
			cli_fail(err, "slot %u is the last one that unlocks %s", id,
				 custody->config->name);
			log_hint("first: phifs-key add%s", cli_volume_words(custody->call));
		}
		break;
	case ERR_FULL:
		cli_fail(err, "%s has had %u keys: there is no room for another",
			 custody->config->name, SLOTS_EPOCHS_MAX);
		break;
	default:
		custody_fail(custody->call, custody->config, err);
	}
	return err;
}

static enum err remove_slot(struct custody *custody, uint32_t id)
{
	const struct slot_record *slot = slots_find(custody->slots, id);
	char name[4 * SLOT_NAME_MAX + 1] = "?", change[128];
	struct keyring *renewed = NULL;
	enum err err;

	if (slot != NULL)
		output_printable(slot->name, name, sizeof(name));
	err = slots_remove(custody->slots, custody->keyring, custody->signer, id, &renewed);
	if (err != ERR_OK)
		return explain(custody, id, err);
	snprintf(change, sizeof(change), "removed slot %u (%.80s), new keys", id, name);
	err = custody_save(custody, change);
	if (err == ERR_OK) {
		printf("Slot %u (%s) is removed, and %s has new keys (epoch %u).\n", id, name,
		       custody->config->name, slots_epoch(custody->slots));
		printf("Who kept a copy of the old slot file can still read what was written "
		       "before.\n");
	}
	keyring_free(renewed);
	return err;
}

enum err cmd_remove(const struct call *call)
{
	struct custody custody;
	uint32_t id = 0;
	enum err err = parse_slot(call, &id);

	if (err != ERR_OK || (err = check_slot(call, id)) != ERR_OK)
		return err;
	err = custody_open(&custody, call, true);
	if (err == ERR_OK)
		err = custody_hold(&custody);
	if (err == ERR_OK)
		err = remove_slot(&custody, id);
	custody_close(&custody);
	return err;
}

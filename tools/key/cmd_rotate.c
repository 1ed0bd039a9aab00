#include <stdio.h>

#include "tools/key/custody.h"
#include "tools/key/tool.h"

enum err cmd_rotate(const struct call *call)
{
	struct custody custody;
	struct keyring *renewed = NULL;
	enum err err = custody_open(&custody, call, true);

	if (err == ERR_OK)
		err = custody_hold(&custody);
	if (err != ERR_OK)
		goto out;
	err = slots_rotate(custody.slots, custody.keyring, custody.signer, &renewed);
	if (err == ERR_FULL)
		err = cli_fail(err, "%s has had %u keys: there is no room for another",
			       custody.config->name, SLOTS_EPOCHS_MAX);
	else if (err != ERR_OK)
		custody_fail(call, custody.config, err);
	if (err == ERR_OK)
		err = custody_save(&custody, "new keys for all slots");
	if (err == ERR_OK)
		printf("%s has new keys (epoch %u). Every slot is kept: %zu.\n",
		       custody.config->name, slots_epoch(custody.slots),
		       slots_count(custody.slots));
	keyring_free(renewed);
out:
	custody_close(&custody);
	return err;
}

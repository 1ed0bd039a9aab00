#include "tools/key/generation.h"

#include "base/secmem.h"
#include "store/ledger.h"

static enum err open_ledger(const char *state, const struct keyring *keyring, bool read_only,
			    struct ledger **ledger)
{
	uint8_t *key = secmem_alloc(32);
	struct ledger *opened = NULL;
	enum err err = key != NULL ? keyring_ledger_key(keyring, key) : ERR_NO_MEMORY;

	if (err == ERR_OK)
		err = ledger_open(state, read_only, &opened);
	if (err == ERR_OK)
		err = ledger_set_key(opened, key);
	if (err == ERR_OK)
		*ledger = opened;
	else
		ledger_close(opened);
	secmem_free(key);
	return err;
}

enum err generation_read(const char *state, const struct keyring *keyring, uint64_t *generation)
{
	struct ledger_position position;
	struct ledger *ledger;
	enum err err = open_ledger(state, keyring, true, &ledger);

	if (err != ERR_OK)
		return err;
	err = ledger_position(ledger, &position);
	if (err == ERR_OK)
		*generation = position.slots_generation;
	ledger_close(ledger);
	return err;
}

enum err generation_write(const char *state, const struct keyring *keyring, uint64_t generation)
{
	struct ledger_position position;
	struct ledger *ledger;
	enum err err = open_ledger(state, keyring, false, &ledger);

	if (err != ERR_OK)
		return err;
	err = ledger_position(ledger, &position);
	if (err == ERR_OK && position.slots_generation < generation) {
		position.slots_generation = generation;
		err = ledger_commit(ledger, &position);
	}
	ledger_close(ledger);
	return err;
}

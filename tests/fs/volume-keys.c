/*
 * What must not be in memory after a lock: VK, the newest MK, the journal's key
 * and the two of an object, a line "hex:..." each.
 *
 *	volume-keys CIPHERTEXT STATE KEYFILE OBJECT-FILE
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/secmem.h"
#include "crypto/crypto.h"
#include "keys/keyfile.h"
#include "keys/keyring.h"
#include "keys/slots.h"

static void must(enum err err, const char *what)
{
	if (err == ERR_OK)
		return;
	fprintf(stderr, "volume-keys: %s: %s\n", what, err_text(err));
	exit(EXIT_FAILURE);
}

static void print(const uint8_t key[MASTER_KEY_LEN])
{
	char digits[2 * MASTER_KEY_LEN + 1];

	hex_encode(key, MASTER_KEY_LEN, digits);
	printf("hex:%s\n", digits);
}

int main(int argc, char **argv)
{
	struct slots_factor factor = {.kind = SLOT_KEYFILE};
	uint8_t id[OBJECT_ID_LEN], key[OBJECT_KEY_LEN], *bytes;
	struct slots *slots;
	struct keyring *keyring;
	uint32_t epoch;

	if (argc != 5 || !strrchr(argv[4], '/') ||
	    !hex_decode(strrchr(argv[4], '/') + 1, id, sizeof(id)))
		return 2;
	must(crypto_init(), "crypto");
	must(keyfile_load(argv[3], &bytes, &factor.len), argv[3]);
	factor.bytes = bytes;
	must(slots_load(argv[1], argv[2], &slots), argv[1]);
	must(slots_unlock(slots, &factor, 0, NULL, NULL, &keyring), "unlock");
	epoch = keyring_epoch(keyring);
	print(keyring_volume_key(keyring));
	print(keyring_master_key(keyring, epoch));
	must(keyring_journal_key(keyring, epoch, key), "journal key");
	print(key);
	must(keyring_object_key(keyring, epoch, id, key), "object key");
	print(key);
	print(key + MASTER_KEY_LEN);
	keyring_free(keyring);
	slots_free(slots);
	secmem_free(bytes);
	return EXIT_SUCCESS;
}

#include "keys/keyring.h"

#include <string.h>

#include "base/buf.h"
#include "crypto/crypto.h"
#include "unit.h"

static uint8_t fs_id[FS_ID_LEN], object_id[OBJECT_ID_LEN];
static uint8_t volume_key[MASTER_KEY_LEN], master_keys[2 * MASTER_KEY_LEN];

/* fs id 10..1f, object id 80..8f, VK 33.., MK_1 01.., MK_2 02.. */
static struct keyring *make(uint32_t epochs)
{
	struct keyring *keyring = NULL;

	ck_assert_ok(crypto_init());
	for (int i = 0; i < 16; i++) {
		fs_id[i] = (uint8_t)(0x10 + i);
		object_id[i] = (uint8_t)(0x80 + i);
	}
	memset(volume_key, 0x33, sizeof(volume_key));
	memset(master_keys, 1, MASTER_KEY_LEN);
	memset(master_keys + MASTER_KEY_LEN, 2, MASTER_KEY_LEN);
	ck_assert_ok(keyring_new(fs_id, volume_key, master_keys, epochs, &keyring));
	return keyring;
}

static void equals(const uint8_t *bytes, size_t len, const char *expected)
{
	char text[2 * OBJECT_KEY_LEN + 1];

	hex_encode(bytes, len, text);
	ck_assert_str_eq(text, expected);
}

/* Expected values: RFC 5869 written out over Python's hmac and hashlib modules. */
START_TEST(keys_are_hkdf_of_label_fs_id_and_object)
{
	struct keyring *keyring = make(2);
	uint8_t out[OBJECT_KEY_LEN];

	ck_assert_ok(keyring_object_key(keyring, 1, object_id, out));
	equals(out, 64, "1d248ceacf363eda50eed3b830a43f5a65f067fb683305245cda741bb355b4c0"
			"67562616a5f29e73296ae6be3ff8275a48cd2de5607efb20dafdcca1cc93094e");
	ck_assert_ok(keyring_object_key(keyring, 2, object_id, out));
	equals(out, 64, "67af4845b99307cfe77166093e76592e84f397b5456fde701c1778d2d32d0138"
			"805aadb9494ba32ff2500d4c5f2482392d86c99c2b4b938b9bd1247230885ed2");
	ck_assert_ok(keyring_journal_key(keyring, 2, out));
	equals(out, 32, "bf4657d2ef0bcb842dfb91bc9fa3b83251c37cf4e9e591e3b03bfe1bb6e78528");
	ck_assert_ok(keyring_anchor_key(keyring, 2, out));
	equals(out, 32, "262c0c1ce8dd858f306e2b536e61360dae971632bd52cfdac0e1fd0d68dea220");
	ck_assert_ok(keyring_ledger_key(keyring, out));
	equals(out, 32, "67a74bf843433b5e67e06596af424917929f959d9f0d483ac432fc9d94ce2a8f");
	keyring_free(keyring);
}
END_TEST

START_TEST(ledger_key_outlives_rotation_and_epochs)
{
	struct keyring *before = make(1), *after = NULL;
	uint8_t old[32], now[32];

	ck_assert_ok(keyring_ledger_key(before, old));
	memset(volume_key, 0x44, sizeof(volume_key));
	ck_assert_ok(keyring_new(fs_id, volume_key, master_keys, 2, &after));
	ck_assert_ok(keyring_ledger_key(after, now));
	ck_assert_mem_eq(old, now, 32);
	keyring_free(before);
	keyring_free(after);
}
END_TEST

START_TEST(epochs_that_are_not_there_are_unknown)
{
	struct keyring *keyring = make(2);
	const uint32_t bad[] = {0, 3, UINT32_MAX};
	uint8_t out[OBJECT_KEY_LEN];

	for (size_t i = 0; i < 3; i++) {
		ck_assert_int_eq(keyring_object_key(keyring, bad[i], object_id, out), ERR_UNKNOWN);
		ck_assert_int_eq(keyring_journal_key(keyring, bad[i], out), ERR_UNKNOWN);
		ck_assert_int_eq(keyring_anchor_key(keyring, bad[i], out), ERR_UNKNOWN);
		ck_assert_ptr_null(keyring_master_key(keyring, bad[i]));
	}
	keyring_free(keyring);
}
END_TEST

START_TEST(parts_are_copied_and_given_back)
{
	struct keyring *keyring = make(2);
	uint8_t master_copy[2 * MASTER_KEY_LEN], volume_copy[MASTER_KEY_LEN];

	memcpy(master_copy, master_keys, sizeof(master_copy));
	memcpy(volume_copy, volume_key, sizeof(volume_copy));
	memset(master_keys, 0, sizeof(master_keys));
	memset(volume_key, 0, sizeof(volume_key));
	ck_assert_uint_eq(keyring_epoch(keyring), 2);
	ck_assert_mem_eq(keyring_fs_id(keyring), fs_id, FS_ID_LEN);
	ck_assert_mem_eq(keyring_volume_key(keyring), volume_copy, MASTER_KEY_LEN);
	ck_assert_mem_eq(keyring_master_key(keyring, 1), master_copy, MASTER_KEY_LEN);
	ck_assert_mem_eq(keyring_master_key(keyring, 2), master_copy + MASTER_KEY_LEN,
			 MASTER_KEY_LEN);
	keyring_free(keyring);
	keyring_free(NULL);
}
END_TEST

START_TEST(number_of_epochs_is_bounded)
{
	static uint8_t many[(EPOCHS_MAX + 1) * MASTER_KEY_LEN];
	struct keyring *keyring = NULL;

	ck_assert_int_eq(keyring_new(fs_id, volume_key, many, 0, &keyring), ERR_INVALID);
	ck_assert_int_eq(keyring_new(fs_id, volume_key, many, EPOCHS_MAX + 1, &keyring),
			 ERR_INVALID);
	ck_assert_ok(keyring_new(fs_id, volume_key, many, EPOCHS_MAX, &keyring));
	ck_assert_uint_eq(keyring_epoch(keyring), EPOCHS_MAX);
	keyring_free(keyring);
}
END_TEST

UNIT_MAIN("keyring", keys_are_hkdf_of_label_fs_id_and_object,
	  ledger_key_outlives_rotation_and_epochs, epochs_that_are_not_there_are_unknown,
	  parts_are_copied_and_given_back, number_of_epochs_is_bounded)

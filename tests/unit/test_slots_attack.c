/* What an attacker does to a slot file, and what a person of the past knows. */
#include "slots_unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

#define SLOT_AT(index) (SLOTS_HEADER_LEN + (index) * SLOT_RECORD_LEN)
#define RIGHTS_AT      5u
#define OPS_AT         80u
#define MEM_AT         84u
#define BOX_PUBLIC_AT  108u
#define SIGN_PUBLIC_AT 140u

static uint8_t *original;
static size_t original_len;

static void start(void)
{
	make_volume();
	original = read_slots(state, &original_len);
}

static void end(void)
{
	free(original);
	remove_volume();
}

static void write_both(const uint8_t *data, size_t len)
{
	write_slots(ciphertext, data, len);
	write_slots(state, data, len);
}

/* --- edited bytes ------------------------------------------------------------------------- */

START_TEST(every_edited_byte_refuses)
{
	static const uint8_t edits[] = {0x01, 0x80, 0xff};

	start();
	for (size_t at = 0; at < original_len; at++) {
		for (size_t i = 0; i < sizeof(edits); i++) {
			uint8_t before = original[at];
			struct slots *edited = NULL;
			struct keyring *opened = NULL;
			enum err err;

			original[at] ^= edits[i];
			write_slots(state, original, original_len);
			err = slots_load(state, NULL, &edited);
			if (err == ERR_OK)
				err = slots_unlock(edited, &by_boot, 0, NULL, NULL, &opened);
			ck_assert_msg(err == ERR_TAMPERED || err == ERR_FORMAT ||
					      err == ERR_VERSION || err == ERR_PASSPHRASE ||
					      err == ERR_DENIED,
				      "byte %zu: %s", at, err_name(err));
			ck_assert_ptr_null(opened);
			slots_free(edited);
			original[at] = before;
		}
	}
	end();
}
END_TEST

START_TEST(every_truncation_refuses)
{
	struct slots *cut = NULL;

	start();
	for (size_t len = 0; len < original_len; len++) {
		write_slots(state, original, len);
		ck_assert_int_eq(slots_load(state, NULL, &cut), ERR_FORMAT);
	}
	original = realloc(original, SLOTS_FILE_MAX + 1);
	memset(original + original_len, 0, SLOTS_FILE_MAX + 1 - original_len);
	write_slots(state, original, SLOTS_FILE_MAX + 1);
	ck_assert_int_eq(slots_load(state, NULL, &cut), ERR_FORMAT);
	end();
}
END_TEST

START_TEST(something_else_in_its_place_is_refused)
{
	struct slots *loaded = NULL;

	start();
	ck_assert_int_eq(remove(temp_path(state, SLOTS_FILE_NAME)), 0);
	ck_assert_int_eq(symlink(temp_path(ciphertext, SLOTS_FILE_NAME),
				 temp_path(state, SLOTS_FILE_NAME)), 0);
	ck_assert_int_eq(slots_load(state, NULL, &loaded), ERR_FORMAT);
	ck_assert_int_eq(remove(temp_path(state, SLOTS_FILE_NAME)), 0);
	ck_assert_int_eq(mkfifo(temp_path(state, SLOTS_FILE_NAME), 0600), 0);
	ck_assert_int_eq(slots_load(state, NULL, &loaded), ERR_FORMAT);
	end();
}
END_TEST

/* Edits both copies; what do the passphrase's and the key file's owner see? */
static void assert_refused(const char *what, enum err root, enum err boot)
{
	enum err by_passphrase, by_keyfile;

	write_both(original, original_len);
	by_passphrase = try_with(&by_root, 0);
	by_keyfile = try_with(&by_boot, 0);
	ck_assert_msg(by_passphrase == root, "%s: passphrase: %s", what, err_name(by_passphrase));
	ck_assert_msg(by_keyfile == boot, "%s: key file: %s", what, err_name(by_keyfile));
}

START_TEST(swapped_public_key_is_an_alarm)
{
	uint8_t secret[BOX_SECRET_LEN];

	start();
	box_keypair(original + SLOT_AT(0) + BOX_PUBLIC_AT, secret);
	assert_refused("public key", ERR_TAMPERED, ERR_TAMPERED);
	end();
}
END_TEST

START_TEST(swapped_signing_key_is_an_alarm)
{
	uint8_t secret[SIGN_SECRET_LEN];

	start();
	sign_keypair(original + SLOT_AT(0) + SIGN_PUBLIC_AT, secret);
	assert_refused("signing key", ERR_TAMPERED, ERR_TAMPERED);
	end();
}
END_TEST

START_TEST(edited_right_is_an_alarm)
{
	uint8_t secret[SIGN_SECRET_LEN];

	start();
	/* `boot` becomes a key-admin, with a key of the attacker's. */
	original[SLOT_AT(1) + RIGHTS_AT] = SLOT_RIGHTS_ALL;
	sign_keypair(original + SLOT_AT(1) + SIGN_PUBLIC_AT, secret);
	assert_refused("right", ERR_TAMPERED, ERR_TAMPERED);
	end();
}
END_TEST

START_TEST(edited_cost_refuses)
{
	start();
	store_u32(original + SLOT_AT(0) + OPS_AT, PASSPHRASE_KDF_OPS_MIN + 1);
	assert_refused("other cost", ERR_PASSPHRASE, ERR_TAMPERED);
	store_u32(original + SLOT_AT(0) + OPS_AT, PASSPHRASE_KDF_OPS_MIN);
	store_u64(original + SLOT_AT(0) + MEM_AT, PASSPHRASE_KDF_MEM_MIN - 1);
	assert_refused("below the floor", ERR_FORMAT, ERR_FORMAT);
	store_u64(original + SLOT_AT(0) + MEM_AT, PASSPHRASE_KDF_MEM_MAX + 1);
	assert_refused("above the ceiling", ERR_FORMAT, ERR_FORMAT);
	store_u64(original + SLOT_AT(0) + MEM_AT, UINT64_MAX);
	assert_refused("all memory there is", ERR_FORMAT, ERR_FORMAT);
	end();
}
END_TEST

START_TEST(older_generation_is_an_alarm)
{
	struct keyring *renewed = NULL;

	start();
	ck_assert_ok(try_with(&by_paper, 1));
	ck_assert_ok(slots_rotate(slots, keyring, signer, &renewed));
	ck_assert_ok(slots_save(slots, ciphertext, state));
	keyring_free(renewed);
	ck_assert_ok(try_with(&by_root, 2));
	ck_assert_ok(try_with(&by_root, 1)); /* newer than known is fine */
	write_both(original, original_len);
	ck_assert_int_eq(try_with(&by_root, 2), ERR_ROLLBACK);
	ck_assert_int_eq(try_with(&by_boot, 2), ERR_ROLLBACK);
	ck_assert_ok(try_with(&by_boot, 0)); /* not known yet: asked afterwards */
	ck_assert_ok(slots_check_generation(slots, 1));
	ck_assert_int_eq(slots_check_generation(slots, 2), ERR_ROLLBACK);
	end();
}
END_TEST

START_TEST(edited_in_memory_is_not_signed)
{
	const struct slots_new new_slot = {.name = "n", .rights = SLOT_RIGHT_UNLOCK,
					   .factor = by_boot};
	struct keyring *renewed = NULL;
	uint8_t secret[BOX_SECRET_LEN];

	start();
	ck_assert_ok(try_with(&by_paper, 0));
	box_keypair(slots->file->slots[1].box_public, secret);
	ck_assert_int_eq(slots_rotate(slots, keyring, signer, &renewed), ERR_TAMPERED);
	ck_assert_int_eq(slots_remove(slots, keyring, signer, SLOT_ROOT, &renewed), ERR_TAMPERED);
	ck_assert_int_eq(slots_add(slots, keyring, signer, &new_slot, NULL), ERR_TAMPERED);
	end();
}
END_TEST

/* --- forged files ----------------------------------------------------------------------------- */

/*
 * From the public keys alone: another VK and other master keys, sealed to
 * everybody, with a right MAC and a signature by a key-admin of the attacker's.
 * Who unlocked that would write under keys that the attacker has.
 */
START_TEST(file_made_of_public_keys_does_not_open)
{
	static const uint8_t evil_key[32] = "of the attacker, who was never a";
	const struct slots_new evil = {.name = "evil", .rights = SLOT_RIGHTS_ALL,
				       .factor = {SLOT_KEYFILE, evil_key, 32, 0}};
	struct slots *forged = NULL;
	struct keyring *evil_keyring = NULL, *opened = NULL;
	struct slots_signer *evil_signer = NULL;
	struct slots_opened as;
	struct slot_file *file;

	start();
	ck_assert_ok(slots_create(fs_id, &evil, 1, &forged, &evil_keyring));
	ck_assert_ok(slots_sign_in(forged, &evil.factor, &as, &evil_signer));
	file = forged->file;
	file->slots[1] = *slots_find(slots, SLOT_BOOT); /* number 2 */
	file->slot_count = 2;
	file->next_id = 3;
	ck_assert_ok(slot_seal_volume_key(&file->slots[1], keyring_volume_key(evil_keyring)));
	ck_assert_ok(slots_seal(file, keyring_volume_key(evil_keyring), evil_signer));
	/* The forgery is flawless... */
	ck_assert_ok(slots_unlock(forged, &evil.factor, 0, NULL, NULL, &opened));
	keyring_free(opened);
	opened = NULL;
	/* ...but for what the victim's own secrets say of the volume. */
	ck_assert_int_eq(slots_unlock(forged, &by_boot, 0, NULL, NULL, &opened), ERR_TAMPERED);
	ck_assert_ptr_null(opened);
	slots_signer_free(evil_signer);
	keyring_free(evil_keyring);
	slots_free(forged);
	end();
}
END_TEST

/* Whoever may only unlock has VK, and so could make the MAC. */
START_TEST(mac_without_a_key_admins_signature_is_refused)
{
	struct slots_signer *officer = NULL;
	struct slot_file *file;

	start();
	ck_assert_ok(slots_sign_in(slots, &by_officer, NULL, &officer));
	file = slots->file;
	strcpy(file->slots[1].name, "administrator");
	officer->slot = SLOT_BOOT; /* signed by a slot that is no key-admin */
	ck_assert_ok(slots_seal(file, keyring_volume_key(keyring), officer));
	ck_assert_ok(slots_save(slots, ciphertext, state));
	ck_assert_int_eq(try_with(&by_boot, 0), ERR_TAMPERED);
	slots_free(slots);
	slots = NULL;
	write_both(original, original_len);
	ck_assert_ok(slots_load(ciphertext, state, &slots));
	officer->slot = SLOT_ROOT; /* in another key-admin's name */
	ck_assert_ok(try_with(&by_boot, 0));
	ck_assert_ok(slots_seal(slots->file, keyring_volume_key(keyring), officer));
	ck_assert_ok(slots_save(slots, ciphertext, state));
	ck_assert_int_eq(try_with(&by_boot, 0), ERR_TAMPERED);
	slots_signer_free(officer);
	end();
}
END_TEST

START_TEST(slot_of_another_volume_does_not_fit)
{
	uint8_t *other;
	size_t len;

	start();
	other = read_slots(state, &len);
	remove_volume();
	make_volume();
	/* Its secrets are bound to fs id, number and kind, and its VK is another. */
	free(original);
	original = read_slots(state, &original_len);
	memcpy(original + SLOT_AT(1), other + SLOT_AT(1), SLOT_RECORD_LEN);
	assert_refused("slot of another volume", ERR_TAMPERED, ERR_PASSPHRASE);
	free(other);
	end();
}
END_TEST

START_TEST(slots_do_not_change_places)
{
	start();
	/* The officer's secrets in the place of boot's. */
	memcpy(original + SLOT_AT(1) + BOX_PUBLIC_AT, original + SLOT_AT(3) + BOX_PUBLIC_AT, 32);
	memcpy(original + SLOT_AT(1) + 92, original + SLOT_AT(3) + 92, 16);
	memcpy(original + SLOT_AT(1) + 172, original + SLOT_AT(3) + 172, 124);
	write_both(original, original_len);
	ck_assert_int_eq(try_with(&by_officer, 0), ERR_DENIED);
	ck_assert_int_eq(try_with(&by_root, 0), ERR_TAMPERED);
	end();
}
END_TEST

UNIT_MAIN("slots_attack", every_edited_byte_refuses, every_truncation_refuses,
	  something_else_in_its_place_is_refused, swapped_public_key_is_an_alarm,
	  swapped_signing_key_is_an_alarm, edited_right_is_an_alarm, edited_cost_refuses,
	  older_generation_is_an_alarm, edited_in_memory_is_not_signed,
	  file_made_of_public_keys_does_not_open, mac_without_a_key_admins_signature_is_refused,
	  slot_of_another_volume_does_not_fit, slots_do_not_change_places)

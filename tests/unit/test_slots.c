/* Slots: who gets in, how that is changed, and what both copies are for. */
#include "slots_unit.h"

#include <sys/stat.h>
#include <unistd.h>

/* --- getting in --------------------------------------------------------------------------- */

static void assert_opens(const struct slots_factor *factor, uint32_t slot, const char *name)
{
	struct slots_opened opened;
	struct keyring *again = NULL;
	struct slots *loaded;

	ck_assert_ok(slots_load(ciphertext, state, &loaded));
	ck_assert_ok(slots_unlock(loaded, factor, 0, &opened, NULL, &again));
	ck_assert_uint_eq(opened.slot, slot);
	ck_assert_str_eq(opened.name, name);
	ck_assert_uint_eq(opened.generation, slots_generation(loaded));
	ck_assert_uint_eq(keyring_epoch(again), keyring_epoch(keyring));
	ck_assert_mem_eq(keyring_fs_id(again), fs_id, FS_ID_LEN);
	ck_assert_mem_eq(keyring_volume_key(again), keyring_volume_key(keyring), MASTER_KEY_LEN);
	for (uint32_t epoch = 1; epoch <= keyring_epoch(keyring); epoch++)
		ck_assert_mem_eq(keyring_master_key(again, epoch),
				 keyring_master_key(keyring, epoch), MASTER_KEY_LEN);
	keyring_free(again);
	slots_free(loaded);
}

START_TEST(every_factor_opens_its_slot)
{
	struct slots_factor typed;
	char loud[SLOTS_RECOVERY_LEN + 3];

	make_volume();
	assert_opens(&by_root, SLOT_ROOT, "root@pacs1");
	assert_opens(&by_boot, SLOT_BOOT, "boot");
	assert_opens(&by_paper, SLOT_PAPER, "recovery");
	/* Where a passphrase is asked for, the recovery key as a person types it. */
	snprintf(loud, sizeof(loud), " %s ", paper_key);
	for (size_t i = 0; loud[i] != '\0'; i++) {
		if (loud[i] >= 'a' && loud[i] <= 'z')
			loud[i] = (char)(loud[i] - 'a' + 'A');
		else if (loud[i] == '-' && i % 2 == 0)
			loud[i] = ' ';
	}
	typed = factor_of(SLOT_PASSPHRASE, loud, strlen(loud));
	assert_opens(&typed, SLOT_PAPER, "recovery");
	remove_volume();
}
END_TEST

START_TEST(wrong_factors_open_nothing)
{
	static uint8_t long_key[SLOTS_KEYFILE_MAX + 1];
	char other_paper[SLOTS_RECOVERY_LEN + 1];
	struct slots_factor wrong[] = {
		{SLOT_PASSPHRASE, "correct horse battery stapl", 27, 0},
		{SLOT_PASSPHRASE, root_passphrase, sizeof(root_passphrase), 0}, /* and a NUL */
		{SLOT_PASSPHRASE, "", 0, 0},
		{SLOT_PASSPHRASE, boot_key, sizeof(boot_key), 0},
		{SLOT_KEYFILE, root_passphrase, strlen(root_passphrase), 0},
		{SLOT_KEYFILE, boot_key, sizeof(boot_key) - 1, 0},
		{SLOT_KEYFILE, boot_key, SLOTS_KEYFILE_MIN - 1, 0},
		{SLOT_KEYFILE, long_key, sizeof(long_key), 0},
		{SLOT_RECOVERY, other_paper, SLOTS_RECOVERY_LEN, 0},
		{SLOT_RECOVERY, paper_key, SLOTS_RECOVERY_LEN - 1, 0},
		{SLOT_PASSPHRASE, root_passphrase, strlen(root_passphrase), SLOT_BOOT},
		{SLOT_KEYFILE, boot_key, sizeof(boot_key), SLOT_ROOT},
		{SLOT_KEYFILE, boot_key, sizeof(boot_key), 99},
		{(enum slot_kind)0, boot_key, sizeof(boot_key), 0},
		{(enum slot_kind)9, boot_key, sizeof(boot_key), 0},
		{SLOT_KEYFILE, NULL, 0, 0},
	};

	make_volume();
	slots_recovery_new(other_paper);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		enum err err = try_with(&wrong[i], 0);

		ck_assert_msg(err == ERR_PASSPHRASE, "factor %zu: %s", i, err_name(err));
		ck_assert_ptr_null(keyring);
	}
	remove_volume();
}
END_TEST

START_TEST(key_admin_signs_and_does_not_unlock)
{
	struct slots_signer *officer = NULL;
	struct slots_opened opened;

	make_volume();
	ck_assert_int_eq(try_with(&by_officer, 0), ERR_DENIED);
	ck_assert_ptr_null(keyring);
	ck_assert_int_eq(slots_sign_in(slots, &by_officer, NULL, &officer), ERR_LOCKED);
	ck_assert_ok(try_with(&by_boot, 0));
	ck_assert_ptr_null(signer); /* boot is no key-admin */
	ck_assert_int_eq(slots_sign_in(slots, &by_boot, NULL, &officer), ERR_DENIED);
	ck_assert_int_eq(slots_sign_in(slots, &(struct slots_factor){SLOT_KEYFILE, paper_key, 40, 0},
				       NULL, &officer),
			 ERR_PASSPHRASE);
	ck_assert_ok(slots_sign_in(slots, &by_officer, &opened, &officer));
	ck_assert_uint_eq(opened.slot, SLOT_OFFICER);
	slots_signer_free(officer);
	remove_volume();
}
END_TEST

START_TEST(looking_needs_no_key)
{
	make_volume();
	close_volume();
	ck_assert_ok(slots_load(ciphertext, state, &slots));
	ck_assert_mem_eq(slots_fs_id(slots), fs_id, FS_ID_LEN);
	ck_assert_uint_eq(slots_generation(slots), 1);
	ck_assert_uint_eq(slots_epoch(slots), 1);
	ck_assert_uint_eq(slots_count(slots), SLOT_COUNT);
	ck_assert_str_eq(slots_at(slots, 0)->name, "root@pacs1");
	ck_assert_ptr_null(slots_at(slots, SLOT_COUNT));
	ck_assert_str_eq(slots_find(slots, SLOT_OFFICER)->name, "officer");
	ck_assert_ptr_null(slots_find(slots, 5));
	ck_assert_str_eq(slot_kind_word(slots_at(slots, 2)->kind), "recovery");
	ck_assert_str_eq(slot_kind_word(7), "?");
	ck_assert_str_eq(slot_rights_words(slots_at(slots, 3)->rights), "key-admin");
	remove_volume();
}
END_TEST

/* --- changing ------------------------------------------------------------------------------- */

static const uint8_t new_key[40] = "a key file that did not exist before";
static const struct slots_new new_slot = {
	.name = "oncall",
	.rights = SLOT_RIGHT_UNLOCK,
	.factor = {SLOT_KEYFILE, new_key, sizeof(new_key), 0},
};

static void open_as_admin(void)
{
	ck_assert_ok(try_with(&by_paper, 0));
	ck_assert_ptr_nonnull(signer);
}

/* Takes over what a change made. */
static void change_to(struct keyring *renewed)
{
	keyring_free(keyring);
	keyring = renewed;
	ck_assert_ok(slots_save(slots, ciphertext, state));
}

START_TEST(added_slot_opens)
{
	uint32_t id = 0;

	make_volume();
	open_as_admin();
	ck_assert_ok(slots_add(slots, keyring, signer, &new_slot, &id));
	ck_assert_uint_eq(id, 5);
	ck_assert(slots_need_save(slots));
	ck_assert_ok(slots_save(slots, ciphertext, state));
	ck_assert(!slots_need_save(slots));
	ck_assert_uint_eq(slots_generation(slots), 2);
	ck_assert_uint_eq(slots_epoch(slots), 1);
	assert_opens(&new_slot.factor, 5, "oncall");
	assert_opens(&by_root, SLOT_ROOT, "root@pacs1");
	remove_volume();
}
END_TEST

START_TEST(removed_slot_opens_nothing_and_others_need_no_passphrase)
{
	struct keyring *renewed = NULL;
	uint8_t first[MASTER_KEY_LEN], volume_key[MASTER_KEY_LEN];

	make_volume();
	open_as_admin();
	memcpy(first, keyring_master_key(keyring, 1), sizeof(first));
	memcpy(volume_key, keyring_volume_key(keyring), sizeof(volume_key));
	ck_assert_ok(slots_remove(slots, keyring, signer, SLOT_BOOT, &renewed));
	ck_assert_uint_eq(keyring_epoch(renewed), 2);
	ck_assert_mem_eq(keyring_master_key(renewed, 1), first, sizeof(first));
	ck_assert_mem_ne(keyring_master_key(renewed, 2), first, sizeof(first));
	ck_assert_mem_ne(keyring_volume_key(renewed), volume_key, sizeof(volume_key));
	change_to(renewed);
	ck_assert_uint_eq(slots_count(slots), SLOT_COUNT - 1);
	assert_opens(&by_root, SLOT_ROOT, "root@pacs1");
	assert_opens(&by_paper, SLOT_PAPER, "recovery");
	ck_assert_int_eq(try_with(&by_boot, 0), ERR_PASSPHRASE);
	ck_assert_int_eq(try_with(&by_officer, 0), ERR_DENIED);
	remove_volume();
}
END_TEST

START_TEST(number_of_a_removed_slot_is_not_used_again)
{
	struct keyring *renewed = NULL;
	uint32_t id;

	make_volume();
	open_as_admin();
	ck_assert_ok(slots_remove(slots, keyring, signer, SLOT_OFFICER, &renewed));
	change_to(renewed);
	ck_assert_ok(slots_add(slots, keyring, signer, &new_slot, &id));
	ck_assert_uint_eq(id, SLOT_OFFICER + 1);
	remove_volume();
}
END_TEST

START_TEST(rotation_keeps_all_and_counts_epochs)
{
	make_volume();
	for (uint32_t epoch = 2; epoch <= 4; epoch++) {
		struct keyring *renewed = NULL;

		open_as_admin();
		ck_assert_ok(slots_rotate(slots, keyring, signer, &renewed));
		ck_assert_uint_eq(keyring_epoch(renewed), epoch);
		for (uint32_t old = 1; old < epoch; old++)
			ck_assert_mem_eq(keyring_master_key(renewed, old),
					 keyring_master_key(keyring, old), MASTER_KEY_LEN);
		change_to(renewed);
		ck_assert_uint_eq(slots_generation(slots), epoch);
		ck_assert_uint_eq(slots_epoch(slots), epoch);
		assert_opens(&by_boot, SLOT_BOOT, "boot");
	}
	assert_opens(&by_root, SLOT_ROOT, "root@pacs1");
	remove_volume();
}
END_TEST

START_TEST(officer_changes_with_somebody_elses_keyring)
{
	struct slots_signer *officer = NULL;
	struct keyring *renewed = NULL;

	make_volume();
	ck_assert_ok(try_with(&by_boot, 0));
	ck_assert_ok(slots_sign_in(slots, &by_officer, NULL, &officer));
	ck_assert_ok(slots_remove(slots, keyring, officer, SLOT_ROOT, &renewed));
	slots_signer_free(officer);
	change_to(renewed);
	ck_assert_int_eq(try_with(&by_root, 0), ERR_PASSPHRASE);
	ck_assert_ok(try_with(&by_boot, 0));
	remove_volume();
}
END_TEST

START_TEST(nobody_locks_himself_out)
{
	struct keyring *renewed = NULL;

	make_volume();
	open_as_admin();
	ck_assert_int_eq(slots_remove(slots, keyring, signer, SLOT_PAPER, &renewed), ERR_DENIED);
	ck_assert_int_eq(slots_remove(slots, keyring, signer, 77, &renewed), ERR_NOT_FOUND);
	ck_assert_ok(slots_remove(slots, keyring, signer, SLOT_ROOT, &renewed));
	change_to(renewed);
	slots_signer_free(signer);
	ck_assert_ok(slots_sign_in(slots, &by_officer, NULL, &signer));
	ck_assert_ok(slots_remove(slots, keyring, signer, SLOT_PAPER, &renewed));
	change_to(renewed);
	/* Only `boot` unlocks now. */
	ck_assert_int_eq(slots_remove(slots, keyring, signer, SLOT_BOOT, &renewed), ERR_DENIED);
	ck_assert_uint_eq(slots_generation(slots), 3);
	ck_assert(!slots_need_save(slots));
	assert_opens(&by_boot, SLOT_BOOT, "boot");
	remove_volume();
}
END_TEST

START_TEST(changes_need_an_opened_file_and_its_own_signer)
{
	struct slots_signer *foreign;
	struct keyring *renewed = NULL;

	make_volume();
	open_as_admin();
	foreign = signer;
	signer = NULL;
	ck_assert_ok(slots_rotate(slots, keyring, foreign, &renewed));
	change_to(renewed);
	/* Loaded, not unlocked. */
	slots_free(slots);
	ck_assert_ok(slots_load(ciphertext, state, &slots));
	ck_assert_int_eq(slots_rotate(slots, keyring, foreign, &renewed), ERR_LOCKED);
	ck_assert_int_eq(slots_add(slots, keyring, foreign, &new_slot, NULL), ERR_LOCKED);
	/* A signer of another volume. */
	remove_volume();
	make_volume();
	ck_assert_ok(try_with(&by_boot, 0));
	ck_assert_int_eq(slots_rotate(slots, keyring, foreign, &renewed), ERR_DENIED);
	ck_assert_int_eq(slots_remove(slots, keyring, foreign, SLOT_ROOT, &renewed), ERR_DENIED);
	ck_assert_int_eq(slots_add(slots, keyring, foreign, &new_slot, NULL), ERR_DENIED);
	ck_assert_uint_eq(slots_generation(slots), 1);
	slots_signer_free(foreign);
	remove_volume();
}
END_TEST

START_TEST(bad_slots_are_not_made)
{
	static const struct slots_cost small = {PASSPHRASE_KDF_OPS_MIN, PASSPHRASE_KDF_MEM_MIN - 1};
	static const struct slots_cost large = {PASSPHRASE_KDF_OPS_MAX + 1, PASSPHRASE_KDF_MEM_MIN};
	char name[SLOT_NAME_MAX + 2];
	struct slots_new bad[8];

	make_volume();
	open_as_admin();
	memset(name, 'n', sizeof(name));
	name[SLOT_NAME_MAX + 1] = '\0';
	for (size_t i = 0; i < 8; i++)
		bad[i] = new_slot;
	bad[0].name = "";
	bad[1].name = name;
	bad[2].name = "two\nlines";
	bad[3].rights = 0;
	bad[4].rights = 4;
	bad[5].factor.len = SLOTS_KEYFILE_MIN - 1;
	bad[6].factor = by_root;
	bad[6].cost = small;
	bad[7].factor = by_root;
	bad[7].cost = large;
	for (size_t i = 0; i < 8; i++) {
		enum err err = slots_add(slots, keyring, signer, &bad[i], NULL);

		ck_assert_msg(err == ERR_INVALID, "slot %zu: %s", i, err_name(err));
	}
	ck_assert_uint_eq(slots_generation(slots), 1);
	ck_assert_uint_eq(slots_count(slots), SLOT_COUNT);
	remove_volume();
}
END_TEST

START_TEST(numbers_of_slots_and_epochs_end)
{
	struct keyring *renewed = NULL;

	make_volume();
	open_as_admin();
	while (slots_count(slots) < SLOTS_MAX)
		ck_assert_ok(slots_add(slots, keyring, signer, &new_slot, NULL));
	ck_assert_int_eq(slots_add(slots, keyring, signer, &new_slot, NULL), ERR_FULL);
	while (slots_epoch(slots) < SLOTS_EPOCHS_MAX) {
		ck_assert_ok(slots_rotate(slots, keyring, signer, &renewed));
		keyring_free(keyring);
		keyring = renewed;
	}
	ck_assert_int_eq(slots_rotate(slots, keyring, signer, &renewed), ERR_FULL);
	ck_assert_int_eq(slots_remove(slots, keyring, signer, SLOT_BOOT, &renewed), ERR_FULL);
	ck_assert_ok(slots_save(slots, ciphertext, state));
	assert_opens(&by_boot, SLOT_BOOT, "boot");
	remove_volume();
}
END_TEST

START_TEST(first_slot_of_a_volume_has_both_rights)
{
	struct slots_new first = new_slot;

	ck_assert_ok(crypto_init());
	ck_assert_int_eq(slots_create(fs_id, &first, 1, &slots, &keyring), ERR_INVALID);
	first.rights = SLOT_RIGHTS_ALL;
	ck_assert_int_eq(slots_create(fs_id, &first, 0, &slots, &keyring), ERR_INVALID);
	first.name = "";
	ck_assert_int_eq(slots_create(fs_id, &first, 1, &slots, &keyring), ERR_INVALID);
	first.name = "only";
	ck_assert_ok(slots_create(fs_id, &first, 1, &slots, &keyring));
	close_volume();
}
END_TEST

/* --- recovery keys ------------------------------------------------------------------------------ */

START_TEST(recovery_key_finds_typing_mistakes)
{
	/* Fixed, since one mistake in 65,536 is not found. */
	static const char key[] = "aaaqe-ayeau-daoca-jbifq-ydiob-4ibce-qtcqk-rmmkp";
	char text[SLOTS_RECOVERY_LEN + 1];

	ck_assert_ok(crypto_init());
	slots_recovery_new(text);
	ck_assert_uint_eq(strlen(text), SLOTS_RECOVERY_LEN);
	ck_assert(slots_recovery_is_valid(text, strlen(text)));
	for (size_t i = 0; i < strlen(text); i++)
		ck_assert(i % 6 == 5 ? text[i] == '-' : text[i] != '-');
	ck_assert(slots_recovery_is_valid(key, strlen(key)));
	for (size_t i = 0; key[i] != '\0'; i++) {
		for (const char *other = "abcdefghijklmnopqrstuvwxyz234567"; *other != '\0'; other++) {
			memcpy(text, key, sizeof(key));
			if (key[i] == '-' || key[i] == *other)
				continue;
			text[i] = *other;
			ck_assert_msg(!slots_recovery_is_valid(text, strlen(text)), "%s", text);
		}
	}
	ck_assert(!slots_recovery_is_valid(key, strlen(key) - 1));
	ck_assert(!slots_recovery_is_valid("", 0));
	ck_assert(!slots_recovery_is_valid("9", 1));
}
END_TEST

/* --- the two copies ------------------------------------------------------------------------------ */

START_TEST(files_are_private_and_alone)
{
	struct stat st;

	make_volume();
	ck_assert_int_eq(stat(temp_path(ciphertext, "slots"), &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(stat(temp_path(state, "slots"), &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0600);
	ck_assert_int_ne(access(temp_path(state, "slots.new"), F_OK), 0);
	ck_assert_int_ne(access(temp_path(ciphertext, "slots.new"), F_OK), 0);
	remove_volume();
}
END_TEST

START_TEST(either_copy_is_enough)
{
	struct slots *none = NULL;

	make_volume();
	ck_assert_int_eq(unlink(temp_path(state, "slots")), 0);
	ck_assert_ok(try_with(&by_boot, 0));
	ck_assert(slots_need_save(slots));
	ck_assert_ok(slots_save(slots, ciphertext, state));
	ck_assert_int_eq(unlink(temp_path(ciphertext, "slots")), 0);
	ck_assert_ok(try_with(&by_boot, 0));
	ck_assert_int_eq(unlink(temp_path(state, "slots")), 0);
	ck_assert_int_eq(slots_load(ciphertext, state, &none), ERR_NOT_FOUND);
	ck_assert_int_eq(slots_load(ciphertext, NULL, &none), ERR_NOT_FOUND);
	ck_assert_ptr_null(none);
	remove_volume();
}
END_TEST

START_TEST(damaged_copy_is_mended_from_the_other)
{
	uint8_t *data;
	size_t len;

	make_volume();
	data = read_slots(state, &len);
	data[70] ^= 1;
	write_slots(state, data, len);
	ck_assert_ok(try_with(&by_boot, 0));
	ck_assert(slots_need_save(slots));
	write_slots(state, data, 100);
	ck_assert_ok(try_with(&by_boot, 0));
	ck_assert(slots_need_save(slots));
	ck_assert_ok(slots_save(slots, ciphertext, state));
	ck_assert_ok(try_with(&by_boot, 0));
	ck_assert(!slots_need_save(slots));
	free(data);
	remove_volume();
}
END_TEST

START_TEST(a_pretended_newer_copy_is_passed_over)
{
	uint8_t *data;
	size_t len;

	make_volume();
	data = read_slots(ciphertext, &len);
	data[29] = 0xff; /* generation */
	write_slots(ciphertext, data, len);
	ck_assert_ok(try_with(&by_boot, 1));
	ck_assert_uint_eq(slots_generation(slots), 1);
	ck_assert_ok(try_with(&by_root, 1));
	free(data);
	remove_volume();
}
END_TEST

/* Power fails between the two writes of a removal. */
START_TEST(half_saved_removal_removes)
{
	struct keyring *renewed = NULL;
	uint8_t *before;
	size_t len;

	make_volume();
	before = read_slots(ciphertext, &len);
	open_as_admin();
	ck_assert_ok(slots_remove(slots, keyring, signer, SLOT_BOOT, &renewed));
	change_to(renewed);
	write_slots(ciphertext, before, len);
	ck_assert_int_eq(try_with(&by_boot, 0), ERR_PASSPHRASE);
	ck_assert_ok(try_with(&by_root, 0));
	ck_assert_uint_eq(keyring_epoch(keyring), 2);
	ck_assert(slots_need_save(slots));
	free(before);
	remove_volume();
}
END_TEST

START_TEST(one_program_changes_at_a_time)
{
	int first, second;

	make_volume();
	ck_assert_ok(slots_hold(state, &first));
	ck_assert_int_eq(slots_hold(state, &second), ERR_BUSY);
	close(first);
	ck_assert_ok(slots_hold(state, &second));
	close(second);
	ck_assert_int_eq(slots_hold(temp_path(state, "none"), &first), ERR_NOT_FOUND);
	remove_volume();
}
END_TEST

START_TEST(failed_save_says_so)
{
	make_volume();
	open_as_admin();
	ck_assert_ok(slots_add(slots, keyring, signer, &new_slot, NULL));
	ck_assert_int_eq(slots_save(slots, temp_path(ciphertext, "none"), state), ERR_NOT_FOUND);
	ck_assert(slots_need_save(slots));
	/* The other copy was written, and it is the newest. */
	ck_assert_ok(try_with(&new_slot.factor, 2));
	remove_volume();
}
END_TEST

UNIT_MAIN("slots", every_factor_opens_its_slot, wrong_factors_open_nothing,
	  key_admin_signs_and_does_not_unlock, looking_needs_no_key, added_slot_opens,
	  removed_slot_opens_nothing_and_others_need_no_passphrase,
	  number_of_a_removed_slot_is_not_used_again, rotation_keeps_all_and_counts_epochs,
	  officer_changes_with_somebody_elses_keyring, nobody_locks_himself_out,
	  changes_need_an_opened_file_and_its_own_signer, bad_slots_are_not_made,
	  numbers_of_slots_and_epochs_end, first_slot_of_a_volume_has_both_rights,
	  recovery_key_finds_typing_mistakes, files_are_private_and_alone, either_copy_is_enough,
	  damaged_copy_is_mended_from_the_other, a_pretended_newer_copy_is_passed_over,
	  half_saved_removal_removes, one_program_changes_at_a_time, failed_save_says_so)

/* A volume's slot file for the tests of slots: five ways in, two directories. */
#ifndef PHIFS_TESTS_SLOTS_UNIT_H
#define PHIFS_TESTS_SLOTS_UNIT_H

#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "crypto/crypto.h"
#include "crypto/random.h"
#include "keys/slots_private.h"
#include "tests/store/temp_dir.h"

enum { SLOT_ROOT = 1, SLOT_BOOT, SLOT_PAPER, SLOT_OFFICER, SLOT_COUNT = SLOT_OFFICER };

/* The cheapest that is allowed: tests have no secret to protect. */
#define CHEAP {PASSPHRASE_KDF_OPS_MIN, PASSPHRASE_KDF_MEM_MIN}

static const uint8_t fs_id[FS_ID_LEN] = "volume-of-tests";
static const char root_passphrase[] = "correct horse battery staple";
static uint8_t boot_key[64], officer_key[48];
static char paper_key[SLOTS_RECOVERY_LEN + 1];

static struct slots_factor by_root, by_boot, by_paper, by_officer;
static char *ciphertext, *state;
static struct slots *slots;
static struct keyring *keyring;
static struct slots_signer *signer;

static void drop_log(void *ctx, enum log_level level, const char *text)
{
	(void)ctx;
	(void)level;
	(void)text;
}

static struct slots_factor factor_of(enum slot_kind kind, const void *bytes, size_t len)
{
	struct slots_factor factor = {.kind = kind, .bytes = bytes, .len = len};

	return factor;
}

static void close_volume(void)
{
	slots_signer_free(signer);
	keyring_free(keyring);
	slots_free(slots);
	signer = NULL;
	keyring = NULL;
	slots = NULL;
}

/* Slot 1 all, 2 unlock (key file), 3 all (recovery key), 4 key-admin only (key file). */
static void make_volume(void)
{
	struct slots_new news[SLOT_COUNT] = {
		{.name = "root@pacs1", .rights = SLOT_RIGHTS_ALL, .cost = CHEAP},
		{.name = "boot", .rights = SLOT_RIGHT_UNLOCK},
		{.name = "recovery", .rights = SLOT_RIGHTS_ALL},
		{.name = "officer", .rights = SLOT_RIGHT_KEY_ADMIN},
	};

	ck_assert_ok(crypto_init());
	log_set_hook(drop_log, NULL);
	random_bytes(boot_key, sizeof(boot_key));
	random_bytes(officer_key, sizeof(officer_key));
	slots_recovery_new(paper_key);
	by_root = factor_of(SLOT_PASSPHRASE, root_passphrase, strlen(root_passphrase));
	by_boot = factor_of(SLOT_KEYFILE, boot_key, sizeof(boot_key));
	by_paper = factor_of(SLOT_RECOVERY, paper_key, strlen(paper_key));
	by_officer = factor_of(SLOT_KEYFILE, officer_key, sizeof(officer_key));
	news[0].factor = by_root;
	news[1].factor = by_boot;
	news[2].factor = by_paper;
	news[3].factor = by_officer;
	ciphertext = temp_dir_new();
	state = temp_dir_new();
	ck_assert_ok(slots_create(fs_id, news, SLOT_COUNT, &slots, &keyring));
	ck_assert_ok(slots_save(slots, ciphertext, state));
}

static void remove_volume(void)
{
	close_volume();
	temp_dir_free(ciphertext);
	temp_dir_free(state);
}

/* --- opening it again ------------------------------------------------------------------ */

static enum err try_with(const struct slots_factor *factor, uint64_t minimum)
{
	enum err err;

	close_volume();
	err = slots_load(ciphertext, state, &slots);
	if (err == ERR_OK)
		err = slots_unlock(slots, factor, minimum, NULL, &signer, &keyring);
	return err;
}

/* --- the bytes on disk ----------------------------------------------------------------- */

static uint8_t *read_slots(const char *directory, size_t *len)
{
	uint8_t *data;

	ck_assert_ok(io_read_file(AT_FDCWD, temp_path(directory, SLOTS_FILE_NAME), SLOTS_FILE_MAX,
				  &data, len));
	return data;
}

/* Without io_replace_file's flushes: some tests write thousands. */
static void write_slots(const char *directory, const uint8_t *data, size_t len)
{
	const char *path = temp_path(directory, SLOTS_FILE_NAME);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_ok(io_pwrite_all(fd, data, len, 0));
	close(fd);
}

#endif

/* An auditor's key files: made, loaded, and what is no such file. */
#include "tests/unit/audit_unit.h"

START_TEST(test_auditor_keys)
{
	char path[96], fingerprint[FINGERPRINT_LEN], text[FINGERPRINT_LEN];
	struct auditor_key *key;
	struct stat st;
	uint8_t public_key[BOX_PUBLIC_LEN];
	bool needs = false;

	set_up();
	snprintf(path, sizeof(path), "%s/deputy", f.directory);
	ck_assert_ok(auditor_key_create(path, "correct horse", 13, fingerprint));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(auditor_key_create(path, NULL, 0, fingerprint), ERR_EXISTS);
	ck_assert_ok(auditor_key_needs_passphrase(path, &needs));
	ck_assert(needs);
	ck_assert_int_eq(auditor_key_load(path, "wrong", 5, &key), ERR_PASSPHRASE);
	ck_assert_int_eq(auditor_key_load(path, NULL, 0, &key), ERR_PASSPHRASE);
	ck_assert_ok(auditor_key_load(path, "correct horse", 13, &key));
	auditor_fingerprint(key->public_key, text);
	ck_assert_str_eq(text, fingerprint);
	secmem_free(key);
	ck_assert_ok(auditor_key_needs_passphrase(f.key_file, &needs));
	ck_assert(!needs);
	strcat(path, ".pub");
	ck_assert_ok(auditor_public_load(path, public_key));
	ck_assert_int_eq(auditor_key_load(path, NULL, 0, &key), ERR_FORMAT);
	ck_assert_int_eq(auditor_public_load(f.key_file, public_key), ERR_FORMAT);
	tear_down();
}
END_TEST

START_TEST(test_auditor_key_files_hostile)
{
	static const char *const costs[] = {"3 63", "3 1", "3 9999", "99 256", "0 256", "-1 256"};
	uint8_t *data, public_key[BOX_PUBLIC_LEN];
	char path[96], fingerprint[FINGERPRINT_LEN];
	struct auditor_key *key;
	size_t len;

	set_up();
	snprintf(path, sizeof(path), "%s/k", f.directory);
	ck_assert_ok(io_read_file(AT_FDCWD, f.key_file, 4096, &data, &len));
	for (size_t cut = 0; cut + 1 < len; cut++) {
		unlink(path);
		ck_assert_ok(io_create_file(AT_FDCWD, path, data, cut, 0600));
		ck_assert_int_eq(auditor_key_load(path, NULL, 0, &key), ERR_FORMAT);
		ck_assert_int_eq(auditor_public_load(path, public_key), ERR_FORMAT);
	}
	free(data);
	/* Costs below the floor or above the ceiling are not paid. */
	unlink(path);
	ck_assert_ok(auditor_key_create(path, "x", 1, fingerprint));
	ck_assert_ok(io_read_file(AT_FDCWD, path, 4096, &data, &len));
	for (unsigned i = 0; i < sizeof(costs) / sizeof(costs[0]); i++) {
		const char *rest = strstr((char *)data, " 3 256 ") + 7;
		char text[512];

		snprintf(text, sizeof(text), "phifs-auditor-secret-1 argon2id %s %s", costs[i],
			 rest);
		unlink(path);
		ck_assert_ok(io_create_file(AT_FDCWD, path, text, strlen(text), 0600));
		ck_assert_int_eq(auditor_key_load(path, "x", 1, &key), ERR_FORMAT);
	}
	free(data);
	tear_down();
}
END_TEST

UNIT_MAIN("auditor key", test_auditor_keys, test_auditor_key_files_hostile)

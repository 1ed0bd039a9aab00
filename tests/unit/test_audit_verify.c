/* Every attack on a journal that the verifier has a name for is committed here. */
#include "tests/unit/audit_attack.h"

START_TEST(test_whole)
{
	struct findings findings;

	set_up_runs();
	verify(&f, f.key, &findings);
	ck_assert_uint_eq(findings.count, 0);
	ck_assert_uint_eq(findings.reads, 15);
	/* Chain and seals can be checked by anybody. */
	verify(&f, NULL, &findings);
	ck_assert_uint_eq(findings.count, 1);
	ck_assert(has_finding(&findings, VERDICT_NO_KEY));
	ck_assert_int_eq(findings.worst, ERR_OK);
	tear_down();
}
END_TEST

START_TEST(test_every_bit)
{
	struct file file;
	struct findings findings;

	/* Whatever bit of a middle segment is flipped, it is noticed, with and without a key. */
	set_up_runs();
	load(2, &file);
	for (size_t bit = 0; bit < 8 * file.len; bit += 5) {
		file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		store_bytes(2, file.data, file.len);
		verify(&f, bit % 2 == 0 ? f.key : NULL, &findings);
		ck_assert_msg(findings.worst == ERR_TAMPERED, "bit %zu", bit);
		file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	free(file.data);
	tear_down();
}
END_TEST

START_TEST(test_edit)
{
	struct file file;

	set_up_runs();
	load(2, &file);
	file.data[file.records[2] + 40] ^= 1;
	store_bytes(2, file.data, file.len);
	expect(VERDICT_EDITED, ERR_TAMPERED);
	free(file.data);
	tear_down();
}
END_TEST

START_TEST(test_delete)
{
	struct file file;
	size_t at, len;

	set_up_runs();
	load(2, &file);
	at = file.records[3];
	len = length_of(&file, 3);
	memmove(file.data + at, file.data + at + len, file.len - at - len);
	store_bytes(2, file.data, file.len - len);
	expect(VERDICT_SEQUENCE, ERR_TAMPERED);
	free(file.data);
	tear_down();
}
END_TEST

START_TEST(test_duplicate)
{
	struct file file;
	uint8_t *data;
	size_t at, len;

	set_up_runs();
	load(2, &file);
	at = file.records[3];
	len = length_of(&file, 3);
	data = malloc(file.len + len);
	memcpy(data, file.data, at + len);
	memcpy(data + at + len, file.data + at, file.len - at);
	store_bytes(2, data, file.len + len);
	expect(VERDICT_SEQUENCE, ERR_TAMPERED);
	free(data);
	free(file.data);
	tear_down();
}
END_TEST

START_TEST(test_reorder)
{
	struct file file;
	uint8_t one[RECORD_MAX], two[RECORD_MAX];
	size_t at, len_one, len_two;

	set_up_runs();
	load(2, &file);
	at = file.records[2];
	len_one = length_of(&file, 2);
	len_two = length_of(&file, 3);
	memcpy(one, file.data + at, len_one);
	memcpy(two, file.data + at + len_one, len_two);
	memcpy(file.data + at, two, len_two);
	memcpy(file.data + at + len_two, one, len_one);
	store_bytes(2, file.data, file.len);
	expect(VERDICT_SEQUENCE, ERR_TAMPERED);
	/* Renumbering them does not help. */
	store_u64(file.data + at + 4, load_u64(one + 4));
	store_u64(file.data + at + len_two + 4, load_u64(two + 4));
	store_bytes(2, file.data, file.len);
	expect(VERDICT_EDITED, ERR_TAMPERED);
	free(file.data);
	tear_down();
}
END_TEST

START_TEST(test_insert)
{
	struct file from, to;
	uint8_t *data;
	size_t at, len;

	/* A record of segment 1 goes into segment 2, renumbered. */
	set_up_runs();
	load(1, &from);
	load(2, &to);
	at = to.records[2];
	len = length_of(&from, 2);
	data = malloc(to.len + len);
	memcpy(data, to.data, at);
	memcpy(data + at, from.data + from.records[2], len);
	store_u64(data + at + 4, load_u64(to.data + at + 4));
	memcpy(data + at + len, to.data + at, to.len - at);
	store_bytes(2, data, to.len + len);
	expect(VERDICT_EDITED, ERR_TAMPERED);
	free(data);
	free(from.data);
	free(to.data);
	tear_down();
}
END_TEST

START_TEST(test_head_cut)
{
	set_up_runs();
	remove_segment(1);
	expect(VERDICT_HEAD_CUT, ERR_TAMPERED);
	tear_down();
}
END_TEST

START_TEST(test_missing_segment)
{
	set_up_runs();
	remove_segment(2);
	expect(VERDICT_MISSING, ERR_TAMPERED);
	tear_down();
}
END_TEST

START_TEST(test_last_segment_missing)
{
	/* The rest verifies by itself: only the state, or a collector, knows. */
	set_up_runs();
	remove_segment(3);
	expect(VERDICT_MISSING, ERR_TAMPERED);
	ck_assert_int_eq(audit_open(&f.config, &(struct audit *){NULL}), ERR_TAMPERED);
	tear_down();
}
END_TEST

START_TEST(test_tail_cut)
{
	struct file file;

	set_up_runs();
	load(3, &file);
	/* The stop seal and one record more. */
	store_bytes(3, file.data, file.records[file.count - 2]);
	expect(VERDICT_TAIL_CUT, ERR_TAMPERED);
	ck_assert_int_eq(audit_open(&f.config, &(struct audit *){NULL}), ERR_TAMPERED);
	/* In the midst of a record. */
	store_bytes(3, file.data, file.records[file.count - 2] + 30);
	expect(VERDICT_TAIL_CUT, ERR_TAMPERED);
	free(file.data);
	tear_down();
}
END_TEST

START_TEST(test_tail_cut_of_middle)
{
	struct file file;

	set_up_runs();
	load(2, &file);
	store_bytes(2, file.data, file.records[file.count - 2]);
	expect(VERDICT_TAIL_CUT, ERR_TAMPERED);
	free(file.data);
	tear_down();
}
END_TEST

START_TEST(test_state_missing)
{
	char path[128];

	set_up_runs();
	snprintf(path, sizeof(path), "%s/state", f.journal);
	ck_assert_int_eq(unlink(path), 0);
	expect(VERDICT_STATE, ERR_UNPROVEN);
	ck_assert_int_eq(audit_open(&f.config, &(struct audit *){NULL}), ERR_NOT_FOUND);
	tear_down();
}
END_TEST

START_TEST(test_appended)
{
	struct file file;
	uint8_t *data;
	size_t len;

	/* A true record once more behind the stop seal, with the number that is due. */
	set_up_runs();
	load(3, &file);
	len = length_of(&file, 2);
	data = malloc(file.len + len);
	memcpy(data, file.data, file.len);
	memcpy(data + file.len, file.data + file.records[2], len);
	store_u64(data + file.len + 4, load_u64(file.data + file.records[file.count - 1] + 4) + 1);
	store_bytes(3, data, file.len + len);
	expect(VERDICT_EDITED, ERR_TAMPERED);
	ck_assert_int_eq(audit_open(&f.config, &(struct audit *){NULL}), ERR_TAMPERED);
	/* Plain rubbish. */
	memset(data + file.len, 0xee, len);
	store_bytes(3, data, file.len + len);
	expect(VERDICT_GARBAGE, ERR_TAMPERED);
	ck_assert_int_eq(audit_open(&f.config, &(struct audit *){NULL}), ERR_TAMPERED);
	free(data);
	free(file.data);
	tear_down();
}
END_TEST

START_TEST(test_forged_seal)
{
	struct file file;
	struct record_header header;
	struct seal seal;
	struct chain chain = {.seq = 0};
	uint8_t record[SEAL_RECORD_MAX], public_key[SIGN_PUBLIC_LEN], secret[SIGN_SECRET_LEN];
	size_t at;

	/* A seal that is right in all but its key. */
	set_up_runs();
	load(3, &file);
	at = file.records[file.count - 1];
	ck_assert(record_header_decode(file.data + at, file.len - at, &header));
	ck_assert_int_eq(header.type, AUDIT_SEAL);
	sign_keypair(public_key, secret);
	/* Only the signature will not fit; the fields are taken over. */
	(void)!seal_decode(file.data + at, &header, file.data + 16, public_key, &seal);
	chain.seq = header.seq - 1;
	ck_assert_uint_eq(seal_encode(&seal, file.data + 16, secret, header.wall_ns, &chain, record),
			  header.len);
	memcpy(file.data + at, record, header.len);
	store_bytes(3, file.data, file.len);
	expect(VERDICT_SEAL, ERR_TAMPERED);
	free(file.data);
	tear_down();
}
END_TEST

START_TEST(test_seal_removed_between)
{
	struct file file;
	struct audit *audit;
	size_t at = 0, len = 0;

	/* Two periodic seals; the first is taken out, what follows is renumbered. */
	set_up_runs();
	audit = open_trail(&f);
	append_reads(audit, 3);
	ck_assert_ok(audit_seal(audit));
	append_reads(audit, 3);
	audit_close(audit, 0);
	load(4, &file);
	for (size_t i = 0; i + 1 < file.count && at == 0; i++) {
		if (file.data[file.records[i] + 2] == AUDIT_SEAL)
			at = file.records[i];
	}
	ck_assert_uint_ne(at, 0);
	len = load_u16(file.data + at);
	memmove(file.data + at, file.data + at + len, file.len - at - len);
	store_bytes(4, file.data, file.len - len);
	expect(VERDICT_SEQUENCE, ERR_TAMPERED);
	for (size_t pos = at; pos < file.len - len; pos += load_u16(file.data + pos))
		store_u64(file.data + pos + 4, load_u64(file.data + pos + 4) - 1);
	store_bytes(4, file.data, file.len - len);
	expect(VERDICT_EDITED, ERR_TAMPERED);
	free(file.data);
	tear_down();
}
END_TEST

START_TEST(test_foreign_segment)
{
	struct fixture mine, other;
	struct file file;

	/* Segment 2 of another journal in the place of ours. */
	set_up_runs();
	mine = f;
	set_up_runs();
	other = f;
	load(2, &file);
	f = mine;
	store_bytes(2, file.data, file.len);
	expect(VERDICT_FOREIGN, ERR_TAMPERED);
	free(file.data);
	tear_down();
	f = other;
	tear_down();
}
END_TEST

START_TEST(test_whole_journal_replaced)
{
	struct audit_reader *reader;
	char right[FINGERPRINT_LEN], path[128];
	const char *files[] = {path};
	struct audit_summary summary;
	struct findings findings = {.count = 0};

	/* A new journal for the same auditor verifies; its fingerprint gives it away. */
	set_up_runs();
	ck_assert_ok(audit_reader_open(f.journal, f.key, NULL, NULL, &reader));
	audit_reader_summary(reader, &summary);
	strcpy(right, summary.fingerprint);
	ck_assert_ok(audit_reader_check_fingerprint(reader, right));
	audit_reader_close(reader);
	remove_all(f.journal);
	snprintf(path, sizeof(path), "%s.pub", f.key_file);
	ck_assert_ok(audit_create(f.journal, files, 1, summary.fingerprint, FINGERPRINT_LEN));
	run_once(&f, 5);
	ck_assert_ok(audit_reader_open(f.journal, f.key, keep_finding, &findings, &reader));
	ck_assert_int_eq(audit_reader_check_fingerprint(reader, right), ERR_TAMPERED);
	ck_assert(has_finding(&findings, VERDICT_FINGERPRINT));
	audit_reader_close(reader);
	tear_down();
}
END_TEST

START_TEST(test_wrong_key)
{
	char path[96], fingerprint[FINGERPRINT_LEN];
	struct auditor_key *key;

	set_up_runs();
	snprintf(path, sizeof(path), "%s/stranger", f.directory);
	ck_assert_ok(auditor_key_create(path, NULL, 0, fingerprint));
	ck_assert_ok(auditor_key_load(path, NULL, 0, &key));
	ck_assert_int_eq(audit_reader_open(f.journal, key, NULL, NULL,
					   &(struct audit_reader *){NULL}),
			 ERR_DENIED);
	secmem_free(key);
	tear_down();
}
END_TEST

START_TEST(test_rollback_of_the_store)
{
	fixture_set_up(&f);
	f.evidence.store_seq = 100;
	f.evidence.slots_generation = 7;
	run_once(&f, 1);
	f.evidence.store_seq = 0; /* locked: says nothing */
	run_once(&f, 1);
	f.evidence.store_seq = 99;
	run_once(&f, 1);
	expect(VERDICT_ROLLBACK, ERR_TAMPERED);
	tear_down();
}
END_TEST

START_TEST(test_live)
{
	struct audit *audit;
	struct findings findings;

	set_up_runs();
	audit = open_trail(&f);
	append_reads(audit, 100);
	ck_assert_ok(audit_flush_wait(audit, audit_flush_begin(audit)));
	verify(&f, f.key, &findings);
	ck_assert_int_eq(findings.worst, ERR_OK);
	ck_assert_ok(audit_seal(audit));
	verify(&f, f.key, &findings);
	ck_assert_uint_eq(findings.count, 0);
	audit_close(audit, 0);
	tear_down();
}
END_TEST

START_TEST(test_identity_hostile)
{
	char path[128];
	uint8_t *data;
	size_t len;

	set_up_runs();
	snprintf(path, sizeof(path), "%s/journal", f.journal);
	ck_assert_ok(io_read_file(AT_FDCWD, path, 4096, &data, &len));
	for (size_t bit = 0; bit < 8 * len; bit++) {
		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		unlink(path);
		ck_assert_ok(io_create_file(AT_FDCWD, path, data, len, 0644));
		ck_assert_int_ne(audit_reader_open(f.journal, f.key, NULL, NULL,
						   &(struct audit_reader *){NULL}),
				 ERR_OK);
		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t cut = 0; cut < len; cut++) {
		unlink(path);
		ck_assert_ok(io_create_file(AT_FDCWD, path, data, cut, 0644));
		ck_assert_int_ne(audit_reader_open(f.journal, f.key, NULL, NULL,
						   &(struct audit_reader *){NULL}),
				 ERR_OK);
	}
	free(data);
	tear_down();
}
END_TEST

UNIT_MAIN("audit-verify", test_whole, test_every_bit, test_edit, test_delete, test_duplicate,
	  test_reorder, test_insert, test_head_cut, test_missing_segment,
	  test_last_segment_missing, test_tail_cut, test_tail_cut_of_middle, test_state_missing,
	  test_appended, test_forged_seal, test_seal_removed_between, test_foreign_segment,
	  test_whole_journal_replaced, test_wrong_key, test_rollback_of_the_store, test_live,
	  test_identity_hostile)

/*
 * A whole audit journal whose segment somebody edited, read by the auditor:
 * the input is the segment's file, everything else stays.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

#include "audit/audit.h"
#include "audit/auditor_key.h"
#include "audit/reader.h"
#include "audit/segment_file.h"
#include "base/io.h"
#include "crypto/crypto.h"

#define RECORDS 12

const unsigned int fuzz_iterations = 1500;
bool fuzz_accepted;

static char top[64], journal[80], segment[160];
static struct auditor_key *key;
static uint64_t records; /* of the journal as it was made */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_all(void)
{
	nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void append(struct audit *audit)
{
	static const struct audit_person person = {.uid = 1, .login_uid = 1, .pid = 7,
						   .user = "nurse"};
	struct audit_event event = {.type = AUDIT_OPEN, .person = &person, .handle = 1,
				    .path = "/archive/MRN1/a.dcm", .class_name = "archive",
				    .role = "radiology", .rule = 3};

	FUZZ_CHECK(audit_append(audit, &event, NULL) == ERR_OK);
	for (unsigned int i = 0; i < RECORDS; i++) {
		event = (struct audit_event){.type = AUDIT_READ, .person = &person, .handle = 1,
					     .offset = i * 4096, .length = 4096, .bytes = 4096};
		FUZZ_CHECK(audit_append(audit, &event, NULL) == ERR_OK);
	}
}

static void make_journal(void)
{
	char ring[96], key_file[96], public_file[104], fingerprint[FINGERPRINT_LEN];
	const char *files[] = {public_file};
	struct audit_config config = {.volume = "ehr", .directory = journal, .ring_path = ring,
				      .segment_size = 1 << 20, .segment_age_ms = 1000000};
	struct audit *audit;

	snprintf(journal, sizeof(journal), "%s/audit", top);
	snprintf(ring, sizeof(ring), "%s/ehr.tail", top);
	snprintf(key_file, sizeof(key_file), "%s/officer", top);
	snprintf(public_file, sizeof(public_file), "%s.pub", key_file);
	FUZZ_CHECK(auditor_key_create(key_file, NULL, 0, fingerprint) == ERR_OK);
	FUZZ_CHECK(auditor_key_load(key_file, NULL, 0, &key) == ERR_OK);
	FUZZ_CHECK(audit_create(journal, files, 1, fingerprint, sizeof(fingerprint)) == ERR_OK);
	FUZZ_CHECK(audit_open(&config, &audit) == ERR_OK);
	append(audit);
	audit_close(audit, 0);
}

static void count_finding(void *ctx, const struct audit_finding *finding)
{
	(*(unsigned int *)ctx)++;
	FUZZ_CHECK(finding->verdict < VERDICT_COUNT);
	FUZZ_CHECK(memchr(finding->detail, '\0', sizeof(finding->detail)) != NULL);
}

/* The worst finding, or why it does not open; how many records could be read. */
static enum err read_all(uint64_t *count, unsigned int *findings)
{
	struct audit_reader *reader;
	struct audit_record record;
	struct audit_summary summary;
	enum err err;

	*count = 0;
	*findings = 0;
	err = audit_reader_open(journal, key, count_finding, findings, &reader);
	if (err != ERR_OK)
		return err;
	while ((err = audit_reader_next(reader, &record)) == ERR_OK) {
		(*count)++;
		if (record.body != NULL && record.body->event.path != NULL)
			fuzz_touch(record.body->event.path, strlen(record.body->event.path));
	}
	FUZZ_CHECK(err == ERR_NOT_FOUND);
	audit_reader_summary(reader, &summary);
	audit_reader_close(reader);
	return summary.worst;
}

void fuzz_corpus(void)
{
	char name[SEGMENT_NAME_MAX];
	uint8_t *data;
	size_t size;
	unsigned int findings;

	FUZZ_CHECK(crypto_init() == ERR_OK);
	strcpy(top, access("/dev/shm", W_OK) == 0 ? "/dev/shm/phifs-fuzz.XXXXXX"
						  : "/tmp/phifs-fuzz.XXXXXX");
	FUZZ_CHECK(mkdtemp(top) != NULL);
	atexit(remove_all);
	make_journal();
	FUZZ_CHECK(read_all(&records, &findings) == ERR_OK && records > RECORDS);
	segment_name(1, name);
	snprintf(segment, sizeof(segment), "%s/%s", journal, name);
	FUZZ_CHECK(io_read_file(AT_FDCWD, segment, FUZZ_INPUT_MAX, &data, &size) == ERR_OK);
	fuzz_seed(data, size);
	free(data);
}

/* Whatever is edited: it is read without a crash, and said. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t *original;
	static size_t original_size;
	uint64_t count;
	unsigned int findings;
	enum err worst;
	int fd;

	if (original == NULL)
		FUZZ_CHECK(io_read_file(AT_FDCWD, segment, FUZZ_INPUT_MAX, &original,
					&original_size) == ERR_OK);
	fd = open(segment, O_WRONLY | O_TRUNC | O_CLOEXEC);
	FUZZ_CHECK(fd >= 0 && io_pwrite_all(fd, data, size, 0) == ERR_OK);
	close(fd);
	worst = read_all(&count, &findings);
	fuzz_accepted = worst == ERR_OK && count == records;
	if (size == original_size && memcmp(data, original, size) == 0)
		FUZZ_CHECK(fuzz_accepted && findings == 0);
	else
		FUZZ_CHECK(worst != ERR_OK && findings > 0);
	return 0;
}

/*
 * A stand-in for a daemon: writes an audit trail as a volume in use would.
 *
 *	trail-writer create JOURNAL PUBLIC-KEY-FILE...
 *	trail-writer write JOURNAL RING FORWARD|- FILES READS PAUSE-US
 *	trail-writer hostile JOURNAL RING FORWARD|- FILES SEED
 *
 * `write` opens FILES files of a person each, reads READS times from each with
 * a pause after every read, and stops cleanly; SIGTERM ends it early.  It prints
 * the number of the last record appended.  `hostile` opens files whose names
 * and openers are made of what breaks parsers, names in clear.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/audit.h"
#include "audit/identity.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secmem.h"
#include "crypto/crypto.h"

#define DELIVER_MS 30000

static volatile sig_atomic_t is_stopping;

static void stop(int number)
{
	(void)number;
	is_stopping = 1;
}

static const struct audit_person people[] = {
	{.uid = 1001, .login_uid = 1001, .session = 4, .pid = 77, .user = "nurse",
	 .login_user = "nurse", .exe = "/usr/bin/cat", .from = "ssh 192.0.2.7"},
	{.uid = 998, .login_uid = (uid_t)-1, .session = UINT32_MAX, .pid = 78, .user = "_pacs",
	 .exe = "/usr/bin/storescp", .from = "service", .unit = "pacs.service"},
	{.uid = 0, .login_uid = 1002, .session = 5, .pid = 79, .user = "root",
	 .login_user = "jroot", .exe = "/usr/bin/less", .from = "pts/3"},
};

static enum err create(char **words, int count)
{
	char fingerprint[FINGERPRINT_LEN];
	enum err err = audit_create(words[0], (const char *const *)words + 1, (size_t)count - 1,
				    fingerprint, sizeof(fingerprint));

	if (err == ERR_OK)
		printf("%s\n", fingerprint);
	return err;
}

static void describe(struct audit_event *event, unsigned int number, char path[128])
{
	snprintf(path, 128, "/archive/MRN%04u/image %u.dcm", number % 1000, number);
	*event = (struct audit_event){.person = &people[number % 2],
				      .thread = 1000,
				      .handle = number + 1,
				      .number = number + 100,
				      .path = path,
				      .patient = 2,
				      .class_name = "archive",
				      .role = number % 2 == 0 ? "radiology" : "pacs",
				      .rule = 12};
}

/* One file from open to close, with a refusal at its door. */
static enum err use_file(struct audit *audit, unsigned int number, unsigned int reads,
			 useconds_t pause, uint64_t *seq)
{
	struct audit_event event;
	char path[128];
	enum err err;

	describe(&event, number, path);
	event.type = AUDIT_DENY;
	event.person = &people[2];
	event.action = "read";
	event.role = NULL;
	event.rule = 0;
	event.err = ERR_DENIED;
	err = audit_append(audit, &event, seq);
	describe(&event, number, path);
	event.type = AUDIT_OPEN;
	if (err == ERR_OK)
		err = audit_append(audit, &event, seq);
	event.type = AUDIT_READ;
	for (unsigned int i = 0; i < reads && err == ERR_OK && !is_stopping; i++) {
		event.offset = (uint64_t)i * 4096;
		event.length = event.bytes = 4096;
		err = audit_append(audit, &event, seq);
		if (pause > 0)
			usleep(pause);
	}
	event = (struct audit_event){.type = AUDIT_CLOSE, .person = event.person,
				     .handle = event.handle};
	return err == ERR_OK ? audit_append(audit, &event, seq) : err;
}

/* --- what breaks parsers ------------------------------------------------------- */

static const char *const pieces[] = {
	"\n", "\r", "\\", "\"", "]", "[", "%", "%0A", "\\n", "\x1b[31m", "\x7f", "\xc3\xbc",
	"\xff", "\xc3", "\xe2\x80\xae", "\xe2\x80\xa8", "\xef\xbb\xbf", "\xf0\x9f\x98\x80",
	" ", "=", "'", "`", "$", "<86>1 ", "a", "B", "/", "${MSG}", "\t", "x=\"y\"",
};

static void hostile_text(char *out, size_t size)
{
	size_t len = 0, count = (size_t)rand() % 6 + 1;

	out[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		const char *piece = pieces[(size_t)rand() % (sizeof(pieces) / sizeof(pieces[0]))];

		if (len + strlen(piece) + 1 > size)
			break;
		strcpy(out + len, piece);
		len += strlen(piece);
	}
}

static enum err use_hostile_file(struct audit *audit, unsigned int number, uint64_t *seq)
{
	struct audit_person person = {.uid = number, .login_uid = number + 1, .pid = 9};
	char path[64], detail[64];
	struct audit_event event = {.type = AUDIT_OPEN, .person = &person, .handle = number + 1,
				    .path = path, .detail = detail, .class_name = "c",
				    .role = "r", .rule = 1};

	hostile_text(person.user, sizeof(person.user));
	hostile_text(person.login_user, sizeof(person.login_user));
	hostile_text(person.exe, 64);
	hostile_text(person.from, 64);
	path[0] = '/';
	hostile_text(path + 1, sizeof(path) - 1);
	hostile_text(detail, sizeof(detail));
	return audit_append(audit, &event, seq);
}

/* --- the trail -------------------------------------------------------------------- */

static enum err write_trail(char **words, bool is_hostile)
{
	const struct audit_config config = {
		.plain_names = is_hostile,
		.volume = "ehr",
		.directory = words[0],
		.ring_path = words[1],
		.forward = strcmp(words[2], "-") == 0 ? NULL : words[2],
		.segment_size = 1 << 20,
		.segment_age_ms = 3600000,
	};
	const struct audit_event mount = {.type = AUDIT_MOUNT, .detail = "trail-writer"};
	unsigned int files = (unsigned int)strtoul(words[3], NULL, 10);
	unsigned int reads = (unsigned int)strtoul(words[4], NULL, 10);
	useconds_t pause = is_hostile ? 0 : (useconds_t)strtoul(words[5], NULL, 10);
	struct audit *audit;
	uint64_t seq = 0;
	enum err err = audit_open(&config, &audit);

	if (err != ERR_OK)
		return err;
	srand(reads);
	err = audit_append(audit, &mount, &seq);
	for (unsigned int i = 0; i < files && err == ERR_OK && !is_stopping; i++)
		err = is_hostile ? use_hostile_file(audit, i, &seq)
				 : use_file(audit, i, reads, pause, &seq);
	audit_close(audit, DELIVER_MS);
	if (err == ERR_OK)
		printf("%" PRIu64 "\n", seq);
	return err;
}

int main(int argc, char **argv)
{
	enum err err = ERR_USAGE;

	log_set_name("trail-writer");
	signal(SIGTERM, stop);
	if (secmem_init() != ERR_OK || crypto_init() != ERR_OK)
		return 1;
	if (argc >= 4 && strcmp(argv[1], "create") == 0)
		err = create(argv + 2, argc - 2);
	else if (argc == 8 && strcmp(argv[1], "write") == 0)
		err = write_trail(argv + 2, false);
	else if (argc == 7 && strcmp(argv[1], "hostile") == 0)
		err = write_trail(argv + 2, true);
	if (err != ERR_OK)
		log_error("%s", err_text(err));
	return err_exit_code(err);
}

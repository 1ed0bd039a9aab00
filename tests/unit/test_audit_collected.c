/* What a collector has, read back: ranges, lines, whole messages, hostile ones. */
#include "audit/collected.h"
#include "audit/message.h"
#include "audit/ranges.h"
#include "crypto/random.h"
#include "tests/unit/audit_fixture.h"

/* --- ranges -------------------------------------------------------------------- */

START_TEST(test_ranges)
{
	struct ranges ranges = {.list = NULL};

	ck_assert_ok(ranges_add(&ranges, 1, 5));
	ck_assert_int_eq(ranges_add(&ranges, 1, 5), ERR_EXISTS);
	ck_assert_int_eq(ranges_add(&ranges, 3, 3), ERR_EXISTS);
	ck_assert_ok(ranges_add(&ranges, 6, 6));
	ck_assert_uint_eq(ranges.count, 1);
	ck_assert_ok(ranges_add(&ranges, 10, 12));
	ck_assert_ok(ranges_add(&ranges, 8, 8));
	ck_assert_uint_eq(ranges.count, 3);
	ck_assert(ranges_touch(&ranges, 4, 4) && ranges_touch(&ranges, 7, 9));
	ck_assert(!ranges_touch(&ranges, 7, 7) && !ranges_touch(&ranges, 13, 20));
	ck_assert_ok(ranges_add(&ranges, 7, 9));
	ck_assert_uint_eq(ranges.count, 1);
	ck_assert_uint_eq(ranges.list[0].first, 1);
	ck_assert_uint_eq(ranges.list[0].last, 12);
	ck_assert_ok(ranges_add(&ranges, UINT64_MAX, UINT64_MAX));
	ck_assert_int_eq(ranges_add(&ranges, UINT64_MAX, UINT64_MAX), ERR_EXISTS);
	ck_assert_ok(ranges_add(&ranges, 0, UINT64_MAX));
	ck_assert_uint_eq(ranges.count, 1);
	ranges_clear(&ranges);
}
END_TEST

#define SMALL 64

/* Against a table of booleans. */
START_TEST(test_ranges_random)
{
	for (unsigned int round = 0; round < 2000; round++) {
		struct ranges ranges = {.list = NULL};
		bool has[SMALL] = {false};

		for (unsigned int i = 0; i < 24; i++) {
			uint8_t pick[2];
			bool is_new = false;
			uint64_t first, last;

			random_bytes(pick, sizeof(pick));
			first = pick[0] % SMALL;
			last = first + pick[1] % 6 < SMALL ? first + pick[1] % 6 : SMALL - 1;
			for (uint64_t at = first; at <= last; at++) {
				is_new = is_new || !has[at];
				has[at] = true;
			}
			ck_assert_int_eq(ranges_add(&ranges, first, last),
					 is_new ? ERR_OK : ERR_EXISTS);
		}
		for (size_t i = 0, at = 0; i <= ranges.count; i++) {
			uint64_t end = i < ranges.count ? ranges.list[i].first : SMALL;

			for (; at < end; at++)
				ck_assert(!has[at]);
			for (; i < ranges.count && at <= ranges.list[i].last; at++)
				ck_assert(has[at]);
		}
		ranges_clear(&ranges);
	}
}
END_TEST

START_TEST(test_ranges_bounded)
{
	struct ranges ranges = {.list = NULL};
	enum err err = ERR_OK;
	uint64_t number = 1;

	for (; number < 4 * RANGES_MAX && err == ERR_OK; number += 2)
		err = ranges_add(&ranges, number, number);
	ck_assert_int_eq(err, ERR_FULL);
	ck_assert_uint_le(ranges.count, RANGES_MAX);
	ranges_clear(&ranges);
}
END_TEST

/* --- lines ----------------------------------------------------------------------- */

#define HEAD "<86>1 2026-11-25T13:30:46.296881Z h phifsd 1 READ "
#define OURS "[x@1 v=\"1\" jid=\"a\" seq=\"7\""

static enum err parse(const char *text, struct syslog_line *line)
{
	return syslog_line_parse(text, strlen(text), line);
}

START_TEST(test_line)
{
	struct syslog_line line;
	uint64_t number;

	ck_assert_ok(parse(HEAD "[meta sequenceId=\"3\"]" OURS " t=\"a\\\"b\\\\c\\]d%0A%25\"] words",
			   &line));
	ck_assert_str_eq(syslog_line_get(&line, "t"), "a\"b\\c]d\n%");
	ck_assert_str_eq(line.host, "h");
	ck_assert_str_eq(line.program, "phifsd");
	ck_assert_str_eq(line.message_id, "READ");
	ck_assert_int_eq(line.wall_ns, 1795613446296881000);
	ck_assert(syslog_line_number(&line, "seq", &number));
	ck_assert_uint_eq(number, 7);
	ck_assert(!syslog_line_number(&line, "t", &number));
	ck_assert(syslog_line_number(&line, "none", &number));
	ck_assert_uint_eq(number, 0);
	/* An offset, and no priority. */
	ck_assert_ok(parse("2026-11-25T14:30:46+01:00 h phifsd 1 READ " OURS "]", &line));
	ck_assert_int_eq(line.wall_ns, 1795613446000000000);
}
END_TEST

START_TEST(test_line_refused)
{
	static const struct {
		const char *text;
		enum err err;
	} lines[] = {
		{"", ERR_NOT_FOUND},
		{"   ", ERR_NOT_FOUND},
		{"Nov 25 13:30:46 h cron[1]: something", ERR_NOT_FOUND},
		{"<13>1 2026-11-25T13:30:46Z h cron 1 - - something", ERR_NOT_FOUND},
		{"<13>1 2026-11-25T13:30:46Z h cron 1 - [a b=\"c\"] x", ERR_NOT_FOUND},
		{HEAD OURS, ERR_FORMAT},
		{HEAD OURS " t=\"a", ERR_FORMAT},
		{HEAD OURS " t=\"a\\", ERR_FORMAT},
		{HEAD OURS " t=a]", ERR_FORMAT},
		{HEAD OURS " ]", ERR_FORMAT},
		{HEAD OURS " t=\"1\" t=\"2\"]", ERR_FORMAT},
		{HEAD OURS " t=\"x\"y=\"2\"]", ERR_FORMAT},
		{HEAD "[x@1 v=\"2\" jid=\"a\" seq=\"7\"]", ERR_VERSION},
		{"<86>1 yesterday h phifsd 1 READ " OURS "]", ERR_FORMAT},
		{"<86>1 2026-11-25T13:30:46 h phifsd 1 READ " OURS "]", ERR_FORMAT},
	};
	struct syslog_line line;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		ck_assert_msg(parse(lines[i].text, &line) == lines[i].err, "%s: %s", lines[i].text,
			      err_name(parse(lines[i].text, &line)));
}
END_TEST

/* --- messages: from the renderer and back ------------------------------------------- */

struct pair {
	struct message_context context;
	struct segment_header header;
	struct segment_keys *keys;
	uint8_t journal_id[AUDIT_ID_LEN], pseudonym_key[AUDIT_KEY_LEN];
	struct auditor_key *auditor;
	struct collected *collected;
	struct collected_record *record;
	char line[MESSAGE_MAX + 1];
	size_t len;
	uint64_t seq;
};

static void seal_to_auditor(struct pair *p)
{
	struct auditor_boxes *boxes = &p->header.auditors[0];
	uint8_t plain[SEALED_KEYS_LEN];

	memcpy(plain, p->keys->path, AUDIT_KEY_LEN);
	memcpy(plain + AUDIT_KEY_LEN, p->pseudonym_key, AUDIT_KEY_LEN);
	memcpy(boxes->auditor, p->auditor->public_key, BOX_PUBLIC_LEN);
	ck_assert_ok(box_seal(boxes->auditor, plain, sizeof(plain), boxes->path_key));
	p->header.auditor_count = 1;
}

static void pair_set_up(struct pair *p)
{
	uint8_t key[AUDIT_KEY_LEN];

	ck_assert_ok(crypto_init());
	memset(p, 0, sizeof(*p));
	random_bytes(p->journal_id, sizeof(p->journal_id));
	random_bytes(p->pseudonym_key, sizeof(p->pseudonym_key));
	random_bytes(key, sizeof(key));
	p->keys = secmem_alloc(sizeof(*p->keys));
	p->auditor = secmem_alloc(sizeof(*p->auditor));
	p->record = calloc(1, sizeof(*p->record));
	ck_assert_ok(segment_keys_derive(key, p->keys));
	box_keypair(p->auditor->public_key, p->auditor->secret);
	p->header.number = 3;
	seal_to_auditor(p);
	p->context = (struct message_context){.sd_id = "phifs@32473", .volume = "ehr",
					      .journal_id = p->journal_id, .host = "h", .pid = 1,
					      .handles = handles_new(false),
					      .pseudonym_key = p->pseudonym_key,
					      .segment = &p->header, .keys = p->keys};
	ck_assert_ok(aead_new(&p->context.aead));
	ck_assert_ok(collected_new(p->auditor, &p->collected));
}

static void pair_tear_down(struct pair *p)
{
	collected_free(p->collected);
	handles_free(p->context.handles);
	aead_free(p->context.aead);
	secmem_free(p->keys);
	secmem_free(p->auditor);
	free(p->record);
}

/* An event through body, renderer and back; the journal's clock is made up. */
static enum err pass(struct pair *p, const struct audit_event *event)
{
	static uint8_t bytes[BODY_MAX];
	struct body *body = body_new();
	size_t len = body_encode(event, 1, bytes, sizeof(bytes));
	struct message_record record = {.type = event->type, .first_seq = ++p->seq,
					.chain = {.seq = p->seq}, .wall_ns = 1795613446296881000,
					.body = body};
	enum err err;

	ck_assert_ok(body_decode(event->type, bytes, len, body));
	p->len = message_render(&p->context, &record, p->line) - 1;
	body_free(body);
	err = collected_line(p->collected, p->line, p->len, p->record);
	if (err == ERR_OK)
		ck_assert_uint_eq(p->record->seq, p->seq);
	return err;
}

static const struct audit_person sister = {.uid = 1001, .login_uid = 1002, .session = 4,
					   .pid = 77, .user = "na\"me]", .login_user = "x",
					   .exe = "/bin/\n\xff", .from = "ssh", .unit = "u"};
static const struct audit_event opening = {.type = AUDIT_OPEN, .person = &sister, .handle = 9,
					   .number = 12, .path = "/wards/5/M\xc3\xbcller\n.dcm",
					   .patient = 2, .class_name = "wards",
					   .role = "nurses", .rule = 7};
static const struct audit_event segment = {.type = AUDIT_SEGMENT};

START_TEST(test_round_trip)
{
	struct audit_event reading = {.type = AUDIT_READ, .person = &sister, .handle = 9,
				      .offset = 4096, .length = 10, .bytes = 3, .thread = 78,
				      .via = AUDIT_VIA_FILL, .err = ERR_TAMPERED};
	const struct audit_event *event;
	struct pair p;

	pair_set_up(&p);
	event = &p.record->event;
	ck_assert_ok(pass(&p, &segment));
	ck_assert_ok(pass(&p, &opening));
	ck_assert_str_eq(event->path, opening.path);
	ck_assert(p.record->has_opened);
	ck_assert_ptr_null(strstr(p.line, "wards/"));
	ck_assert_str_eq(event->person->user, sister.user);
	ck_assert_str_eq(event->person->exe, sister.exe);
	ck_assert_uint_eq(event->person->login_uid, 1002);
	ck_assert_str_eq(event->role, "nurses");
	ck_assert_int_eq(p.record->wall_ns, 1795613446296881000);
	ck_assert_ok(pass(&p, &reading));
	ck_assert_str_eq(event->path, opening.path);
	ck_assert_str_eq(event->person->user, sister.user);
	ck_assert_str_eq(event->person->from, "ssh");
	ck_assert_int_eq(event->rule, 7);
	ck_assert_int_eq(event->err, ERR_TAMPERED);
	ck_assert_uint_eq(event->via, AUDIT_VIA_FILL);
	ck_assert_uint_eq(event->offset, 4096);
	ck_assert_uint_eq(event->bytes, 3);
	/* The same line once more. */
	ck_assert_int_eq(collected_line(p.collected, p.line, p.len, p.record), ERR_EXISTS);
	pair_tear_down(&p);
}
END_TEST

START_TEST(test_other_process)
{
	const struct audit_person child = {.uid = 2002, .login_uid = 2002, .session = 8,
					   .pid = 99, .user = "child"};
	struct audit_event event = {.type = AUDIT_IDENTITY, .person = &child, .handle = 9,
				    .path = opening.path, .role = "helpers", .rule = 20};
	struct pair p;

	/* The same number: its process tells. */
	pair_set_up(&p);
	ck_assert_ok(pass(&p, &segment));
	ck_assert_ok(pass(&p, &opening));
	ck_assert_ok(pass(&p, &event));
	event = (struct audit_event){.type = AUDIT_READ, .person = &child, .handle = 9,
				     .length = 1, .bytes = 1};
	ck_assert_ok(pass(&p, &event));
	ck_assert_str_eq(p.record->event.path, opening.path);
	ck_assert_str_eq(p.record->event.person->user, "child");
	ck_assert_str_eq(p.record->event.role, "helpers");
	/* The opener is still itself. */
	event.person = &sister;
	ck_assert_ok(pass(&p, &event));
	ck_assert_str_eq(p.record->event.person->user, sister.user);
	ck_assert_str_eq(p.record->event.role, "nurses");
	pair_tear_down(&p);
}
END_TEST

/* A program in the volume has a name that may be anybody's. */
START_TEST(test_program_in_the_volume)
{
	struct audit_person person = {.uid = 1001, .pid = 77, .exe = "/srv/ehr/M0042/viewer"};
	struct audit_event event = {.type = AUDIT_OPEN, .person = &person, .handle = 9,
				    .path = "/M0042/viewer"};
	char expected[64];
	struct pair p;

	pair_set_up(&p);
	p.context.mountpoint = "/srv/ehr";
	ck_assert_ok(pass(&p, &segment));
	ck_assert_ok(pass(&p, &event));
	ck_assert_ptr_null(strstr(p.line, "M0042"));
	/* It can be told which it is: by the pseudonym that the path has, too. */
	snprintf(expected, sizeof(expected), "/srv/ehr/%s", p.record->path_name);
	ck_assert_str_eq(p.record->event.person->exe, expected);
	strcpy(person.exe, "/srv/ehrlich/viewer");
	ck_assert_ok(pass(&p, &event));
	ck_assert_str_eq(p.record->event.person->exe, person.exe);
	p.context.plain_names = true;
	strcpy(person.exe, "/srv/ehr/M0042/viewer");
	ck_assert_ok(pass(&p, &event));
	ck_assert_str_eq(p.record->event.person->exe, person.exe);
	pair_tear_down(&p);
}
END_TEST

static void has_field(const struct pair *p, const char *name, const char *value)
{
	char field[128];

	snprintf(field, sizeof(field), " %s=\"%s\"", name, value);
	ck_assert_msg(strstr(p->line, field) != NULL, "no%s in %s", field, p->line);
}

static void has_pseudonym(const struct pair *p, const char *name, enum pseudonym_kind kind,
			  const char *data, size_t len)
{
	pseudonym_text text;

	pseudonym(p->pseudonym_key, kind, data, len, text);
	has_field(p, name, text);
}

/* What a collector searches by without a key: pseudonyms of file, path and patient, words. */
START_TEST(test_what_a_collector_searches_by)
{
	static const char id[] = "sixteen bytes id";
	struct audit_event event = {.type = AUDIT_RENAME, .person = &sister, .number = 12,
				    .object_id = (const uint8_t *)id, .path = "/wards/M0042/a",
				    .new_path = "/archive/b", .patient = 2, .class_name = "wards",
				    .new_class_name = "archive", .role = "nurses", .rule = 7,
				    .thread = 78};
	struct pair p;

	pair_set_up(&p);
	ck_assert_ok(pass(&p, &event));
	has_pseudonym(&p, "file", PSEUDONYM_FILE, id, OBJECT_ID_LEN);
	has_pseudonym(&p, "path", PSEUDONYM_PATH, "/wards/M0042/a", 14);
	has_pseudonym(&p, "newpath", PSEUDONYM_PATH, "/archive/b", 10);
	has_pseudonym(&p, "pat", PSEUDONYM_PATIENT, "M0042", 5);
	has_field(&p, "class", "wards");
	has_field(&p, "newclass", "archive");
	has_field(&p, "role", "nurses");
	has_field(&p, "rule", "7");
	has_field(&p, "uid", "1001");
	has_field(&p, "auid", "1002");
	has_field(&p, "pid", "77");
	has_field(&p, "tid", "78");
	has_field(&p, "from", "ssh");
	has_field(&p, "unit", "u");
	has_field(&p, "out", "done");
	event.type = AUDIT_DENY;
	event.err = ERR_CLASS;
	event.action = "rename";
	ck_assert_ok(pass(&p, &event));
	has_field(&p, "act", "rename");
	has_field(&p, "out", err_name(ERR_CLASS));
	/* READ says what its OPEN said. */
	ck_assert_ok(pass(&p, &opening));
	event = (struct audit_event){.type = AUDIT_READ, .person = &sister, .handle = 9,
				     .length = 1, .bytes = 1};
	ck_assert_ok(pass(&p, &event));
	has_pseudonym(&p, "path", PSEUDONYM_PATH, opening.path, strlen(opening.path));
	has_pseudonym(&p, "pat", PSEUDONYM_PATIENT, "5", 1);
	has_field(&p, "class", "wards");
	has_field(&p, "role", "nurses");
	pair_tear_down(&p);
}
END_TEST

START_TEST(test_closed_paths)
{
	struct pair p;

	/* Without the SEGMENT message. */
	pair_set_up(&p);
	ck_assert_ok(pass(&p, &opening));
	ck_assert_ptr_null(p.record->event.path);
	ck_assert(p.record->is_path_closed);
	ck_assert_uint_eq(strlen(p.record->path_name), BASE32_10_LEN);
	pair_tear_down(&p);
}
END_TEST

START_TEST(test_edited_path)
{
	const struct audit_event rename = {.type = AUDIT_RENAME, .path = "/a", .new_path = "/b"};
	char line[MESSAGE_MAX + 1], *sealed;
	struct pair p;
	size_t len;

	pair_set_up(&p);
	ck_assert_ok(pass(&p, &segment));
	ck_assert_ok(pass(&p, &rename));
	ck_assert_str_eq(p.record->event.path, "/a");
	ck_assert_str_eq(p.record->event.new_path, "/b");
	memcpy(line, p.line, sizeof(line));
	len = p.len;
	sealed = strstr(line, " sealed=\"") + 20;
	*sealed = *sealed == 'A' ? 'B' : 'A';
	/* To somebody who has not seen the right one. */
	collected_free(p.collected);
	ck_assert_ok(collected_new(p.auditor, &p.collected));
	p.seq = 0;
	ck_assert_ok(pass(&p, &segment));
	ck_assert_int_eq(collected_line(p.collected, line, len, p.record), ERR_TAMPERED);
	pair_tear_down(&p);
}
END_TEST

START_TEST(test_rollback)
{
	struct pair p;
	char *hash;

	/* The same number once more, but another record. */
	pair_set_up(&p);
	ck_assert_ok(pass(&p, &segment));
	ck_assert_ok(pass(&p, &opening));
	hash = strstr(p.line, " h=\"") + 4;
	*hash = *hash == '0' ? '1' : '0';
	ck_assert_int_eq(collected_line(p.collected, p.line, p.len, p.record), ERR_ROLLBACK);
	pair_tear_down(&p);
}
END_TEST

static void keep_gap(void *ctx, const char *volume, const uint8_t journal_id[AUDIT_ID_LEN],
		     uint64_t first, uint64_t last)
{
	uint64_t *sum = ctx;

	(void)journal_id;
	ck_assert_str_eq(volume, "ehr");
	*sum += 1000 * first + last;
}

START_TEST(test_gaps)
{
	struct pair p;
	uint64_t sum = 0;

	pair_set_up(&p);
	ck_assert_ok(pass(&p, &segment));
	ck_assert_ok(pass(&p, &opening));
	collected_gaps(p.collected, keep_gap, &sum);
	ck_assert_uint_eq(sum, 0);
	p.seq = 7;
	ck_assert_ok(pass(&p, &opening));
	collected_gaps(p.collected, keep_gap, &sum);
	ck_assert_uint_eq(sum, 3007);
	pair_tear_down(&p);
}
END_TEST

START_TEST(test_hostile)
{
	struct pair p;
	char line[SYSLOG_LINE_MAX + 64];

	/* Any byte, anywhere, cut anywhere: refused or read, never more. */
	pair_set_up(&p);
	ck_assert_ok(pass(&p, &segment));
	for (unsigned int round = 0; round < 20000; round++) {
		uint8_t pick[4];
		size_t len = p.len, at;

		random_bytes(pick, sizeof(pick));
		if (round % 2 == 0)
			(void)!pass(&p, &opening);
		else
			(void)!pass(&p, &segment);
		len = p.len;
		memcpy(line, p.line, len);
		at = (pick[0] | (size_t)pick[1] << 8) % len;
		line[at] = (char)pick[2];
		if (pick[3] < 64)
			len = at;
		(void)!collected_line(p.collected, line, len, p.record);
	}
	memset(line, '[', sizeof(line));
	ck_assert_int_eq(collected_line(p.collected, line, sizeof(line), p.record), ERR_NOT_FOUND);
	pair_tear_down(&p);
}
END_TEST

UNIT_MAIN("audit-collected", test_ranges, test_ranges_random, test_ranges_bounded, test_line,
	  test_line_refused, test_round_trip, test_other_process,
	  test_program_in_the_volume, test_what_a_collector_searches_by, test_closed_paths,
	  test_edited_path, test_rollback, test_gaps, test_hostile)

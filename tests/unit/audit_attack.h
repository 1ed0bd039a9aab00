/* Segments of three clean runs, taken apart and put back: what an attacker does. */
#ifndef PHIFS_TESTS_AUDIT_ATTACK_H
#define PHIFS_TESTS_AUDIT_ATTACK_H

#include "base/buf.h"
#include "tests/unit/audit_unit.h"

/* A segment's file in memory, as its records. */
struct file {
	uint8_t *data;
	size_t len;
	size_t records[4096]; /* offsets */
	size_t count;
};

static inline void load(uint32_t number, struct file *file)
{
	char path[128];
	struct segment_header header;
	struct record_header record;
	size_t at;

	segment_path(&f, number, path);
	ck_assert_ok(io_read_file(AT_FDCWD, path, 1 << 24, &file->data, &file->len));
	ck_assert_ok(segment_header_decode(file->data, file->len, &header, &at));
	file->count = 0;
	while (at < file->len && record_header_decode(file->data + at, file->len - at, &record) &&
	       file->count < 4096) {
		file->records[file->count++] = at;
		at += record.len;
	}
}

static inline void store_bytes(uint32_t number, const uint8_t *data, size_t len)
{
	char path[128];

	segment_path(&f, number, path);
	unlink(path);
	ck_assert_ok(io_create_file(AT_FDCWD, path, data, len, 0600));
}

static inline void remove_segment(uint32_t number)
{
	char path[128];

	segment_path(&f, number, path);
	ck_assert_int_eq(unlink(path), 0);
}

static inline size_t length_of(const struct file *file, size_t index)
{
	return load_u16(file->data + file->records[index]);
}

/* Three clean runs: segments 1, 2, 3 of a few records each. */
static inline void set_up_runs(void)
{
	set_up();
	for (unsigned i = 0; i < 3; i++)
		run_once(&f, 5);
}

static inline void expect(enum audit_verdict verdict, enum err worst)
{
	struct findings findings;

	verify(&f, f.key, &findings);
	ck_assert_msg(has_finding(&findings, verdict), "%s was not found (%zu findings, first %s)",
		      audit_verdict_name(verdict), findings.count,
		      findings.count == 0 ? "none"
					  : audit_verdict_name(findings.list[0].verdict));
	ck_assert_int_eq(findings.worst, worst);
}

#endif

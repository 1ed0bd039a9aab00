/* The journal of a case: one that is empty at first, and what may stand in its files. */
#ifndef PHIFS_TESTS_AUDIT_UNIT_H
#define PHIFS_TESTS_AUDIT_UNIT_H

#include "tests/unit/audit_fixture.h"

static struct fixture f;

static inline void set_up(void)
{
	fixture_set_up(&f);
}

static inline void tear_down(void)
{
	fixture_tear_down(&f);
}

/* Does `needle` stand anywhere in the file? */
static inline bool file_has(const char *path, const void *needle, size_t len)
{
	uint8_t *data;
	size_t size;
	bool found;

	ck_assert_ok(io_read_file(AT_FDCWD, path, 1 << 26, &data, &size));
	found = memmem(data, size, needle, len) != NULL;
	free(data);
	return found;
}

#endif

/*
 * Checks of what POSIX and Linux promise of a file system, run against any
 * directory: the mount, and a plain one to see that the checks themselves are
 * right.  Each check runs in a child, in an empty directory of its own.
 */
#ifndef PHIFS_TESTS_FS_POSIX_H
#define PHIFS_TESTS_FS_POSIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct check {
	const char *name;
	void (*run)(void);
};
/* Each ends with a NULL name. */
extern const struct check content_checks[], range_checks[], name_checks[], rename_checks[];
extern const struct check attribute_checks[], special_checks[], sync_checks[], mapping_checks[];

/* End the check: as failed, or as not possible here. */
_Noreturn void check_fail(const char *file, int line, const char *what);
_Noreturn void check_skip(const char *why);

#define MUST(condition)                                              \
	do {                                                         \
		if (!(condition))                                    \
			check_fail(__FILE__, __LINE__, #condition);  \
	} while (0)
/* The call fails with exactly this errno. */
#define MUST_FAIL(call, number) MUST((call) == -1 && errno == (number))

/* The directory of the check is the working directory. */
int make_file(const char *name, const void *data, size_t len);
/* `len` bytes that depend on seed and position. */
void fill_pattern(uint8_t *data, size_t len, uint64_t seed);
bool is_pattern(const uint8_t *data, size_t len, uint64_t seed);
bool is_zero(const uint8_t *data, size_t len);
void write_at(int fd, const void *data, size_t len, off_t offset);
void read_at(int fd, void *data, size_t len, off_t offset);
struct stat stat_of(const char *name);
/* Run in a child as another user (1000 and 1001 in the tests); its check results count. */
void as_user(uid_t uid, gid_t gid, void (*run)(void));

#endif

/*
 * posix-suite: every case runs on the mount and on a plain directory; what its
 * steps gave is recorded and compared line by line.  A case runs in a child, in
 * an empty directory of its own, as root with umask 022.
 *
 * There are two kinds of steps.  DO() and its like record what came, whatever it
 * is: the plain directory says what is right.  MUST() says what is right itself.
 */
#ifndef PHIFS_TESTS_POSIX_SUITE_H
#define PHIFS_TESTS_POSIX_SUITE_H

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
extern const struct check open_cases[], error_cases[], rename_cases[], attribute_cases[];
extern const struct check permission_cases[], time_cases[], content_cases[], large_cases[];
extern const struct check storm_cases[], random_cases[];

/* What the command line says, for cases. */
extern struct suite_options {
	unsigned int seed;
	int entries;     /* of a large directory */
	int storm;       /* operations of each process in a storm */
	int steps;       /* of a random sequence */
	int one_in;      /* how much of a matrix is run: one combination in so many */
} suite_options;

/* --- recorded steps (suite_record.c) ------------------------------------------- */

/* Where the lines go. */
void record_to(int fd);
/* "TEXT = RESULT", or the name of errno if it is negative; returns result. */
__attribute__((format(printf, 2, 3))) long step(long result, const char *format, ...);
/* As step(), but 0 for every descriptor. */
__attribute__((format(printf, 2, 3))) int step_open(int fd, const char *format, ...);
/* "TEXT = " and what is put behind. */
__attribute__((format(printf, 2, 3))) void note(const char *text, const char *format, ...);

#define DO(call)   step((long)(call), "%s", #call)
#define OPEN(call) step_open((call), "%s", #call)
/* Open and close it. */
#define TRY(call)  close(OPEN(call))

/* Type, mode, links, owner, size of what a name or descriptor stands for. */
void look(const char *name);
void look_at(int fd, const char *text);
/* The file's size and a hash of its bytes. */
void look_into(const char *name);
/* Every name below the working directory, sorted, with what those two say. */
void look_around(void);

/* Remember the times of a file; later changes get other ones. */
void mark(const char *name);
/* Which of its times have changed since; works also if it was renamed. */
void effect(const char *name, const char *text);

/* Effective ids and the groups of this process; root has them all back. */
void act_as(uid_t uid, gid_t gid, size_t count, const gid_t *groups);
void act_as_root(void);

/* --- checks with an opinion of their own (suite_check.c) -------------------------- */

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
/* All that is in the working directory. */
void remove_all(void);
/* Number `index` of a matrix is among those that this run takes. */
bool is_chosen(unsigned int index);

/* --- the written list (suite_list.c) --------------------------------------------- */

struct difference_list;

/* Adds a file's entries to the list; false, having said why, if it is none. */
bool list_read(struct difference_list **list, const char *path);
/* The list has this difference; it counts as seen then. */
bool list_has(struct difference_list *list, const char *case_name, const char *text,
	      const char *plain, const char *mount);
/* Entries that name the case and were not seen: says so, and how many. */
int list_unseen(const struct difference_list *list, const char *case_name);
/* Entries of cases that there are not. */
int list_unknown(const struct difference_list *list, bool (*is_case)(const char *name));
void list_free(struct difference_list *list);

#endif

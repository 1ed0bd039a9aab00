/* The policy of a clinic and its people, for the tests of who may do what to which file. */
#ifndef PHIFS_TESTS_FSOPS_WARDS_H
#define PHIFS_TESTS_FSOPS_WARDS_H

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "fsops_fixture.h"

/* 1001 edits wards, 1002 views them, 1003 deposits; psychiatry is another class. */
static const char policy_text[] =
	"[class wards]\n"
	"path = /\n"
	"[class psychiatry]\n"
	"path = /wards/*/psychiatry\n"
	"patient = 4\n"
	"[class database]\n"
	"path = /db\n"
	"audit = summary\n"
	"[role nurses]\n"
	"members = uid:1001\n"
	"allow = edit on wards, database\n"
	"[role viewers]\n"
	"members = uid:1002\n"
	"allow = view on wards\n"
	"[role inbox]\n"
	"members = uid:1003\n"
	"allow = deposit on wards\n"
	"deny = read on wards\n"
	"[role psychiatrists]\n"
	"members = uid:1004\n"
	"allow = edit on psychiatry, wards\n";
#define NURSE        1001
#define VIEWER       1002
#define DEPOSITOR    1003
#define PSYCHIATRIST 1004
#define STRANGER     1005

static inline uint64_t made_dir(struct world *w, uint64_t dir, const char *name)
{
	int error;
	uint64_t number = world_mkdir(w, PSYCHIATRIST, dir, name, &error);

	ck_assert_int_eq(error, -1);
	return number;
}

/* A closed file. */
static inline uint64_t made_file(struct world *w, uid_t uid, uint64_t dir, const char *name)
{
	uint64_t number = 0, handle = world_create(w, asker(uid), dir, name, O_RDWR, &number);

	ck_assert_uint_ne(handle, 0);
	ck_assert_int_eq(world_write(w, asker(uid), OP_WRITE, number, handle, 0, 100), 100);
	world_release(w, number, handle);
	return number;
}

/* A new world with the nurse's closed file "a" in its root. */
static inline uint64_t world_with_file(struct world *w)
{
	world_new(w, policy_text);
	return made_file(w, NURSE, STORE_ROOT, "a");
}

static inline int set_attr(struct world *w, struct answer answer, struct guard_target target)
{
	struct guard *guard = begin(w, &answer, OP_SETATTR, target);
	struct store_setattr set = {.valid = target.set, .mode = target.mode};
	struct store_attr attr;
	struct stat st = {0};

	if (guard != NULL)
		guard_end_attr(guard, store_setattr(w->store.store, target.number, &set, &attr),
			       &st, 1);
	return wait_answer(&answer);
}

#endif

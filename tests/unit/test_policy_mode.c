/* Mode bits as phifs-policy test judges them, on a directory of our own. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/policy/mode.h"
#include "unit.h"

static const gid_t staff[] = {60, 50};

static bool allows(mode_t mode, uid_t uid, int want)
{
	const struct stat st = {.st_mode = mode, .st_uid = 1000, .st_gid = 50};
	const struct policy_subject subject = {uid, uid, staff, uid == 3000 ? 0 : 2};
	mode_t missing;

	return mode_allows(&st, &subject, want, &missing);
}

START_TEST(the_first_class_that_fits_decides)
{
	ck_assert(allows(S_IFREG | 0600, 1000, R_OK | W_OK));
	ck_assert(!allows(S_IFREG | 0600, 2000, R_OK));
	ck_assert(allows(S_IFREG | 0640, 2000, R_OK));
	ck_assert(!allows(S_IFREG | 0640, 2000, W_OK));
	ck_assert(!allows(S_IFREG | 0640, 3000, R_OK));
	ck_assert(allows(S_IFREG | 0644, 3000, R_OK));
	/* The owner's bits count for the owner although others have more. */
	ck_assert(!allows(S_IFREG | 0077, 1000, R_OK));
	ck_assert(!allows(S_IFREG | 0607, 2000, R_OK));
}
END_TEST

START_TEST(root_may_all_but_execute_what_nobody_may)
{
	ck_assert(allows(S_IFREG | 0000, 0, R_OK | W_OK));
	ck_assert(!allows(S_IFREG | 0644, 0, X_OK));
	ck_assert(allows(S_IFREG | 0100, 0, X_OK));
	ck_assert(allows(S_IFDIR | 0000, 0, X_OK));
}
END_TEST

static char top[] = "/tmp/test_policy_mode.XXXXXX";

static const char *at(const char *path)
{
	static char text[256];

	snprintf(text, sizeof(text), "%s%s", top, path);
	return text;
}

static void make_tree(void)
{
	strcpy(top + strlen(top) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	ck_assert_int_eq(chmod(top, 0755), 0);
	ck_assert_int_eq(mkdir(at("/open"), 0755), 0);
	ck_assert_int_eq(mkdir(at("/shut"), 0700), 0);
	ck_assert_int_eq(mkdir(at("/shut/in"), 0755), 0);
	ck_assert_int_eq(mkdir(at("/tmp"), 0755), 0);
	ck_assert_int_eq(chmod(at("/tmp"), 01777), 0);
	ck_assert_int_eq(close(open(at("/open/file"), O_CREAT | O_WRONLY, 0600)), 0);
	ck_assert_int_eq(close(open(at("/tmp/file"), O_CREAT | O_WRONLY, 0666)), 0);
	ck_assert_int_eq(chmod(at("/tmp/file"), 0666), 0);
	ck_assert_int_eq(symlink("open", at("/link")), 0);
}

static void drop_tree(void)
{
	static const char *const files[] = {"/open/file", "/tmp/file", "/link"};
	static const char *const directories[] = {"/open", "/shut/in", "/shut", "/tmp", ""};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		ck_assert_int_eq(unlink(at(files[i])), 0);
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
		ck_assert_int_eq(rmdir(at(directories[i])), 0);
}

/* Somebody who is neither this test's user nor in its groups. */
static const struct policy_subject stranger = {4000000, 4000000, NULL, 0};

static struct mode_verdict judge(const char *path, enum policy_action action)
{
	struct mode_verdict verdict;

	mode_judge(top, path, action, &stranger, &verdict);
	return verdict;
}

START_TEST(the_path_names_where_it_was_refused)
{
	struct mode_verdict verdict;

	make_tree();
	ck_assert_int_eq(judge("/", ACTION_LIST).answer, MODE_ALLOWS);
	ck_assert_int_eq(judge("/open", ACTION_LIST).answer, MODE_ALLOWS);
	verdict = judge("/open/file", ACTION_READ);
	ck_assert_int_eq(verdict.answer, MODE_REFUSES);
	ck_assert_str_eq(verdict.path, "/open/file");
	ck_assert_uint_eq(verdict.needed, 04);
	verdict = judge("/shut/in", ACTION_LIST);
	ck_assert_int_eq(verdict.answer, MODE_REFUSES);
	ck_assert_str_eq(verdict.path, "/shut");
	ck_assert_uint_eq(verdict.needed, 01);
	verdict = judge("/open/new", ACTION_CREATE);
	ck_assert_int_eq(verdict.answer, MODE_REFUSES);
	ck_assert_str_eq(verdict.path, "/open");
	ck_assert_uint_eq(verdict.needed, 02);
	ck_assert_int_eq(judge("/tmp/new", ACTION_CREATE).answer, MODE_ALLOWS);
	ck_assert_int_eq(judge("/tmp/file", ACTION_WRITE).answer, MODE_ALLOWS);
	drop_tree();
}
END_TEST

START_TEST(what_belongs_to_the_owner)
{
	struct mode_verdict verdict;

	make_tree();
	verdict = judge("/open", ACTION_ATTR);
	ck_assert_int_eq(verdict.answer, MODE_REFUSES);
	ck_assert_uint_eq(verdict.needed, 0);
	/* Everybody may write there, but the sticky bit keeps others' files. */
	verdict = judge("/tmp/file", ACTION_DELETE);
	ck_assert_int_eq(verdict.answer, MODE_REFUSES);
	ck_assert_str_eq(verdict.path, "/tmp/file");
	ck_assert_int_eq(chmod(at("/tmp"), 0777), 0);
	ck_assert_int_eq(judge("/tmp/file", ACTION_DELETE).answer, MODE_ALLOWS);
	drop_tree();
}
END_TEST

START_TEST(what_cannot_be_judged_is_not_refused)
{
	struct mode_verdict verdict;

	make_tree();
	ck_assert_int_eq(judge("/open/none", ACTION_READ).answer, MODE_ABSENT);
	ck_assert_int_eq(judge("/none/none", ACTION_CREATE).answer, MODE_ABSENT);
	verdict = judge("/link/file", ACTION_READ);
	ck_assert_int_eq(verdict.answer, MODE_UNKNOWN);
	ck_assert_int_eq(verdict.error_number, ELOOP);
	mode_judge("/no/such/mount", "/", ACTION_LIST, &stranger, &verdict);
	ck_assert_int_eq(verdict.answer, MODE_UNKNOWN);
	ck_assert_int_eq(verdict.error_number, ENOENT);
	drop_tree();
}
END_TEST

UNIT_MAIN("policy_mode", the_first_class_that_fits_decides,
	  root_may_all_but_execute_what_nobody_may, the_path_names_where_it_was_refused,
	  what_belongs_to_the_owner, what_cannot_be_judged_is_not_refused)

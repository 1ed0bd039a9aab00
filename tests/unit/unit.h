/*
 * What every unit test program shares: one suite, run by Check, reported as
 * TAP.  A program defines its cases with START_TEST and lists them:
 *
 *     UNIT_MAIN("buf", test_a, test_b)
 */
#ifndef PHIFS_TESTS_UNIT_H
#define PHIFS_TESTS_UNIT_H

#include <check.h>
#include <stdlib.h>

#include "base/secmem.h"

static void unit_setup(void)
{
	ck_assert_int_eq(secmem_init(), ERR_OK);
}

static inline int unit_run(const char *name, const TTest *const tests[], size_t count)
{
	Suite *suite = suite_create(name);
	TCase *cases = tcase_create(name);
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(cases, unit_setup, NULL);
	for (size_t i = 0; i < count; i++)
		tcase_add_test(cases, tests[i]);
	suite_add_tcase(suite, cases);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define UNIT_MAIN(name, ...)                                                          \
	int main(void)                                                                \
	{                                                                             \
		const TTest *const tests[] = {__VA_ARGS__};                           \
		return unit_run(name, tests, sizeof(tests) / sizeof(tests[0]));       \
	}

#define ck_assert_ok(expression) ck_assert_int_eq(expression, ERR_OK)

#endif

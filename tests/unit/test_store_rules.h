/*
 * The store's rules (DESIGN.md "Store": I1 to I24, R1 to R8), each with at least
 * one case that is named after it and fails when it is broken: broken.sh sees to
 * that.  One program of several files, by theme.
 *
 *     test_store_rules [CASE]
 */
#ifndef PHIFS_TESTS_STORE_RULES_H
#define PHIFS_TESTS_STORE_RULES_H

#include <string.h>

#include "scene.h"
#include "unit.h"

/* Gives each case of the theme to `add`. */
typedef void rules_add(const TTest *test);
void rules_journal(rules_add *add);
void rules_streaming(rules_add *add);
void rules_flushing(rules_add *add);
void rules_recovery(rules_add *add);
void rules_history(rules_add *add);
void rules_objects(rules_add *add);
void rules_namespace(rules_add *add);
void rules_integrity(rules_add *add);
void rules_failure(rules_add *add);
void rules_limits(rules_add *add);

#define RULES(theme, ...)                                                             \
	void rules_##theme(rules_add *add)                                            \
	{                                                                             \
		const TTest *const cases[] = {__VA_ARGS__};                           \
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)         \
			add(cases[i]);                                                \
	}

#endif

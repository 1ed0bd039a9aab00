/*
 * Places that keep a rule of the commit protocol can be broken on purpose, in
 * one test program only (tests/crash/broken.sh): a test of a rule must fail
 * when the rule is broken.  In every other build this is the constant false.
 */
#ifndef PHIFS_STORE_BREAK_H
#define PHIFS_STORE_BREAK_H

#ifdef PHIFS_BREAK
#include <stdbool.h>

/* Is this the rule that the environment variable PHIFS_BREAK names? */
bool store_is_broken(const char *rule);
#define STORE_BREAK(rule) store_is_broken(#rule)
#else
#define STORE_BREAK(rule) false
#endif

#endif

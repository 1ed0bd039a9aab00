/* What a verdict is made of. */
#ifndef PHIFS_TESTS_ATTACK_JUDGE_H
#define PHIFS_TESTS_ATTACK_JUDGE_H

#include "attack.h"

struct verdict {
	const struct attack *attack;
	const struct sight *sight;
	char *why; /* "" until something is wrong: the first stays */
	size_t size;
};

void verdict_blame(const struct verdict *verdict, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
bool attack_is_touched(const struct attack *attack, uint64_t number);

#endif

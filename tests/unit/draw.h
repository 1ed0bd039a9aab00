/* Numbers that look drawn, the same in every run (xorshift64, Marsaglia 2003). */
#ifndef PHIFS_TESTS_DRAW_H
#define PHIFS_TESTS_DRAW_H

#include <stdint.h>

static uint64_t random_state = 88172645463325252ull;

static inline uint64_t draw(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

#endif

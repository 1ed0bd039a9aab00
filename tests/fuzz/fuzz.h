/*
 * Fuzzing of everything that reads bytes from a disk, a socket or a file that
 * somebody edits.
 *
 * One driver for each parser defines what is declared below.  Linked with main.c it
 * is a test: it makes its corpus from valid objects, then mutates it from a
 * fixed seed.  Compiled with `clang -fsanitize=fuzzer` instead of main.c it is
 * a libFuzzer target; `DRIVER --write DIRECTORY` makes the corpus for that.
 */
#ifndef PHIFS_TESTS_FUZZ_H
#define PHIFS_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_INPUT_MAX (64u << 10)

/*
 * The parser under test.  Returns 0; aborts where something is wrong; sets
 * fuzz_accepted where the parser took the input.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Calls fuzz_seed for each valid object. */
void fuzz_corpus(void);
void fuzz_seed(const void *data, size_t size);

extern bool fuzz_accepted;

/* Mutated inputs of one run as a test: chosen so that it takes about a second. */
extern const unsigned int fuzz_iterations;

/* Holds whatever the input. */
#define FUZZ_CHECK(condition)    \
	do {                     \
		if (!(condition)) \
			abort(); \
	} while (0)

/* Keeps the compiler from leaving out a read of `data`: sanitizers watch it. */
static inline void fuzz_touch(const void *data, size_t size)
{
	volatile uint8_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + ((const uint8_t *)data)[i]);
}

#endif

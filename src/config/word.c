/* The nearest known word, for "did you mean". */
#include <string.h>

#include "config/config.h"

/* Words longer than this are never near anything. */
#define WORD_MAX 64

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/*
 * Edits that turn a into b: insert, delete, replace, swap two neighbours
 * (optimal string alignment).  Three rows of the table are enough.
 */
static size_t edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][WORD_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b_len; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *spare = before;

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t replace = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);

			row[j] = smallest(last[j] + 1, row[j - 1] + 1, replace);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		before = last;
		last = row;
		row = spare;
	}
	return last[b_len];
}

const char *config_nearest(const char *word, const char *const words[])
{
	size_t len = strlen(word);
	/* A third of the word may be wrong: "al" is not near "idle". */
	size_t best = (len + 2) / 3 + 1;
	const char *nearest = NULL;

	if (len == 0 || len > WORD_MAX)
		return NULL;
	for (size_t i = 0; words[i] != NULL; i++) {
		size_t other = strlen(words[i]);
		size_t distance;

		if (other > WORD_MAX)
			continue;
		distance = edit_distance(word, len, words[i], other);
		if (distance < best && distance < other) {
			best = distance;
			nearest = words[i];
		}
	}
	return nearest;
}

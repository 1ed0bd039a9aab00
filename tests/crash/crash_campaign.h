/*
 * What all campaigns have alike: options, a clock, progress, the last line.
 *
 *     PROGRAM [--seconds N] [--states N] [--seed S] [--on KIND] [--first] [--verbose]
 *
 * --first ends with the first violation.
 */
#ifndef PHIFS_TESTS_CRASH_CAMPAIGN_H
#define PHIFS_TESTS_CRASH_CAMPAIGN_H

#include <stdbool.h>
#include <stdint.h>

struct campaign {
	const char *name;
	int64_t seconds;
	uint64_t states_max, seed; /* the first one */
	const char *on;            /* NULL: everything there is */
	bool first_ends, is_verbose;
	uint64_t states, violations; /* counted by the program */
	int64_t start_ns, told;      /* its own */
	uint64_t current;
};

/* One run from one seed; looks at campaign_is_over between its states. */
typedef void campaign_explore(struct campaign *campaign, uint64_t seed);

/* False: an option nobody knows. */
bool campaign_options(struct campaign *campaign, int argc, char **argv);
/* Seeds one after another, until it is over; an interruption ends it too.  The exit status. */
int campaign_run(struct campaign *campaign, campaign_explore *explore);
/* Enough states, seconds or violations, or interrupted.  Also tells the progress. */
bool campaign_is_over(struct campaign *campaign);
/* Tells what is wrong and how to see it again: the seed, and what `how` adds. */
void campaign_violation(struct campaign *campaign, uint64_t seed, const char *how,
			const char *what);

#endif

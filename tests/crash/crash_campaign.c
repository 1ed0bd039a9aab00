#include "crash_campaign.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

static volatile sig_atomic_t is_interrupted;

static void interrupt(int number)
{
	(void)number;
	is_interrupted = 1;
}

bool campaign_options(struct campaign *campaign, int argc, char **argv)
{
	static const struct option options[] = {
		{"seconds", required_argument, NULL, 't'}, {"states", required_argument, NULL, 'n'},
		{"seed", required_argument, NULL, 's'},	   {"on", required_argument, NULL, 'o'},
		{"first", no_argument, NULL, 'f'},	   {"verbose", no_argument, NULL, 'v'},
		{NULL, 0, NULL, 0}};
	int option;

	campaign->seconds = 10;
	campaign->states_max = UINT64_MAX;
	campaign->seed = 1;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 't')
			campaign->seconds = strtoll(optarg, NULL, 10);
		else if (option == 'n')
			campaign->states_max = strtoull(optarg, NULL, 10);
		else if (option == 's')
			campaign->seed = strtoull(optarg, NULL, 10);
		else if (option == 'o')
			campaign->on = optarg;
		else if (option == 'f')
			campaign->first_ends = true;
		else if (option == 'v')
			campaign->is_verbose = true;
		else
			return false;
	}
	return optind == argc;
}

bool campaign_is_over(struct campaign *campaign)
{
	int64_t passed = clock_boot_ns() - campaign->start_ns;

	if (passed / (10 * NS_PER_SECOND) > campaign->told) {
		campaign->told = passed / (10 * NS_PER_SECOND);
		fprintf(stderr, "%s: %" PRIu64 " states, %" PRIu64 " violations, seed %" PRIu64 "\n",
			campaign->name, campaign->states, campaign->violations, campaign->current);
	}
	return is_interrupted || passed >= campaign->seconds * NS_PER_SECOND ||
	       campaign->states >= campaign->states_max ||
	       (campaign->first_ends && campaign->violations > 0);
}

void campaign_violation(struct campaign *campaign, uint64_t seed, const char *how,
			const char *what)
{
	campaign->violations++;
	fprintf(stderr, "violation: %s; reproduce with --seed %" PRIu64 "%s\n", what, seed, how);
}

int campaign_run(struct campaign *campaign, campaign_explore *explore)
{
	const struct sigaction action = {.sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	campaign->start_ns = clock_boot_ns();
	for (campaign->current = campaign->seed; !campaign_is_over(campaign); campaign->current++)
		explore(campaign, campaign->current);
	printf("%" PRIu64 " states explored, %" PRIu64 " violations\n", campaign->states,
	       campaign->violations);
	return campaign->violations == 0 && campaign->states > 0 ? 0 : 1;
}

/*
 * Attacks on the files of a volume (DESIGN.md, "How a claim becomes a figure").
 *
 * A volume with a history is made on the simulated disk; every case edits a copy
 * of its files, mounts it, looks at everything and compares with the untouched
 * twin.  Every sixteenth case is the twin itself.  Of attacks on single objects
 * every other case has a dozen, of different ones, with one mount.
 *
 *     attack-store [--seconds N | --states N] [--seed S] [--from N] [--kind NAME]
 *                  [--first] [--list]
 *
 * A case is its number and the seed, nothing else: what a violation prints runs
 * that case alone.  --first ends with the first violation.
 */
#include "attack.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "crypto/crypto.h"

#define TWIN_ONE_IN  16
#define HANGS_AFTER  60 /* seconds */
#define TOLD_EVERY   10

struct tally {
	uint64_t outcomes[OUTCOME_COUNT];
};

struct campaign {
	struct history history;
	uint64_t seed, from, states;
	int64_t seconds, start, told;
	const char *only;
	bool first_ends;
	const struct kind **wheel; /* each kind as often as its weight */
	size_t wheel_len;
	struct tally *tallies; /* of each kind */
	struct tally twins, total;
	uint64_t number; /* of the case */
	uint64_t mounts;
};

static char now_running[256];

static void hang(int signal)
{
	static const char text[] = "violation: hangs; ";

	(void)signal;
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	(void)!write(STDERR_FILENO, now_running, strlen(now_running));
	_exit(1);
}

/* What is attacked is full of errors. */
static void drop_message(void *ctx, enum log_level level, const char *text)
{
	(void)ctx;
	(void)level;
	(void)text;
}

/* --- cases ------------------------------------------------------------------------------- */

static uint64_t seed_of(const struct campaign *campaign, uint64_t number)
{
	uint64_t z = campaign->seed * 0x9e3779b97f4a7c15ull + number;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	return z ^ (z >> 27);
}

static bool is_twin(const struct campaign *campaign, uint64_t number)
{
	return campaign->only == NULL && number % TWIN_ONE_IN == 0;
}

/* `kind` NULL: the twin. */
static void count(struct campaign *campaign, const struct kind *kind, enum outcome outcome)
{
	if (kind == NULL)
		campaign->twins.outcomes[outcome]++;
	else
		campaign->tallies[kind - kinds].outcomes[outcome]++;
	if (kind != NULL || outcome == OUTCOME_VIOLATION)
		campaign->total.outcomes[outcome]++;
}

static void several(struct campaign *campaign, const struct kind *kind, uint64_t turn, char *why,
		    size_t size)
{
	struct batch *batch = calloc(1, sizeof(*batch));

	if (batch == NULL)
		abort();
	batch_run(&campaign->history, kind, batch, seed_of(campaign, campaign->number), turn, why, size);
	for (size_t i = 0; i < batch->count; i++)
		count(campaign, batch->kinds[i], batch->outcomes[i]);
	free(batch);
}

static void one_case(struct campaign *campaign)
{
	uint64_t number = campaign->number;
	bool twin = is_twin(campaign, number);
	/* Twins are between the others: no kind loses its turn to them. */
	uint64_t attack = campaign->only == NULL ? number - number / TWIN_ONE_IN : number;
	const struct kind *kind = campaign->wheel[attack % campaign->wheel_len];
	char why[768] = "";

	snprintf(now_running, sizeof(now_running),
		 "%s: reproduce with --seed %" PRIu64 " --from %" PRIu64 " --states 1%s%s\n",
		 twin ? "twin" : kind->name, campaign->seed, number,
		 campaign->only == NULL ? "" : " --kind ", campaign->only == NULL ? "" : campaign->only);
	alarm(HANGS_AFTER);
	if (twin)
		count(campaign, NULL, twin_run(&campaign->history, seed_of(campaign, number), why,
					       sizeof(why)));
	else if (batch_may(kind) && attack / campaign->wheel_len % 2 == 1)
		several(campaign, kind, attack / campaign->wheel_len, why, sizeof(why));
	else
		count(campaign, kind, attack_run(&campaign->history, kind, seed_of(campaign, number),
						 attack / campaign->wheel_len, why, sizeof(why)));
	alarm(0);
	campaign->mounts++;
	if (why[0] != '\0')
		fprintf(stderr, "violation: %s; %s", why, now_running);
}

static uint64_t cases(const struct tally *tally)
{
	uint64_t count = 0;

	for (size_t i = 0; i < OUTCOME_COUNT; i++)
		count += tally->outcomes[i];
	return count;
}

static void tell_progress(struct campaign *campaign)
{
	int64_t passed = (clock_boot_ns() - campaign->start) / NS_PER_SECOND;

	if (passed / TOLD_EVERY <= campaign->told)
		return;
	campaign->told = passed / TOLD_EVERY;
	fprintf(stderr, "%" PRId64 " s: %" PRIu64 " attacks, %" PRIu64 " violations\n", passed,
		cases(&campaign->total), campaign->total.outcomes[OUTCOME_VIOLATION]);
}

static bool goes_on(const struct campaign *campaign)
{
	return campaign->number - campaign->from < campaign->states &&
	       clock_boot_ns() - campaign->start < campaign->seconds * NS_PER_SECOND &&
	       !(campaign->first_ends && campaign->total.outcomes[OUTCOME_VIOLATION] > 0);
}

/* --- what came of it ------------------------------------------------------------------------- */

static void print_line(const char *name, const struct tally *tally)
{
	printf("%-36s %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %6" PRIu64 " %6" PRIu64 "\n", name,
	       cases(tally), tally->outcomes[OUTCOME_SEEN], tally->outcomes[OUTCOME_HARMLESS],
	       tally->outcomes[OUTCOME_KNOWN], tally->outcomes[OUTCOME_VIOLATION]);
}

static void print_result(const struct campaign *campaign)
{
	printf("%-36s %8s %8s %8s %6s %6s\n", "kind", "attacks", "detected", "harmless", "known",
	       "wrong");
	for (size_t i = 0; i < kind_count; i++)
		if (cases(&campaign->tallies[i]) > 0)
			print_line(kinds[i].name, &campaign->tallies[i]);
	print_line("untouched twin", &campaign->twins);
	for (size_t i = 0; i < kind_count; i++)
		if (kinds[i].known != NULL)
			printf("known: %s: %s\n", kinds[i].name, kinds[i].known);
	printf("%" PRIu64 " mounts, some with several attacks of different objects\n",
	       campaign->mounts);
	printf("%" PRIu64 " attacks, %" PRIu64 " detected, %" PRIu64 " without effect, %" PRIu64
	       " known, %" PRIu64 " violations\n",
	       cases(&campaign->total), campaign->total.outcomes[OUTCOME_SEEN],
	       campaign->total.outcomes[OUTCOME_HARMLESS], campaign->total.outcomes[OUTCOME_KNOWN],
	       campaign->total.outcomes[OUTCOME_VIOLATION]);
}

/* --- start -------------------------------------------------------------------------------------- */

/* False: there is no such kind. */
static bool make_wheel(struct campaign *campaign)
{
	for (size_t i = 0; i < kind_count; i++)
		for (unsigned int j = 0; j < kinds[i].weight; j++) {
			if (campaign->only != NULL && strcmp(campaign->only, kinds[i].name) != 0)
				continue;
			campaign->wheel = realloc(campaign->wheel, (campaign->wheel_len + 1) *
									  sizeof(*campaign->wheel));
			if (campaign->wheel == NULL)
				abort();
			campaign->wheel[campaign->wheel_len++] = &kinds[i];
		}
	campaign->tallies = calloc(kind_count, sizeof(*campaign->tallies));
	return campaign->wheel_len > 0 && campaign->tallies != NULL;
}

static void list(void)
{
	for (size_t i = 0; i < kind_count; i++)
		printf("%s%s\n", kinds[i].name, kinds[i].known != NULL ? " (known)" : "");
}

static int run_campaign(struct campaign *campaign)
{
	history_make(&campaign->history, campaign->seed);
	campaign->start = clock_boot_ns();
	for (campaign->number = campaign->from; goes_on(campaign); campaign->number++) {
		one_case(campaign);
		tell_progress(campaign);
	}
	history_free(&campaign->history);
	print_result(campaign);
	free(campaign->tallies);
	free(campaign->wheel);
	return campaign->total.outcomes[OUTCOME_VIOLATION] == 0 && cases(&campaign->total) > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"seconds", required_argument, NULL, 't'}, {"states", required_argument, NULL, 'n'},
		{"seed", required_argument, NULL, 's'},	   {"from", required_argument, NULL, 'b'},
		{"kind", required_argument, NULL, 'k'},	   {"first", no_argument, NULL, 'f'},
		{"list", no_argument, NULL, 'l'},	   {NULL, 0, NULL, 0}};
	struct campaign campaign = {.seed = 1, .from = 1, .states = UINT64_MAX, .seconds = 0};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 't')
			campaign.seconds = strtoll(optarg, NULL, 10);
		else if (option == 'n')
			campaign.states = strtoull(optarg, NULL, 10);
		else if (option == 's')
			campaign.seed = strtoull(optarg, NULL, 10);
		else if (option == 'b')
			campaign.from = strtoull(optarg, NULL, 10);
		else if (option == 'k')
			campaign.only = optarg;
		else if (option == 'f')
			campaign.first_ends = true;
		else if (option == 'l')
			return list(), 0;
		else
			return 2;
	}
	if (campaign.seconds == 0)
		campaign.seconds = campaign.states == UINT64_MAX ? 10 : INT32_MAX;
	/* Only the ledgers are files. */
	if (getenv("TMPDIR") == NULL && access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 1);
	if (crypto_init() != ERR_OK || !make_wheel(&campaign))
		return 2;
	log_set_name("attack-store");
	log_set_hook(drop_message, NULL);
	signal(SIGALRM, hang);
	return run_campaign(&campaign);
}

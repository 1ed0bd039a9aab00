/*
 * Options, runs, figures.
 *
 *     commit-model [--seconds N] [--states N] [--seed S] [--broken NAME] [--first]
 *     commit-model --list
 *
 * Each run has a seed of its own; a violation prints it and the steps up to it.
 * --first ends with the first violation.
 */
#include "commit_model.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define TURNS_MAX     6000  /* of a run: whoever still waits then waits for ever */
#define FROZEN_TURNS  20    /* at least, before the power is cut */
#define TOLD_STEPS    60
#define TOLD_VIOLATIONS 5   /* that are described; the others are counted */

static const struct {
	const char *name, *what;
	bool is_masked;
	uint64_t seed;
} rules[BROKEN_COUNT] = {
	{"", "", false, 1},
#define BROKEN(name, what, masked, seed) [BROKEN_##name] = {#name, what, masked, seed},
#include "commit_model_rules.def"
#undef BROKEN
};

static uint64_t violations, current_seed;

uint64_t draw(struct model *m)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return m->random >> 11;
}

void trace(struct model *m, const char *what, int a, int b, int c)
{
	m->trace[m->trace_count++ % TRACE] = (struct trace){what, a, b, c};
}

static void tell(const struct model *m, const char *what)
{
	int from = m->trace_count > TOLD_STEPS ? m->trace_count - TOLD_STEPS : 0;

	fprintf(stderr, "violation: %s; reproduce with --seed %" PRIu64 " --states 1%s%s\n", what,
		current_seed, m->broken == BROKEN_NOTHING ? "" : " --broken ",
		m->broken == BROKEN_NOTHING ? "" : rules[m->broken].name);
	for (int i = from; i < m->trace_count; i++) {
		const struct trace *at = &m->trace[i % TRACE];

		fprintf(stderr, "  %4d  %s: %d %d %d\n", i, at->what, at->a, at->b, at->c);
	}
}

void violate(struct model *m, const char *what)
{
	if (m->violation != NULL)
		return;
	m->violation = what;
	if (++violations <= TOLD_VIOLATIONS)
		tell(m, what);
}

/* --- a run ----------------------------------------- */

/* A volume with nothing but its root directory, all durable. */
static void make_volume(struct model *m)
{
	static struct image image;
	struct node *root;
	struct header *header = &m->header[1];

	m->extent_count = m->header_count = m->txn_count = 1;
	m->object_count = 0;
	root = &m->node[node_new(m, KIND_DIRECTORY)];
	root->is_new = false;
	root->nlink = 2;
	root->exists = root->name_durable = true;
	*header = (struct header){.nlink = 2, .levels = 1, .epoch = m->epoch, .root = root->tree.root};
	m->header_count = 2;
	memset(&m->txn[0], 0, sizeof(m->txn[0]));
	memset(m->txn[0].part_of, -1, sizeof(m->txn[0].part_of));
	m->txn[0].expected[0] = 1;
	memset(&image, 0, sizeof(image));
	image.sector[AT_ENTRIES] = ENTRY_SHARD;
	image.sector[AT_ANCHOR] = sector_value(SECTOR_IS_ANCHOR, 0, 0);
	image.sector[at_object(0, SECTOR_HEADER)] = sector_value(SECTOR_IS_HEADER, 1, 0);
	disk_begin(m, &image);
	m->row[0] = 1;
	m->half[0] = (struct half){.first = 1};
	m->half[1] = (struct half){.is_free = true};
	m->ledger.position = (struct position){.start_seq = 1, .session = m->session};
	memcpy(m->ledger.row, m->row, sizeof(m->row));
	names_snapshot(m);
}

/* In a third of the runs a call fails; in all of them if that is what is broken. */
static void begin_errors(struct model *m)
{
	bool is_looked_for = strncmp(rules[m->broken].name, "I24_", 4) == 0;

	m->failing = FAIL_ANY + (enum failing)below(m, 3);
	if (is_looked_for || draw(m) % 3 == 0)
		m->fail_in = 1 + below(m, m->failing == FAIL_ANY ? 200 : 20);
}

static void begin(struct model *m, uint64_t seed)
{
	struct thread *threads = m->threads;
	enum broken broken = m->broken;

	memset(m->node, 0, sizeof(m->node));
	memset(&m->clock, 0, sizeof(*m) - offsetof(struct model, clock));
	m->threads = threads;
	m->broken = broken;
	m->random = (seed + 1) * 0x9e3779b97f4a7c15u;
	m->is_over = m->is_frozen = false;
	m->violation = NULL;
	m->epoch = m->session = 1;
	make_volume(m);
	m->ops_left = 15 + below(m, 60);
	m->style = STYLE_ANY + (enum style)below(m, 3);
	begin_errors(m);
	threads_begin(m);
}

/* What is due from time to time. */
static void tick(struct model *m)
{
	int what = below(m, 128);

	m->is_everything |= what < 2;
	m->is_idle_checkpoint |= what == 2;
	m->is_applier_wanted |= what > 2 && what < 8;
}

static bool is_done(const struct model *m)
{
	return m->is_over || m->violation != NULL || m->idle_workers == WORKERS;
}

/* Long enough frozen, or just so. */
static bool is_cut_due(const struct model *m, int turn, int *frozen_turns)
{
	*frozen_turns += m->is_frozen;
	if (*frozen_turns < FROZEN_TURNS || m->idle_workers < WORKERS || !m->is_frozen)
		return turn == m->cut[0] || turn == m->cut[1];
	*frozen_turns = 0;
	return true;
}

static void run(struct model *m, uint64_t seed)
{
	int frozen_turns = 0;

	current_seed = seed;
	begin(m, seed);
	m->cut[0] = below(m, 600);
	m->cut[1] = m->cut[0] + below(m, 600);
	for (int turn = 0; !is_done(m) || (m->is_frozen && m->violation == NULL && !m->is_over);
	     turn++) {
		explore(m);
		if (is_cut_due(m, turn, &frozen_turns))
			remount(m);
		tick(m);
		if (!threads_turn(m))
			m->is_everything = m->is_applier_wanted = true;
		if (turn == TURNS_MAX)
			violate(m, "somebody waits for ever");
	}
}

/* --- options ----------------------------------------- */

static void list(void)
{
	for (int i = 1; i < BROKEN_COUNT; i++)
		printf("%-18s %s%s\n", rules[i].name, rules[i].what,
		       rules[i].is_masked ? " (masked: must be clean)" : "");
}

static enum broken find_rule(const char *name)
{
	int i = 1;

	while (i < BROKEN_COUNT && strcmp(rules[i].name, name) != 0)
		i++;
	return i == BROKEN_COUNT ? BROKEN_NOTHING : (enum broken)i;
}

struct limits {
	uint64_t seed, states_max;    /* seed 0: the one that the broken rule names */
	int64_t seconds;
	bool first_ends;
};

static bool read_options(int argc, char **argv, struct limits *limits, enum broken *broken)
{
	static const struct option options[] = {
		{"seconds", required_argument, NULL, 't'}, {"states", required_argument, NULL, 'n'},
		{"seed", required_argument, NULL, 's'},	   {"broken", required_argument, NULL, 'b'},
		{"first", no_argument, NULL, 'f'},	   {"list", no_argument, NULL, 'l'},
		{NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 't')
			limits->seconds = strtoll(optarg, NULL, 10);
		else if (option == 'n')
			limits->states_max = strtoull(optarg, NULL, 10);
		else if (option == 's')
			limits->seed = strtoull(optarg, NULL, 10);
		else if (option == 'b')
			*broken = find_rule(optarg);
		else if (option == 'f')
			limits->first_ends = true;
		else if (option == 'l') {
			list();
			exit(0);
		}
		if (option == '?' || (option == 'b' && *broken == BROKEN_NOTHING))
			return false;
	}
	return true;
}

static void explore_all(struct model *m, const struct limits *limits)
{
	int64_t start = clock_boot_ns(), told = 0;

	for (uint64_t seed = limits->seed; states < limits->states_max; seed++) {
		int64_t passed = clock_boot_ns() - start;

		if (passed >= limits->seconds * NS_PER_SECOND)
			break;
		run(m, seed);
		if (limits->first_ends && violations > 0)
			break;
		if (passed / (10 * NS_PER_SECOND) > told) {
			told = passed / (10 * NS_PER_SECOND);
			fprintf(stderr, "%" PRIu64 " states, seed %" PRIu64 "\n", states, seed);
		}
	}
}

int main(int argc, char **argv)
{
	static struct model m;
	struct limits limits = {.states_max = UINT64_MAX, .seconds = 10};

	if (!read_options(argc, argv, &limits, &m.broken))
		return 2;
	if (limits.seed == 0)
		limits.seed = rules[m.broken].seed;
	explore_all(&m, &limits);
	printf("%" PRIu64 " states explored, %" PRIu64 " violations\n", states, violations);
	return violations == 0 && states > 0 ? 0 : 1;
}
